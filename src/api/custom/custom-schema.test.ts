import { describe, expect, it } from "vitest";
import type { JsonObject } from "../object.js";
import { checkCustomResource } from "./check.js";
import { CustomSchema } from "./custom-schema.js";
import type { JsonSchema } from "./json-schema.js";

const text: JsonSchema = { type: "string" };
const integer: JsonSchema = { type: "integer" };

function schemaOf(spec: JsonSchema): CustomSchema {
  return new CustomSchema({ type: "object", properties: { spec } });
}

function judge(spec: JsonSchema, value: unknown, old?: unknown): readonly string[] {
  const object = (of: unknown): JsonObject => ({ metadata: { name: "x" }, spec: of });
  const errors = schemaOf(spec).validate(object(value), old === undefined ? undefined : object(old));
  return errors.map(({ path, message }) => `${path}: ${message}`);
}

interface Case {
  readonly name: string;
  readonly spec: JsonSchema;
  readonly value: unknown;
  readonly old?: unknown;
  readonly errors: readonly string[];
}

const body = (message: string): string => `spec in body ${message}`;

const cases: readonly Case[] = [
  {
    name: "wrong type",
    spec: integer,
    value: "x",
    errors: [`spec: Invalid value: "string": ${body('must be of type integer: "string"')}`],
  },
  {
    name: "null",
    spec: text,
    value: null,
    errors: [`spec: Invalid value: "null": ${body('must be of type string: "null"')}`],
  },
  { name: "null where it may be", spec: { ...text, nullable: true }, value: null, errors: [] },
  { name: "a whole number is a number", spec: { type: "number" }, value: 3, errors: [] },
  {
    name: "a fraction is no integer",
    spec: integer,
    value: 1.5,
    errors: [`spec: Invalid value: "number": ${body('must be of type integer: "number"')}`],
  },
  { name: "int or string", spec: { "x-kubernetes-int-or-string": true }, value: "80%", errors: [] },
  {
    name: "minimum",
    spec: { ...integer, minimum: 2 },
    value: 1,
    errors: [`spec: Invalid value: 1: ${body("should be greater than or equal to 2")}`],
  },
  {
    name: "exclusive maximum",
    spec: { ...integer, maximum: 2, exclusiveMaximum: true },
    value: 2,
    errors: [`spec: Invalid value: 2: ${body("should be less than 2")}`],
  },
  { name: "multiple of a fraction", spec: { type: "number", multipleOf: 0.1 }, value: 0.3, errors: [] },
  {
    name: "multiple of",
    spec: { ...integer, multipleOf: 5 },
    value: 7,
    errors: [`spec: Invalid value: 7: ${body("should be a multiple of 5")}`],
  },
  {
    name: "too short, in characters",
    spec: { ...text, minLength: 3 },
    value: "🎉🎉",
    errors: [`spec: Invalid value: "🎉🎉": ${body("should be at least 3 chars long")}`],
  },
  {
    name: "too long",
    spec: { ...text, maxLength: 3 },
    value: "abcd",
    errors: ["spec: Too long: may not be more than 3 bytes"],
  },
  {
    name: "pattern",
    spec: { ...text, pattern: "^a+$" },
    value: "b",
    errors: [`spec: Invalid value: "b": ${body("should match '^a+$'")}`],
  },
  {
    name: "format",
    spec: { ...text, format: "ipv4" },
    value: "1.2.3",
    errors: [`spec: Invalid value: "1.2.3": ${body('must be of type ipv4: "1.2.3"')}`],
  },
  { name: "a format that nobody knows", spec: { ...text, format: "colour" }, value: "x", errors: [] },
  {
    name: "enum",
    spec: { ...text, enum: ["b", "a"] },
    value: "c",
    errors: ['spec: Unsupported value: "c": supported values: "b", "a"'],
  },
  {
    name: "required",
    spec: { type: "object", required: ["a"], properties: { a: text } },
    value: {},
    errors: ["spec.a: Required value"],
  },
  {
    name: "an inherited field is not there",
    spec: { type: "object", required: ["constructor"] },
    value: {},
    errors: ["spec.constructor: Required value"],
  },
  {
    name: "too many items",
    spec: { type: "array", items: text, maxItems: 1 },
    value: ["a", "b"],
    errors: ["spec: Too many: 2: must have at most 1 item"],
  },
  {
    name: "an item",
    spec: { type: "array", items: integer },
    value: [1, "b"],
    errors: ['spec[1]: Invalid value: "string": spec[1] in body must be of type integer: "string"'],
  },
  {
    name: "values of a map",
    spec: { type: "object", additionalProperties: integer },
    value: { k: "v" },
    errors: ['spec.k: Invalid value: "string": spec.k in body must be of type integer: "string"'],
  },
  {
    name: "too many fields",
    spec: { type: "object", additionalProperties: integer, maxProperties: 1 },
    value: { a: 1, b: 2 },
    errors: ["spec: Too many: 2: must have at most 1 item"],
  },
  {
    name: "one of several",
    spec: { type: "object", properties: { a: text, b: text }, oneOf: [{ required: ["a"] }, { required: ["b"] }] },
    value: { a: "1", b: "2" },
    errors: [
      '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ],
  },
  {
    name: "not",
    spec: { ...text, not: { enum: ["a"] } },
    value: "a",
    errors: ['<nil>: Invalid value: "": "spec" must not validate the schema (not)'],
  },
  {
    name: "a set with something twice",
    spec: { type: "array", items: text, "x-kubernetes-list-type": "set" },
    value: ["a", "b", "a"],
    errors: ['spec[2]: Duplicate value: "a"'],
  },
  {
    name: "an unchanged value is not held against an update",
    spec: { ...integer, maximum: 5 },
    value: 9,
    old: 9,
    errors: [],
  },
  {
    name: "a changed one is",
    spec: { ...integer, maximum: 5 },
    value: 8,
    old: 9,
    errors: [`spec: Invalid value: 8: ${body("should be less than or equal to 5")}`],
  },
  {
    name: "an unchanged item of a list-map is found by its key",
    spec: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: { type: "object", required: ["name"], properties: { name: text, size: { ...integer, maximum: 5 } } },
    },
    value: [
      { name: "b", size: 6 },
      { name: "a", size: 9 },
    ],
    old: [{ name: "a", size: 9 }],
    errors: ["spec[0].size: Invalid value: 6: spec[0].size in body should be less than or equal to 5"],
  },
  {
    name: "items of an atomic list are new every time",
    spec: { type: "array", items: { ...integer, maximum: 5 } },
    value: [9, 1],
    old: [9],
    errors: ["spec[0]: Invalid value: 9: spec[0] in body should be less than or equal to 5"],
  },
];

