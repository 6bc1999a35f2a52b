import { describe, expect, it, test } from "vitest";
import type { Pod } from "../../api/index.js";
import { makePod } from "../../testing/builders.js";
import type { PodMetrics } from "./metrics-client.js";
import { requestsOf } from "./pod-groups.js";
import {
  type Measured,
  replicasByAverage,
  replicasByShare,
  replicasByUtilization,
  replicasByValue,
} from "./replicas.js";

const nowMs = Date.parse("2026-01-01T01:00:00Z");
const ago = (seconds: number): string => new Date(nowMs - seconds * 1000).toISOString();

interface PodState {
  readonly phase?: string;
  readonly ready?: boolean;
  /** Seconds ago. */
  readonly started?: number;
  readonly changed?: number;
  readonly deleted?: boolean;
}

const pod = (
  index: number,
  { phase = "Running", ready = true, started = 3000, changed = 2900, deleted }: PodState,
): Pod =>
  makePod(`p${index}`, {
    cpuMillis: 1000,
    ...(deleted ? { deletionTimestamp: ago(1) } : {}),
    status: {
      phase,
      startTime: ago(started),
      conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: ago(changed) }],
    },
  });

const measured = (current: number, states: readonly PodState[]): Measured => ({
  current,
  pods: states.map((state, index) => pod(index, state)),
  tolerances: { up: 0.1, down: 0.1 },
  timing: { nowMs, cpuInitializationMs: 300_000, initialReadinessDelayMs: 30_000 },
});

/** Of p0, p1 ...; undefined: not measured. */
const metrics = (values: readonly (number | undefined)[]): PodMetrics =>
  new Map(
    values.flatMap((value, index) =>
      value === undefined ? [] : [[`p${index}`, { value, timestampMs: nowMs - 30_000, windowMs: 60_000 }] as const],
    ),
  );

const up: PodState = {};
const starting: PodState = { ready: false, started: 60, changed: 60 };
const pending: PodState = { phase: "Pending", ready: false };

const byUtilization = [
  { name: "more", pods: [up, up, up], used: [300, 500, 700], target: 30, replicas: 5, utilization: 50 },
  { name: "fewer", pods: [up, up, up, up], used: [100, 300, 500, 250], target: 50, replicas: 3, utilization: 28 },
  { name: "within the tolerance above", pods: [up, up, up], used: [1010, 1030, 1020], target: 100, replicas: 3 },
  { name: "within the tolerance below", pods: [up, up, up], used: [950, 900, 960], target: 100, replicas: 3 },
  { name: "just at its edge", pods: [up, up], used: [1100, 1100], target: 100, replicas: 2 },
  {
    name: "pods that start do not count",
    pods: [starting, up, up],
    used: [900, 300, 300],
    target: 30,
    replicas: 3,
    current: 3,
  },
  {
    name: "pods that start use nothing when more are needed",
    pods: [starting, starting, up, up, up],
    used: [0, 0, 500, 500, 700],
    target: 30,
    replicas: 6,
  },
  {
    name: "nor do they turn the direction",
    pods: [starting, starting, up],
    used: [0, 0, 400],
    target: 30,
    replicas: 3,
  },
  {
    name: "pods that wait count as such",
    pods: [pending, up, up],
    used: [undefined, 700, 700],
    target: 30,
    replicas: 5,
  },
  {
    name: "pods that go are not there",
    pods: [{ deleted: true }, up],
    used: [900, 600],
    target: 30,
    replicas: 2,
    current: 1,
  },
  {
    name: "pods that failed are not there",
    pods: [{ phase: "Failed" }, up],
    used: [undefined, 600],
    target: 30,
    replicas: 2,
    current: 1,
  },
  {
    name: "a pod that is not measured uses nothing when more are needed",
    pods: [up, up, up],
    used: [undefined, 500, 700],
    target: 30,
    replicas: 4,
  },
  {
    name: "and all that it asks for when fewer are",
    pods: [up, up, up, up, up],
    used: [undefined, 100, 100, 100, 100],
    target: 50,
    replicas: 3,
  },
  {
    name: "and its target, where that is more",
    pods: [up, up, up, up],
    used: [undefined, 600, 600, 600],
    target: 200,
    replicas: 2,
  },
  { name: "and never turns the direction", pods: [up, up], used: [undefined, 400], target: 50, replicas: 2 },
];

