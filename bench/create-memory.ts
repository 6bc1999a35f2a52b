import { pods } from "coxswain/api";
import { startControlPlane } from "coxswain/cluster";
import { benchPod } from "./pods.js";
import { cost, cpuPer, median, type Row } from "./rows.js";

const count = 2000;

/** CPU of creating, merge-patching and applying a 3 KB pod, against parsing and printing its JSON once. */
export async function run(): Promise<readonly Row[]> {
  await using cp = await startControlPlane({ controllers: [] });
  const { client } = cp;
  const samples = { create: [] as number[], patch: [] as number[], apply: [] as number[], json: [] as number[] };
  for (let round = 0; round < 5; round++) {
    const from = round * count;
    const each = (work: (index: number) => unknown): Promise<number> =>
      cpuPer(count, async () => {
        for (let at = from; at < from + count; at++) await work(at);
      });
    const key = (at: number) => ({ namespace: "default", name: benchPod(at).metadata.name ?? "" });
    samples.create.push(await each((at) => client.create(pods, benchPod(at))));
    const text = JSON.stringify(await client.get(pods, key(from)));
    samples.json.push(await each(() => JSON.stringify(JSON.parse(text))));
    const patch = { type: "merge", body: { metadata: { labels: { patched: "yes" } } } } as const;
    samples.patch.push(await each((at) => client.patch(pods, key(at), patch)));
    const applied = (at: number) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { ...key(at), labels: { applied: "yes" } },
    });
    samples.apply.push(await each((at) => client.apply(pods, applied(at), { fieldManager: "bench", force: true })));
  }
  const json = median(samples.json);
  return [
    cost("create-memory", median(samples.create), "us CPU", json),
    cost("create-memory: merge patch", median(samples.patch), "us CPU", json),
    cost("create-memory: apply", median(samples.apply), "us CPU", json),
  ];
}
