import { expect, it } from "vitest";
import type { JsonObject } from "../../api/index.js";
import { makeMeta } from "../../testing/builders.js";
import type { StoredEvent } from "../request.js";
import { BatchPool } from "./batch-pool.js";
import { ConvertedObject } from "./stored-object.js";

const event = (revision: number): StoredEvent => {
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: makeMeta("ConfigMap", "a") };
  const stored = new ConvertedObject({ key: "a", revision }, object as unknown as JsonObject);
  return { type: "MODIFIED", stored, frame: stored.bytes };
};
const [one, two, three] = [event(1), event(2), event(3)];

it("gives watchers with the same events the same batch", () => {
  const pool = new BatchPool();
  const first = pool.share([one, two]);
  expect(pool.share([one, two])).toBe(first);
});

it.each([
  { name: "fewer events", batch: [one] },
  { name: "more events", batch: [one, two, three] },
  { name: "others in between", batch: [one, three] },
  { name: "another first", batch: [two, two] },
])("keeps apart what is not the same: $name", ({ batch }) => {
  const pool = new BatchPool();
  pool.share([one, two]);
  expect(pool.share(batch)).toBe(batch);
});

it("gives up looking where every watcher selects something else", () => {
  const pool = new BatchPool();
  const different = Array.from({ length: 100 }, (_, at) => [one, event(at)]);
  for (const batch of different) expect(pool.share(batch)).toBe(batch);
  expect(pool.share([...(different[0] ?? [])])).toBe(different[0]);
  const last = [...(different[99] ?? [])];
  expect(pool.share(last)).toBe(last);
});
