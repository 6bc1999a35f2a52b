import { describe, expect, it } from "vitest";
import type { JsonObject } from "../object.js";
import { randomValue, seeded } from "../random-objects.fixture.js";
import { apply, deployment, entriesOf, later, now, update } from "./apply.fixture.js";
import { extractSet } from "./extract.js";
import { differenceFields, equalFields, memberPaths, unionFields } from "./fields-v1.js";
import { managedFieldsOf, managersOf } from "./managed-object.js";
import { updateManagedFields } from "./update.js";

describe("laws of apply", () => {
  const wanted = (next: (bound: number) => number): JsonObject => {
    // As decoding leaves it: without empty lists, which nobody would own.
    const text = JSON.stringify(randomValue(next, deployment, 6));
    const value = JSON.parse(text, (_, item) => (Array.isArray(item) && item.length === 0 ? undefined : item)) as {
      metadata?: object;
    };
    const { resourceVersion: _, uid: __, ...metadata } = (value.metadata ?? {}) as Record<string, unknown>;
    return { ...value, apiVersion: "apps/v1", kind: "Deployment", metadata };
  };
  const who = { schema: deployment, apiVersion: "apps/v1", force: true };

  it("is idempotent, keeps every applied value, and conserves ownership", () => {
    const seed = 515;
    for (let round = 0; round < 600; round++) {
      const next = seeded(seed + round);
      const where = `seed ${seed + round}`;
      let live: JsonObject | undefined;
      for (let step = 0; step < 4; step++) {
        const applied = wanted(next);
        const manager = ["a", "b"][next(2)] ?? "";
        const before = live;
        live =
          next(3) === 0
            ? update(
                live,
                { ...applied, metadata: { ...(applied.metadata as object), managedFields: managedFieldsOf(live) } },
                { ...who, manager: "u" },
              )
            : apply(live, applied, { ...who, manager });
        expect(live, where).toBeDefined();
        if (
          entriesOf(live).some((entry) => entry.manager === manager && entry.operation === "Apply") &&
          before !== undefined
        ) {
          const own = managersOf(live);
          // Whatever somebody owns is there.
          let owned = {};
          for (const { fields } of own.values()) owned = unionFields(owned, fields);
          const there = fullSet(live);
          const missing = [...memberPaths(differenceFields(owned, there))];
          expect(missing, where).toEqual([]);
        }
      }
      const applied = wanted(next);
      const once = apply(live, applied, { ...who, manager: "a" });
      expect(apply(once, applied, { ...who, manager: "a", now: later }), where).toBe(once);
      // Force leaves no conflict behind: the same without force is taken.
      expect(apply(once, applied, { ...who, manager: "a", force: false }), where).toBe(once);
      const fields = extractSet(deployment, applied);
      const mine = [...managersOf(once).values()].find(
        ({ manager, operation }) => manager === "a" && operation === "Apply",
      );
      expect(equalFields(mine?.fields ?? {}, fields), where).toBe(true);
      // To apply nothing gives back all that nobody else has.
      const nothing = apply(once, { apiVersion: "apps/v1", kind: "Deployment" }, { ...who, manager: "a" });
      expect(
        [...managersOf(nothing).values()].some(({ manager, operation }) => manager === "a" && operation === "Apply"),
        where,
      ).toBe(false);
    }
  });

  it("does not depend on what is shared between the versions", () => {
    const seed = 909;
    for (let round = 0; round < 600; round++) {
      const next = seeded(seed + round);
      const old = update(undefined, wanted(next), { ...who, manager: "x" });
      const changed: JsonObject = {
        ...old,
        spec: next(2) === 0 ? wanted(next).spec : old.spec,
        status: wanted(next).status,
      };
      const shared = update(old, changed, { ...who, manager: "y" });
      const copied = update(structuredClone(old), structuredClone(changed), { ...who, manager: "y" });
      expect(shared, `seed ${seed + round}`).toEqual(copied);
    }
  });
});

// Every path of an object, containers too.
function fullSet(object: JsonObject): ReturnType<typeof extractSet> {
  const holder = updateManagedFields({
    schema: deployment,
    object: { ...object, metadata: { ...(object.metadata as object), managedFields: undefined } },
    manager: "all",
    apiVersion: "apps/v1",
    now,
  });
  const all = [...managersOf(holder).values()][0]?.fields ?? {};
  return unionFields(unionFields(all, extractSet(deployment, object)), structPaths);
}

// Structs that are always there are not added by anybody, but can be owned as empty leaves by appliers.
const structPaths = {
  "f:metadata": { ".": {} },
  "f:spec": { ".": {}, "f:selector": {}, "f:strategy": {}, "f:template": { ".": {}, "f:metadata": {}, "f:spec": {} } },
  "f:status": {},
};
