import { type DiscoveredResource, type GroupVersion, statusErrors } from "../api/index.js";

/** What an APIResourceList has, without subresources. Errors: StatusError (ServiceUnavailable) for what is none. */
export function parseResourceList(document: string, { group, version }: GroupVersion): readonly DiscoveredResource[] {
  const resources = resourcesIn(document);
  if (resources === undefined) {
    throw statusErrors.serviceUnavailable(`the discovery of ${group}/${version} is no APIResourceList`);
  }
  return resources.flatMap((entry): readonly DiscoveredResource[] => {
    const { name, kind, namespaced, verbs } = (entry ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof name !== "string" || name.includes("/") || typeof kind !== "string" || !Array.isArray(verbs)) return [];
    const able = verbs.filter((verb) => typeof verb === "string");
    return [{ group, version, resource: name, kind, namespaced: namespaced === true, verbs: able }];
  });
}

function resourcesIn(document: string): readonly unknown[] | undefined {
  try {
    const { resources } = JSON.parse(document) as { readonly resources?: unknown };
    return Array.isArray(resources) ? resources : undefined;
  } catch {
    return undefined;
  }
}
