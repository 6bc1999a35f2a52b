// The shapes of upstream's scheduler_perf: which nodes, which pods are there before, which are measured.
import type { Affinity, New, Node, Pod, PodSpec, TopologySpreadConstraint } from "coxswain/api";
import type { SchedulingPolicy, WeightedPolicy } from "coxswain/scheduler";

export const zoneKey = "topology.kubernetes.io/zone";
export const hostKey = "kubernetes.io/hostname";

export interface Workload {
  readonly name: string;
  /** What upstream's CI demands of kube-scheduler, in pods per second; absent: not one of its workloads. */
  readonly threshold?: number;
  /** Only these numbers of nodes. */
  readonly sizes?: readonly number[];
  /** Pods that are measured, given the number of nodes; by default `defaultPods`. */
  readonly pods?: (nodes: number) => number;
  /** Which pod is the nth measured one. */
  readonly pod: (index: number, nodes: number) => New<Pod>;
  /** Pods that have been placed by the scheduler before. */
  readonly before?: { readonly count: (nodes: number) => number; readonly pod: (index: number) => New<Pod> };
  /** Pods that no node can take, there all the time. */
  readonly hopeless?: number;
  readonly namespaces?: readonly string[];
  /** Zones of the nodes; default 3. */
  readonly zones?: number;
  readonly policies?: readonly (SchedulingPolicy | WeightedPolicy)[];
  /** Somebody asks for an explanation so often. */
  readonly explainEveryMs?: number;
}

export const defaultPods = 2000;

export function benchNode(index: number, zones = 3): New<Node> {
  const amounts = { cpu: "4", memory: "32Gi", pods: "110" };
  const name = `node-${index}`;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { [hostKey]: name, [zoneKey]: `zone-${index % zones}` } },
    status: { capacity: amounts, allocatable: amounts, conditions: [{ type: "Ready", status: "True" }] },
  };
}

interface Shape {
  readonly labels?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  readonly cpu?: string;
  readonly spec?: Partial<PodSpec>;
  readonly affinity?: Affinity;
  readonly spread?: TopologySpreadConstraint;
}

export function benchPod(name: string, { labels, namespace, cpu, spec, affinity, spread }: Shape = {}): New<Pod> {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: namespace ?? "default", ...(labels === undefined ? {} : { labels }) },
    spec: {
      // No kubelet is there to take its time.
      terminationGracePeriodSeconds: 0,
      ...(affinity === undefined ? {} : { affinity }),
      ...(spread === undefined ? {} : { topologySpreadConstraints: [spread] }),
      containers: [
        {
          name: "pause",
          image: "registry.k8s.io/pause:3.10",
          ports: [{ containerPort: 80 }],
          resources: { requests: { cpu: cpu ?? "100m", memory: "500Mi" } },
        },
      ],
      ...spec,
    },
  };
}

const blue = { color: "blue" };
const green = { color: "green" };
const blueOnes = { matchLabels: blue };
const greenOnes = { matchLabels: green };
const inZones = (values: readonly string[]): Affinity => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: zoneKey, operator: "In", values }] }],
    },
  },
});
const pinned = (node: string): Affinity => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] }],
    },
  },
});
const zoneAffinity: Affinity = {
  podAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: zoneKey, labelSelector: blueOnes }],
  },
};
const hostAntiAffinity: Affinity = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { topologyKey: hostKey, labelSelector: greenOnes, namespaces: ["sched-0", "sched-1"] },
    ],
  },
};
const preferredAffinity: Affinity = {
  podAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      { weight: 1, podAffinityTerm: { topologyKey: hostKey, labelSelector: { matchLabels: { foo: "" } } } },
    ],
  },
};
const teams = Array.from({ length: 20 }, (_, index) => `team-${index}`);
const teamAntiAffinity: Affinity = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      {
        topologyKey: hostKey,
        labelSelector: greenOnes,
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "team-0" } },
      },
    ],
  },
};
const spread = (whenUnsatisfiable: string): TopologySpreadConstraint => ({
  maxSkew: 5,
  topologyKey: zoneKey,
  whenUnsatisfiable,
  labelSelector: blueOnes,
});
const some = (nodes: number): number => Math.min(nodes, 500);
/** No more than there are nodes: each wants one of its own. */
const onePerNode = (nodes: number): number => Math.min(defaultPods, Math.floor(nodes * 0.8));

const evenNames: SchedulingPolicy = {
  name: "EvenNames",
  filter: (_pod, { name }) => (name.endsWith("7") ? "node(s) had a name that ends in 7" : undefined),
  score: (_pod, { pods }) => Math.max(0, 100 - pods.length),
};

