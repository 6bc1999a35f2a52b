import { describe, expect, it } from "vitest";
import { jsonEqual } from "../json-value.js";
import { deepFreeze, randomValue, seeded } from "../random-objects.fixture.js";
import { builtinSchema } from "../schema-table.js";
import { PatchError } from "./patch-error.js";
import { diffStrategicMergePatch } from "./strategic-diff.js";
import { applyStrategicMergePatch } from "./strategic-merge.js";

const pod = builtinSchema("core.v1.Pod");
const deployment = builtinSchema("apps.v1.Deployment");
const containers = (...list: object[]): object => ({ spec: { containers: list } });

describe("applyStrategicMergePatch", () => {
  it.each([
    {
      name: "merges items by key, and puts new ones first",
      doc: containers({ name: "a", image: "1" }, { name: "b", image: "1" }),
      patch: containers({ name: "b", image: "2" }, { name: "c", image: "1" }),
      result: containers({ name: "a", image: "1" }, { name: "b", image: "2" }, { name: "c", image: "1" }),
    },
    {
      name: "a new item comes before those that the patch does not name",
      doc: containers({ name: "a" }),
      patch: containers({ name: "c" }),
      result: containers({ name: "c" }, { name: "a" }),
    },
    {
      name: "deletes an item",
      doc: containers({ name: "a" }, { name: "b" }),
      patch: containers({ $patch: "delete", name: "a" }),
      result: containers({ name: "b" }),
    },
    {
      name: "replaces a list",
      doc: containers({ name: "a" }),
      patch: containers({ name: "b" }, { $patch: "replace" }),
      result: containers({ name: "b" }),
    },
    {
      name: "replaces an object",
      doc: { metadata: { labels: { a: "1" } } },
      patch: { metadata: { labels: { $patch: "replace", b: "2" } } },
      result: { metadata: { labels: { b: "2" } } },
    },
    {
      name: "empties an object",
      doc: { spec: { securityContext: { runAsUser: 1 } } },
      patch: { spec: { securityContext: { $patch: "delete" } } },
      result: { spec: { securityContext: {} } },
    },
    {
      name: "orders by $setElementOrder",
      doc: containers({ name: "a" }, { name: "b" }, { name: "c" }),
      patch: { spec: { "$setElementOrder/containers": [{ name: "c" }, { name: "a" }] } },
      result: containers({ name: "b" }, { name: "c" }, { name: "a" }),
    },
    {
      name: "merges and deletes primitives",
      doc: { metadata: { finalizers: ["a", "b", "c"] } },
      patch: { metadata: { "$deleteFromPrimitiveList/finalizers": ["b"], finalizers: ["d"] } },
      result: { metadata: { finalizers: ["d", "a", "c"] } },
    },
    {
      name: "replaces lists without a strategy",
      doc: containers({ name: "a", args: ["x", "y"] }),
      patch: containers({ name: "a", args: ["z"] }),
      result: containers({ name: "a", args: ["z"] }),
    },
    {
      name: "retains only the keys given",
      doc: { spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } } },
      patch: { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } },
      result: { spec: { strategy: { type: "Recreate" } } },
    },
    {
      name: "number keys",
      doc: containers({ name: "a", ports: [{ containerPort: 80, name: "x" }] }),
      patch: containers({ name: "a", ports: [{ containerPort: 80, name: "y" }, { containerPort: 81 }] }),
      result: containers({ name: "a", ports: [{ containerPort: 80, name: "y" }, { containerPort: 81 }] }),
    },
    {
      name: "null removes, and leaves no trace in what is new",
      doc: { spec: { hostname: "h" } },
      patch: { spec: { hostname: null, securityContext: { runAsUser: null, runAsGroup: 1 } } },
      result: { spec: { securityContext: { runAsGroup: 1 } } },
    },
  ])("$name", ({ doc, patch, result }) => {
    const schema = "strategy" in ((doc as { spec?: object }).spec ?? {}) ? deployment : pod;
    expect(applyStrategicMergePatch<object>(schema, deepFreeze(doc), deepFreeze(patch))).toEqual(result);
    const keys = (value: object): unknown => JSON.parse(JSON.stringify(value));
    expect(keys(applyStrategicMergePatch<object>(schema, doc, patch))).toEqual(result);
  });

  it.each([
    { name: "unknown directive", patch: { spec: { $patch: "frob" } } },
    { name: "item without its key", patch: containers({ image: "x" }) },
    { name: "retained key missing", patch: { spec: { $retainKeys: ["a"], hostname: "b" } } },
    {
      name: "order that differs",
      patch: { spec: { "$setElementOrder/containers": [{ name: "a" }], containers: [{ name: "b" }] } },
    },
    { name: "primitive deletion of no list", patch: { metadata: { "$deleteFromPrimitiveList/finalizers": "a" } } },
    { name: "no object", patch: [] },
  ])("refuses: $name", ({ patch }) => {
    const doc = { metadata: { finalizers: ["a"] }, ...containers({ name: "a" }) };
    expect(() => applyStrategicMergePatch<object>(pod, doc, patch)).toThrow(PatchError);
  });

  it("does not touch prototypes", () => {
    const patch = JSON.parse('{"metadata":{"labels":{"__proto__":"x"}},"__proto__":{"polluted":1}}');
    const patched = applyStrategicMergePatch<object>(pod, { metadata: { labels: {} } }, patch);
    expect(Object.getPrototypeOf(patched)).toBe(Object.prototype);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it.each([pod, deployment])("restores what a diff saw, is idempotent, and keeps identity", (schema) => {
    const seed = 4242;
    for (let round = 0; round < 1500; round++) {
      const next = seeded(seed + round);
      const from = deepFreeze(randomValue(next, schema, 6) as object);
      const to = deepFreeze(randomValue(next, schema, 6) as object);
      const patch = diffStrategicMergePatch(schema, from, to);
      const where = `seed ${seed + round}`;
      expect(patch === undefined, where).toBe(jsonEqual(from, to));
      const once = applyStrategicMergePatch<object>(schema, from, patch ?? {});
      expect(once, where).toEqual(to);
      expect(applyStrategicMergePatch(schema, once, patch ?? {}), where).toBe(once);
      expect(applyStrategicMergePatch(schema, from, {}), where).toBe(from);
    }
  });
});