describe("CustomSchema.validate", () => {
  it.each(cases)("$name", ({ spec, value, old, errors }) => {
    expect(judge(spec, value, old)).toEqual(errors);
  });

  it("takes time in proportion to the text for any pattern: one that backtracks would not come back", () => {
    expect(judge({ ...text, pattern: "^(a+)+$" }, `${"a".repeat(50_000)}b`)).toHaveLength(1);
  });

  it("stops counting what is wrong at some point", () => {
    const errors = judge({ type: "array", items: integer }, Array(50_000).fill("x"));
    expect(errors.length).toBeLessThanOrEqual(1000);
  });

  it("judges embedded objects", () => {
    const spec: JsonSchema = {
      type: "object",
      "x-kubernetes-embedded-resource": true,
      "x-kubernetes-preserve-unknown-fields": true,
    };
    expect(judge(spec, { apiVersion: "v1", kind: "", metadata: { labels: { "a b": "" } } })).toEqual([
      "spec.kind: Required value: must not be empty",
      expect.stringContaining('spec.metadata.labels: Invalid value: "a b"'),
    ]);
  });
});

describe("CustomSchema.withDefaults", () => {
  const spec: JsonSchema = {
    type: "object",
    properties: {
      a: { ...integer, default: 1 },
      n: { ...text, nullable: true, default: "x" },
      o: { type: "object", default: {}, properties: { deep: { ...text, default: "d" } } },
      l: { type: "array", items: { type: "object", properties: { p: { ...text, default: "TCP" } } } },
    },
  };

  it.each([
    { name: "what is missing", given: {}, result: { a: 1, n: "x", o: { deep: "d" } } },
    { name: "a null that may not be", given: { a: null, n: null, o: {} }, result: { a: 1, n: null, o: { deep: "d" } } },
    {
      name: "items",
      given: { l: [{}, { p: "UDP" }] },
      result: { a: 1, n: "x", o: { deep: "d" }, l: [{ p: "TCP" }, { p: "UDP" }] },
    },
  ])("sets $name", ({ given, result }) => {
    expect(schemaOf(spec).withDefaults({ spec: given })).toEqual({ spec: result });
  });

  it("gives the same object when there is nothing to set", () => {
    const complete = { spec: { a: 2, n: "y", o: { deep: "z" }, l: [{ p: "x" }] } };
    expect(schemaOf(spec).withDefaults(complete)).toBe(complete);
  });
});

