import { ignoreTimes } from "../../api/apply/managed-object.js";
import { invalid } from "../../api/field-error.js";
import { isStatusError, type JsonObject, type KubeObject, statusErrors } from "../../api/index.js";
import { withoutGatedFields } from "../../api/kinds/gated-fields.js";
import { validateObjectMeta, validateObjectMetaUpdate } from "../../api/kinds/object-meta.js";
import type { ServerRequest, ServerResult, StoredObject } from "../request.js";
import { acceptObject } from "./body.js";
import { admit, type Claim, isDryRun, type RegistryContext, strategyContext, validateAdmission } from "./context.js";
import { createObject } from "./create.js";
import type { Endpoint } from "./endpoint.js";
import { recordManager } from "./managed-fields.js";
import { metadataForUpdate, metadataOf, parseVersion, text, withGeneration, withMetadata } from "./metadata.js";
import { withoutDuplicateOwners } from "./owner-references.js";
import { inSlices } from "./slices.js";
import { modifiedMessage } from "./store-errors.js";
import { withFieldOf, withPathOf } from "./subtree.js";
import type { Decision } from "./writer.js";

/** PUT: the whole object, or its status. */
export async function update(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
): Promise<ServerResult> {
  const given = withoutDuplicateOwners(acceptObject(endpoint, request, request.body), request.warn);
  const next = async (old: JsonObject | undefined): Promise<JsonObject> => {
    checkUid(endpoint, request, given, old);
    return given;
  };
  return modify(context, endpoint, request, next, {
    creates: endpoint.description.strategy.createOnUpdate === true && !request.subresource,
    absent: () => next(undefined),
  });
}

