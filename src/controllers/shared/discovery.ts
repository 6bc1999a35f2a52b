import {
  type CustomResourceDefinition,
  customResourceDefinitions,
  type KubeObject,
  qualifiedResource,
  type ResourceType,
  resourceFacts,
} from "../../api/index.js";
import type { ControllerContext } from "../controller.js";
import { isTrue } from "./conditions.js";

/** Tells which resources there are. */
export interface Discovery {
  /** Those that can be listed and deleted, each once, at one version. */
  resources(): readonly ResourceType[];
  /** Of these, the ones that are not built in: they come and go. */
  custom(): readonly ResourceType[];
}

const verbs = ["list", "watch", "delete"] as const;

/**
 * The built-in resources, those of every established CustomResourceDefinition, and those of the API server's own storages if that is
 * in this process. It is always current and needs no discovery documents.
 */
export function discoverFrom({ informer, served }: Pick<ControllerContext, "informer" | "served">): Discovery {
  const definitions = informer(customResourceDefinitions);
  const builtin = builtinResources();
  const known = new Set(resourceFacts.map(qualifiedResource));
  const custom = (): readonly ResourceType[] => {
    const found = new Map<string, ResourceType>();
    for (const definition of definitions.list()) {
      const resource = customResource(definition);
      if (resource !== undefined) found.set(qualifiedResource(resource), resource);
    }
    for (const { group, version, resource, kind, namespaced, verbs: able } of served?.() ?? []) {
      const type = { group, version, resource, kind, namespaced };
      const name = qualifiedResource(type);
      if (canCollect(able) && !known.has(name) && !found.has(name)) found.set(name, type);
    }
    return [...found.values()];
  };
  return { custom, resources: () => [...builtin, ...custom()] };
}

function canCollect(able: readonly string[]): boolean {
  return verbs.every((verb) => able.includes(verb));
}

function builtinResources(): readonly ResourceType[] {
  const chosen = new Map<string, ResourceType>();
  for (const { verbs: able, definition: _, subresources: __, ...type } of resourceFacts) {
    if (!canCollect(able)) continue;
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
