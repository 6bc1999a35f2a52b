import { describe, expect, it } from "vitest";
import { messages } from "../gen/protobuf.js";
import { seeded } from "../random-objects.fixture.js";
import type { Schema } from "../schema.js";
import { builtinSchema, builtinSchemaIds } from "../schema-table.js";
import { readMessage } from "./decode.js";
import { writeMessage } from "./encode.js";
import { MessageTable, type MessageType } from "./message.js";
import { oracleName, oracleObject, oracleRoot, toOracle, withZeros } from "./oracle.fixture.js";
import { randomMessage } from "./random-message.fixture.js";
import { WireReader } from "./wire-reader.js";
import { WireWriter } from "./wire-writer.js";

const table = new MessageTable(messages);
const types = table.ids().map((id) => table.get(id) as MessageType);
const writer = new WireWriter();

function encode(type: MessageType, object: { readonly [key: string]: unknown }): Buffer {
  writeMessage(writer, type, object);
  return writer.take();
}

function decode(type: MessageType, bytes: Uint8Array): unknown {
  const object = {};
  readMessage(new WireReader(bytes), type, object);
  return object;
}

function jsonNames(type: MessageType): string[] {
  return type.fields.flatMap((field) =>
    field.embedded && field.message !== undefined ? jsonNames(field.message) : [field.name],
  );
}

describe("the protobuf table", () => {
  it.each(builtinSchemaIds().map((id) => ({ id })))("has the fields of $id", ({ id }) => {
    const type = table.get(id) as MessageType;
    const schema: Schema = builtinSchema(id);
    const expected = [...(schema.properties?.keys() ?? [])].filter(
      (name) => !(type.isKind && (name === "apiVersion" || name === "kind")),
    );
    expect(jsonNames(type).sort()).toEqual(expected.sort());
    expect(new Set(type.fields.map(({ number }) => number)).size).toBe(type.fields.length);
  });
});

describe("random objects of every definition", () => {
  const root = oracleRoot(types);
  const seed = Math.floor(Math.random() * 2 ** 31);

  it(`come back as they were, and are read and written alike by protobufjs (seed ${seed})`, () => {
    const next = seeded(seed);
    let count = 0;
    for (const type of types) {
      const oracle = root.lookupType(oracleName(type.id));
      for (let round = 0; round < 6; round++) {
        const object = randomMessage(next, type, 3);
        const bytes = encode(type, object);
        const context = `${type.id}, seed ${seed}: ${JSON.stringify(object)}`;
        expect(decode(type, bytes), context).toEqual(object);
        const expected = toOracle(type, object);
        expect(oracleObject(oracle, bytes), context).toEqual(expected);
        expect(decode(type, oracle.encode(oracle.fromObject(expected)).finish()), context).toEqual(object);
        const padded = withZeros(type, expected);
        expect(decode(type, oracle.encode(oracle.fromObject(padded)).finish()), context).toEqual(object);
        count++;
      }
    }
    expect(count).toBe(types.length * 6);
  });
});