describe("checkCustomResource", () => {
  const spec: JsonSchema = {
    type: "object",
    properties: {
      a: text,
      keep: { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { k: { type: "object" } } },
    },
  };

  it("prunes what the schema does not have, keeps metadata, and names what it dropped", () => {
    const object = JSON.parse(
      '{"apiVersion":"a/v1","kind":"A","metadata":{"name":"x","labels":{"l":"1"},"bogus":1},"spec":{"a":"1","b":2,"__proto__":{"x":1},"keep":{"any":{"thing":1},"k":{"gone":1}}},"extra":1}',
    );
    const { object: pruned, unknown } = checkCustomResource(schemaOf(spec).structure, object);
    expect(JSON.stringify(pruned)).toBe(
      '{"apiVersion":"a/v1","kind":"A","metadata":{"name":"x","labels":{"l":"1"}},"spec":{"a":"1","keep":{"any":{"thing":1},"k":{}}}}',
    );
    expect([...unknown].sort()).toEqual(["extra", "metadata.bogus", "spec.__proto__", "spec.b", "spec.keep.k.gone"]);
  });
});

describe("what is long", () => {
  const item: JsonSchema = {
    type: "object",
    required: ["name"],
    properties: { name: { type: "string", maxLength: 4 } },
  };
  const schema: JsonSchema = {
    type: "object",
    properties: {
      before: { type: "string" },
      items: { type: "array", items: item, maxItems: 10 },
      byName: { type: "object", additionalProperties: { type: "array", items: item } },
      after: { type: "string" },
    },
  };
  const names = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `n${index}`);

  it("is judged in turns, and found wrong in the order of its fields", () => {
    const items = names(60_000).map((name) =>
      name === "n7" || name === "n59999" ? { name: "wrong" } : { name: "ok" },
    );
    const byName = Object.fromEntries(names(60).map((name) => [name, items.slice(7, 100)]));
    const judging = new CustomSchema(schema).validateInSlices({ before: 1, items, byName, after: 1 });
    let turns = 0;
    let step = judging.next();
    for (; step.done !== true; step = judging.next()) turns++;
    expect(turns).toBeGreaterThan(3);
    expect(step.value.map(({ path }) => path)).toEqual([
      "before",
      "items[7].name",
      "items[59999].name",
      "items",
      ...names(60).map((name) => `byName.${name}[0].name`),
      "after",
    ]);
  });

  it("is looked through for doubles in turns", () => {
    const set: JsonSchema = { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" };
    const judging = new CustomSchema({ type: "object", properties: { set } }).validateInSlices({
      set: [...names(50_000), "n1"],
    });
    const turns: unknown[] = [];
    let step = judging.next();
    for (; step.done !== true; step = judging.next()) turns.push(step.value);
    expect(turns.length).toBeGreaterThan(4);
    expect(step.value.map(({ path, reason }) => `${path} ${reason}`)).toEqual(["set[50000] FieldValueDuplicate"]);
  });
});
