import { builtinColumns, podRowConditions } from "../columns/index.js";
import type { ResourceDescription, ResourceStrategy } from "../description.js";
import { type ResourceFacts, resourceFacts } from "../gen/resources.js";
import { builtinStrategies } from "../kinds/index.js";
import { builtinSchema } from "../schema-table.js";
import type { Verb } from "../transport.js";
import { resourceNames } from "./names.js";
import { builtinSelectableFields, builtinUnselectable } from "./selectable-fields.js";
import { builtinStorage } from "./storage.js";
import { builtinSubresources } from "./subresources.js";

const noNames: readonly string[] = [];
const noStrategy: ResourceStrategy = {};
/** Every node agent lists and watches the pods of its node. */
const podIndexes: readonly string[] = ["spec.nodeName"];

/** By `group/resource`. */
const deprecations: ReadonlyMap<string, string> = new Map([
  ["/componentstatuses", "v1 ComponentStatus is deprecated in v1.19+"],
  ["/endpoints", "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"],
]);

/**
 * The descriptions of every resource of Kubernetes' stable API, ordered by group, version and plural. `strategies` holds what is
 * particular to writing a kind, by `group/resource` (`/pods`, `apps/deployments`): upstream's defaults and validation unless others
 * are given; kinds without one are only stored.
 * Cheap: schemas are shared and are parsed when they are first looked at.
 */
export function builtinDescriptions(
  strategies: ReadonlyMap<string, ResourceStrategy> = builtinStrategies,
): readonly ResourceDescription[] {
  return resourceFacts.map((facts) => describeResource(facts, strategies));
}

function describeResource(
  facts: ResourceFacts,
  strategies: ReadonlyMap<string, ResourceStrategy>,
): ResourceDescription {
  const { group, version, resource, kind, namespaced } = facts;
  const key = `${group}/${resource}`;
  const names = resourceNames.get(key);
  const unselectable = builtinUnselectable(group, resource);
  const deprecation = deprecations.get(key);
  return {
    group,
    version,
    resource,
    kind,
    namespaced,
    singular: kind.toLowerCase(),
    listKind: `${kind}List`,
    shortNames: names?.shortNames ?? noNames,
    categories: names?.categories ?? noNames,
    verbs: verbsOf(facts),
    schema: builtinSchema(facts.definition),
    subresources: builtinSubresources(facts),
    storage: builtinStorage(group, version, resource),
    columns: builtinColumns(group, version, resource),
    selectableFields: builtinSelectableFields(group, resource),
    ...(unselectable === undefined ? {} : { unselectable }),
    ...(deprecation === undefined ? {} : { deprecation }),
    ...(key === "/pods" ? { indexedFields: podIndexes, rowConditions: podRowConditions } : {}),
    strategy: strategies.get(key) ?? noStrategy,
  };
}

function verbsOf(facts: ResourceFacts): readonly Verb[] {
  // The verbs come from the paths of a published API; the type cannot say so.
  const verbs = facts.verbs as readonly Verb[];
  // Computed at each request and kept nowhere, so there is nothing to watch; the published paths do not show it.
  return facts.resource === "componentstatuses" ? verbs.filter((verb) => verb !== "watch") : verbs;
}
