import type { ResourceStrategy } from "../../api/description.js";
import { type DeleteOptions, isStatusError, type JsonObject, type KubeObject, success } from "../../api/index.js";
import type { ServerRequest, ServerResult, StoredObject } from "../request.js";
import { admit, isDryRun, type RegistryContext, strategyContext, validateAdmission } from "./context.js";
import { checkPreconditions, readDeleteOptions } from "./delete-options.js";
import type { Endpoint } from "./endpoint.js";
import { metadataOf, text, withMetadata } from "./metadata.js";
import { deletedHook, isHeld } from "./update.js";
import type { Decision } from "./writer.js";

const orphanFinalizer = "orphan";
const foregroundFinalizer = "foregroundDeletion";

/** How many objects of a collection are deleted at once. */
const collectionConcurrency = 16;

export async function deleteOne(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
): Promise<ServerResult> {
  const options = readDeleteOptions(request.body);
  const name = request.name ?? "";
  const key = endpoint.keyOf(request.namespace, name);
  let shown: JsonObject | undefined;
  const mutate = async (current: StoredObject): Promise<Decision> => {
    const old = await endpoint.read(current, request.signal);
    checkPreconditions(endpoint, options, old, name);
    await admit(context, endpoint, request, "DELETE", undefined, old);
    await validateAdmission(context, endpoint, request, "DELETE", undefined, old);
    const next = marked(context, endpoint, request, old, options);
    shown = next ?? old;
    if (isDryRun(request)) return { type: "keep" };
    if (next === undefined) return { type: "delete" };
    return next === old ? { type: "keep" } : { type: "put", object: await endpoint.toStorage(next, request.signal) };
  };
  const result = await context.writer.update(endpoint, key, name, "delete", mutate, request.signal);
  if (isDryRun(request)) return { type: "object", code: 200, object: shown as unknown as KubeObject };
  if (result.outcome !== "deleted") {
    // Accepted tells a client that asked for its dependents to go first that the deletion is under way.
    const code = options.orphanDependents === false ? 202 : 200;
    return { type: "stored", code, stored: await endpoint.show(result.stored, request.signal) };
  }
  await deletedHook(context, endpoint, result.stored);
  if (endpoint.description.strategy.returnsDeleted === true) {
    return { type: "stored", code: 200, stored: await endpoint.show(result.stored, request.signal) };
  }
  const uid = text(metadataOf(shown ?? {})["uid"]);
  return { type: "object", code: 200, object: success(endpoint.description, name, uid) };
}

export async function deleteCollection(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
): Promise<ServerResult> {
  const list = await context.reader.list(endpoint, request);
  const queue = [...list.items];
  const work = async (): Promise<void> => {
    for (let stored = queue.shift(); stored !== undefined; stored = queue.shift()) {
      await deleteListed(context, endpoint, request, stored);
    }
  };
  await Promise.all(Array.from({ length: Math.min(collectionConcurrency, queue.length) }, work));
  return { type: "list", list };
}

async function deleteListed(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  stored: StoredObject,
): Promise<void> {
  const { name, namespace } = stored.object.metadata;
  try {
    await deleteOne(context, endpoint, { ...request, verb: "delete", name, namespace });
  } catch (error) {
    // Somebody else was faster.
    if (!isStatusError(error, "NotFound")) throw error;
  }
}

/** The object marked for deletion, as it goes on to exist for a while; undefined when it goes at once; itself when nothing changes. */
function marked(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  old: JsonObject,
  options: DeleteOptions,
): JsonObject | undefined {
  const { strategy } = endpoint.description;
  const times = strategyContext(context, request);
  const finalized = withMetadata(old, withFinalizers(metadataOf(old), options, strategy.defaultPropagation));
  const requested = options.gracePeriodSeconds ?? undefined;
  const grace = strategy.gracePeriodSeconds?.(finalized, requested) ?? 0;
  const metadata = metadataOf(finalized);
  const before = metadata["deletionTimestamp"];
  if (before !== undefined) return shortened(endpoint, finalized, old, requested);
  if (grace === 0 && !isHeld(endpoint, finalized)) return undefined;
  const deletionTimestamp = `${new Date(times.nowMs + grace * 1000).toISOString().slice(0, 19)}Z`;
  const generation = metadata["generation"];
  const gone = withMetadata(finalized, {
    ...metadata,
    deletionTimestamp,
    deletionGracePeriodSeconds: grace,
    ...(typeof generation === "number" && generation > 0 ? { generation: generation + 1 } : {}),
  });
  return strategy.prepareForDelete === undefined ? gone : strategy.prepareForDelete(gone, times);
}

/** A further delete of what is being deleted: its grace can only become less, and while it runs nothing else can change. */
function shortened(
  endpoint: Endpoint,
  object: JsonObject,
  old: JsonObject,
  requested: number | undefined,
): JsonObject | undefined {
  const metadata = metadataOf(object);
  const left = metadata["deletionGracePeriodSeconds"];
  const before = typeof left === "number" ? left : 0;
  const asked = requested !== undefined && requested < 0 ? 1 : requested;
  const grace = asked !== undefined && asked < before ? asked : before;
  if (before > 0 && grace === before) return old;
  if (grace === 0 && !isHeld(endpoint, object)) return undefined;
  if (grace === before) {
    return finalizersOf(metadata).join() === finalizersOf(metadataOf(old)).join() ? old : object;
  }
  const due = Date.parse(text(metadata["deletionTimestamp"])) - (before - grace) * 1000;
  return withMetadata(object, {
    ...metadata,
    deletionTimestamp: `${new Date(due).toISOString().slice(0, 19)}Z`,
    deletionGracePeriodSeconds: grace,
  });
}

function finalizersOf(metadata: JsonObject): readonly string[] {
  return Array.isArray(metadata["finalizers"]) ? metadata["finalizers"] : [];
}

/** The finalizers that make the garbage collector treat the dependents as asked, in place of those of an earlier wish. */
function withFinalizers(
  metadata: JsonObject,
  options: DeleteOptions,
  byDefault: ResourceStrategy["defaultPropagation"],
): JsonObject {
  if (byDefault === "Unsupported") return metadata;
  const before = finalizersOf(metadata);
  const wish =
    options.orphanDependents === true
      ? "Orphan"
      : options.orphanDependents === false
        ? "Background"
        : options.propagationPolicy;
  if (wish === undefined && (before.includes(orphanFinalizer) || before.includes(foregroundFinalizer))) return metadata;
  const policy = wish ?? byDefault ?? "Background";
  const wanted = policy === "Orphan" ? orphanFinalizer : policy === "Foreground" ? foregroundFinalizer : undefined;
  const kept = before.filter((finalizer) => finalizer !== orphanFinalizer && finalizer !== foregroundFinalizer);
  const finalizers = wanted === undefined ? kept : [...kept, wanted];
  if (finalizers.length === before.length && finalizers.every((finalizer, index) => finalizer === before[index]))
    return metadata;
  const { finalizers: _, ...rest } = metadata;
  return finalizers.length === 0 ? rest : { ...rest, finalizers };
}
