import { writeFile } from "node:fs/promises";
import {
  defaultPolicies,
  nodeResourcesFit,
  randomTrace,
  type SimulationRun,
  simulate,
  simulationHtml,
  simulationTable,
} from "coxswain/scheduler";
import { makeNode, makePod } from "coxswain/testing";
import { cheapest } from "./cheapest.js";

const hour = 3_600_000;

/** A day of batch jobs on large, dear nodes and small, cheap ones, under three sets of policies. */
export async function compare(random: { next(): number }): Promise<readonly SimulationRun[]> {
  const nodes = Array.from({ length: 24 }, (_, index) => {
    const large = index % 3 === 0;
    const labels = { "example.com/price": large ? "80" : "15" };
    return makeNode(`node-${index}`, {
      cpuMillis: large ? 16_000 : 4_000,
      memoryBytes: (large ? 64 : 16) * 2 ** 30,
      labels,
    });
  });
  const trace = randomTrace({
    random,
    nodes,
    podCount: 700,
    overMs: 24 * hour,
    meanDurationMs: 2 * hour,
    meanTimeToFailureMs: 200 * hour,
    pod: (index, { next }) =>
      makePod(`job-${index}`, {
        cpuMillis: 500 * (1 + Math.floor(next() * 6)),
        memoryBytes: 2 ** 30 * (1 + Math.floor(next() * 8)),
        priority: next() < 0.1 ? 100 : 0,
      }),
  });
  const packed = nodeResourcesFit({ scoringStrategy: { type: "MostAllocated" } });
  const packing = () =>
    defaultPolicies().map((entry) => (entry.policy.name === packed.name ? { policy: packed, weight: 10 } : entry));
  return simulate(
    trace,
    {
      "default policies": () => defaultPolicies(),
      "packed tightly": packing,
      "packed on cheap nodes": () => [...packing(), { policy: cheapest, weight: 20 }],
    },
    { priceOf: ({ metadata }) => Number(metadata.labels?.["example.com/price"]) / 100 },
  );
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const runs = await compare({ next: Math.random });
  console.log(simulationTable(runs));
  await writeFile("compare.html", simulationHtml(runs));
}