/** metadata.uid of a PUT is a precondition. */
export function checkUid(
  endpoint: Endpoint,
  request: ServerRequest,
  given: JsonObject,
  old: JsonObject | undefined,
): void {
  const uid = text(metadataOf(given)["uid"]);
  const actual = text(metadataOf(old ?? {})["uid"]);
  if (uid === "" || uid === actual) return;
  const { name = "" } = request;
  const key = endpoint.keyOf(request.namespace, name);
  throw statusErrors.conflict(
    endpoint.description,
    name,
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${actual}`,
  );
}

export interface ModifyOptions {
  /** Whether an object that is not there is created. */
  readonly creates: boolean;
  /** What there is to start from when it is created: an empty apply starts from nothing. */
  readonly absent?: () => Promise<JsonObject>;
  /** `next` writes down itself who manages what: an apply. */
  readonly recordsManagers?: boolean;
}

/**
 * Replaces an object by what `next` makes of it, under all the rules of updates. `next` gets the object as the client sees it
 * and may be called several times.
 */
export async function modify(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  next: (old: JsonObject, current: StoredObject) => Promise<JsonObject>,
  options: ModifyOptions,
): Promise<ServerResult> {
  const name = request.name ?? "";
  const key = endpoint.keyOf(request.namespace, name);
  const claims: Claim[] = [];
  let answer: JsonObject | undefined;
  const mutate = async (current: StoredObject): Promise<Decision> => {
    await giveBack(claims);
    const old = await endpoint.read(current, request.signal);
    const object = await changed(context, endpoint, request, old, await next(old, current), claims, options);
    answer = object;
    if (isDryRun(request)) return { type: "keep" };
    if (isFinished(endpoint, object, old)) return { type: "delete" };
    return { type: "put", object: await endpoint.toStorage(object, request.signal) };
  };
  try {
    const result = await context.writer.update(endpoint, key, name, request.verb, mutate, request.signal);
    if (result.outcome === "deleted") await deletedHook(context, endpoint, result.stored);
    if (result.outcome === "written") for (const claim of claims) await claim.settle();
    else await giveBack(claims);
    // What is gone with this very change is shown as the change left it.
    if ((isDryRun(request) || result.outcome === "deleted") && answer !== undefined) {
      return { type: "object", code: 200, object: answer as unknown as KubeObject };
    }
    return { type: "stored", code: 200, stored: await endpoint.show(result.stored, request.signal) };
  } catch (error) {
    await giveBack(claims);
    if (!options.creates || !isStatusError(error, "NotFound")) throw error;
    await context.authorize(request, "create");
    const given = await (options.absent ?? (() => next({}, undefined as never)))();
    return createObject(context, endpoint, request, given, options);
  }
}

async function giveBack(claims: Claim[]): Promise<void> {
  for (const claim of claims.splice(0)) await claim.undo();
}

export async function deletedHook(context: RegistryContext, endpoint: Endpoint, stored: StoredObject): Promise<void> {
  const { group, resource } = endpoint.description;
  await context.hooks.get(`${group}/${resource}`)?.deleted?.(stored.object as unknown as JsonObject);
}

/** The object as it will be stored: what the client may change changed, admitted and validated. */
async function changed(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  old: JsonObject,
  wanted: JsonObject,
  claims: Claim[],
  options: ModifyOptions,
): Promise<JsonObject> {
  const { description } = endpoint;
  const { strategy } = description;
  const name = text(metadataOf(old)["name"]);
  checkResourceVersion(endpoint, wanted, old, name);
  const reached = withinSubresource(endpoint, request, metadataForUpdate(wanted, old), old);
  const managed = options.recordsManagers ? reached : recordManager(context, endpoint, request, reached, old);
  const mutated = (await admit(context, endpoint, request, "UPDATE", managed, old)) ?? managed;
  const admitted = withoutDuplicateOwners(mutated, request.warn, { afterAdmission: true });
  const within = metadataForUpdate(withinSubresource(endpoint, request, admitted, old), old);
  const fixed = withoutGatedFields(strategy, within, old);
  const prepared = strategy.prepareForUpdate?.(fixed, old, strategyContext(context, request)) ?? fixed;
  const statusOnly = request.subresource === "status" || request.subresource === "approval";
  const numbered = statusOnly ? prepared : withGeneration(description, prepared, old);
  const hook =
    request.subresource === "status" ? undefined : context.hooks.get(`${description.group}/${description.resource}`);
  const claim = hook && (await hook.prepare({ object: numbered, old, dryRun: isDryRun(request) }));
  if (claim !== undefined) claims.push(claim);
  const given = claim?.object ?? numbered;
  await validateChange(context, endpoint, request, given, old);
  const object = ignoreTimes(given, old);
  const warnings =
    request.subresource === "status" ? strategy.statusWarnings?.(object) : strategy.warnings?.(object, old);
  for (const warning of warnings ?? []) request.warn?.(warning);
  await validateAdmission(context, endpoint, request, "UPDATE", object, old);
  return object;
}

/** metadata.resourceVersion of the given object, when there is one, must be the current one. */
function checkResourceVersion({ description }: Endpoint, given: JsonObject, old: JsonObject, name: string): void {
  const { group, resource, strategy } = description;
  const asked = text(metadataOf(given)["resourceVersion"]);
  const version = parseVersion(asked);
  if (version === undefined) {
    throw statusErrors.unclassified(`strconv.ParseUint: parsing ${JSON.stringify(asked)}: invalid syntax`);
  }
  if (version === 0) {
    if (strategy.unconditionalUpdate !== false) return;
    // Upstream names the resource here where other errors have the kind.
    const error = invalid("metadata.resourceVersion", 0, "must be specified for an update");
    throw statusErrors.invalid(group, resource, name, [error]);
  }
  if (version !== parseVersion(text(metadataOf(old)["resourceVersion"]))) {
    throw statusErrors.conflict(description, name, modifiedMessage);
  }
}

/** The fields that a subresource may change, beside metadata; all others stay as they are. */
const writableThrough: ReadonlyMap<string, readonly string[]> = new Map([
  ["status", ["status"]],
  ["approval", ["status.conditions"]],
  ["finalize", ["spec.finalizers"]],
  ["ephemeralcontainers", ["spec.ephemeralContainers"]],
  ["resize", ["spec.containers", "spec.initContainers", "spec.resources"]],
]);

/** A write to the object leaves its status as it is; a write to a subresource leaves everything else. */
export function withinSubresource(
  endpoint: Endpoint,
  request: ServerRequest,
  object: JsonObject,
  old: JsonObject,
): JsonObject {
  const fields = writableThrough.get(request.subresource ?? "");
  if (fields === undefined) {
    return endpoint.description.subresources.has("status") ? withFieldOf(object, "status", old) : object;
  }
  const custom = endpoint.description.custom === true;
  const metadata = custom
    ? withFieldOf(metadataOf(old), "managedFields", metadataOf(object))
    : withFieldOf(metadataOf(object), "ownerReferences", metadataOf(old));
  return fields.reduce((result, field) => withPathOf(result, field, object), withMetadata(old, metadata));
}

async function validateChange(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  object: JsonObject,
  old: JsonObject,
): Promise<void> {
  const { description } = endpoint;
  const { strategy, namespaced } = description;
  const anyFinalizer = strategy.anyFinalizer === true;
  const validateName = strategy.validateName;
  const errors = [...validateObjectMetaUpdate(object, old, { anyFinalizer })];
  if (request.subresource === "status") {
    errors.push(...(strategy.validateStatusUpdate?.(object, old) ?? []));
  } else {
    errors.push(...validateObjectMeta(object, { namespaced, validateName, anyFinalizer }));
    errors.push(
      ...(strategy.validate?.(object) ?? []),
      ...(strategy.validateUpdate?.(object, old, strategyContext(context, request)) ?? []),
    );
  }
  if (strategy.validateInSlices !== undefined) errors.push(...(await inSlices(strategy.validateInSlices(object, old))));
  if (errors.length === 0) return;
  throw statusErrors.invalid(description.group, description.kind, text(metadataOf(old)["name"]), errors);
}

/** Whether this change removes the last thing that held back a deletion. */
export function isFinished(endpoint: Endpoint, object: JsonObject, old: JsonObject): boolean {
  const metadata = metadataOf(old);
  if (metadata["deletionTimestamp"] === undefined) return false;
  const grace = metadata["deletionGracePeriodSeconds"];
  if (typeof grace === "number" && grace > 0) return false;
  return !isHeld(endpoint, object);
}

/** Whether finalizers (or what the kind has beside them) forbid to remove the object now. */
export function isHeld(endpoint: Endpoint, object: JsonObject): boolean {
  const finalizers = metadataOf(object)["finalizers"];
  if (Array.isArray(finalizers) && finalizers.length > 0) return true;
  return endpoint.description.strategy.holdsDeletion?.(object) === true;
}
