import { describe, expect, it } from "vitest";
import { deepFreeze, randomJson, randomValue, seeded } from "../random-objects.fixture.js";
import type { Schema } from "../schema.js";
import { builtinSchema } from "../schema-table.js";
import { isStatusError } from "../status.js";
import { checkFields, pruneFields } from "./check-fields.js";
import { DecodeError } from "./decode-error.js";
import { type DecodeIntoOptions, decodeInto } from "./decode-into.js";
import { decodeJson } from "./json.js";
import { decodeYaml } from "./yaml.js";

const bytes = (text: string): Buffer => Buffer.from(text);
const pod = builtinSchema("core.v1.Pod");

describe("decodeJson", () => {
  it("gives what JSON.parse gives", () => {
    const seed = 99;
    for (let round = 0; round < 1000; round++) {
      const value = randomJson(seeded(seed + round), 5);
      const decoded = decodeJson(bytes(JSON.stringify(value, null, round % 3)));
      expect(decoded.value, `seed ${seed + round}`).toEqual(value);
      expect(decoded.duplicates, `seed ${seed + round}`).toEqual([]);
    }
  });

  it.each([
    { name: "top", text: '{"a":1,"a":2}', duplicates: ['duplicate field "a"'] },
    { name: "nested", text: '{"a":[{"b":{"c":1,"c":1,"c":1}}]}', duplicates: ['duplicate field "a[0].b.c"'] },
    { name: "escaped", text: '{"a":1,"\\u0061":2}', duplicates: ['duplicate field "a"'] },
    { name: "__proto__", text: '{"__proto__":1,"__proto__":2}', duplicates: ['duplicate field "__proto__"'] },
    { name: "colons in strings", text: '{"a:\\":":":::"}', duplicates: [] },
  ])("finds duplicate keys: $name", ({ text, duplicates }) => {
    expect(decodeJson(bytes(text)).duplicates).toEqual(duplicates);
  });

  it.each([
    { name: "empty", text: "", message: "unexpected end of JSON input" },
    { name: "cut", text: '{"a":', message: "unexpected end of JSON input" },
    { name: "word", text: "{a:1}", message: "invalid character 'a' looking for beginning of object key string" },
    { name: "comma", text: "[1,]", message: "invalid character ']' looking for beginning of value" },
    { name: "tail", text: "{} x", message: "invalid character 'x' after top-level value" },
    { name: "pair", text: '{"a":1 "b"}', message: "invalid character '\"' after object key:value pair" },
    { name: "number", text: "[01]", message: "invalid character '1' after array element" },
    { name: "literal", text: "[nul]", message: "invalid character ']' in literal null (expecting 'l')" },
    { name: "deep", text: "[".repeat(100_000), message: "exceeded max depth" },
    { name: "deep objects", text: '{"a":'.repeat(10_000), message: "exceeded max depth" },
    { name: "big integer", text: '{"a":9007199254740993}', message: "integers beyond 2^53" },
    { name: "lone high surrogate", text: '{"a":["x\\ud800y"]}', message: "invalid surrogate pair in a string" },
    { name: "lone low surrogate in a key", text: '{"\\uDFFF":1}', message: "invalid surrogate pair in a string" },
  ])("refuses: $name", ({ text, message }) => {
    expect(() => decodeJson(bytes(text))).toThrow(message);
  });

  it("takes long numbers that are exact enough, refuses bad UTF-8 and large bodies", () => {
    expect(
      decodeJson(bytes('{"a":1.00000000000000000001,"b":9007199254740991,"c":"12345678901234567890"}')).value,
    ).toEqual({
      a: 1,
      b: 9007199254740991,
      c: "12345678901234567890",
    });
    expect(decodeJson(bytes('"\\ud83d\\ude00"')).value).toBe("\u{1f600}");
    expect(() => decodeJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow("invalid UTF-8");
    expect(() => decodeJson(bytes("[1,2]"), { maxBytes: 3 })).toThrow(new DecodeError("tooLarge", "limit is 3"));
  });
});

describe("decodeYaml", () => {
  it("reads what Kubernetes manifests have", () => {
    const text = [
      "# comment",
      "a: yes",
      "b: 2024-01-01",
      "c: 12:30:45",
      "d: [1, 0x10, 1.5, ~]",
      "e: |",
      "  text",
      "f: &x {k: v}",
      "g: {<<: *x, l: w}",
      'h: "1"',
      "8080: n",
    ].join("\n");
    expect(decodeYaml(bytes(text)).value).toEqual({
      a: true,
      b: "2024-01-01",
      c: "12:30:45",
      d: [1, 16, 1.5, null],
      e: "text\n",
      f: { k: "v" },
      g: { k: "v", l: "w" },
      h: "1",
      8080: false,
    });
  });

  it("finds duplicate keys", () => {
    expect(decodeYaml(bytes("a: 1\nb:\n  c: 1\n  c: 2\n")).duplicates).toEqual([
      'yaml: unmarshal errors:\n  line 4: key "c" already set in map',
    ]);
  });

  it.each([
    {
      name: "alias bomb",
      text: `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghij"
        .split("")
        .map((k, i) => `${k}: &${k} [${Array(9).fill(`*${"abcdefghij"[i]}`).join(",")}]`)
        .join("\n")}`,
    },
    { name: "deep flow", text: "[".repeat(10_000) + "]".repeat(10_000) },
    { name: "deep flow below the scan", text: "[".repeat(4000) + "]".repeat(4000) },
    { name: "deep dashes", text: "- ".repeat(10_000) },
    { name: "many aliases of one list", text: `a: &a [${"1,".repeat(1000)}]\nb: [${"*a,".repeat(1000)}]` },
    { name: "alias of itself", text: "a: &a [*a]" },
    { name: "unknown alias", text: "a: *b" },
    { name: "infinite", text: "a: .inf" },
    { name: "map as key", text: "? {a: b}\n: c" },
    { name: "tab", text: "a:\n\tb: 1" },
    { name: "unclosed", text: "a: [1" },
    { name: "big integer", text: "a: 9007199254740993" },
    { name: "lone surrogate", text: 'a: "\\ud800"' },
  ])("refuses: $name", ({ text }) => {
    expect(() => decodeYaml(bytes(text))).toThrow(DecodeError);
  });

  it("takes JSON, and the first of several documents", () => {
    expect(decodeYaml(bytes(' {"a": {"b": 1, "b": 2}}'))).toMatchObject({
      value: { a: { b: 2 } },
      duplicates: ['yaml: unmarshal errors:\n  line 1: key "b" already set in map'],
    });
    expect(decodeYaml(bytes("{a: 1}\n")).value).toEqual({ a: 1 });
    expect(decodeYaml(bytes("---\na: 1\n---\na: 2\n")).value).toEqual({ a: 1 });
    expect(decodeYaml(bytes("")).value).toBeNull();
  });

  it("takes __proto__ as data", () => {
    const { value } = decodeYaml(bytes("__proto__: {polluted: 1}"));
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.hasOwn(value as object, "__proto__")).toBe(true);
  });
});

