import type { Node, Pod } from "../api/index.js";
import { seededRandom } from "../internal/random.js";
import { ClusterCache } from "../scheduler/cache/cluster-cache.js";
import { podInfo } from "../scheduler/cache/pod-info.js";
import { ClassCache } from "../scheduler/engine/class-cache.js";
import { evaluatePlainly, type NodeEvaluation } from "../scheduler/engine/plain-evaluation.js";
import { classScores } from "../scheduler/engine/selection.js";
import { VerdictTable } from "../scheduler/engine/verdicts.js";
import { type ClusterListers, listersOf } from "../scheduler/framework/listers.js";
import type { Cycle, QueuedPod, SchedulingPolicy } from "../scheduler/framework/policy.js";
import { RandomCluster } from "./random-cluster.js";

export interface PolicySubject {
  readonly policy: SchedulingPolicy;
  /** Makes a random node or pod one that the policy has something to say about. */
  readonly node?: (node: Node, random: () => number) => Node;
  readonly pod?: (pod: Pod, random: () => number) => Pod;
  readonly listers?: ClusterListers;
}

export interface PolicyCheckContext {
  readonly setup: () => PolicySubject;
  readonly seed: number;
}

export interface PolicyCheck {
  readonly name: string;
  run(context: PolicyCheckContext): void;
}

/** A random cluster with pods on its nodes and pods to be placed; everything in it is frozen to the bottom. */
interface Sample {
  readonly subject: PolicySubject;
  readonly cache: ClusterCache;
  readonly pods: readonly Pod[];
}

function sample({ setup, seed }: PolicyCheckContext, reverse = false): Sample {
  const subject = setup();
  const random = seededRandom(seed);
  const next = (): number => random.next();
  const make = new RandomCluster(random);
  const cache = new ClusterCache(subject.listers ?? listersOf());
  const podOf = (): Pod => {
    const pod = make.pod();
    return deepFreeze(subject.pod?.(pod, next) ?? pod);
  };
  const nodes = Array.from({ length: 3 + make.int(10) }, (_, index) => {
    const node = make.node(`node-${index}`);
    return deepFreeze(subject.node?.(node, next) ?? node);
  });
  const placed = Array.from({ length: make.int(20) }, () => ({ pod: podOf(), on: make.int(nodes.length) }));
  const pods = Array.from({ length: 4 }, podOf);
  for (const node of reverse ? [...nodes].reverse() : nodes) cache.setNode(node);
  for (const { pod, on } of placed) {
    const nodeName = nodes[on]?.metadata.name ?? "";
    cache.setPod(deepFreeze({ ...pod, spec: { containers: [], ...pod.spec, nodeName } }));
  }
  return { subject, cache, pods };
}

function newCycle({ cache }: Sample): Cycle {
  return { snapshot: cache.snapshots.current(), state: new Map() };
}

function evaluate(given: Sample, pod: Pod): Map<string, string> {
  const info = podInfo(pod, given.cache.table.quantities);
  const policies = [{ policy: given.subject.policy, weight: 1 }];
  return asText(evaluatePlainly(info, policies, newCycle(given)));
}

function asText(evaluations: readonly NodeEvaluation[]): Map<string, string> {
  return new Map(
    evaluations.map(({ name, verdict, total }) => [
      name,
      verdict === undefined ? `score ${total}` : `${verdict.reasons.join("+")} ${verdict.unresolvable ?? false}`,
    ]),
  );
}

function same(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>, what: string): void {
  for (const [name, text] of a) {
    if (b.get(name) !== text)
      throw new Error(`${what}: ${name}: ${JSON.stringify(text)} and ${JSON.stringify(b.get(name))}`);
  }
}

