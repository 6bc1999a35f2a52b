import { describe, expect, it } from "vitest";
import type { JsonSchema } from "./json-schema.js";
import { structuralErrors } from "./structural.js";

interface Case {
  readonly name: string;
  readonly schema: JsonSchema;
  readonly errors: readonly string[];
}

const text: JsonSchema = { type: "string" };
const field = (schema: JsonSchema): JsonSchema => ({ type: "object", properties: { a: schema } });

const cases: readonly Case[] = [
  { name: "a structural schema", schema: field(text), errors: [] },
  { name: "the root has a type", schema: {}, errors: ["s.type: Required value: must not be empty at the root"] },
  {
    name: "the root is an object",
    schema: { type: "string" },
    errors: ['s.type: Invalid value: "string": must be object at the root'],
  },
  {
    name: "fields have types",
    schema: field({}),
    errors: ["s.properties[a].type: Required value: must not be empty for specified object fields"],
  },
  {
    name: "items have types",
    schema: field({ type: "array", items: {} }),
    errors: ["s.properties[a].items.type: Required value: must not be empty for specified array items"],
  },
  {
    name: "arrays have items",
    schema: field({ type: "array" }),
    errors: ["s.properties[a].items: Required value: must be specified"],
  },
  {
    name: "properties and additionalProperties exclude each other",
    schema: { type: "object", properties: { a: text }, additionalProperties: text },
    errors: ["s.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"],
  },
  {
    name: "references are unknown",
    schema: field({ type: "object", $ref: "#/definitions/x" }),
    errors: ["s.properties[a].$ref: Forbidden: $ref is not supported"],
  },
  {
    name: "uniqueItems is too expensive",
    schema: field({ type: "array", items: text, uniqueItems: true }),
    errors: [
      "s.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    ],
  },
  {
    name: "patterns are RE2's",
    schema: field({ type: "string", pattern: "(?=a)" }),
    errors: [
      expect.stringMatching(
        /^s\.properties\[a\]\.pattern: Invalid value: "\(\?=a\)": must be a valid regular expression, but isn't: /,
      ) as string,
    ],
  },
  {
    name: "alternatives have no structure of their own",
    schema: { ...field(text), anyOf: [{ type: "object", properties: { a: { minLength: 1 } } }] },
    errors: ["s.anyOf[0].type: Forbidden: must be empty to be structural"],
  },
  {
    name: "what alternatives name is in the structure",
    schema: { ...field(text), not: { properties: { b: { minLength: 1 } } } },
    errors: ["s.properties[b]: Required value: because it is defined in s.not.properties[b]"],
  },
  {
    name: "metadata is implied",
    schema: {
      type: "object",
      properties: { metadata: { type: "object", properties: { labels: { type: "object" } } } },
    },
    errors: [
      "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified",
    ],
  },
  {
    name: "the keys of a list-map are required or have defaults",
    schema: field({
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: { type: "object", properties: { name: text } },
    }),
    errors: [
      "s.properties[a].items.properties[name].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
    ],
  },
  {
    name: "int-or-string with its idiom",
    schema: field({ "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] }),
    errors: [],
  },
  {
    name: "an embedded resource without fields",
    schema: field({ type: "object", "x-kubernetes-embedded-resource": true }),
    errors: [
      "s.properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
    ],
  },
];

describe("structuralErrors", () => {
  it.each(cases)("$name", ({ schema, errors }) => {
    expect(structuralErrors(schema, "s").map(({ path, message }) => `${path}: ${message}`)).toEqual(errors);
  });

  it("refuses schemas that are too deep instead of falling into them", () => {
    let schema: JsonSchema = text;
    for (let depth = 0; depth < 400; depth++) schema = field(schema);
    expect(structuralErrors(schema, "s").map(({ message }) => message)).toEqual([
      "Forbidden: the schema is nested too deeply",
    ]);
  });
});