describe("checkFields", () => {
  it("drops what the kind does not have, and says where", () => {
    const given = deepFreeze({
      kind: "Pod",
      foo: 1,
      spec: { containers: [{ name: "a", bar: {}, resources: { limits: { cpu: 1, memory: "0.5Gi" } } }] },
    });
    const { object, unknown } = checkFields(pod, given);
    expect(unknown).toEqual(["foo", "spec.containers[0].bar"]);
    expect(object).toEqual({
      kind: "Pod",
      spec: { containers: [{ name: "a", resources: { limits: { cpu: "1", memory: "512Mi" } } }] },
    });
  });

  it("normalises as a typed round trip does", () => {
    const given = {
      metadata: { creationTimestamp: null, labels: {}, finalizers: [], annotations: { a: null } },
      spec: { containers: [], volumes: [{ name: "v", emptyDir: {} }], hostname: "" },
      status: { startTime: "2024-01-01T02:00:00+02:00" },
    };
    expect(checkFields(pod, given).object).toEqual({
      metadata: { annotations: { a: "" } },
      spec: { containers: [], volumes: [{ name: "v", emptyDir: {} }], hostname: "" },
      status: { startTime: "2024-01-01T00:00:00Z" },
    });
  });

  it("keeps the identity of what is fine already, and changes nothing twice", () => {
    const seed = 7;
    for (let round = 0; round < 500; round++) {
      const value = deepFreeze(randomValue(seeded(seed + round), pod, 7) as Record<string, unknown>);
      const once = checkFields(pod, value);
      expect(once.unknown, `seed ${seed + round}`).toEqual([]);
      expect(checkFields(pod, once.object).object, `seed ${seed + round}`).toBe(once.object);
    }
    const fine = { metadata: { name: "a" }, spec: { containers: [{ name: "a" }] } };
    expect(checkFields(pod, fine).object).toBe(fine);
  });

  it.each([
    {
      object: { spec: { containers: "x" } },
      message: "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container",
    },
    {
      object: { metadata: { labels: { a: 1 } } },
      message: "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
    },
    {
      object: { spec: { containers: [{ env: [{ name: "a", value: true }] }] } },
      message: "json: cannot unmarshal bool into Go struct field EnvVar.spec.containers.env.value of type string",
    },
    {
      object: { spec: { priority: 1.5 } },
      message: "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32",
    },
    {
      object: { spec: { priority: 3_000_000_000 } },
      message: "json: cannot unmarshal number 3000000000 into Go struct field PodSpec.spec.priority of type int32",
    },
    { object: { spec: [] }, message: "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec" },
    {
      object: { spec: { overhead: { cpu: "x" } } },
      message: "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    },
  ])("$message", ({ object, message }) => {
    expect(() => checkFields(pod, object)).toThrow(new DecodeError("malformed", message));
  });

  it("prunes custom resources by their schema only", () => {
    const schema: Schema = {
      type: "object",
      properties: new Map<string, Schema>([
        ["spec", { type: "object", properties: new Map([["a", { type: "string" }]]) }],
        ["free", { type: "object", preserveUnknown: true, properties: new Map([["b", { type: "object" }]]) }],
        ["pod", { type: "object", embedded: true, properties: new Map() }],
      ]),
    };
    const given = { spec: { a: 1, x: 2 }, free: { b: { gone: 1 }, c: null }, pod: { kind: "Pod", y: 1 } };
    const { object, unknown } = pruneFields(schema, given);
    expect(object).toEqual({ spec: { a: 1 }, free: { b: {}, c: null }, pod: { kind: "Pod" } });
    expect(unknown).toEqual(["spec.x", "free.b.gone", "pod.y"]);
  });
});

describe("decodeInto", () => {
  const options = (fieldValidation: "Strict" | "Warn" | "Ignore", warnings: string[]): DecodeIntoOptions => ({
    kind: "Deployment",
    version: "v1",
    fieldValidation,
    warn: (text) => warnings.push(text),
  });
  const deployment = builtinSchema("apps.v1.Deployment");
  const text =
    '{"apiVersion":"apps/v1","kind":"Deployment","spec":{"foo":1,"foo":2,"paused":true,"paused":false,"template":{"spec":{"containers":[{"nope":1}]}}}}';

  it("says what is wrong, as asked", () => {
    const decoded = decodeJson(bytes(text));
    const warnings: string[] = [];
    const complaints = [
      'unknown field "spec.foo"',
      'duplicate field "spec.paused"',
      'unknown field "spec.template.spec.containers[0].nope"',
    ];
    expect(() => decodeInto(deployment, decoded, options("Strict", warnings))).toThrow(
      `Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: ${complaints.join(", ")}`,
    );
    expect(warnings).toEqual([]);
    const object = decodeInto(deployment, decoded, options("Warn", warnings));
    expect(warnings).toEqual(complaints);
    expect(decodeInto(deployment, decoded, options("Ignore", []))).toEqual(object);
    expect(object).toEqual({
      apiVersion: "apps/v1",
      kind: "Deployment",
      spec: { paused: false, template: { spec: { containers: [{}] } } },
    });
  });

  it("refuses wrong types with any validation", () => {
    const decoded = decodeJson(bytes('{"kind":"Deployment","spec":{"replicas":"3"}}'));
    try {
      decodeInto(deployment, decoded, options("Ignore", []));
      expect.unreachable();
    } catch (error) {
      if (!isStatusError(error)) throw error;
      expect(error.status.code).toBe(400);
      expect(error.status.message).toBe(
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
      );
    }
  });
});
