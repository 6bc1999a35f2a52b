import { pods, type ResourceType, statusErrors, type Verb } from "../../api/index.js";
import type { ServerRequest, ServerResult } from "../request.js";
import { apply } from "./apply.js";
import { bind } from "./binding.js";
import type { RegistryContext } from "./context.js";
import { create } from "./create.js";
import { deleteCollection, deleteOne } from "./delete.js";
import type { Endpoint } from "./endpoint.js";
import { evict } from "./eviction.js";
import { patch } from "./patch.js";
import { scale } from "./scale.js";
import { update } from "./update.js";

type EndpointOf = (resource: ResourceType) => Endpoint;
type Operation = (context: RegistryContext, endpoint: Endpoint, request: ServerRequest) => Promise<ServerResult>;

const whole: Readonly<Record<Exclude<Verb, "watch">, Operation>> = {
  get: async (context, endpoint, request) => ({
    type: "stored",
    code: 200,
    stored: await context.reader.get(endpoint, request),
  }),
  list: async (context, endpoint, request) => ({ type: "list", list: await context.reader.list(endpoint, request) }),
  create,
  update,
  patch: (context, endpoint, request) =>
    request.patchType === "apply" ? apply(context, endpoint, request) : patch(context, endpoint, request),
  delete: deleteOne,
  deletecollection: deleteCollection,
};

/** Subresources that have an operation of their own; the others are parts of the object and go through get, update and patch. */
const special: ReadonlyMap<string, (endpointOf: EndpointOf) => Operation> = new Map<
  string,
  (endpointOf: EndpointOf) => Operation
>([
  ["scale", () => scale],
  ["binding", () => bind],
  [
    "eviction",
    (endpointOf): Operation =>
      (context, _endpoint, request) =>
        evict(context, endpointOf, request),
  ],
]);

/** Resources that are another's subresource under an older name. */
const aliases: ReadonlyMap<string, (endpointOf: EndpointOf) => Operation> = new Map([
  [
    "/bindings",
    (endpointOf: EndpointOf): Operation =>
      (context, _endpoint, request) =>
        bind(context, endpointOf(pods), request),
  ],
]);

/** Carries out one authorized request. Throws at once, before it promises anything: NotFound for an unknown subresource, MethodNotAllowed for a verb it lacks. */
export function dispatch(
  context: RegistryContext,
  endpoint: Endpoint,
  endpointOf: EndpointOf,
  request: ServerRequest,
): Promise<ServerResult> {
  const { verb } = request;
  const { description } = endpoint;
  if (verb === "watch") throw statusErrors.methodNotAllowed(description, verb);
  if (request.subresource) {
    const subresource = description.subresources.get(request.subresource);
    if (subresource === undefined) throw statusErrors.pathNotFound();
    if (!subresource.verbs.includes(verb)) throw statusErrors.methodNotAllowed(description, verb);
    const operation = special.get(request.subresource)?.(endpointOf) ?? whole[verb];
    return operation(context, endpoint, request);
  }
  if (!description.verbs.includes(verb)) throw statusErrors.methodNotAllowed(description, verb);
  if (verb === "create" && description.terminating === true) {
    const message = "create not allowed while custom resource definition is terminating";
    throw statusErrors.methodNotAllowed(description, verb, message);
  }
  const operation = aliases.get(`${description.group}/${description.resource}`)?.(endpointOf) ?? whole[verb];
  return operation(context, endpoint, request);
}
