import type { Pod } from "../../api/index.js";
import { cpuColumn, memoryColumn } from "../cache/cluster-table.js";
import type { PodInfo } from "../cache/pod-info.js";
import { type PodRequests, podRequests } from "../cache/pod-requests.js";
import { classBehind, mayBeBacked } from "../devices/extended-resources.js";
import type { ClusterListers } from "../framework/listers.js";
import type { ClusterEvent, NodeSnapshot, Rejection, SchedulingPolicy } from "../framework/policy.js";
import { QuantityCache } from "../framework/resources.js";
import type { VectorContext } from "../framework/vector.js";
import {
  balanceScore,
  defaultResources,
  isExtended,
  type ResourceScore,
  type ResourceSpec,
  resourceScore,
  type ScoringStrategy,
} from "./resource-scores.js";

export interface NodeResourcesFitArgs {
  readonly ignoredResources?: readonly string[];
  readonly ignoredResourceGroups?: readonly string[];
  readonly scoringStrategy?: ScoringStrategy;
}

export interface NodeResourcesBalancedAllocationArgs {
  readonly resources?: readonly ResourceSpec[];
}

const tooManyPods = "Too many pods";

/** Plain methods are asked about the same pod for node after node. Pods are never changed, only replaced. */
function remembering(): (pod: Pod) => PodRequests {
  const known = new WeakMap<Pod, PodRequests>();
  const quantities = new QuantityCache();
  return (pod) => {
    const found = known.get(pod) ?? podRequests(pod, quantities);
    known.set(pod, found);
    return found;
  };
}

type Requests = ReadonlyMap<string, number>;

/** Keeps a node's requests within what it can allocate; prefers nodes by how much is left (or is used). */
export function nodeResourcesFit(args: NodeResourcesFitArgs = {}): SchedulingPolicy {
  const ignored = new Set(args.ignoredResources ?? []);
  const groups = new Set(args.ignoredResourceGroups ?? []);
  // Only extended resources can be ignored: nobody else looks after the others.
  const counts = (name: string): boolean =>
    !isExtended(name) || (!ignored.has(name) && !groups.has(name.split("/")[0] ?? ""));
  const wanted = (requests: Requests): [string, number][] =>
    inOrder([...requests].filter(([name, amount]) => amount > 0 && counts(name)));
  const strategy = args.scoringStrategy ?? {};
  const requestsOf = remembering();
  const scorer = plainScorer(strategy.resources ?? defaultResources, resourceScore(strategy), true, requestsOf);
  /** Without listers devices may stand for whatever the node has none of. */
  const check = (pod: Pod, node: NodeSnapshot, listers?: ClusterListers): Rejection | undefined => {
    const missing = node.pods.length + 1 > (node.allocatable.get("pods") ?? 0) ? [tooManyPods] : [];
    let unresolvable = false;
    for (const [name, amount] of wanted(requestsOf(pod).requests)) {
      const allocatable = node.allocatable.get(name) ?? 0;
      if (amount <= allocatable - (node.requested.get(name) ?? 0)) continue;
      // DynamicResources looks after it.
      if (allocatable === 0 && (listers === undefined ? mayBeBacked(name) : isBacked(name, listers))) continue;
      missing.push(`Insufficient ${name}`);
      if (amount > allocatable) unresolvable = true;
    }
    return missing.length === 0 ? undefined : insufficient(missing, unresolvable);
  };
  return {
    name: "NodeResourcesFit",
    filter: (pod, node, { snapshot }) => check(pod, node, snapshot.listers),
    score: scorer,
    requeueWhen: [
      {
        resource: "AssignedPod",
        actions: ["Delete", "UpdatePodScaleDown"],
        hint: (pod, event) => mayFitNow(pod, event, (own, node) => check(own, node) === undefined),
      },
      { resource: "Node", actions: ["Add", "UpdateNodeAllocatable"] },
      { resource: "DeviceClass", actions: ["Add", "Update"] },
    ],
    vector: {
      key: (pod, { table }) => `${requestKey(pod)};${backedNames(pod, table.listers)}`,
      compile: (pod, context) => ({
        podsFilter: fitFilter(wanted(pod.requests), context),
        podsScore: columnScorer(pod, context, strategy.resources ?? defaultResources, resourceScore(strategy), true),
      }),
    },
  };
}

/** Prefers nodes whose resources would be used evenly. Says nothing about pods that ask for none of them. */
export function nodeResourcesBalancedAllocation(args: NodeResourcesBalancedAllocationArgs = {}): SchedulingPolicy {
  const resources = args.resources ?? defaultResources;
  const requestsOf = remembering();
  const bestEffort = (requests: Requests): boolean => resources.every(({ name }) => (requests.get(name) ?? 0) === 0);
  return {
    name: "NodeResourcesBalancedAllocation",
    preScore: (pod) => (bestEffort(requestsOf(pod).requests) ? { skip: true } : undefined),
    score: plainScorer(resources, balanceScore, false, requestsOf),
    vector: {
      key: requestKey,
      compile: (pod, context) =>
        bestEffort(pod.requests)
          ? undefined
          : { podsScore: columnScorer(pod, context, resources, balanceScore, false) },
    },
  };
}

