import { type KubeObject, type ListMeta, statusErrors } from "../../api/index.js";
import type { RepresentContext, Representer } from "../http/represent.js";
import type { StoredObject } from "../request.js";
import { parseIncludeObject, partialMetadata, partialMetadataList, tableOf } from "./table.js";

/** Gives clients the form that they asked for: Table, PartialObjectMetadata or its list. */
export const tableRepresenter: Representer = {
  object(object, context) {
    if (object.kind === "Status") return object;
    const { as, asVersion = "v1" } = context.accepted;
    if (as === "PartialObjectMetadata") return partialMetadata(object, asVersion);
    if (as === "PartialObjectMetadataList")
      throw wrongShape("PartialObjectMetadataList", `not a list (${typeName(context, "")})`);
    if (as === "Table") return rows([object], versionOf(object), true, context);
    return object;
  },

  list(list, context) {
    const { as, asVersion = "v1" } = context.accepted;
    if (as === "PartialObjectMetadata")
      throw wrongShape("PartialObjectMetadata", `a list (${typeName(context, "List")})`);
    if (as === "PartialObjectMetadataList") return partialMetadataList(objects(list.items), list.metadata, asVersion);
    if (as === "Table") return rows(objects(list.items), list.metadata, true, context);
    const { apiVersion, kind, metadata } = list;
    return { kind, apiVersion, metadata, items: [...objects(list.items)] };
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

function rows(list: Iterable<KubeObject>, metadata: ListMeta, headers: boolean, context: RepresentContext): unknown {
  const includeObject = parseIncludeObject(new URLSearchParams(context.query).get("includeObject"));
  const { asVersion: version = "v1" } = context.accepted;
  const { nowMs, description } = context;
  return tableOf(list, metadata, { columns: description.columns, includeObject, version, nowMs, headers });
}

function versionOf(object: KubeObject): ListMeta {
  const { resourceVersion } = object.metadata;
  return resourceVersion === undefined ? {} : { resourceVersion };
}

function* objects(items: Iterable<StoredObject>): Iterable<KubeObject> {
  for (const item of items) yield item.object;
}

function wrongShape(wanted: string, got: string): Error {
  return statusErrors.wrongShape(`you requested ${wanted}, but the requested object is ${got}`);
}

/** What upstream calls the type, because it says so. */
function typeName({ description: { custom, group, kind } }: RepresentContext, suffix: "" | "List"): string {
  if (custom === true) return `*unstructured.Unstructured${suffix}`;
  return `*${group === "" ? "core" : group.split(".")[0]}.${kind}${suffix}`;
}
