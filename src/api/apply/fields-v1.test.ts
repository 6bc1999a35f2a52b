import { describe, expect, it } from "vitest";
import { seeded } from "../random-objects.fixture.js";
import {
  differenceFields,
  equalFields,
  type FieldsV1,
  intersectFields,
  memberPaths,
  parseFields,
  pathText,
  recursiveDifferenceFields,
  unionFields,
} from "./fields-v1.js";
import { PathSet } from "./path-set.js";

// The oracle: a set of paths as texts.
const paths = (set: FieldsV1): Set<string> => new Set([...memberPaths(set)].map((path) => path.join(" ")));

function build(members: Iterable<string>): FieldsV1 {
  let set: FieldsV1 = {};
  for (const member of members) {
    const path = new PathSet();
    path.insert(member.split(" "), member.split(" ").length);
    set = unionFields(set, path.fields);
  }
  return set;
}

function randomSet(next: (bound: number) => number): FieldsV1 {
  const elements = ["f:a", "f:b", 'k:{"name":"x"}', "v:1"];
  const members: string[] = [];
  for (let count = next(8); count > 0; count--) {
    members.push(Array.from({ length: 1 + next(3) }, () => elements[next(elements.length)] ?? "").join(" "));
  }
  return build(members);
}

describe("FieldsV1", () => {
  it("has upstream's form", () => {
    const set = build(["f:spec f:replicas", "f:spec f:labels", "f:spec f:labels f:app"]);
    expect(set).toEqual({ "f:spec": { "f:replicas": {}, "f:labels": { ".": {}, "f:app": {} } } });
    expect(build(["f:a f:b", "f:a"])).toEqual({ "f:a": { ".": {}, "f:b": {} } });
    expect(build(["f:a", "f:a f:b"])).toEqual({ "f:a": { ".": {}, "f:b": {} } });
  });

  it("obeys the laws of sets", () => {
    const seed = 31;
    for (let round = 0; round < 3000; round++) {
      const next = seeded(seed + round);
      const a = randomSet(next);
      const b = randomSet(next);
      const where = `seed ${seed + round}`;
      const inA = paths(a);
      const inB = paths(b);
      expect(paths(unionFields(a, b)), where).toEqual(new Set([...inA, ...inB]));
      expect(paths(intersectFields(a, b)), where).toEqual(new Set([...inA].filter((path) => inB.has(path))));
      expect(paths(differenceFields(a, b)), where).toEqual(new Set([...inA].filter((path) => !inB.has(path))));
      const below = (path: string): boolean => [...inB].some((root) => path === root || path.startsWith(`${root} `));
      expect(paths(recursiveDifferenceFields(a, b)), where).toEqual(new Set([...inA].filter((path) => !below(path))));
      expect(equalFields(unionFields(a, b), unionFields(b, a)), where).toBe(true);
      expect(equalFields(build(inA), a), where).toBe(true);
      expect(differenceFields(a, differenceFields(b, a)), where).toBe(a);
      expect(parseFields(JSON.parse(JSON.stringify(a))), where).toEqual(a);
    }
  });

  it("reads only what is one, and makes keys canonical", () => {
    expect(parseFields({ 'k:{ "b":1, "a":"x" }': { ".": {} } })).toEqual({ 'k:{"a":"x","b":1}': { ".": {} } });
    for (const bad of [
      1,
      [],
      { a: {} },
      { "f:a": 1 },
      { "k:[]": {} },
      { "v:{}": {} },
      { "i:x": {} },
      { __proto__x: {} },
    ]) {
      expect(parseFields(bad)).toBeUndefined();
    }
    let deep: unknown = {};
    for (let depth = 0; depth < 2000; depth++) deep = { "f:a": deep };
    expect(parseFields(deep)).toBeUndefined();
  });

  it("sorts and shows paths", () => {
    expect([...memberPaths({ "v:1": {}, "f:b": { "f:c": {}, ".": {} }, "f:a": {} })].map(pathText)).toEqual([
      ".a",
      ".b",
      ".b.c",
      "[=1]",
    ]);
    expect(pathText(["f:spec", 'k:{"port":80,"protocol":"TCP"}', 'v:"x"', "i:3"])).toBe(
      '.spec[port=80,protocol="TCP"][="x"][3]',
    );
  });
});
