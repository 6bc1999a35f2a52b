import { type ApiRequest, patchContentTypes, type RequestOptions } from "../api/index.js";

/** A request as HTTP has it. */
export interface HttpCall {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With the query. */
  readonly path: string;
  readonly body: string | undefined;
  readonly contentType: string | undefined;
}

const methods = {
  get: "GET",
  list: "GET",
  watch: "GET",
  create: "POST",
  update: "PUT",
  patch: "PATCH",
  delete: "DELETE",
  deletecollection: "DELETE",
} as const;

export function httpCall(request: ApiRequest): HttpCall {
  const { verb, body, patchType } = request;
  const query = queryOf(request.options ?? {}, verb === "watch");
  return {
    method: methods[verb],
    path: query === "" ? pathOf(request) : `${pathOf(request)}?${query}`,
    body: body === undefined ? undefined : JSON.stringify(body),
    contentType:
      body === undefined ? undefined : patchType === undefined ? "application/json" : patchContentTypes[patchType],
  };
}

function pathOf({ group, version, resource, namespace, name, subresource, verb }: ApiRequest): string {
  const steps = group === "" ? ["api", version] : ["apis", group, version];
  // A namespace is addressed by its name alone.
  if (namespace && !(group === "" && resource === "namespaces")) steps.push("namespaces", namespace);
  steps.push(resource);
  const onObject = verb !== "list" && verb !== "watch" && verb !== "deletecollection";
  if (onObject && name !== undefined && (verb !== "create" || subresource !== undefined)) steps.push(name);
  if (subresource !== undefined && subresource !== "") steps.push(subresource);
  return `/${steps.map(encodeURIComponent).join("/")}`;
}

function queryOf(options: RequestOptions, watch: boolean): string {
  const query = new URLSearchParams();
  if (watch) query.set("watch", "true");
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) query.append(name, String(one));
  }
  return query.toString();
}
