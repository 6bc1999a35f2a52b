import { subresourceColumns } from "../../api/columns/index.js";
import { type KubeObject, type ListMeta, type PrinterColumn, statusErrors } from "../../api/index.js";
import type { RepresentContext, Representer } from "../http/represent.js";
import { parseIncludeObject, partialMetadata, type TableOptions, tableHead, tableOf, tableRow } from "./table.js";

/** Gives clients the form that they asked for: Table, PartialObjectMetadata or its list. */
export const tableRepresenter: Representer = {
  object(object, context) {
    if (object.kind === "Status") return object;
    const { as, asVersion = "v1" } = context.accepted;
    if (as === "PartialObjectMetadata") return partialMetadata(object, asVersion);
    if (as === "PartialObjectMetadataList")
      throw wrongShape("PartialObjectMetadataList", `not a list (${typeName(context, "")})`);
    if (as === "Table") return rows([object], versionOf(object), true, context, subresourceColumns(object));
    return object;
  },

  list({ metadata, apiVersion, kind }, context) {
    const { as, asVersion = "v1" } = context.accepted;
    if (as === "PartialObjectMetadata")
      throw wrongShape("PartialObjectMetadata", `a list (${typeName(context, "List")})`);
    if (as === "PartialObjectMetadataList") {
      const envelope = { kind: as, apiVersion: `meta.k8s.io/${asVersion}`, metadata };
      return { envelope, field: "items", element: ({ object }) => partialMetadata(object, asVersion) };
    }
    if (as === undefined)
      return { envelope: { kind, apiVersion, metadata }, field: "items", element: ({ object }) => object };
    const options = optionsOf(true, context);
    return {
      envelope: tableHead(metadata, options),
      field: "rows",
      element: ({ object }) => tableRow(object, options),
    };
  },

  event(object, first, context) {
    const { as, asVersion = "v1" } = context.accepted;
    if (object.kind === "Status") return object;
    if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") return partialMetadata(object, asVersion);
    if (as !== "Table") return object;
    // A bookmark is no object: it has a resourceVersion and no name.
    return rows(object.metadata.name ? [object] : [], versionOf(object), first, context);
  },
};

function rows(
  objects: readonly KubeObject[],
  metadata: ListMeta,
  headers: boolean,
  context: RepresentContext,
  columns: readonly PrinterColumn[] = context.description.columns,
): unknown {
  return tableOf(objects, metadata, { ...optionsOf(headers, context), columns });
}

function optionsOf(headers: boolean, { accepted, nowMs, description, query }: RepresentContext): TableOptions {
  const includeObject = parseIncludeObject(new URLSearchParams(query).get("includeObject"));
  const { asVersion: version = "v1" } = accepted;
  const { columns, rowConditions } = description;
  return { columns, rowConditions, includeObject, version, nowMs, headers };
}

function versionOf(object: KubeObject): ListMeta {
  const { resourceVersion } = object.metadata;
  return resourceVersion === undefined ? {} : { resourceVersion };
}

function wrongShape(wanted: string, got: string): Error {
  return statusErrors.wrongShape(`you requested ${wanted}, but the requested object is ${got}`);
}

/** What upstream calls the type, because it says so. */
function typeName({ description: { custom, group, kind } }: RepresentContext, suffix: "" | "List"): string {
  if (custom === true) return `*unstructured.Unstructured${suffix}`;
  return `*${group === "" ? "core" : group.split(".")[0]}.${kind}${suffix}`;
}
