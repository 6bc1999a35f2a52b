import { expect, test } from "vitest";
import { DevicePool } from "./device-pool.js";
import type { DeviceAccess } from "./plugin.js";

const access: DeviceAccess = { envs: {}, mounts: [], devices: [], annotations: {}, cdiDevices: [] };
const resource = "example.com/disk";
const none: ReadonlySet<string> = new Set();

function poolOf(...ids: readonly string[]): DevicePool {
  const pool = new DevicePool();
  pool.set(
    resource,
    ids.map((id) => ({ id: id.replace("!", ""), healthy: !id.endsWith("!") })),
  );
  return pool;
}

test("devices are counted, the healthy ones apart, and all fail with their plugin", () => {
  const pool = poolOf("a", "b!", "c");
  expect([...pool.counts()]).toEqual([[resource, { capacity: 3, allocatable: 2 }]]);
  pool.fail(resource);
  expect([...pool.counts()]).toEqual([[resource, { capacity: 3, allocatable: 0 }]]);
  pool.set(resource, []);
  expect([...pool.counts()]).toEqual([[resource, { capacity: 0, allocatable: 0 }]]);
});

test("what others have is not available until they are gone", () => {
  const pool = poolOf("a", "b");
  pool.grant("pod", "main", { resource, ids: ["a"], access });
  expect(pool.choice(resource, 1, none)).toEqual({ required: [], available: ["b"], size: 1 });
  expect(() => pool.choice(resource, 2, none)).toThrow(
    "requested number of devices unavailable for example.com/disk. Requested: 2, Available: 1",
  );
  expect(pool.release("pod")).toBe(true);
  expect(pool.release("pod")).toBe(false);
  expect(pool.choice(resource, 2, none).available).toEqual(["a", "b"]);
});

test("what the pod itself has comes first, as far as it is healthy", () => {
  const pool = poolOf("a", "b", "c!");
  pool.grant("pod", "init", { resource, ids: ["a", "c"], access });
  expect(pool.choice(resource, 1, new Set(["a", "c"]))).toEqual({ required: ["a"], available: ["b"], size: 1 });
  expect(pool.choice(resource, 2, new Set(["a", "c"]))).toEqual({ required: ["a"], available: ["b"], size: 2 });
  expect(() => pool.choice(resource, 3, new Set(["a", "c"]))).toThrow("Requested: 3, Available: 2");
});

test("of what is not known or not healthy there is nothing to choose", () => {
  expect(() => poolOf().choice("example.com/other", 1, none)).toThrow(
    "cannot allocate unregistered device example.com/other",
  );
  expect(() => poolOf("a!").choice(resource, 1, none)).toThrow(
    "no healthy devices present; cannot allocate unhealthy devices example.com/disk",
  );
});

test("what an agent before granted is kept, and its resources are known though no plugin is", () => {
  const before = poolOf("a");
  before.grant("pod", "main", { resource, ids: ["a"], access });
  const grants = [...before.grants].map(
    ([uid, ofPod]) => [uid, new Map([...ofPod].map(([name, list]) => [name, [...list]]))] as const,
  );
  const pool = new DevicePool(grants, before.resources);
  expect(pool.granted("pod", "main")).toEqual([{ resource, ids: ["a"], access }]);
  expect([...pool.counts()]).toEqual([[resource, { capacity: 0, allocatable: 0 }]]);
  pool.set(resource, [{ id: "a", healthy: true }]);
  expect(() => pool.choice(resource, 1, none)).toThrow("Requested: 1, Available: 0");
});
