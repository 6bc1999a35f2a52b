import { expect, it } from "vitest";
import { CachedObject, encodeObject } from "./stored-object.js";

const cases: readonly { readonly name: string; readonly object: object; readonly labels: object | undefined }[] = [
  { name: "plain ones", object: { metadata: { name: "a", labels: { app: "web" } } }, labels: { app: "web" } },
  {
    name: "the first of all fields",
    object: { metadata: { labels: { app: "web" }, name: "a" } },
    labels: { app: "web" },
  },
  { name: "none", object: { metadata: { name: "a" } }, labels: undefined },
  { name: "empty ones", object: { metadata: { name: "a", labels: {} } }, labels: {} },
  { name: "null", object: { metadata: { name: "a", labels: null } }, labels: undefined },
  {
    name: "none, but those of a template",
    object: { metadata: { name: "a" }, spec: { template: { metadata: { labels: { app: "web" } } } } },
    labels: undefined,
  },
  {
    name: "behind texts that look like them",
    object: {
      metadata: { name: "a", annotations: { labels: '"labels":{"no":"no"}}', "}": "\\" }, labels: { app: "web" } },
    },
    labels: { app: "web" },
  },
  {
    name: "behind other objects",
    object: {
      metadata: {
        name: "a",
        managedFields: [{ manager: "m", fieldsV1: { "f:metadata": { "f:labels": { ".": {}, "f:app": {} } } } }],
        labels: { app: "web" },
      },
    },
    labels: { app: "web" },
  },
  {
    name: "with braces, quotes and other scripts",
    object: { metadata: { name: "a", labels: { 'a"}': "{\\", é: "ü", __proto__x: "1" } } },
    labels: { 'a"}': "{\\", é: "ü", __proto__x: "1" },
  },
];

it.each(cases)("reads $name without decoding the object", ({ object, labels }) => {
  const value = encodeObject({ kind: "Any", apiVersion: "v1", ...object } as never);
  const stored = new CachedObject("/a", 1, 1, value);
  expect(stored.labels).toEqual(labels);
  expect(stored.object.metadata.labels ?? undefined).toEqual(labels);
});

it.each([1, 9, 10, 99, 100, 999_999, 1_000_000, 2 ** 53 - 1])(
  "knows its size at revision %i without making its bytes",
  (revision) => {
    const value = encodeObject({ kind: "Any", apiVersion: "v1", metadata: { name: "a" } });
    const stored = new CachedObject("/a", revision, 1, value);
    expect(stored.size).toBe(stored.bytes.length);
    expect(JSON.parse(stored.bytes.toString()).metadata.resourceVersion).toBe(String(revision));
  },
);