export const policyChecks: readonly PolicyCheck[] = [
  {
    name: "has a name that can stand in a configuration",
    run({ setup }) {
      const { name } = setup().policy;
      if (!/^[A-Za-z][\w./-]*$/.test(name)) throw new Error(`the name is ${JSON.stringify(name)}`);
    },
  },
  {
    name: "gives verdicts and finite scores from 0 to 100, and changes nothing that it is given",
    run(context) {
      const given = sample(context);
      // Evaluating throws for anything but verdicts and such scores, and for writes to what is frozen.
      for (const pod of given.pods) {
        given.subject.policy.preEnqueue?.(pod);
        evaluate(given, pod);
      }
    },
  },
  {
    name: "rejects with reasons that can be counted over nodes",
    run(context) {
      const given = sample(context);
      for (const pod of given.pods) {
        const info = podInfo(pod, given.cache.table.quantities);
        for (const { name, verdict } of evaluatePlainly(
          info,
          [{ policy: given.subject.policy, weight: 1 }],
          newCycle(given),
        )) {
          if (verdict === undefined) continue;
          if (verdict.reasons.length === 0 || verdict.reasons.some((reason) => reason.trim() === "")) {
            throw new Error("rejects without a reason");
          }
          if (verdict.reasons.some((reason) => reason.includes(name))) throw new Error("a reason names the node");
        }
      }
    },
  },
  {
    name: "decides the same when asked again",
    run(context) {
      const given = sample(context);
      for (const pod of given.pods) same(evaluate(given, pod), evaluate(given, pod), "asked twice");
    },
  },
  {
    name: "decides by the pod, whatever pods came before",
    run(context) {
      const [fresh, used] = [sample(context), sample(context)];
      const [first, ...others] = used.pods;
      for (const pod of others) evaluate(used, pod);
      if (first !== undefined) same(evaluate(fresh, first), evaluate(used, first), "after other pods");
    },
  },
  {
    name: "does not mind the order of nodes",
    run(context) {
      const [forth, back] = [sample(context), sample(context, true)];
      forth.pods.forEach((pod) => {
        same(evaluate(forth, pod), evaluate(back, pod), "nodes in another order");
      });
    },
  },
  {
    name: "sorts the queue by a strict weak order",
    run(context) {
      const { subject, pods } = sample(context);
      const { policy } = subject;
      if (policy.queueSort === undefined) return;
      const queued = pods.map((pod, sequence): QueuedPod => {
        const priority = sequence % 3;
        return { pod, priority, timestampMs: (sequence * 7) % 5, sequence, attempts: 0 };
      });
      const before = (a: QueuedPod, b: QueuedPod): boolean => (policy.queueSort?.(a, b) ?? 0) < 0;
      for (const a of queued) {
        if (before(a, a)) throw new Error("puts a pod before itself");
        for (const b of queued) {
          if (before(a, b) && before(b, a)) throw new Error("puts each of two pods before the other");
          for (const c of queued)
            if (before(a, b) && before(b, c) && !before(a, c)) throw new Error("is not transitive");
        }
      }
    },
  },
  {
    name: "takes back a reservation, as often as asked and without one",
    run(context) {
      const given = sample(context);
      const { policy } = given.subject;
      for (const pod of given.pods) {
        const cycle = newCycle(given);
        for (const node of cycle.snapshot.nodes) {
          policy.unreserve?.(pod, node, cycle);
          const before = evaluate(given, pod);
          policy.reserve?.(pod, node, cycle);
          policy.unreserve?.(pod, node, cycle);
          policy.unreserve?.(pod, node, cycle);
          same(before, evaluate(given, pod), "after reserving and giving back");
        }
      }
    },
  },
  {
    name: "answers hints for every object that an event may carry",
    run(context) {
      const given = sample(context);
      const cycle = newCycle(given);
      for (const { resource, actions, hint } of given.subject.policy.requeueWhen ?? []) {
        if (hint === undefined || (resource !== "Node" && resource !== "AssignedPod" && resource !== "UnscheduledPod"))
          continue;
        for (const pod of given.pods) {
          for (const node of cycle.snapshot.nodes) {
            const object = resource === "Node" ? node.node : (node.pods[0] ?? pod);
            const added = actions === undefined || actions.includes("Add");
            const answer = hint(pod, {
              resource,
              actions: actions ?? ["Update"],
              object,
              ...(added ? {} : { old: object }),
            });
            if (typeof answer !== "boolean") throw new Error(`a hint gave ${String(answer)}`);
          }
        }
      }
    },
  },
  {
    name: "decides the same compiled as called plainly",
    run(context) {
      const given = sample(context);
      const { policy } = given.subject;
      if ((policy.vector ?? policy.signPod) === undefined) return;
      const { table } = given.cache;
      const verdicts = new VerdictTable();
      const classes = new ClassCache(given.cache, verdicts, [{ policy, weight: 1 }]);
      for (const [index, pod] of given.pods.entries()) {
        const info = podInfo(pod, table.quantities);
        const { podClass, plain } = classes.classify(info);
        const narrowed = policy.vector?.narrow?.(info);
        if (plain.length > 0 || narrowed !== undefined) continue;
        podClass.beginRound();
        const feasible: number[] = [];
        const compiled = new Map<string, string>();
        for (let slot = 0; slot < table.slots; slot++) {
          const code = podClass.code(slot);
          if (code === 0) feasible.push(slot);
          const { reasons, unresolvable = false } = verdicts.get(Math.max(0, code));
          compiled.set(table.nodes[slot]?.metadata.name ?? "", `${reasons.join("+")} ${unresolvable}`);
        }
        classScores(podClass, feasible).forEach((score, index) => {
          compiled.set(table.nodes[feasible[index] ?? -1]?.metadata.name ?? "", `score ${score}`);
        });
        same(evaluate(given, pod), compiled, "plain and compiled");
        // Pods to come see a node that changed, and others that did not.
        const nodeName = table.nodes[feasible[0] ?? -1]?.metadata.name;
        if (nodeName === undefined) continue;
        const metadata = { ...pod.metadata, name: `placed-${index}`, uid: `placed-${index}` };
        given.cache.setPod(deepFreeze({ ...pod, metadata, spec: { containers: [], ...pod.spec, nodeName } }));
      }
    },
  },
];

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