function requestKey(pod: PodInfo): string {
  let key = `${pod.nonzeroCpuMillis},${pod.nonzeroMemoryBytes}`;
  for (const [name, amount] of pod.requests) key += `,${name}=${amount}`;
  return key;
}

function isBacked(name: string, { deviceClasses }: ClusterListers): boolean {
  return deviceClasses.size > 0 && classBehind(name, deviceClasses) !== undefined;
}

/** The resources for which devices may stand, in one text. */
function backedNames({ requests }: PodInfo, listers: ClusterListers): string {
  let names = "";
  if (listers.deviceClasses.size === 0) return names;
  for (const name of requests.keys()) if (isBacked(name, listers)) names += `${name},`;
  return names;
}

function insufficient(reasons: readonly string[], unresolvable: boolean): Rejection {
  return unresolvable ? { reasons, unresolvable } : { reasons };
}

/** Messages name resources in this order. */
function inOrder(requests: [string, number][]): [string, number][] {
  const rank = (name: string): number => ["cpu", "memory", "ephemeral-storage"].indexOf(name) + 1 || 4;
  return requests.sort(([a], [b]) => rank(a) - rank(b));
}

/** Whether the pod fits on the node that another left, or would if less important ones made room too. */
function mayFitNow(pod: Pod, { node }: ClusterEvent, fits: (pod: Pod, node: NodeSnapshot) => boolean): boolean {
  if (node === undefined || fits(pod, node)) return true;
  const priority = pod.spec?.priority ?? 0;
  return node.pods.some((other) => (other.spec?.priority ?? 0) < priority);
}

function fitFilter(wanted: readonly [string, number][], { table, verdict }: VectorContext): (slot: number) => number {
  const columns = wanted.map(([name, amount]) => {
    return { name, amount, column: table.resource(name), backed: isBacked(name, table.listers) };
  });
  const { allocatable, requested } = table;
  const explain = (slot: number): number => {
    const missing = (table.pods[slot]?.length ?? 0) + 1 > (table.podLimit[slot] ?? 0) ? [tooManyPods] : [];
    let unresolvable = false;
    for (const { name, amount, column, backed } of columns) {
      const total = allocatable[column]?.[slot] ?? 0;
      if (amount <= total - (requested[column]?.[slot] ?? 0) || (backed && total === 0)) continue;
      missing.push(`Insufficient ${name}`);
      if (amount > total) unresolvable = true;
    }
    return missing.length === 0 ? 0 : verdict(insufficient(missing, unresolvable));
  };
  return (slot) => {
    if ((table.pods[slot]?.length ?? 0) + 1 > (table.podLimit[slot] ?? 0)) return explain(slot);
    for (let index = 0; index < columns.length; index++) {
      const { amount, column } = columns[index] ?? { amount: 0, column: 0 };
      // A closer look also sees that devices may stand for it.
      if (amount > (allocatable[column]?.[slot] ?? 0) - (requested[column]?.[slot] ?? 0)) return explain(slot);
    }
    return 0;
  };
}

/** `nonzero`: containers without a request count as a small one. */
function columnScorer(
  pod: PodInfo,
  { table }: VectorContext,
  resources: readonly ResourceSpec[],
  score: ResourceScore,
  nonzero: boolean,
): (slot: number) => number {
  const columns = resources.map(({ name }) => table.resource(name));
  const amounts = resources.map(({ name }) => {
    if (nonzero && name === "cpu") return pod.nonzeroCpuMillis;
    if (nonzero && name === "memory") return pod.nonzeroMemoryBytes;
    return pod.requests.get(name) ?? 0;
  });
  const leftOut = resources.map(({ name }, index) => isExtended(name) && amounts[index] === 0);
  const requested = new Array<number>(columns.length).fill(0);
  const allocatable = new Array<number>(columns.length).fill(0);
  return (slot) => {
    for (let index = 0; index < columns.length; index++) {
      const column = columns[index] ?? 0;
      const used =
        nonzero && column === cpuColumn
          ? table.nonzeroCpu
          : nonzero && column === memoryColumn
            ? table.nonzeroMemory
            : table.requested[column];
      requested[index] = (used?.[slot] ?? 0) + (amounts[index] ?? 0);
      allocatable[index] = leftOut[index] ? 0 : (table.allocatable[column]?.[slot] ?? 0);
    }
    return score(requested, allocatable);
  };
}

function plainScorer(
  resources: readonly ResourceSpec[],
  score: ResourceScore,
  nonzero: boolean,
  requestsOf: (pod: Pod) => PodRequests,
): (pod: Pod, node: NodeSnapshot) => number {
  return (pod, node) => {
    const own = requestsOf(pod);
    const requested: number[] = [];
    const allocatable: number[] = [];
    for (const { name } of resources) {
      const filled = nonzero && (name === "cpu" || name === "memory");
      const used = (filled ? node.nonzeroRequested : node.requested).get(name) ?? 0;
      const amount = filled
        ? name === "cpu"
          ? own.nonzeroCpuMillis
          : own.nonzeroMemoryBytes
        : (own.requests.get(name) ?? 0);
      requested.push(used + amount);
      allocatable.push(isExtended(name) && amount === 0 ? 0 : (node.allocatable.get(name) ?? 0));
    }
    return score(requested, allocatable);
  };
}
