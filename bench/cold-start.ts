import { startControlPlane } from "coxswain/cluster";
import { figure, median, type Row } from "./rows.js";

/** Milliseconds to a control plane in memory with three hollow nodes; median of 10. */
export async function run(): Promise<readonly Row[]> {
  const times: number[] = [];
  for (let round = 0; round < 10; round++) {
    const began = performance.now();
    await using cp = await startControlPlane({ nodes: 3 });
    times.push(performance.now() - began);
    await cp.settled();
  }
  return [figure("cold-start", median(times), "ms"), figure("cold-start: first", times[0] ?? 0, "ms")];
}
