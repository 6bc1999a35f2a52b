import type { GroupVersionResource, JsonObject, ResourceDescription } from "../../api/index.js";
import type { ApiServer } from "../server.js";
import type { MatchDeps, MatchedResource } from "./rule-match.js";

type Equivalents = NonNullable<MatchDeps["equivalents"]>;

/** Other resources that show the same stored objects: other versions of a kind, and events of both groups. Read anew when what is served changes. */
export function equivalentResources({ table }: Pick<ApiServer, "table">): Equivalents {
  let generation = Number.NaN;
  let byPath: ReadonlyMap<string, readonly ResourceDescription[]> = new Map();
  return (of, subresource) => {
    if (generation !== table.generation) {
      generation = table.generation;
      byPath = sharedPaths(table.all());
    }
    // Most servers have few resources that share anything.
    const own = byPath.size === 0 ? undefined : table.lookup(of.group, of.version, of.resource);
    const sharing = own === undefined ? [] : (byPath.get(own.storage.path) ?? []);
    return sharing.flatMap((description) => (description === own ? [] : matchedAs(description, subresource)));
  };
}

function sharedPaths(all: readonly ResourceDescription[]): ReadonlyMap<string, readonly ResourceDescription[]> {
  const byPath = new Map<string, ResourceDescription[]>();
  for (const description of all) {
    const { path } = description.storage;
    const sharing = byPath.get(path);
    if (sharing === undefined) byPath.set(path, [description]);
    else sharing.push(description);
  }
  return new Map([...byPath].filter(([, sharing]) => sharing.length > 1));
}

function matchedAs(description: ResourceDescription, subresource: string): readonly MatchedResource[] {
  const { group, version, resource, kind } = description;
  if (subresource === "") return [{ group, version, resource, kind }];
  const found = description.subresources.get(subresource);
  return found === undefined ? [] : [{ group, version, resource, kind: found.kind || kind }];
}

/** An object of one resource as another one shows it that shares its storage. Errors: those of the conversion. */
export function objectConverter(
  server: Pick<ApiServer, "endpointFor">,
): (object: JsonObject, from: GroupVersionResource, to: GroupVersionResource) => Promise<JsonObject> {
  return async (object, from, to) =>
    server.endpointFor(to).fromStorage(await server.endpointFor(from).toStorage(object));
}
