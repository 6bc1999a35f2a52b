import type { Row } from "./rows.js";
import { cost, rate } from "./rows.js";
import { bareRate, type Measured, schedulerRate } from "./scheduler/run.js";
import { workloads } from "./scheduler/workloads.js";

const sizes = [100, 1000, 5000, 15_000];

/**
 * The workloads of upstream's scheduler_perf. Beside each rate stands what creating and binding alone come to in the same
 * run. `selection`: names of workloads, and numbers of nodes.
 */
export async function* run(selection: readonly string[] = []): AsyncGenerator<Row> {
  const numbers = selection.map(Number).filter((number) => number > 0);
  const names = selection.filter((word) => !(Number(word) > 0));
  const chosen = workloads.filter(({ name }) => names.length === 0 || names.includes(name));
  // Until the compiler has seen enough of each.
  await bareRate(100);
  for (const workload of chosen) await schedulerRate(workload, workload.sizes?.[0] ?? 100);
  for (const nodes of numbers.length > 0 ? numbers : sizes) {
    const bare = await bareRate(nodes);
    for (const workload of chosen) {
      if (workload.sizes !== undefined && !workload.sizes.includes(nodes)) continue;
      yield* table(workload.name, workload.threshold, nodes, await schedulerRate(workload, nodes), bare);
    }
  }
}

function table(
  name: string,
  threshold: number | undefined,
  nodes: number,
  ours: Measured,
  bare: Measured,
): readonly Row[] {
  const title = `${name} ${nodes}`;
  return [
    rate(
      threshold === undefined ? title : `${title} (upstream ${threshold})`,
      ours.podsPerSecond,
      "pods/s",
      bare.podsPerSecond,
    ),
    cost(`${title}: CPU`, ours.cpuMicros, "us/pod", bare.cpuMicros),
  ];
}
