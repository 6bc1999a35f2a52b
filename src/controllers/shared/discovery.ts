import { type CustomResourceDefinition, type KubeObject, type ResourceType, resourceFacts } from "../../api/index.js";
import type { Informer } from "../../client/index.js";
import { isTrue } from "./conditions.js";

/** Tells which resources there are. */
export interface Discovery {
  /** Those that can be listed and deleted, each once, at one version. */
  resources(): readonly ResourceType[];
  /** Of these, the ones that definitions made. */
  custom(): readonly ResourceType[];
}

const verbs = ["list", "watch", "delete"] as const;

/**
 * The built-in resources, and those of every established CustomResourceDefinition that the informer knows. It is always
 * current, needs no discovery documents, and thus works the same in one process and over the wire.
 */
export function discoverFrom(definitions: Informer<CustomResourceDefinition>): Discovery {
  const builtin = builtinResources();
  const custom = (): readonly ResourceType[] => {
    const found: ResourceType[] = [];
    for (const definition of definitions.list()) {
      const resource = customResource(definition);
      if (resource !== undefined) found.push(resource);
    }
    return found;
  };
  return { custom, resources: () => [...builtin, ...custom()] };
}

function builtinResources(): readonly ResourceType[] {
  const chosen = new Map<string, ResourceType>();
  for (const { verbs: able, definition: _, subresources: __, ...type } of resourceFacts) {
    if (!verbs.every((verb) => able.includes(verb))) continue;
    // Events are kept under two groups, and so is what has two versions: each is one kind of object.
    if (type.group === "events.k8s.io") continue;
    const id = `${type.group}/${type.resource}`;
    if (!chosen.has(id)) chosen.set(id, type);
  }
  return [...chosen.values()];
}

export function customResource({ spec, status }: CustomResourceDefinition): ResourceType<KubeObject> | undefined {
  if (!isTrue(status?.conditions, "Established")) return undefined;
  const served = spec.versions.filter((version) => version.served);
  const version = served.find(({ storage }) => storage) ?? served[0];
  if (version === undefined) return undefined;
  const { plural, kind } = spec.names;
  return { group: spec.group, version: version.name, resource: plural, kind, namespaced: spec.scope === "Namespaced" };
}
