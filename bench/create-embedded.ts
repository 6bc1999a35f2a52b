import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pods } from "coxswain/api";
import { startControlPlane } from "coxswain/cluster";
import { EmbeddedStore } from "coxswain/store/embedded";
import { benchPod } from "./pods.js";
import { alternate, type Row, rate } from "./rows.js";

const count = 3000;
const inFlight = 200;

/** Durable creates a second with 200 in flight, against bare appends of as many bytes with one fsync for each batch of 200. */
export async function run(): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), "bench-embedded-"));
  const store = await EmbeddedStore.open(join(folder, "store"));
  const cp = await startControlPlane({ store, controllers: [] });
  let at = 0;
  const ours = async (): Promise<number> => {
    const began = performance.now();
    const end = at + count;
    const work = async (): Promise<void> => {
      while (at < end) await cp.client.create(pods, benchPod(at++));
    };
    await Promise.all(Array.from({ length: inFlight }, work));
    return (count * 1000) / (performance.now() - began);
  };
  const bytes = Buffer.alloc(3000, "x");
  const bare = async (): Promise<number> => {
    const file = await open(join(folder, "bare"), "a");
    const began = performance.now();
    for (let written = 0; written < count; written += inFlight) {
      await file.write(Buffer.concat(Array.from({ length: inFlight }, () => bytes)));
      await file.datasync();
    }
    await file.close();
    return (count * 1000) / (performance.now() - began);
  };
  try {
    const measured = await alternate(5, ours, bare);
    return [rate("create-embedded", measured.ours, "creates/s", measured.bare)];
  } finally {
    await cp.stop();
    await store[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}