describe("by utilization", () => {
  it.each(byUtilization)("$name", ({ pods, used, target, replicas, utilization, current = pods.length }) => {
    const proposal = replicasByUtilization(measured(current, pods), metrics(used), target, { resource: "cpu" });
    expect(proposal.replicas).toBe(replicas);
    if (utilization !== undefined) expect(proposal.utilization).toBe(utilization);
  });

  const nothing = [
    { name: "no pods", pods: [], used: [], why: "no pods returned by selector while calculating replica count" },
    { name: "nothing measured", pods: [up], used: [], why: "did not receive metrics for any ready pods" },
    { name: "only pods that start", pods: [starting], used: [500], why: "did not receive metrics for any ready pods" },
  ];

  it.each(nothing)("says nothing of $name", ({ pods, used, why }) => {
    expect(() => replicasByUtilization(measured(1, pods), metrics(used), 50, { resource: "cpu" })).toThrow(why);
  });

  it("says nothing of pods that ask for nothing", () => {
    const states = measured(1, [up]);
    const ask = (): unknown => replicasByUtilization(states, metrics([500]), 50, { resource: "memory" });
    expect(ask).toThrow("missing request for memory in container main of Pod p0");
  });

  it("scales only beyond the tolerance of its direction", () => {
    const states = { ...measured(2, [up, up]), tolerances: { up: 0.5, down: 0 } };
    const ask = (used: number): number =>
      replicasByUtilization(states, metrics([used, used]), 100, { resource: "cpu" }).replicas;
    expect([ask(1400), ask(1600), ask(400)]).toEqual([2, 4, 1]);
  });
});

const starts: readonly (PodState & { readonly name: string; readonly counts: boolean })[] = [
  { name: "ready at its first minutes, measured since", started: 200, changed: 150, counts: true },
  { name: "ready at its first minutes, measured before", started: 200, changed: 60, counts: false },
  { name: "unready at its first minutes", ready: false, started: 200, changed: 150, counts: false },
  { name: "unready later, but ready before", ready: false, started: 1000, changed: 100, counts: true },
  { name: "never ready", ready: false, started: 1000, changed: 990, counts: false },
];

test.each(starts)("the CPU of a pod that is $name counts: $counts", ({ counts, ...state }) => {
  const average = (): number => replicasByAverage(measured(2, [up, state]), metrics([100, 900]), 100, "cpu").average;
  expect(average()).toBe(counts ? 500 : 100);
  // Of another resource all count.
  expect(replicasByAverage(measured(2, [up, state]), metrics([100, 900]), 100, "memory").average).toBe(500);
});

const byAverage = [
  { name: "more", used: [20_000, 10_000, 30_000], target: 15_000, replicas: 4, average: 20_000 },
  { name: "fewer", used: [12_000, 12_000, 12_000], target: 20_000, replicas: 2, average: 12_000 },
  { name: "the same", used: [14_000, 15_000, 16_000], target: 15_000, replicas: 3, average: 15_000 },
  { name: "cautious upwards", used: [undefined, 30_000, 30_000], target: 15_000, replicas: 4, average: 30_000 },
  { name: "cautious downwards", used: [undefined, 5000, 5000], target: 20_000, replicas: 2, average: 5000 },
];

test.each(byAverage)("by average: $name", ({ used, target, replicas, average }) => {
  const states = used.map(() => up);
  expect(replicasByAverage(measured(3, states), metrics(used), target)).toEqual({ replicas, average });
});

const byValue = [
  { name: "more, by those that are ready", current: 3, pods: [up, up, pending], value: 20, target: 10, replicas: 4 },
  { name: "within the tolerance", current: 3, pods: [up], value: 21, target: 20, replicas: 3 },
  { name: "from none", current: 0, pods: [], value: 25, target: 10, replicas: 3 },
  { name: "none from none", current: 0, pods: [], value: 0, target: 10, replicas: 0 },
];

test.each(byValue)("by value: $name", ({ current, pods, value, target, replicas }) => {
  expect(replicasByValue(measured(current, pods), value, target)).toBe(replicas);
});

const byShare = [
  { name: "more", running: 4, value: 45_000, target: 5000, replicas: 9, average: 11_250 },
  { name: "within the tolerance", running: 4, value: 21_000, target: 5000, replicas: 4, average: 5250 },
  { name: "from none", running: 0, value: 12_000, target: 5000, replicas: 3, average: 12_000 },
];

test.each(byShare)("by share: $name", ({ running, value, target, replicas, average }) => {
  expect(replicasByShare(running, value, target, { up: 0.1, down: 0.1 })).toEqual({ replicas, average });
});

test("pods ask for what their containers and sidecars ask for, one of them, or for what they say as a whole", () => {
  const cpu = (amount: string) => ({ resources: { requests: { cpu: amount } } });
  const containers = [
    { name: "a", ...cpu("100m") },
    { name: "b", ...cpu("200m") },
  ];
  const initContainers = [
    { name: "once", ...cpu("9") },
    { name: "beside", restartPolicy: "Always", ...cpu("50m") },
  ];
  const several = makePod("p", { containers, spec: { initContainers } });
  const whole = makePod("q", { containers, spec: cpu("1") });
  const both = [several, whole];
  expect([...requestsOf(both, "cpu", undefined)]).toEqual([
    ["p", 350],
    ["q", 1000],
  ]);
  expect([...requestsOf(both, "cpu", "b")]).toEqual([
    ["p", 200],
    ["q", 200],
  ]);
});
