import { describe, expect, test } from "vitest";
import { randomInt, seededRandom } from "../../internal/random.js";
import { makeNode, makePod } from "../../testing/builders.js";
import type { SchedulingPolicy } from "../framework/policy.js";
import { defaultPolicies } from "../policies/default-policies.js";
import { nodeResourcesFit } from "../policies/node-resources.js";
import { simulationHtml, simulationSvg, simulationTable } from "./report.js";
import { type SimulationContext, simulate } from "./simulate.js";
import { randomTrace, type WorkloadTrace } from "./trace.js";

const minute = 60_000;
const hour = 60 * minute;
const defaults = { default: () => defaultPolicies() };

const oneNode = makeNode("one", { cpuMillis: 1000, memoryBytes: 2 ** 30 });
const job = (name: string, atMs: number, durationMs: number, priority = 0) => ({
  pod: makePod(name, { cpuMillis: 1000, priority }),
  atMs,
  durationMs,
});

function busy(seed: number): WorkloadTrace {
  const random = seededRandom(seed);
  const nodes = Array.from({ length: 8 }, (_, index) =>
    makeNode(`node-${index}`, {
      cpuMillis: 4000,
      memoryBytes: 8 * 2 ** 30,
      labels: { price: String(1 + (index % 2)) },
    }),
  );
  return randomTrace({
    random,
    nodes,
    podCount: 120,
    overMs: 4 * hour,
    meanDurationMs: hour / 2,
    meanTimeToFailureMs: 20 * hour,
    pod: (index, own) =>
      makePod(`pod-${index}`, {
        cpuMillis: 250 * (1 + randomInt(own, 8)),
        memoryBytes: 2 ** 28 * (1 + randomInt(own, 8)),
        priority: randomInt(own, 2),
      }),
  });
}

describe("simulate", () => {
  test("lets pods wait for each other where there is room for one", async () => {
    const trace = { nodes: [oneNode], pods: [job("a", 0, 10 * minute), job("b", 4 * minute, 10 * minute)] };
    const [run] = await simulate(trace, defaults);
    expect(run).toMatchObject({ pods: 2, started: 2, finished: 2, preemptions: 0, lost: 0, makespanMs: 20 * minute });
    expect(run?.waitingMs).toEqual({ mean: 3 * minute, median: 6 * minute, p95: 6 * minute, max: 6 * minute });
    expect(run?.utilisation.cpu).toBeCloseTo(1, 1);
    expect(run?.cost).toBeCloseTo(20 / 60, 5);
  });

  test("evicts the less important, which come again and run from the start", async () => {
    const trace = { nodes: [oneNode], pods: [job("low", 0, 10 * minute), job("high", 5 * minute, minute, 10)] };
    const [run] = await simulate(trace, defaults);
    expect(run).toMatchObject({ finished: 2, preemptions: 1, makespanMs: 16 * minute });
    expect(run?.waitingMs.max).toBe(0);
  });

  test("loses the pods of a node that fails, until it is back", async () => {
    const failures = [{ nodeName: "one", atMs: 5 * minute, backAtMs: 30 * minute }];
    const [run] = await simulate({ nodes: [oneNode], pods: [job("a", 0, 10 * minute)], failures }, defaults);
    expect(run).toMatchObject({ finished: 1, lost: 1, makespanMs: 40 * minute });
    expect(run?.samples.find(({ atMs }) => atMs >= 20 * minute)).toMatchObject({
      waiting: 1,
      running: 0,
      nodesInUse: 0,
    });
  });

  test("gives up on what never finds a node", async () => {
    const trace = {
      nodes: [oneNode],
      pods: [{ pod: makePod("huge", { cpuMillis: 2000 }), atMs: 0, durationMs: minute }],
    };
    const [run] = await simulate(trace, defaults, { horizonMs: hour });
    expect(run).toMatchObject({ started: 0, finished: 0, cost: 0 });
    expect(run?.samples.at(-1)).toMatchObject({ atMs: hour, waiting: 1 });
  });

  test("counts the free CPU that nobody of usual size can use", async () => {
    const pods = ["a", "b", "c"].map((name) => ({ pod: makePod(name, { cpuMillis: 600 }), atMs: 0, durationMs: hour }));
    const [run] = await simulate(
      { nodes: [makeNode("a", { cpuMillis: 1000 }), makeNode("b", { cpuMillis: 2000 })], pods },
      defaults,
    );
    // Of what is free, 400m on the first node are too few for another.
    const used = run?.samples.find(({ running }) => running === 3);
    expect(used?.fragmentation).toBeCloseTo(400 / (400 + 800), 5);
  });

  test("runs policies that let pods wait, on the time of the trace", async () => {
    const hours: number[] = [];
    const startMs = Date.UTC(2026, 0, 1, 22);
    const night = ({ clock }: SimulationContext): SchedulingPolicy => ({
      name: "Night",
      filter() {
        hours.push(new Date(clock.now()).getUTCHours());
        return (hours.at(-1) ?? 0) < 6 ? undefined : "it is not night";
      },
      requeueWhen: [],
    });
    const pods = [job("a", 0, minute)];
    const [run] = await simulate(
      { nodes: [oneNode], pods },
      { night: (context) => [...defaultPolicies(), night(context)] },
      { startMs, horizonMs: 12 * hour },
    );
    expect(hours[0]).toBe(22);
    // Nothing tells it of midnight; what rests is tried anew every five minutes.
    expect(run?.waitingMs.max).toBeGreaterThanOrEqual(2 * hour);
    expect(run?.waitingMs.max).toBeLessThanOrEqual(2 * hour + 6 * minute);
  });

  test("gives the same for the same seed, and keeps runs apart", async () => {
    const [first] = await simulate(busy(7), defaults, { seed: 3 });
    const [other, again] = await simulate(busy(7), { packed, default: () => defaultPolicies() }, { seed: 3 });
    expect(again).toEqual(first);
    expect(other?.cost).not.toBe(first?.cost);
    const { started, finished, pods } = first ?? {};
    expect([started, finished]).toEqual([pods, pods]);
  });
});

function packed(): ReturnType<typeof defaultPolicies> {
  const fit = nodeResourcesFit({ scoringStrategy: { type: "MostAllocated" } });
  return defaultPolicies().map((entry) => (entry.policy.name === fit.name ? { policy: fit, weight: 10 } : entry));
}

describe("a report", () => {
  test("is a table, a chart and a page", async () => {
    const runs = await simulate(busy(1), { "a & b": () => defaultPolicies(), packed });
    const lines = simulationTable(runs).split("\n");
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^policies +started +finished +wait, mean .* cost +took$/);
    expect(lines[1]).toMatch(/^a & b +120\/120 +120 /);
    const svg = simulationSvg(runs);
    expect(svg.match(/<path /g)).toHaveLength(5 * 2);
    expect(svg).toContain("a &#38; b</text>");
    expect(svg).not.toContain("NaN");
    const page = simulationHtml(runs, "One <two>");
    expect(page).toContain("<title>One &#60;two&#62;</title>");
    expect(page.match(/<tr>/g)).toHaveLength(3);
  });
});
