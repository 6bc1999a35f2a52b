import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { startControlPlane } from "coxswain/cluster";
import { cost, median, type Row } from "./rows.js";

/** Milliseconds to a control plane in memory with three hollow nodes, against a bare HTTP server and its first answer; median of 10. */
export async function run(): Promise<readonly Row[]> {
  const times: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < 10; round++) {
    bare.push(await bareStart());
    const began = performance.now();
    await using cp = await startControlPlane({ nodes: 3 });
    times.push(performance.now() - began);
    await cp.settled();
  }
  return [
    cost("cold-start", median(times), "ms", median(bare)),
    cost("cold-start: first", times[0] ?? 0, "ms", bare[0] ?? 0),
  ];
}

async function bareStart(): Promise<number> {
  const began = performance.now();
  const server = createServer((_, response) => response.end("ok"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve, reject) => {
    get({ host: "127.0.0.1", port, agent: false }, (response) => response.resume().on("end", resolve)).on(
      "error",
      reject,
    );
  });
  const took = performance.now() - began;
  await new Promise((resolve) => server.close(resolve));
  return took;
}
