import { isStatusError, type JsonObject, type KubeObject, StatusError, statusErrors } from "../../api/index.js";
import { validateObjectMeta } from "../../api/kinds/object-meta.js";
import type { ServerRequest, ServerResult } from "../request.js";
import { acceptObject } from "./body.js";
import { admit, isDryRun, type RegistryContext, strategyContext, validateAdmission } from "./context.js";
import type { Endpoint } from "./endpoint.js";
import { recordManager } from "./managed-fields.js";
import { metadataForCreate, metadataOf, text } from "./metadata.js";
import { without } from "./subtree.js";

/** How many generated names are tried. */
const maxNames = 8;

export async function create(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
): Promise<ServerResult> {
  return createObject(context, endpoint, request, acceptObject(endpoint, request, request.body));
}

/** From a decoded and defaulted object on; also where an update or an apply creates. */
export async function createObject(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  given: JsonObject,
  options: { readonly recordsManagers?: boolean } = {},
): Promise<ServerResult> {
  refuseResourceVersion(given);
  const managed = options.recordsManagers ? given : recordManager(context, endpoint, request, given, undefined);
  const admitted = (await admit(context, endpoint, request, "CREATE", managed, undefined)) ?? managed;
  const generated = text(metadataOf(admitted)["name"]) === "" && text(metadataOf(admitted)["generateName"]) !== "";
  for (let attempt = 1; ; attempt++) {
    try {
      return await createOnce(context, endpoint, request, admitted);
    } catch (error) {
      if (!generated || !isStatusError(error, "AlreadyExists") || attempt === maxNames) throw error;
    }
  }
}

async function createOnce(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  admitted: JsonObject,
): Promise<ServerResult> {
  const { description } = endpoint;
  const prepared = prepare(context, endpoint, request, admitted);
  const hook = context.hooks.get(`${description.group}/${description.resource}`);
  const dryRun = isDryRun(request);
  const claim = hook && (await hook.prepare({ object: prepared, old: undefined, dryRun }));
  try {
    const object = claim?.object ?? prepared;
    validateNew(endpoint, object);
    for (const warning of description.strategy.warnings?.(object, undefined) ?? []) request.warn?.(warning);
    await validateAdmission(context, endpoint, request, "CREATE", object, undefined);
    if (dryRun) return { type: "object", code: 201, object: object as unknown as KubeObject };
    const stored = await context.writer.create(
      endpoint,
      await endpoint.toStorage(object, request.signal),
      request.signal,
    );
    return { type: "stored", code: 201, stored: await endpoint.show(stored, request.signal) };
  } catch (error) {
    await claim?.undo();
    throw error;
  }
}

function prepare(context: RegistryContext, endpoint: Endpoint, request: ServerRequest, object: JsonObject): JsonObject {
  const { description } = endpoint;
  const { strategy } = description;
  const times = strategyContext(context, request);
  const named = metadataForCreate(description, object, request, { random: context.random, now: times.now });
  const dropStatus = description.subresources.has("status") && strategy.keepsStatusOnCreate !== true;
  const clean = dropStatus ? without(named, "status") : named;
  return strategy.prepareForCreate === undefined ? clean : strategy.prepareForCreate(clean, times);
}

function validateNew({ description }: Endpoint, object: JsonObject): void {
  const { strategy, namespaced } = description;
  const rules = { namespaced, validateName: strategy.validateName, anyFinalizer: strategy.anyFinalizer === true };
  const errors = [
    ...validateObjectMeta(object, rules),
    ...(strategy.validate?.(object) ?? []),
    ...(strategy.validateCreate?.(object) ?? []),
  ];
  if (errors.length === 0) return;
  throw statusErrors.invalid(description.group, description.kind, text(metadataOf(object)["name"]), errors);
}

function refuseResourceVersion(object: JsonObject): void {
  const given = text(metadataOf(object)["resourceVersion"]);
  if (given === "" || given === "0") return;
  const message = "resourceVersion should not be set on objects to be created";
  throw new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, code: 500 });
}
