import { describe, expect, it } from "vitest";
import { encodeDocument } from "./gnostic.js";
import { jsonInParts, protobufInParts } from "./in-parts.js";

const many = (count: number): Record<string, object> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`d${at}`, { type: "object", description: `D ${at}` }]));

describe("a document in parts", () => {
  const documents = [
    { name: "nothing", document: {} },
    { name: "maps without entries", document: { paths: {}, components: { schemas: {} } } },
    {
      name: "values of every type",
      document: { a: [1, { b: null }], c: "\u2028", d: { e: { f: { g: { h: true } } } } },
    },
    { name: "many definitions", document: { openapi: "3.0.0", components: { schemas: many(500) } } },
  ];
  it.each(documents)("is the JSON of the whole, with $name", async ({ document }) => {
    expect((await jsonInParts(document)).toString()).toBe(JSON.stringify(document));
  });

  it("is the protobuf of the whole where it fits into one, and of its parts where not", async () => {
    const small = { swagger: "2.0", info: { title: "T", version: "V" }, definitions: many(10) };
    expect(await protobufInParts(small)).toEqual(encodeDocument(small));
    const large = { swagger: "2.0", definitions: many(20) };
    const parts = [
      { swagger: "2.0" },
      { definitions: many(16) },
      { definitions: Object.fromEntries(Object.entries(many(20)).slice(16)) },
    ];
    expect(await protobufInParts(large)).toEqual(Buffer.concat(parts.map(encodeDocument)));
  });
});
