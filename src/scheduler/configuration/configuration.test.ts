import { describe, expect, test } from "vitest";
import { ConfigurationError } from "../../api/configuration-shape.js";
import { seededRandom } from "../../internal/random.js";
import { makeNode, makePod } from "../../testing/builders.js";
import type { SchedulingPolicy } from "../framework/policy.js";
import { defaultPolicies } from "../policies/default-policies.js";
import { whatIf } from "../simulate/what-if.js";
import { readConfiguration } from "./configuration.js";

const head = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";
const nodes = [makeNode("full", { cpuMillis: 1000 }), makeNode("empty", { cpuMillis: 4000 })];
const pods = [makePod("there", { cpuMillis: 600, nodeName: "full" })];

function placed(text: string, pod = makePod("p", { cpuMillis: 100 }), custom?: Record<string, () => SchedulingPolicy>) {
  const { profiles } = readConfiguration(head + text, custom);
  return whatIf([pod], { nodes, pods, profiles, random: seededRandom(1) })[0];
}

describe("readConfiguration", () => {
  test("without profiles gives the default policies and weights", () => {
    const [profile] = readConfiguration(head).profiles;
    const names = (profile?.policies ?? []).map((entry) =>
      "policy" in entry ? [entry.policy.name, entry.weight] : [],
    );
    expect(names).toEqual(defaultPolicies().map(({ policy, weight }) => [policy.name, weight]));
    expect(placed("")?.nodeName).toBe("empty");
  });

  test("hands arguments to policies", () => {
    const text = `
profiles:
- pluginConfig:
  - name: NodeResourcesFit
    args: { scoringStrategy: { type: MostAllocated, resources: [{ name: cpu, weight: 1 }] } }
  plugins: { score: { disabled: [{ name: NodeResourcesBalancedAllocation }] } }
`;
    expect(placed(text)?.nodeName).toBe("full");
  });

  test("takes a filter away, but not the score", () => {
    const pod = makePod("p", { cpuMillis: 9000 });
    expect(placed("", pod)?.message).toBe("0/2 nodes are available: 2 Insufficient cpu.");
    const text = "profiles: [{ plugins: { filter: { disabled: [{ name: NodeResourcesFit }] } } }]";
    expect(placed(text, pod)?.nodeName).toBeDefined();
  });

  test("adds policies of one's own, with weights, at the points it names", () => {
    const custom = {
      Full: (): SchedulingPolicy => ({
        name: "Full",
        score: (_, { name }) => (name === "full" ? 100 : 0),
        filter: () => "never",
      }),
    };
    const text = "profiles: [{ plugins: { score: { enabled: [{ name: Full, weight: 10 }] } } }]";
    expect(placed(text, makePod("p"), custom)?.nodeName).toBe("full");
    const everywhere = "profiles: [{ plugins: { multiPoint: { enabled: [{ name: Full }] } } }]";
    expect(placed(everywhere, makePod("p"), custom)?.message).toBe("0/2 nodes are available: 2 never.");
  });

  test("reads several profiles and times", () => {
    const text =
      "podInitialBackoffSeconds: 2\nprofiles: [{ schedulerName: a }, { schedulerName: b, percentageOfNodesToScore: 5 }]";
    expect(readConfiguration(head + text)).toMatchObject({
      initialBackoffMs: 2000,
      profiles: [{ schedulerName: "a" }, { schedulerName: "b", percentageOfNodesToScore: 5 }],
    });
  });

  test("reads who elects, where the API is, and whom else to ask", () => {
    const text = `
leaderElection: { leaderElect: true, leaseDuration: 30s, renewDeadline: 20s, resourceName: other }
clientConnection: { kubeconfig: /etc/scheduler.conf, qps: 50 }
extenders:
- urlPrefix: 127.0.0.1:8888/devices
  filterVerb: filter
  managedResources: [{ name: example.com/fpga, ignoredByScheduler: true }]
  tlsConfig: { caFile: /ca.pem }
  httpTimeout: 3s
`;
    const read: string[] = [];
    const readFile = (path: string): string => `pem ${read.push(path)}`;
    const configuration = readConfiguration(head + text, {}, { readFile });
    expect(configuration).toMatchObject({
      leaderElect: true,
      leaderElection: { leaseDurationMs: 30_000, renewDeadlineMs: 20_000, name: "other" },
      kubeconfig: "/etc/scheduler.conf",
      extenders: [{ name: "https://127.0.0.1:8888/devices", ignorable: false }],
    });
    expect(read).toEqual(["/ca.pem"]);
    const wants = makePod("p", { requests: { "example.com/fpga": "1" } });
    expect(configuration.extenders?.map((extender) => extender.interested?.(wants))).toEqual([true]);
    expect(configuration.extenders?.map((extender) => extender.interested?.(makePod("q")))).toEqual([false]);
    // No node has it: that is the extender's business.
    const { profiles } = configuration;
    expect(whatIf([wants], { nodes, pods, profiles, random: seededRandom(1) })[0]?.nodeName).toBeDefined();
    expect(() => readConfiguration(head + text)).toThrow("extenders: the file /ca.pem cannot be read here");
  });

  test("takes every argument of upstream's policies", () => {
    const text = `
profiles:
- pluginConfig:
  - { name: NodeAffinity, args: { apiVersion: kubescheduler.config.k8s.io/v1, kind: NodeAffinityArgs, addedAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: kubernetes.io/hostname, operator: In, values: [full] }] }] } } } }
  - { name: NodeResourcesFit, args: { ignoredResources: [example.com/foo], ignoredResourceGroups: [example.org], scoringStrategy: { type: RequestedToCapacityRatio, resources: [{ name: cpu, weight: 3 }], requestedToCapacityRatio: { shape: [{ utilization: 0, score: 0 }, { utilization: 100, score: 10 }] } } } }
  - { name: NodeResourcesBalancedAllocation, args: { resources: [{ name: cpu, weight: 1 }] } }
  - { name: PodTopologySpread, args: { defaultingType: List, defaultConstraints: [{ maxSkew: 1, topologyKey: rack, whenUnsatisfiable: ScheduleAnyway }] } }
  - { name: InterPodAffinity, args: { hardPodAffinityWeight: 5, ignorePreferredTermsOfExistingPods: true } }
  - { name: VolumeBinding, args: { bindTimeoutSeconds: 30 } }
  - { name: DefaultPreemption, args: { minCandidateNodesPercentage: 20, minCandidateNodesAbsolute: 5 } }
`;
    expect(placed(text)?.nodeName).toBe("full");
    expect(placed(text, makePod("p", { cpuMillis: 600 }))?.message).toBe(
      "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match scheduler-enforced node affinity.",
    );
  });

  const one = (profile: string): string => `profiles: [{ ${profile} }]`;
  const withArgs = (name: string, args: string): string => one(`pluginConfig: [{ name: ${name}, args: ${args} }]`);
  const argsAt = "profiles[0].pluginConfig[0].args";
  const cases: readonly (readonly [string, string, string])[] = [
    ["an unknown field", "parallelizm: 3", 'strict decoding error: unknown field "parallelizm"'],
    [
      "an unknown field deep inside",
      one("plugins: { score: { enabled: [{ name: ImageLocality, wait: 1 }] } }"),
      'strict decoding error: unknown field "profiles[0].plugins.score.enabled[0].wait"',
    ],
    [
      "an unknown argument",
      withArgs("InterPodAffinity", "{ weight: 3 }"),
      `strict decoding error: unknown field "${argsAt}.weight"`,
    ],
    [
      "an unknown policy",
      one("plugins: { filter: { enabled: [{ name: Nope }] } }"),
      'profiles[0].plugins.filter.enabled[0].name: Not found: "Nope"',
    ],
    ["a profile that is no object", "profiles: [1]", "profiles[0]: Invalid value: 1: want an object"],
    [
      "two profiles of one name",
      "profiles: [{}, { schedulerName: default-scheduler }]",
      'profiles[1].schedulerName: Duplicate value: "profiles[0].schedulerName"',
    ],
    [
      "a percentage that is no number",
      "percentageOfNodesToScore: many",
      'percentageOfNodesToScore: Invalid value: "many": want an integer',
    ],
    [
      "a percentage above 100",
      "percentageOfNodesToScore: 101",
      "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]",
    ],
    [
      "several problems at once",
      "podInitialBackoffSeconds: 0\nparallelism: 0",
      "[parallelism: Invalid value: 0: should be an integer value greater than zero, podInitialBackoffSeconds: Invalid value: 0: must be greater than 0]",
    ],
    [
      "a back-off that shrinks",
      "podInitialBackoffSeconds: 20",
      "podMaxBackoffSeconds: Invalid value: 10: must be greater than or equal to PodInitialBackoffSeconds",
    ],
    [
      "a lease that is shorter than its renewal",
      "leaderElection: { leaseDuration: 5s }",
      'leaderElection.leaseDuration: Invalid value: "10s": LeaseDuration must be greater than RenewDeadline',
    ],
    [
      "a weight of affinity above 100",
      withArgs("InterPodAffinity", "{ hardPodAffinityWeight: 101 }"),
      `${argsAt}.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]`,
    ],
    [
      "default constraints beside the system's",
      withArgs(
        "PodTopologySpread",
        "{ defaultConstraints: [{ maxSkew: 1, topologyKey: a, whenUnsatisfiable: ScheduleAnyway }] }",
      ),
      `${argsAt}.defaultingType: Invalid value: "System": when .defaultConstraints are not empty`,
    ],
    [
      "a strategy without its curve",
      withArgs("NodeResourcesFit", "{ scoringStrategy: { type: RequestedToCapacityRatio } }"),
      `${argsAt}.scoringStrategy.requestedToCapacityRatio: Required value: must be specified when type is RequestedToCapacityRatio`,
    ],
    [
      "a curve that goes back",
      withArgs(
        "NodeResourcesFit",
        "{ scoringStrategy: { type: RequestedToCapacityRatio, requestedToCapacityRatio: { shape: [{ utilization: 50, score: 1 }, { utilization: 50, score: 2 }] } } }",
      ),
      `${argsAt}.scoringStrategy.requestedToCapacityRatio.shape[1].utilization: Invalid value: 50: values must be sorted in increasing order`,
    ],
    [
      "no candidates at all",
      withArgs("DefaultPreemption", "{ minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0 }"),
      `[${argsAt}.minCandidateNodesPercentage: Invalid value: 0: cannot be zero at the same time as minCandidateNodesAbsolute, ${argsAt}.minCandidateNodesAbsolute: Invalid value: 0: cannot be zero at the same time as minCandidateNodesPercentage]`,
    ],
    [
      "arguments of another policy",
      withArgs("VolumeBinding", "{ kind: NodeAffinityArgs }"),
      `${argsAt}: Invalid value: "NodeAffinityArgs": has to match plugin args`,
    ],
    [
      "an extender that scores without a weight",
      "extenders: [{ urlPrefix: a, prioritizeVerb: p }]",
      "extenders[0].weight: Invalid value: 0: must have a positive weight applied to it",
    ],
    [
      "two extenders that bind",
      "extenders: [{ urlPrefix: a, bindVerb: b }, { urlPrefix: c, bindVerb: b }]",
      'extenders: Invalid value: "found 2 extenders implementing bind": only one extender can implement bind',
    ],
  ];

  test.each(cases)("refuses %s", (_, text, message) => {
    let thrown: unknown;
    try {
      readConfiguration(head + text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigurationError);
    expect(thrown instanceof Error && thrown.message).toBe(message);
  });

  test.each([
    ["another kind", "apiVersion: v1\nkind: Pod"],
    ["what is no YAML", "a: [b"],
    ["a key that is there twice", `${head}parallelism: 1\nparallelism: 2`],
  ])("refuses %s", (_, text) => {
    expect(() => readConfiguration(text)).toThrow(ConfigurationError);
  });
});