export const workloads: readonly Workload[] = [
  { name: "Basic", threshold: 270, pod: (index) => benchPod(`pod-${index}`) },
  {
    name: "NodeAffinity",
    threshold: 220,
    pod: (index) => benchPod(`pod-${index}`, { affinity: inZones(["zone-0", "zone-1"]) }),
  },
  { name: "Unschedulable", threshold: 170, hopeless: 200, pod: (index) => benchPod(`pod-${index}`) },
  {
    name: "PreemptionAsync",
    threshold: 160,
    sizes: [100, 1000, 5000],
    pods: (nodes) => Math.min(1000, nodes),
    before: {
      count: (nodes) => 4 * nodes,
      pod: (index) => benchPod(`low-${index}`, { cpu: "900m" }),
    },
    pod: (index) => benchPod(`high-${index}`, { cpu: "3000m", spec: { priorityClassName: "high" } }),
  },
  {
    name: "MixedSchedulingBasePod",
    threshold: 140,
    namespaces: ["sched-0", "sched-1"],
    before: {
      count: (nodes) => 5 * Math.min(nodes / 2, 200),
      pod: (index) =>
        benchPod(`before-${index}`, {
          namespace: "sched-0",
          ...([
            {},
            { labels: blue, affinity: zoneAffinity },
            { labels: green, affinity: hostAntiAffinity },
            { labels: { foo: "" }, affinity: preferredAffinity },
            { labels: { foo: "" }, affinity: { podAntiAffinity: preferredAffinity.podAffinity ?? {} } },
          ][index % 5] ?? {}),
        }),
    },
    pod: (index) => benchPod(`pod-${index}`, { namespace: "sched-1" }),
  },
  {
    name: "PreferredTopologySpread",
    threshold: 125,
    before: { count: some, pod: (index) => benchPod(`before-${index}`) },
    pod: (index) => benchPod(`pod-${index}`, { labels: blue, spread: spread("ScheduleAnyway") }),
  },
  {
    name: "PreferredPodAffinity",
    threshold: 90,
    before: { count: some, pod: (index) => benchPod(`before-${index}`, { labels: { foo: "" } }) },
    pod: (index) => benchPod(`pod-${index}`, { labels: { foo: "" }, affinity: preferredAffinity }),
  },
  {
    name: "TopologySpread",
    threshold: 85,
    before: { count: some, pod: (index) => benchPod(`before-${index}`) },
    pod: (index) => benchPod(`pod-${index}`, { labels: blue, spread: spread("DoNotSchedule") }),
  },
  {
    name: "PodAntiAffinity",
    threshold: 60,
    namespaces: ["sched-0", "sched-1"],
    pods: onePerNode,
    before: {
      count: (nodes) => Math.floor(nodes / 10),
      pod: (index) => benchPod(`before-${index}`, { namespace: "sched-0", labels: green, affinity: hostAntiAffinity }),
    },
    pod: (index) => benchPod(`pod-${index}`, { namespace: "sched-1", labels: green, affinity: hostAntiAffinity }),
  },
  {
    name: "RequiredAntiAffinityWithNSSelector",
    threshold: 24,
    namespaces: teams,
    before: {
      count: some,
      pod: (index) =>
        benchPod(`before-${index}`, {
          namespace: teams[1 + (index % 19)] ?? "team-1",
          labels: green,
          affinity: teamAntiAffinity,
        }),
    },
    pods: (nodes) => Math.min(1000, Math.floor(nodes / 2)),
    pod: (index) => benchPod(`pod-${index}`, { namespace: "team-0", labels: green, affinity: teamAntiAffinity }),
    sizes: [1000, 5000, 15_000],
  },
  {
    name: "PodAffinity",
    threshold: 35,
    namespaces: ["sched-0", "sched-1"],
    before: {
      count: some,
      pod: (index) => benchPod(`before-${index}`, { labels: blue, affinity: zoneAffinity }),
    },
    // All of them want the zone of the first.
    pods: (nodes) => Math.min(defaultPods, 10 * nodes),
    pod: (index) => benchPod(`pod-${index}`, { labels: blue, affinity: zoneAffinity }),
  },
  {
    name: "Daemonset",
    threshold: 390,
    pods: (nodes) => Math.min(nodes, 5000),
    pod: (index, nodes) => benchPod(`pod-${index}`, { affinity: pinned(`node-${index % nodes}`) }),
  },
  { name: "Basic + a custom policy", pod: (index) => benchPod(`pod-${index}`), policies: [evenNames] },
  {
    name: "Basic + a custom policy that signs pods",
    pod: (index) => benchPod(`pod-${index}`),
    policies: [{ ...evenNames, signPod: () => "" }],
  },
  { name: "Basic + an explanation per second", pod: (index) => benchPod(`pod-${index}`), explainEveryMs: 1000 },
];
