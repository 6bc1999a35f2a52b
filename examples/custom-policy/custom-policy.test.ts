import {
  defaultPolicies,
  type SchedulingPolicy,
  simulate,
  simulationHtml,
  simulationTable,
  type TracePod,
  whatIf,
} from "coxswain/scheduler";
import { describeSchedulingPolicy, makeNode, makePod, seededRandom } from "coxswain/testing";
import { expect, test } from "vitest";
import { carbonAware, solarForecast } from "./carbon.js";
import { cheapest } from "./cheapest.js";
import { compare } from "./compare.js";
import { gang } from "./gang.js";

const minute = 60_000;
const hour = 60 * minute;
const noon = Date.UTC(2026, 5, 21, 12);
const forecast = solarForecast({ east: 0, west: -12 });

const prices = ["5", "1", "9"];

describeSchedulingPolicy({
  name: "Cheapest",
  setup: () => ({
    policy: cheapest,
    node: (node, random) => ({
      ...node,
      metadata: {
        ...node.metadata,
        labels: { ...node.metadata.labels, "example.com/price": prices[Math.floor(random() * 3)] ?? "5" },
      },
    }),
  }),
});

describeSchedulingPolicy({ name: "Gang", setup: () => ({ policy: gang(() => ({ waitingPod: () => undefined })) }) });

describeSchedulingPolicy({
  name: "CarbonAware",
  setup: () => ({
    policy: carbonAware({ forecast, clock: { now: () => noon }, limit: 200 }),
    node(node, random) {
      const labels = { ...node.metadata.labels, "topology.kubernetes.io/region": random() < 0.5 ? "east" : "west" };
      return { ...node, metadata: { ...node.metadata, labels } };
    },
    pod(pod, random) {
      const labels = { ...pod.metadata.labels, "example.com/deferrable": String(random() < 0.5) };
      return { ...pod, metadata: { ...pod.metadata, labels } };
    },
  }),
});

function place(policies: readonly SchedulingPolicy[]): (string | undefined)[] {
  const nodes = prices.map((price) =>
    makeNode(`at-${price}`, { cpuMillis: 1000, labels: { "example.com/price": price } }),
  );
  const pods = Array.from({ length: 3 }, (_, index) => makePod(`pod-${index}`, { cpuMillis: 600 }));
  const weighted = policies.map((policy) => ({ policy, weight: 100 }));
  const profiles = [{ policies: [...defaultPolicies(), ...weighted] }];
  return whatIf(pods, { nodes, pods: [], profiles, random: { next: () => 0 } }).map(({ nodeName }) => nodeName);
}

test("pods fill the cheapest nodes first", () => {
  expect(place([cheapest])).toEqual(["at-1", "at-5", "at-9"]);
});

test("pods go where the sun shines, and those that can wait do so until it does", async () => {
  const nodes = ["east", "west"].map((region) =>
    makeNode(region, { cpuMillis: 1000, labels: { "topology.kubernetes.io/region": region } }),
  );
  const job = (name: string, atMs: number, deferrable: boolean): TracePod => {
    const labels = { "example.com/deferrable": String(deferrable) };
    return { pod: makePod(name, { cpuMillis: 1000, labels }), atMs, durationMs: 12 * hour };
  };
  // At noon in the east both want to go there; the one that can wait does so until morning in the west.
  const pods = [job("now", 0, false), job("later", minute, true)];
  const [run] = await simulate(
    { nodes, pods },
    {
      carbon: ({ clock }) => [
        ...defaultPolicies(),
        { policy: carbonAware({ forecast, clock, limit: 250 }), weight: 10 },
      ],
    },
    { startMs: noon },
  );
  expect(run).toMatchObject({ started: 2, finished: 2 });
  expect(run?.waitingMs.max).toBeGreaterThan(7 * hour);
  expect(run?.waitingMs.max).toBeLessThan(9 * hour);
});

test("a gang starts together, and leaves room for another when it cannot", async () => {
  const nodes = ["a", "b", "c"].map((name) => makeNode(name, { cpuMillis: 1000 }));
  const member = (group: string, index: number, atMs: number): TracePod => {
    const labels = { "example.com/gang": group, "example.com/gang-size": "2" };
    return { pod: makePod(`${group}-${index}`, { cpuMillis: 1000, labels }), atMs, durationMs: 10 * minute };
  };
  // Both gangs come at once, member by member: with three nodes one of them has to give way.
  const pods = [member("x", 0, 0), member("y", 0, 0), member("x", 1, 1000), member("y", 1, 1000)];
  const [run] = await simulate(
    { nodes, pods },
    { gang: ({ waitingPod }) => [...defaultPolicies(), gang(() => ({ waitingPod }))] },
    { sampleMs: 30_000 },
  );
  expect(run).toMatchObject({ started: 4, finished: 4 });
  expect(run?.samples.map(({ running }) => running)).not.toContain(1);
  expect(run?.samples.map(({ running }) => running)).not.toContain(3);
});

test("a simulation says what packing and prices save", async () => {
  const runs = await compare(seededRandom(1));
  const [spread, packed, cheap] = runs;
  expect(runs.map(({ started, pods }) => started === pods)).toEqual([true, true, true]);
  expect(packed?.cost).toBeLessThan(spread?.cost ?? 0);
  expect(cheap?.cost).toBeLessThan(spread?.cost ?? 0);
  expect(simulationTable(runs).split("\n")).toHaveLength(4);
  expect(simulationHtml(runs)).toContain("<svg");
});
