import { isStatusError, type JsonObject, type KubeObject, StatusError, statusErrors } from "../../api/index.js";
import { withoutGatedFields } from "../../api/kinds/gated-fields.js";
import { validateObjectMeta } from "../../api/kinds/object-meta.js";
import type { ServerRequest, ServerResult, StoredObject } from "../request.js";
import { acceptObject } from "./body.js";
import { admit, isDryRun, type RegistryContext, strategyContext, validateAdmission } from "./context.js";
import type { Endpoint } from "./endpoint.js";
import { recordManager } from "./managed-fields.js";
import { metadataForCreate, metadataOf, parseVersion, text, withoutSystemFields } from "./metadata.js";
import { withoutDuplicateOwners } from "./owner-references.js";
import { inSlices } from "./slices.js";
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
  const fresh = withoutSystemFields(given);
  const single = request.verb === "patch" ? fresh : withoutDuplicateOwners(fresh, request.warn);
  const managed = options.recordsManagers ? single : recordManager(context, endpoint, request, single, undefined);
  const changed = (await admit(context, endpoint, request, "CREATE", managed, undefined)) ?? managed;
  const admitted = withoutDuplicateOwners(changed, request.warn, { afterAdmission: true });
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
    await validateNew(endpoint, object);
    for (const warning of description.strategy.warnings?.(object, undefined) ?? []) request.warn?.(warning);
    await validateAdmission(context, endpoint, request, "CREATE", object, undefined);
    // Upstream tells of both only now, when all else is well.
    if (request.verb === "create") refuseResourceVersion(admitted);
    if (dryRun) {
      await refuseExisting(context, endpoint, request, object);
      return { type: "object", code: 201, object: object as unknown as KubeObject };
    }
    const stored = await context.writer.create(
      endpoint,
      await endpoint.toStorage(object, request.signal),
      request.signal,
    );
    return { type: "stored", code: 201, stored: await endpoint.show(stored, request.signal) };
  } catch (error) {
    await claim?.undo();
    throw isStatusError(error, "AlreadyExists")
      ? await existsError(context, endpoint, request, prepared, error)
      : error;
  }
}

/** Whatever is said of a name that is taken: that the server made it up, and that its object is on its way out. */
async function existsError(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  object: JsonObject,
  error: StatusError,
): Promise<StatusError> {
  const { name, generateName } = metadataOf(object);
  const conflict =
    text(generateName) === "" ? error : statusErrors.generateNameConflict(endpoint.description, text(name));
  const existing = await find(context, endpoint, request, text(name));
  if (existing?.object.metadata.deletionTimestamp === undefined) return conflict;
  const message = `object is being deleted: ${conflict.message}`;
  return new StatusError({ ...conflict.status, message }, { cause: error });
}

async function refuseExisting(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  object: JsonObject,
): Promise<void> {
  const name = text(metadataOf(object)["name"]);
  if ((await find(context, endpoint, request, name)) === undefined) return;
  throw statusErrors.alreadyExists(endpoint.description, name);
}

async function find(
  { reader }: RegistryContext,
  endpoint: Endpoint,
  { options: _, ...request }: ServerRequest,
  name: string,
): Promise<StoredObject | undefined> {
  try {
    return await reader.get(endpoint, { ...request, name });
  } catch (error) {
    if (isStatusError(error, "NotFound")) return undefined;
    throw error;
  }
}

function prepare(context: RegistryContext, endpoint: Endpoint, request: ServerRequest, object: JsonObject): JsonObject {
  const { description } = endpoint;
  const { strategy } = description;
  const times = strategyContext(context, request);
  const named = metadataForCreate(description, object, request, { random: context.random, now: times.now });
  const dropStatus = description.subresources.has("status") && strategy.keepsStatusOnCreate !== true;
  const clean = withoutGatedFields(strategy, dropStatus ? without(named, "status") : named, undefined);
  return strategy.prepareForCreate === undefined ? clean : strategy.prepareForCreate(clean, times);
}

async function validateNew({ description }: Endpoint, object: JsonObject): Promise<void> {
  const { strategy, namespaced } = description;
  const rules = { namespaced, validateName: strategy.validateName, anyFinalizer: strategy.anyFinalizer === true };
  const errors = [
    ...validateObjectMeta(object, rules),
    ...(strategy.validate?.(object) ?? []),
    ...(strategy.validateCreate?.(object) ?? []),
    ...(strategy.validateInSlices === undefined ? [] : await inSlices(strategy.validateInSlices(object, undefined))),
  ];
  if (errors.length === 0) return;
  throw statusErrors.invalid(description.group, description.kind, text(metadataOf(object)["name"]), errors);
}

function refuseResourceVersion(object: JsonObject): void {
  // What is no number counts as none.
  if ((parseVersion(text(metadataOf(object)["resourceVersion"])) ?? 0) === 0) return;
  throw statusErrors.unclassified("resourceVersion should not be set on objects to be created");
}
