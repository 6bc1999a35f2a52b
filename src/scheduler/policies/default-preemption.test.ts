import { describe, expect, test } from "vitest";
import type { Pod, PodDisruptionBudget } from "../../api/index.js";
import { discardEvents } from "../../client/index.js";
import { silentLogger } from "../../internal/logger.js";
import { seededRandom } from "../../internal/random.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { makeMeta, makeNode, makePod, type PodOptions } from "../../testing/builders.js";
import { SchedulerCore } from "../core.js";
import { listerOf, listersOf } from "../framework/listers.js";
import { defaultPolicies } from "./default-policies.js";

const on = (nodeName: string, name: string, priority: number, cpuMillis: number, more: PodOptions = {}): Pod =>
  makePod(name, { nodeName, priority, cpuMillis, ...more });

const budget = (app: string, disruptionsAllowed: number): PodDisruptionBudget => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: makeMeta("PodDisruptionBudget", app, { namespace: "default" }),
  spec: { selector: { matchLabels: { app } } },
  status: { disruptionsAllowed },
});

interface Case {
  readonly name: string;
  readonly nodes?: readonly string[];
  readonly placed: readonly Pod[];
  readonly budgets?: readonly PodDisruptionBudget[];
  readonly pod?: PodOptions;
  readonly node?: string;
  readonly victims?: readonly string[];
  readonly message?: string;
}

/** Nodes have 1000m. */
async function preempt({ nodes = ["a", "b"], placed, budgets = [], pod = {} }: Case): Promise<{
  node: string | undefined;
  victims: string[];
  message: string | undefined;
}> {
  const victims: string[] = [];
  let node: string | undefined;
  let message: string | undefined;
  const core = new SchedulerCore({
    profiles: [{ policies: defaultPolicies() }],
    listers: listersOf({ podDisruptionBudgets: listerOf(budgets) }),
    writes: {
      bind: async () => {},
      async patchStatus(_, change) {
        node = change.nominatedNodeName ?? node;
        message = change.condition?.message ?? message;
      },
      async evict({ metadata }) {
        victims.push(metadata.name);
      },
    },
    events: discardEvents,
    clock: new VirtualClock(),
    random: seededRandom(1),
    logger: silentLogger,
    onWork: () => {},
  });
  for (const name of nodes) core.setNode(makeNode(name, { cpuMillis: 1000 }));
  for (const other of placed) core.setPod(other, undefined);
  core.setPod(makePod("new", { priority: 100, cpuMillis: 500, ...pod }), undefined);
  core.work(1);
  await core.close();
  return { node, victims, message };
}

const cases: readonly Case[] = [
  {
    name: "the node whose highest victim matters least",
    placed: [on("a", "a1", 5, 1000), on("b", "b1", 1, 1000)],
    node: "b",
    victims: ["b1"],
  },
  {
    name: "no more victims than needed, the more important spared",
    nodes: ["a"],
    placed: [on("a", "low", 1, 300), on("a", "mid", 2, 300), on("a", "high", 3, 400)],
    node: "a",
    victims: ["mid", "low"],
  },
  {
    name: "fewer victims when their priorities are alike",
    placed: [
      on("a", "a1", 1, 500),
      on("a", "a2", 1, 500),
      on("b", "b1", 1, 300),
      on("b", "b2", 1, 300),
      on("b", "b3", 1, 400),
    ],
    node: "a",
    victims: ["a2"],
  },
  {
    name: "the node with the lowest sum of priorities",
    placed: [on("a", "a1", 3, 500), on("a", "a2", 3, 300), on("b", "b1", 3, 500), on("b", "b2", 1, 300)],
    pod: { cpuMillis: 900 },
    node: "b",
    victims: ["b1", "b2"],
  },
  {
    name: "a budget is kept where another node allows it",
    placed: [on("a", "a1", 1, 1000, { labels: { app: "db" } }), on("b", "b1", 9, 1000)],
    budgets: [budget("db", 0)],
    node: "b",
    victims: ["b1"],
  },
  {
    name: "a budget is broken when there is no other way",
    nodes: ["a"],
    placed: [on("a", "a1", 1, 1000, { labels: { app: "db" } })],
    budgets: [budget("db", 0)],
    node: "a",
    victims: ["a1"],
  },
  {
    name: "the youngest among equals",
    placed: [
      on("a", "old", 1, 1000, { status: { startTime: "2026-01-01T00:00:00Z" } }),
      on("b", "young", 1, 1000, { status: { startTime: "2026-01-02T00:00:00Z" } }),
    ],
    node: "b",
    victims: ["young"],
  },
  {
    name: "nothing for pods of equal priority",
    nodes: ["a"],
    placed: [on("a", "a1", 100, 1000)],
    victims: [],
    message:
      "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
  },
  {
    name: "nothing where it would not help",
    placed: [on("a", "a1", 1, 1000)],
    pod: { cpuMillis: 2000 },
    victims: [],
    message:
      "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
  },
  {
    name: "nothing for pods that never preempt",
    nodes: ["a"],
    placed: [on("a", "a1", 1, 1000)],
    pod: { spec: { preemptionPolicy: "Never" } },
    victims: [],
    message:
      "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never.",
  },
  {
    name: "a pod that keeps others away by anti-affinity",
    nodes: ["a"],
    placed: [
      on("a", "a1", 1, 100, {
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "new" } } },
            ],
          },
        },
      }),
      on("a", "a2", 1, 100),
    ],
    pod: { labels: { app: "new" } },
    node: "a",
    victims: ["a1"],
  },
];

describe("DefaultPreemption chooses", () => {
  test.each(cases)("$name", async (given) => {
    const result = await preempt(given);
    expect(result.victims).toEqual(given.victims ?? []);
    expect(result.node).toBe(given.node);
    if (given.message !== undefined) expect(result.message).toBe(given.message);
  });
});
