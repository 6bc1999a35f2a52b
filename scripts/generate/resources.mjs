import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const verbOf = {
  list: "list",
  read: "get",
  create: "create",
  replace: "update",
  patch: "patch",
  delete: "delete",
  deleteCollection: "deletecollection",
  connect: "connect",
};

/** The resources of every stable group-version, from the paths, verbs and response types of the package's API classes. */
export function readResources(folder, models) {
  const found = new Map();
  for (const file of readdirSync(folder).sort()) {
    if (!/V[12]Api\.js$/.test(file)) continue;
    const types = responseTypes(readFileSync(join(folder, file.replace(/\.js$/, ".d.ts")), "utf8"));
    for (const call of calls(readFileSync(join(folder, file), "utf8"))) collect(found, call, types, models);
  }
  const resources = [...found.values()].filter((resource) => resource.kind !== undefined);
  for (const resource of resources) {
    resource.models = [
      ...new Set([...resource.models, ...resource.subresources.values()].flatMap((m) => m.model ?? m)),
    ];
    resource.models = resource.models.filter((name) => models.get(name) !== undefined && name !== "V1Status");
  }
  return resources.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

const key = (resource) => `${resource.group}/${resource.version}/${resource.plural}`;

function responseTypes(text) {
  return new Map(
    [...text.matchAll(/(\w+)WithHttpInfo\(response: ResponseContext\): Promise<HttpInfo<([^>]+)>>/g)].map(
      ([, name, type]) => [name, type],
    ),
  );
}

function* calls(text) {
  const requests = text.slice(0, text.indexOf("ResponseProcessor {"));
  for (const part of requests.split(/\n {4}async /).slice(1)) {
    const name = /^\w+/.exec(part)[0];
    const path = /localVarPath = '([^']+)'/.exec(part)[1];
    const body = /serialize\(body, "(\w+)"/.exec(part)?.[1];
    yield { name, path, body };
  }
}

function collect(found, { name, path, body }, types, models) {
  const match =
    /^\/(?:api|apis\/([^/]+))\/(v\d+)(?:\/namespaces\/\{namespace\})?\/([a-z]+)(?:\/\{name\}(?:\/([a-z]+))?(\/\{path\})?)?$/.exec(
      path,
    );
  if (match === null) return;
  const [, group = "", version, plural, subresource] = match;
  // Namespaces are themselves under /namespaces/.
  const verb = verbOf[/^(deleteCollection|[a-z]+)/.exec(name)[0]];
  if (verb === undefined) return;
  const id = `${group}/${version}/${plural}`;
  const resource = found.get(id) ?? {
    group,
    version,
    plural,
    namespaced: false,
    verbs: new Set(),
    subresources: new Map(),
    models: [],
    kind: undefined,
  };
  found.set(id, resource);
  if (path.includes("/namespaces/{namespace}/")) resource.namespaced = true;
  const response = types.get(name);
  const model = verb === "create" && body !== undefined ? body : response;
  if (subresource !== undefined) {
    const entry = resource.subresources.get(subresource) ?? { verbs: new Set(), model: undefined };
    entry.verbs.add(verb);
    if (models.get(model) !== undefined && verb !== "delete") entry.model ??= model;
    resource.subresources.set(subresource, entry);
    return;
  }
  resource.verbs.add(verb);
  if (verb === "list") resource.verbs.add("watch");
  if ((verb === "get" || verb === "create") && models.get(model) !== undefined) {
    resource.kind = models.definition(model).name;
    resource.model = model;
    resource.models.push(model);
  }
  if (verb === "list") resource.models.push(response);
}
