import { describe, expect, it } from "vitest";
import { encodeDocument } from "./gnostic.js";
import { ProtobufWriter } from "./protobuf-writer.js";

type Message = Map<number, (bigint | Buffer)[]>;

/** Reads the wire format without knowing the messages. */
function read(data: Buffer): Message {
  const fields: Message = new Map();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = data[at++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < data.length) {
    const tag = Number(varint());
    const list = fields.get(tag >> 3) ?? [];
    fields.set(tag >> 3, list);
    if ((tag & 7) === 0) list.push(varint());
    else {
      const length = (tag & 7) === 1 ? 8 : Number(varint());
      list.push(data.subarray(at, at + length));
      at += length;
    }
  }
  return fields;
}

/** What is at a path of field numbers, the first of each. */
function dig(data: Buffer, ...path: readonly number[]): bigint | Buffer | undefined {
  let current: bigint | Buffer | undefined = data;
  for (const field of path) current = current instanceof Buffer ? read(current).get(field)?.[0] : undefined;
  return current;
}

const text = (value: bigint | Buffer | undefined): string | undefined => value?.toString();

describe("ProtobufWriter", () => {
  for (const length of [0, 1, 127, 128, 16383, 16384, 70_000]) {
    it(`puts the length ${length} before a message`, () => {
      const writer = new ProtobufWriter();
      writer.message(3, () => writer.string(1, "é".repeat(Math.floor(length / 2)) + "x".repeat(length % 2)));
      writer.bool(4, true);
      const data = writer.finish();
      expect((dig(data, 3, 1) as Buffer).length).toBe(length);
      expect(dig(data, 4)).toBe(1n);
    });
  }

  it("writes numbers", () => {
    const writer = new ProtobufWriter();
    writer.integer(1, 2 ** 40 + 5);
    writer.double(2, -1.5);
    expect(dig(writer.finish(), 1)).toBe(BigInt(2 ** 40 + 5));
    expect((dig(writer.finish(), 2) as Buffer).readDoubleLE()).toBe(-1.5);
  });
});

describe("encodeDocument", () => {
  const data = encodeDocument({
    swagger: "2.0",
    info: { title: "T", version: "V" },
    paths: {
      "/p": {
        patch: {
          operationId: "patchP",
          consumes: ["a", "b"],
          parameters: [
            { name: "body", in: "body", required: true, schema: { $ref: "#/definitions/D" } },
            { name: "dryRun", in: "query", type: "string", uniqueItems: true },
          ],
          responses: { 200: { description: "OK", schema: { $ref: "#/definitions/D" } } },
          "x-kubernetes-action": "patch",
        },
      },
    },
    definitions: {
      D: {
        type: "object",
        required: ["list"],
        properties: {
          list: { type: "array", items: { type: "string" }, "x-kubernetes-list-map-keys": ["name"], default: { a: 1 } },
          map: { type: "object", additionalProperties: { type: "integer" } },
        },
      },
    },
  });
  const definition = [9, 1, 2];
  const property = [...definition, 25, 1, 2];
  const operation = [8, 2, 2, 8];

  const cases: readonly { readonly name: string; readonly path: readonly number[]; readonly value: string }[] = [
    { name: "version", path: [1], value: "2.0" },
    { name: "title", path: [2, 1], value: "T" },
    { name: "definition's name", path: [9, 1, 1], value: "D" },
    { name: "definition's type", path: [...definition, 22, 1], value: "object" },
    { name: "required field", path: [...definition, 19], value: "list" },
    { name: "property's name", path: [...definition, 25, 1, 1], value: "list" },
    { name: "items", path: [...property, 23, 1, 22, 1], value: "string" },
    { name: "default", path: [...property, 5, 2], value: '{"a":1}\n' },
    { name: "extension's name", path: [...property, 31, 1], value: "x-kubernetes-list-map-keys" },
    { name: "extension", path: [...property, 31, 2, 2], value: '["name"]\n' },
    { name: "path", path: [8, 2, 1], value: "/p" },
    { name: "operation", path: [...operation, 5], value: "patchP" },
    { name: "consumed type", path: [...operation, 7], value: "a" },
    { name: "body parameter", path: [...operation, 8, 1, 1, 5, 1], value: "#/definitions/D" },
    { name: "response code", path: [...operation, 9, 1, 1], value: "200" },
    { name: "response", path: [...operation, 9, 1, 2, 1, 2, 1, 1], value: "#/definitions/D" },
    { name: "operation's extension", path: [...operation, 13, 2, 2], value: '"patch"\n' },
  ];
  for (const { name, path, value } of cases) it(`has the ${name}`, () => expect(text(dig(data, ...path))).toBe(value));

  it("tells query parameters from the body", () => {
    const parameters = read(dig(data, ...operation) as Buffer).get(8) ?? [];
    expect(parameters.map((item) => text(dig(item as Buffer, 1, 2, 3, 4)))).toEqual([undefined, "dryRun"]);
  });
});
