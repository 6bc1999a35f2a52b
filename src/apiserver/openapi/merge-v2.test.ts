import { describe, expect, it } from "vitest";
import { mergeDocuments } from "./merge-v2.js";

const ref = (name: string): { readonly $ref: string } => ({ $ref: `#/definitions/${name}` });
const prefix = "/apis/example.com/v1/";
const own = {
  swagger: "2.0",
  paths: { "/api/v1/pods": { get: ref("Pod") } },
  definitions: { Meta: { type: "object" }, Pod: { properties: { metadata: ref("Meta") } } },
};

describe("merging the documents of other servers", () => {
  it("takes their own paths with all that those refer to, and nothing else", () => {
    const document = {
      paths: { [`${prefix}things`]: { get: ref("Thing") }, "/api/v1/pods": { get: ref("Evil") } },
      definitions: {
        Thing: { properties: { metadata: ref("Meta"), self: ref("Thing") } },
        Meta: { type: "object" },
        Evil: { type: "string" },
      },
    };
    const merged = mergeDocuments(own, [{ prefix, document, hash: "1" }]);
    expect(merged["paths"]).toEqual({ ...own.paths, [`${prefix}things`]: { get: ref("Thing") } });
    expect(merged["definitions"]).toEqual({ ...own.definitions, Thing: document.definitions.Thing });
  });

  it("gives what means something else another name, wherever it is referred to", () => {
    const document = {
      paths: { [`${prefix}things`]: { get: ref("Pod") } },
      definitions: { Pod: { properties: { next: ref("Pod"), metadata: ref("Meta") } }, Meta: { type: "object" } },
    };
    const merged = mergeDocuments(own, [{ prefix, document, hash: "1" }]);
    expect(merged["paths"]).toMatchObject({ [`${prefix}things`]: { get: ref("Pod_v2") } });
    expect(merged["definitions"]).toEqual({
      ...own.definitions,
      Pod_v2: { properties: { next: ref("Pod_v2"), metadata: ref("Meta") } },
    });
  });

  it.each([{}, { paths: 3 }, { paths: { [`${prefix}x`]: ref("constructor") }, definitions: [] }])(
    "takes %j for what it is",
    (document) => {
      expect(mergeDocuments(own, [{ prefix, document, hash: "1" }])["definitions"]).toEqual(own.definitions);
    },
  );
});
