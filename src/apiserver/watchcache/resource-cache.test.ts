import { expect, test } from "vitest";
import { ResourceCache } from "./resource-cache.js";
import { CachedObject, encodeObject } from "./stored-object.js";

test("the size is that of all objects, whatever came and went", () => {
  const cache = new ResourceCache("/registry/configmaps/", 1, new Map());
  const object = (name: string, revision: number, text: string): CachedObject => {
    const value = encodeObject({ kind: "ConfigMap", apiVersion: "v1", metadata: { name }, data: { text } });
    return new CachedObject(`/registry/configmaps/default/${name}`, revision, revision, value);
  };
  const put = (one: CachedObject): void => cache.apply(one.key, one.revision, one);
  const held = (): number => [...cache.objects()].reduce((sum, { size }) => sum + size, 0);
  const [a, b, longer] = [object("a", 2, "x"), object("b", 3, "y"), object("a", 1000, "x".repeat(100))];
  put(a);
  put(b);
  expect(cache.sizeBytes).toBe(a.size + b.size);
  put(longer);
  expect(cache.sizeBytes).toBe(held());
  cache.apply(b.key, 1001, undefined);
  cache.apply(b.key, 1002, undefined);
  expect(cache.sizeBytes).toBe(longer.size);
  cache.reset([a], 2000, new Error("reset"));
  expect(cache.sizeBytes).toBe(a.size);
});
