import { describe, expect, it } from "vitest";
import { builtinDescriptions, isStatusError, type KubeObject, type ResourceDescription } from "../../api/index.js";
import type { Accepted } from "../http/negotiate.js";
import type { RepresentContext } from "../http/represent.js";
import { wholeList } from "../http/shaped-list.js";
import type { StoredList } from "../request.js";
import { ConvertedObject } from "../watchcache/stored-object.js";
import { tableRepresenter } from "./representer.js";

const namespaces = builtinDescriptions().find(({ resource }) => resource === "namespaces") as ResourceDescription;
const nowMs = Date.UTC(2026, 0, 2);

const object = {
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: "a", uid: "u", resourceVersion: "7", creationTimestamp: "2026-01-01T00:00:00Z" },
  status: { phase: "Active" },
} satisfies KubeObject & { status: object };

const stored = new ConvertedObject({ key: "/a", revision: 7 }, object);
const list: StoredList = {
  apiVersion: "v1",
  kind: "NamespaceList",
  metadata: { resourceVersion: "9", continue: "c", remainingItemCount: 3 },
  items: [stored],
};

function context(as: Accepted["as"], query = ""): RepresentContext {
  const accepted: Accepted = { format: "json", ...(as === undefined ? {} : { as, asVersion: "v1" }) };
  return { accepted, description: namespaces, query, nowMs };
}

const partial = { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
const columns = ["Name", "Status", "Age"];

describe("tableRepresenter", () => {
  it("makes a table of a list with its metadata", () => {
    const table = wholeList(tableRepresenter.list(list, context("Table")), list.items);
    expect(table).toMatchObject({
      kind: "Table",
      apiVersion: "meta.k8s.io/v1",
      metadata: list.metadata,
      columnDefinitions: columns.map((name) => ({ name, priority: 0 })),
      rows: [{ cells: ["a", "Active", "24h"], object: partial }],
    });
  });

  it("says which column is the name", () => {
    expect(tableRepresenter.object(object, context("Table"))).toMatchObject({
      metadata: { resourceVersion: "7" },
      columnDefinitions: [{ type: "string", format: "name" }, { format: "" }, { format: "" }],
    });
  });

  const includes: readonly { readonly query: string; readonly row: object }[] = [
    { query: "includeObject=None", row: { cells: ["a", "Active", "24h"], object: null } },
    { query: "includeObject=Metadata", row: { cells: ["a", "Active", "24h"], object: partial } },
    { query: "limit=500&includeObject=Object", row: { cells: ["a", "Active", "24h"], object } },
  ];
  for (const { query, row } of includes) {
    it(`puts into a row what ${query} asks for`, () => {
      const table = tableRepresenter.object(object, context("Table", query)) as { rows: unknown[] };
      expect(table.rows).toEqual([row]);
    });
  }

  it.each([
    { phase: "Succeeded", message: "The pod has completed successfully." },
    { phase: "Failed", message: "The pod failed." },
    { phase: "Running", message: undefined },
  ])("says of a pod that is $phase whether it is done", ({ phase, message }) => {
    const pods = builtinDescriptions().find(({ resource }) => resource === "pods") as ResourceDescription;
    const pod = { ...object, kind: "Pod", status: { phase } };
    const { rows } = tableRepresenter.object(pod, { ...context("Table"), description: pods }) as { rows: unknown[] };
    const conditions = [{ type: "Completed", status: "True", reason: phase, message }];
    expect(rows).toEqual([{ cells: expect.anything(), ...(message && { conditions }), object: expect.anything() }]);
  });

  it("refuses another includeObject", () => {
    const ask = (): unknown => tableRepresenter.object(object, context("Table", "includeObject=All"));
    expect(ask).toThrow('includeObject: Invalid value: "All"');
  });

  it("gives metadata only", () => {
    expect(tableRepresenter.object(object, context("PartialObjectMetadata"))).toEqual(partial);
    expect(wholeList(tableRepresenter.list(list, context("PartialObjectMetadataList")), list.items)).toEqual({
      kind: "PartialObjectMetadataList",
      apiVersion: "meta.k8s.io/v1",
      metadata: list.metadata,
      items: [partial],
    });
  });

  it("answers 406 when the shape cannot be", () => {
    const asks = [
      () => tableRepresenter.list(list, context("PartialObjectMetadata")),
      () => tableRepresenter.object(object, context("PartialObjectMetadataList")),
    ];
    for (const ask of asks) {
      try {
        ask();
        expect.unreachable();
      } catch (error) {
        expect(isStatusError(error, "NotAcceptable")).toBe(true);
      }
    }
  });

  it("defines the columns in the first event of a watch only", () => {
    expect(tableRepresenter.event(object, true, context("Table"))).toMatchObject({ columnDefinitions: [{}, {}, {}] });
    expect(tableRepresenter.event(object, false, context("Table"))).toMatchObject({ columnDefinitions: null });
  });

  it("gives no row for a bookmark", () => {
    const metadata = { name: "", uid: "", creationTimestamp: "", resourceVersion: "12" };
    const table = tableRepresenter.event({ apiVersion: "v1", kind: "Namespace", metadata }, false, context("Table"));
    expect(table).toMatchObject({ metadata: { resourceVersion: "12" }, rows: [] });
  });

  it("leaves a Status as it is", () => {
    const status = { apiVersion: "v1", kind: "Status", metadata: object.metadata };
    expect(tableRepresenter.object(status, context("Table"))).toBe(status);
  });
});
