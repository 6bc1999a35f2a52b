import type { ResourceDescription } from "../../api/index.js";
import type { ResourceOfKey } from "./encrypted-store.js";

/** What is no resource of the API has a resource's name in upstream's server all the same. */
const allocations: readonly (readonly [string, string])[] = [
  ["ranges/servicenodeports", "servicenodeportallocations"],
  ["ranges/serviceips", "serviceipallocations"],
];

/**
 * Knows resources by where they are stored: built-in ones by their descriptions, and others, which are custom, by the group and
 * resource that their keys begin with.
 */
export function resourceOfKeys(descriptions: Iterable<ResourceDescription>, root = "/registry"): ResourceOfKey {
  const known = new Map<string, { readonly group: string; readonly resource: string }>();
  for (const { storage, resource } of descriptions) known.set(storage.path, { group: storage.group, resource });
  for (const [path, resource] of allocations) known.set(path, { group: "", resource });
  const prefix = `${root}/`;
  return (key) => {
    if (!key.startsWith(prefix)) return undefined;
    const [first = "", second = ""] = key.slice(prefix.length).split("/", 2);
    const found = known.get(`${first}/${second}`) ?? known.get(first);
    if (found !== undefined) return found;
    // Only groups have dots.
    return first.includes(".") ? { group: first, resource: second } : undefined;
  };
}
