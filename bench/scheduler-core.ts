// The scheduler's own cost per pod, without API server and network: events in, decision, binding out, event back in.
import type { Node, Pod } from "../src/api/index.js";
import { discardEvents } from "../src/client/index.js";
import { realClock } from "../src/internal/clock.js";
import { silentLogger } from "../src/internal/logger.js";
import { seededRandom } from "../src/internal/random.js";
import { SchedulerCore } from "../src/scheduler/core.js";
import { listersOf } from "../src/scheduler/framework/listers.js";
import type { SchedulingPolicy } from "../src/scheduler/framework/policy.js";
import { defaultPolicies } from "../src/scheduler/policies/default-policies.js";
import { makeNode, makePod } from "../src/testing/builders.js";

interface Workload {
  readonly name: string;
  readonly pods: number;
  readonly pod: (index: number) => Pod;
  readonly node?: (index: number) => Node;
  readonly before?: (core: SchedulerCore, nodes: number) => void;
  readonly policies?: readonly SchedulingPolicy[];
}

const zones = ["a", "b", "c"];
const zone = "topology.kubernetes.io/zone";
const hostname = "kubernetes.io/hostname";

const plainNode = (index: number): Node =>
  makeNode(`node-${index}`, {
    labels: { [zone]: zones[index % 3] ?? "a" },
    cpuMillis: 4000,
    memoryBytes: 32 * 2 ** 30,
  });

const basic = { cpuMillis: 100, memoryBytes: 500 * 2 ** 20 };
const selector = { matchLabels: { app: "web" } };

const workloads: readonly Workload[] = [
  { name: "basic", pods: 10_000, pod: (index) => makePod(`pod-${index}`, basic) },
  {
    name: "50-shapes",
    pods: 10_000,
    pod: (index) => makePod(`pod-${index}`, { cpuMillis: 50 + (index % 50), memoryBytes: 2 ** 28 }),
  },
  {
    name: "node-affinity",
    pods: 10_000,
    pod: (index) =>
      makePod(`pod-${index}`, {
        ...basic,
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: zone, operator: "In", values: ["a", "b"] }] }],
            },
          },
        },
      }),
  },
  {
    name: "zone-spread",
    pods: 5_000,
    pod: (index) =>
      makePod(`pod-${index}`, {
        ...basic,
        labels: { app: "web" },
        topologySpreadConstraints: [
          { maxSkew: 5, topologyKey: zone, whenUnsatisfiable: "DoNotSchedule", labelSelector: selector },
        ],
      }),
  },
  {
    name: "preferred-spread",
    pods: 5_000,
    pod: (index) =>
      makePod(`pod-${index}`, {
        ...basic,
        labels: { app: "web" },
        topologySpreadConstraints: [
          { maxSkew: 5, topologyKey: zone, whenUnsatisfiable: "ScheduleAnyway", labelSelector: selector },
          { maxSkew: 3, topologyKey: hostname, whenUnsatisfiable: "ScheduleAnyway", labelSelector: selector },
        ],
      }),
  },
  {
    name: "anti-affinity",
    pods: 2_000,
    pod: (index) =>
      makePod(`pod-${index}`, {
        ...basic,
        labels: { app: "web" },
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: hostname, labelSelector: selector }],
          },
        },
      }),
  },
  {
    name: "pod-affinity",
    pods: 5_000,
    pod: (index) =>
      makePod(`pod-${index}`, {
        ...basic,
        labels: { app: "web" },
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: zone, labelSelector: selector }],
          },
        },
      }),
  },
  {
    name: "daemonset",
    pods: 5_000,
    pod: (index) =>
      makePod(`pod-${index}`, {
        ...basic,
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [
                { matchFields: [{ key: "metadata.name", operator: "In", values: [`node-${index % nodeCount}`] }] },
              ],
            },
          },
        },
      }),
  },
  {
    name: "preemption",
    pods: 1_000,
    pod: (index) => makePod(`high-${index}`, { cpuMillis: 3000, memoryBytes: 2 ** 30, priority: 10 }),
    before(core, nodes) {
      for (let index = 0; index < nodes * 4; index++) {
        core.setPod(
          makePod(`low-${index}`, { cpuMillis: 900, memoryBytes: 2 ** 28, nodeName: `node-${index % nodes}` }),
          undefined,
        );
      }
    },
  },
  {
    name: "custom-policy",
    pods: 5_000,
    pod: (index) => makePod(`pod-${index}`, basic),
    policies: [
      {
        name: "EvenNames",
        filter: (_pod, { name }) => (name.endsWith("7") ? "not on sevens" : undefined),
        score: (_pod, { pods }) => Math.max(0, 100 - pods.length),
      },
    ],
  },
];

let nodeCount = 5_000;

async function run(workload: Workload, nodes: number): Promise<void> {
  nodeCount = nodes;
  let bound = 0;
  let more = false;
  const arrived: [Pod, string][] = [];
  const gone: Pod[] = [];
  const core: SchedulerCore = new SchedulerCore({
    profiles: [
      { policies: [...defaultPolicies(), ...(workload.policies ?? []).map((policy) => ({ policy, weight: 1 }))] },
    ],
    listers: { ...listersOf(), selectorsVersion: () => 0 },
    writes: {
      async bind(pod, nodeName) {
        bound++;
        arrived.push([pod, nodeName]);
      },
      async patchStatus() {},
      async evict(victim) {
        gone.push(victim);
      },
    },
    events: discardEvents,
    clock: realClock,
    random: seededRandom(1),
    logger: silentLogger,
    onWork: () => {
      more = true;
    },
  });
  for (let index = 0; index < nodes; index++) core.setNode((workload.node ?? plainNode)(index));
  workload.before?.(core, nodes);
  const pods = Array.from({ length: workload.pods }, (_, index) => workload.pod(index));
  const started = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  for (let from = 0; from < pods.length || more; from += 100) {
    for (const pod of pods.slice(from, from + 100)) core.setPod(pod, undefined);
    more = false;
    while (core.work(100) === 100);
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (const [pod, nodeName] of arrived.splice(0)) {
      core.setPod({ ...pod, spec: { ...pod.spec, containers: pod.spec?.containers ?? [], nodeName } }, pod);
    }
    for (const pod of gone.splice(0)) core.deletePod(pod);
  }
  const us = Number(process.hrtime.bigint() - started) / 1000 / workload.pods;
  const { user, system } = process.cpuUsage(cpu);
  const cpuUs = (user + system) / workload.pods;
  console.log(
    `${workload.name.padEnd(18)} ${String(nodes).padStart(6)} nodes  ${us.toFixed(1).padStart(8)} us/pod  ${cpuUs.toFixed(1).padStart(8)} us CPU/pod  ${Math.round(
      1e6 / us,
    )
      .toString()
      .padStart(7)} pods/s  bound ${bound}/${workload.pods}`,
  );
  await core.close();
}

const wanted = process.argv.slice(2).filter((argument) => !/^\d+$/.test(argument));
const sizes = process.argv
  .slice(2)
  .filter((argument) => /^\d+$/.test(argument))
  .map(Number);
for (const workload of workloads) {
  if (wanted.length > 0 && !wanted.includes(workload.name)) continue;
  for (const nodes of sizes.length > 0 ? sizes : [100, 1_000, 5_000, 15_000]) await run(workload, nodes);
}
