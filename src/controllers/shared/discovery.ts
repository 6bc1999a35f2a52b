import {
  type CustomResourceDefinition,
  customResourceDefinitions,
  type DiscoveredResource,
  type KubeObject,
  qualifiedResource,
  type ResourceType,
  resourceFacts,
} from "../../api/index.js";
import type { ControllerContext } from "../controller.js";
import { isTrue } from "./conditions.js";
import { RemoteResources } from "./remote-resources.js";

/** Tells which resources there are. */
export interface Discovery {
  /** Those that can be listed, watched and deleted, each once, at one version. */
  resources(): readonly ResourceType[];
  /** Of these, the ones that are not built in: they come and go. */
  custom(): readonly ResourceType[];
  /** Those that can be listed and deleted, whether or not they can be watched, with all that can be done with them. */
  deletable(): readonly DiscoveredResource[];
  /**
   * Asks the servers behind APIServices what they have; the rest is always current. Gives back the group-versions of which it is not
   * known: what was known of them before stays.
   */
  refresh(signal: AbortSignal): Promise<readonly string[]>;
}

/**
 * The built-in resources, those of every established CustomResourceDefinition, those of the API server's own storages if that is
 * in this process, and those of servers behind APIServices.
 */
export function discoverFrom(context: Pick<ControllerContext, "client" | "clock" | "informer" | "served">): Discovery {
  const { informer, served } = context;
  const definitions = informer(customResourceDefinitions);
  const remote = new RemoteResources(context);
  const builtin = builtinResources();
  const known = new Set(resourceFacts.map(qualifiedResource));
  const others = (needed: readonly string[]): readonly DiscoveredResource[] => {
    const found = new Map<string, DiscoveredResource>();
    for (const definition of definitions.list()) {
      const resource = customResource(definition);
      if (resource !== undefined) found.set(qualifiedResource(resource), { ...resource, verbs: allVerbs });
    }
    for (const { group, version, resource, kind, namespaced, verbs } of [...(served?.() ?? []), ...remote.all()]) {
      const type = { group, version, resource, kind, namespaced, verbs };
      const name = qualifiedResource(type);
      if (has(verbs, needed) && !known.has(name) && !found.has(name)) found.set(name, type);
    }
    return [...found.values()];
  };
  return {
    custom: () => others(collectable),
    resources: () => [...builtin, ...others(collectable)],
    deletable: () => [...builtin, ...others(removable)],
    refresh: (signal) => remote.refresh(signal),
  };
}

/** Of custom resources. */
const allVerbs: readonly string[] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const collectable: readonly string[] = ["list", "watch", "delete"];
const removable: readonly string[] = ["list", "delete"];

function has(verbs: readonly string[], needed: readonly string[]): boolean {
  return needed.every((verb) => verbs.includes(verb));
}

function builtinResources(): readonly DiscoveredResource[] {
  const chosen = new Map<string, DiscoveredResource>();
  for (const { definition: _, subresources: __, ...type } of resourceFacts) {
    if (!has(type.verbs, collectable)) continue;
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
