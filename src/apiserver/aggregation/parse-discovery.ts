import type { JsonObject } from "../../api/index.js";
import { isJsonObject } from "../../api/json-value.js";
import type { ServedResource, ServedSubresource } from "../discovery/groups.js";

interface Place {
  readonly group: string;
  readonly version: string;
}

/** The resources of a group-version in an APIGroupDiscoveryList; undefined: it has none such, or is no such document. */
export function parseAggregated(document: unknown, place: Place): readonly ServedResource[] | undefined {
  if (!isJsonObject(document) || document["kind"] !== "APIGroupDiscoveryList") return undefined;
  const group = objects(document["items"]).find(({ metadata }) => text(metadata, "name") === place.group);
  const version = objects(group?.["versions"]).find((candidate) => candidate["version"] === place.version);
  if (version === undefined) return undefined;
  return objects(version["resources"]).map((resource) => ({
    resource: text(resource, "resource"),
    kind: text(resource["responseKind"], "kind"),
    singular: text(resource, "singularResource"),
    namespaced: resource["scope"] === "Namespaced",
    verbs: texts(resource["verbs"]),
    shortNames: texts(resource["shortNames"]),
    categories: texts(resource["categories"]),
    subresources: objects(resource["subresources"]).map((subresource) => ({
      name: text(subresource, "subresource"),
      ...kindOf(subresource["responseKind"], place),
      verbs: texts(subresource["verbs"]),
    })),
  }));
}

/** The same of an APIResourceList. A subresource may be there without what it is of: then that has neither kind nor verbs. */
export function parseResourceList(document: unknown, place: Place): readonly ServedResource[] | undefined {
  if (!isJsonObject(document) || document["kind"] !== "APIResourceList") return undefined;
  const byName = new Map<string, ServedResource & { readonly subresources: ServedSubresource[] }>();
  for (const entry of objects(document["resources"])) {
    const [name = "", subresource] = text(entry, "name").split(/\/(.*)/s);
    const namespaced = entry["namespaced"] === true;
    const known = byName.get(name);
    if (subresource === undefined) {
      byName.set(name, {
        resource: name,
        kind: text(entry, "kind"),
        singular: text(entry, "singularName"),
        namespaced,
        verbs: texts(entry["verbs"]),
        shortNames: texts(entry["shortNames"]),
        categories: texts(entry["categories"]),
        subresources: known?.subresources ?? [],
      });
      continue;
    }
    const parent = known ?? { ...nameless, resource: name, namespaced, subresources: [] };
    byName.set(name, parent);
    parent.subresources.push({ name: subresource, ...kindOf(entry, place), verbs: texts(entry["verbs"]) });
  }
  return [...byName.values()];
}

const nameless = { kind: "", singular: "", verbs: [], shortNames: [], categories: [] } as const;

/** A kind without a group or version is of those around it. */
function kindOf(value: unknown, place: Place): Place & { readonly kind: string } {
  return {
    group: text(value, "group") || place.group,
    version: text(value, "version") || place.version,
    kind: text(value, "kind"),
  };
}

function text(value: unknown, field: string): string {
  const found = isJsonObject(value) ? value[field] : undefined;
  return typeof found === "string" ? found : "";
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

function objects(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}
