import { pods } from "coxswain/api";
import { startControlPlane } from "coxswain/cluster";
import { benchPod } from "./pods.js";
import { cost, type Row } from "./rows.js";

const count = 10_000;

/** What 10,000 pods of 3 KB add to the resident memory, against their encoded bytes. */
export async function run(): Promise<readonly Row[]> {
  await using cp = await startControlPlane({ controllers: [] });
  const before = await resident();
  for (let index = 0; index < count; index++) await cp.client.create(pods, benchPod(index));
  const after = await resident();
  const list = await cp.client.list(pods, { limit: 100 });
  const encoded = (JSON.stringify(list.items).length / list.items.length) * count;
  return [cost("memory-10k", (after - before) / 2 ** 20, "MiB", encoded / 2 ** 20)];
}

/** After everything that can go has gone. */
async function resident(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage().rss;
}
