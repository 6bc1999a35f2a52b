import { describe, expect, it } from "vitest";
import { deepFreeze, randomJson, seeded } from "../random-objects.fixture.js";
import { applyMergePatch, diffMergePatch } from "./merge-patch.js";

// RFC 7386 section 2, on null-prototype copies: the oracle.
function oracle(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result = new Map(
    typeof target === "object" && target !== null && !Array.isArray(target) ? Object.entries(target) : [],
  );
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, oracle(result.get(key), value));
  }
  return Object.fromEntries(result);
}

describe("applyMergePatch", () => {
  it.each([
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{ a: [1] }, { a: [{ b: null }] }, { a: [{ b: null }] }],
  ])("%j with %j", (doc, patch, result) => {
    expect(applyMergePatch(deepFreeze(doc), deepFreeze(patch))).toEqual(result);
  });

  it("refuses what is no object, and what nests too deep", () => {
    expect(() => applyMergePatch({}, [1])).toThrow("Invalid JSON Patch");
    let deep: unknown = 1;
    for (let depth = 0; depth < 5000; depth++) deep = { a: deep };
    expect(() => applyMergePatch({}, deep)).toThrow("may not nest deeper");
  });

  it("keeps identity, and takes __proto__ as data", () => {
    const doc = deepFreeze({ a: { b: 1 }, c: {} });
    expect(applyMergePatch(doc, { a: { b: 1 }, x: null })).toBe(doc);
    const patched = applyMergePatch<object>({}, JSON.parse('{"__proto__":{"polluted":1}}'));
    expect(Object.getPrototypeOf(patched)).toBe(Object.prototype);
    expect(Object.hasOwn(patched, "__proto__")).toBe(true);
  });

  it("agrees with the oracle, and diffs to patches that restore", () => {
    const seed = 77;
    for (let round = 0; round < 3000; round++) {
      const next = seeded(seed + round);
      const doc = { root: randomJson(next, 4) };
      const patch = { root: randomJson(next, 4) };
      deepFreeze([doc, patch]);
      expect(applyMergePatch<object>(doc, patch), `seed ${seed + round}`).toEqual(oracle(doc, patch));
      const from = { root: randomJson(next, 4, false) };
      const to = { root: randomJson(next, 4, false) };
      expect(applyMergePatch<object>(from, diffMergePatch(from, to) ?? {}), `seed ${seed + round}`).toEqual(to);
    }
  });
});
