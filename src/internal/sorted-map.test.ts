import { describe, expect, it } from "vitest";
import { randomInt, seededRandom } from "./random.js";
import { SortedMap } from "./sorted-map.js";

function keysOf(map: SortedMap<number>, prefix: string, after?: string): string[] {
  const keys: string[] = [];
  for (const { chunk, from, to } of map.range(prefix, after)) keys.push(...chunk.keys.slice(from, to));
  return keys;
}

describe("SortedMap", () => {
  it("gives the keys of a prefix in order and only those", () => {
    const map = new SortedMap<number>();
    for (const key of ["a/2", "b/1", "a/1", "ab/1", "a/10"]) map.set(key, 0);
    expect(keysOf(map, "a/")).toEqual(["a/1", "a/10", "a/2"]);
    expect(keysOf(map, "")).toEqual(["a/1", "a/10", "a/2", "ab/1", "b/1"]);
    expect(keysOf(map, "c")).toEqual([]);
  });

  it("starts behind the key it is told, whether that exists or not", () => {
    const map = new SortedMap<number>();
    for (const key of ["a/1", "a/2", "a/3"]) map.set(key, 0);
    expect(keysOf(map, "a/", "a/1")).toEqual(["a/2", "a/3"]);
    expect(keysOf(map, "a/", "a/15")).toEqual(["a/2", "a/3"]);
    expect(keysOf(map, "a/", "a/3")).toEqual([]);
  });

  it("drops what was derived from a chunk when the chunk is written to", () => {
    const map = new SortedMap<number>();
    map.set("a", 1);
    for (const { chunk } of map.range("")) chunk.derived = "kept";
    map.set("a", 2);
    expect([...map.range("")].map(({ chunk }) => chunk.derived)).toEqual([undefined]);
  });

  it("agrees with a plain sorted array over random writes", () => {
    const seed = 20260711;
    const random = seededRandom(seed);
    const map = new SortedMap<number>();
    const model = new Map<string, number>();
    for (let step = 0; step < 20_000; step++) {
      const key = `${"abc"[randomInt(random, 3)]}/${randomInt(random, 2000)}`;
      if (random.next() < 0.4) {
        expect(map.delete(key), `seed ${seed} step ${step}`).toBe(model.delete(key));
      } else {
        map.set(key, step);
        model.set(key, step);
      }
    }
    for (const prefix of ["", "a/", "b/", "b/1", "d"]) {
      const expected = [...model.keys()].filter((key) => key.startsWith(prefix)).sort();
      expect(keysOf(map, prefix), `seed ${seed} prefix ${prefix}`).toEqual(expected);
      for (const key of expected.slice(0, 20)) expect(map.get(key)).toBe(model.get(key));
      const after = expected[expected.length >> 1];
      if (after !== undefined) expect(keysOf(map, prefix, after)).toEqual(expected.filter((key) => key > after));
    }
    expect(map.size).toBe(model.size);
  });
});
