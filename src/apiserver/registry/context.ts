import type { JsonObject, StrategyContext, Verb } from "../../api/index.js";
import { type Clock, timestamp } from "../../internal/clock.js";
import type { Random } from "../../internal/random.js";
import type { AdmissionPlugin, AdmissionRequest } from "../admission/admission.js";
import { Reinvocation } from "../admission/reinvocation.js";
import type { ServerRequest, StoredList, StoredObject } from "../request.js";
import type { WatchCache } from "../watchcache/watch-cache.js";
import type { Endpoint } from "./endpoint.js";
import type { Decision, WriteResult } from "./writer.js";

/** What a hook has taken for a write: given back when the write fails after all, settled when it is done. */
export interface Claim {
  readonly object: JsonObject;
  undo(): Promise<void>;
  /** Frees what the old object had and the new one has no more. */
  settle(): Promise<void>;
}

/** What a kind needs done beside its own object, before the write: allocating a cluster IP. */
export interface WriteHook {
  prepare(change: WriteChange): Promise<Claim>;
  /** After an object is gone for good. */
  deleted?(object: JsonObject): Promise<void>;
}

export interface WriteChange {
  readonly object: JsonObject;
  readonly old: JsonObject | undefined;
  readonly dryRun: boolean;
}

/** Where objects are read from. */
export interface ObjectReads {
  get(endpoint: Endpoint, request: ServerRequest): Promise<StoredObject>;
  list(endpoint: Endpoint, request: ServerRequest): Promise<StoredList>;
}

/** Where objects are written to; see ObjectWriter. */
export interface ObjectWrites {
  create(endpoint: Endpoint, object: JsonObject, signal: AbortSignal | undefined): Promise<StoredObject>;
  update(
    endpoint: Endpoint,
    key: string,
    name: string,
    verb: Verb,
    mutate: (current: StoredObject) => Decision | Promise<Decision>,
    signal: AbortSignal | undefined,
  ): Promise<Omit<WriteResult, "stored"> & { readonly stored: StoredObject }>;
}

/** What every operation of the registry works with. */
export interface RegistryContext {
  readonly cache: WatchCache;
  readonly reader: ObjectReads;
  readonly writer: ObjectWrites;
  readonly clock: Clock;
  readonly random: Random;
  readonly admission: readonly AdmissionPlugin[];
  /** By `group/resource`. */
  readonly hooks: ReadonlyMap<string, WriteHook>;
  /** Whether `user` may also do this: create, where an update or apply turns out to create. Rejects with Forbidden. */
  authorize(request: ServerRequest, verb: "create" | "update"): Promise<void>;
}

export function strategyContext(context: RegistryContext, request: ServerRequest): StrategyContext {
  return {
    now: timestamp(context.clock),
    nowMs: context.clock.now(),
    user: request.user,
    ...(request.warn ? { warn: request.warn } : {}),
    ...(request.subresource ? { subresource: request.subresource } : {}),
  };
}

export function isDryRun(request: ServerRequest): boolean {
  const asked = request.options?.dryRun ?? [];
  const body = request.verb === "delete" || request.verb === "deletecollection" ? request.body : undefined;
  const inBody = typeof body === "object" && body !== null && "dryRun" in body ? body.dryRun : undefined;
  return asked.length > 0 || (Array.isArray(inBody) && inBody.length > 0);
}

/** Runs the mutating half of admission; twice where what one plugin changed may concern others. */
export async function admit(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  operation: AdmissionRequest["operation"],
  object: JsonObject | undefined,
  oldObject: JsonObject | undefined,
): Promise<JsonObject | undefined> {
  const reinvocation = new Reinvocation();
  const run = async (given: JsonObject | undefined): Promise<JsonObject | undefined> => {
    let current = given;
    for (const plugin of context.admission) {
      if (plugin.admit === undefined) continue;
      const review = admissionRequest(endpoint, request, operation, current, oldObject, reinvocation);
      if (plugin.handles !== undefined && !plugin.handles(review)) continue;
      const admitted = await plugin.admit(review);
      if (current !== undefined) current = admitted;
    }
    return current;
  };
  const admitted = await run(object);
  if (!reinvocation.wanted) return admitted;
  reinvocation.again = true;
  return run(admitted);
}

/** Runs the validating half. */
export async function validateAdmission(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  operation: AdmissionRequest["operation"],
  object: JsonObject | undefined,
  oldObject: JsonObject | undefined,
): Promise<void> {
  const review = admissionRequest(endpoint, request, operation, object, oldObject);
  for (const plugin of context.admission) {
    if (plugin.validate === undefined || (plugin.handles !== undefined && !plugin.handles(review))) continue;
    await plugin.validate(review);
  }
}

function admissionRequest(
  endpoint: Endpoint,
  request: ServerRequest,
  operation: AdmissionRequest["operation"],
  object: JsonObject | undefined,
  oldObject: JsonObject | undefined,
  reinvocation?: Reinvocation,
): AdmissionRequest {
  const { group, version, resource, kind } = endpoint.description;
  const subresource = request.subresource ?? "";
  const name = request.name ?? nameOf(object);
  return {
    group,
    version,
    resource,
    kind: (subresource !== "" && endpoint.description.subresources.get(subresource)?.kind) || kind,
    subresource,
    operation,
    namespace: request.namespace ?? (resource === "namespaces" && group === "" ? name : ""),
    name,
    user: request.user,
    object,
    oldObject,
    options: (request.options ?? {}) as JsonObject,
    dryRun: isDryRun(request),
    warn: request.warn ?? (() => {}),
    annotate: request.annotate,
    reinvocation,
  };
}

function nameOf(object: JsonObject | undefined): string {
  const metadata = object?.["metadata"] as JsonObject | undefined;
  const name = metadata?.["name"];
  return typeof name === "string" ? name : "";
}
