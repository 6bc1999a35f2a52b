import fastJsonPatch from "fast-json-patch";
import { describe, expect, it } from "vitest";
import { jsonEqual } from "../json-value.js";
import { deepFreeze, randomJson, seeded } from "../random-objects.fixture.js";
import { applyJsonPatch, jsonPatchLimits } from "./json-patch.js";
import { PatchError } from "./patch-error.js";

describe("applyJsonPatch", () => {
  it.each([
    { name: "add member", doc: { a: 1 }, op: { op: "add", path: "/b", value: 2 }, result: { a: 1, b: 2 } },
    { name: "add replaces", doc: { a: 1 }, op: { op: "add", path: "/a", value: 2 }, result: { a: 2 } },
    { name: "add item", doc: [1, 3], op: { op: "add", path: "/1", value: 2 }, result: [1, 2, 3] },
    { name: "append", doc: [1], op: { op: "add", path: "/-", value: 2 }, result: [1, 2] },
    { name: "remove", doc: { a: { b: 1, c: 2 } }, op: { op: "remove", path: "/a/b" }, result: { a: { c: 2 } } },
    {
      name: "replace",
      doc: { "a/b": { "c~d": 1 } },
      op: { op: "replace", path: "/a~1b/c~0d", value: 2 },
      result: { "a/b": { "c~d": 2 } },
    },
    {
      name: "move",
      doc: { a: [1, 2], b: {} },
      op: { op: "move", from: "/a/0", path: "/b/c" },
      result: { a: [2], b: { c: 1 } },
    },
    {
      name: "copy",
      doc: { a: { x: 1 } },
      op: { op: "copy", from: "/a", path: "/b" },
      result: { a: { x: 1 }, b: { x: 1 } },
    },
    { name: "whole", doc: { a: 1 }, op: { op: "replace", path: "", value: 5 }, result: 5 },
    {
      name: "test",
      doc: { a: { x: 1, y: 2 } },
      op: { op: "test", path: "/a", value: { y: 2, x: 1 } },
      result: { a: { x: 1, y: 2 } },
    },
  ])("$name", ({ doc, op, result }) => {
    expect(applyJsonPatch(deepFreeze(doc), [op])).toEqual(result);
  });

  it.each([
    { name: "missing parent", op: { op: "add", path: "/x/y", value: 1 } },
    { name: "missing member", op: { op: "remove", path: "/x" } },
    { name: "replace missing", op: { op: "replace", path: "/x", value: 1 } },
    { name: "index beyond", op: { op: "add", path: "/list/3", value: 1 } },
    { name: "leading zero", op: { op: "remove", path: "/list/00" } },
    { name: "no pointer", op: { op: "remove", path: "x" } },
    { name: "failed test", op: { op: "test", path: "/list/0", value: 2 } },
    { name: "unknown operation", op: { op: "frob", path: "/list" } },
    { name: "move into itself", op: { op: "move", from: "/list", path: "/list/0" } },
    { name: "inherited", op: { op: "add", path: "/__proto__/polluted", value: 1 } },
    { name: "constructor", op: { op: "add", path: "/constructor/prototype/polluted", value: 1 } },
  ])("refuses: $name", ({ op }) => {
    expect(() => applyJsonPatch({ list: [1, 2] }, [op])).toThrow(PatchError);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it("keeps identity where nothing changes, and shares what it does not touch", () => {
    const doc = deepFreeze({ a: { x: 1 }, b: { y: 2 } });
    expect(applyJsonPatch(doc, [{ op: "replace", path: "/a/x", value: 1 }])).toBe(doc);
    expect(applyJsonPatch(doc, [{ op: "add", path: "/a/x", value: 1 }])).toBe(doc);
    const changed = applyJsonPatch(doc, [{ op: "replace", path: "/a/x", value: 2 }]) as typeof doc;
    expect(changed.b).toBe(doc.b);
  });

  it("does not let a change after a copy reach the source", () => {
    const ops = [
      { op: "add", path: "/a/x", value: 1 },
      { op: "copy", from: "/a", path: "/b" },
      { op: "add", path: "/b/y", value: 2 },
    ];
    expect(applyJsonPatch({ a: {} }, ops)).toEqual({ a: { x: 1 }, b: { x: 1, y: 2 } });
  });

  it("bounds the number of operations, copies and depth", () => {
    const many = Array.from({ length: jsonPatchLimits.operations + 1 }, () => ({ op: "test", path: "", value: {} }));
    expect(() => applyJsonPatch({}, many)).toThrow(
      "The allowed maximum operations in a JSON patch is 10000, got 10001",
    );
    const doubling = Array.from({ length: 60 }, () => ({ op: "copy", from: "/a", path: "/a/-" }));
    expect(() => applyJsonPatch({ a: ["0123456789"] }, doubling)).toThrow("exceeds the limit");
    const deeper = Array.from({ length: 5000 }, () => [{ op: "copy", from: "", path: "/a" }]).flat();
    expect(() => applyJsonPatch({}, deeper)).toThrow(PatchError);
    const long = { list: Array.from({ length: 300_000 }, () => 1), other: {} };
    const shifting = Array.from({ length: 10_000 }, () => ({ op: "remove", path: "/list/0" }));
    expect(() => applyJsonPatch(long, shifting)).toThrow("too much work");
    const ping = Array.from({ length: 5_000 }, () => [
      { op: "move", from: "/list", path: "/other/list" },
      { op: "move", from: "/other/list", path: "/list" },
    ]).flat();
    expect(() => applyJsonPatch(long, ping)).toThrow("too much work");
  });

  it("agrees with fast-json-patch", () => {
    const seed = 20261;
    for (let round = 0; round < 2000; round++) {
      const next = seeded(seed + round);
      const before = withoutProto(randomJson(next, 4));
      const after = withoutProto(randomJson(next, 4));
      if (typeof before !== "object" || before === null || typeof after !== "object" || after === null) continue;
      if (Array.isArray(before) !== Array.isArray(after)) continue;
      const ops = fastJsonPatch.compare(before, after);
      const ours = applyJsonPatch(deepFreeze(structuredClone(before)), ops);
      expect(ours, `seed ${seed + round}`).toEqual(after);
      if (jsonEqual(before, after)) expect(ours, `seed ${seed + round}`).toEqual(before);
    }
  });
});

// The library refuses these keys.
function withoutProto(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll("__proto__", "proto").replaceAll("constructor", "ctor"));
}
