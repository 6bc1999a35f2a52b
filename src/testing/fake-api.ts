import {
  type ApiRequest,
  apiVersionOf,
  applyStrategicMergePatch,
  builtinSchema,
  type DeleteOptions,
  type KubeList,
  type KubeObject,
  parseFieldSelector,
  parseLabelSelector,
  type Status,
  statusErrors,
  success,
  type Transport,
  type WatchEvent,
} from "../api/index.js";
import { AsyncQueue } from "../internal/async-queue.js";
import { type Clock, timestamp } from "../internal/clock.js";
import { type Random, randomSuffix } from "../internal/random.js";

type Meta = Record<string, unknown> & KubeObject["metadata"];
type Mutable = Record<string, unknown> & { metadata: Meta };

interface Watcher {
  readonly request: ApiRequest;
  readonly queue: AsyncQueue<readonly WatchEvent[]>;
}

/**
 * The least of an API server that a controller's unit test needs, without defaults, validation or admission: objects by
 * revision, conflicts, generation, status apart from spec, finalizers, graceful deletion of bound pods, watches from a
 * revision. Whole scenarios run on the real one; this one can be told to fail.
 */
export class FakeApi implements Transport {
  readonly requests: ApiRequest[] = [];
  /** Called before every request; what it throws is what the client gets. */
  intercept: ((request: ApiRequest) => void | Promise<void>) | undefined;
  #revision = 1;
  #uid = 0;
  #forgotten = 0;
  readonly #objects = new Map<string, KubeObject>();
  readonly #history: {
    readonly revision: number;
    readonly where: string;
    readonly event: WatchEvent;
    readonly old?: KubeObject;
  }[] = [];
  readonly #watchers = new Set<Watcher>();
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(options: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = options.clock;
    this.#random = options.random;
  }

  /** Forgets all history, as after a compaction: watches from the past get Expired. */
  compact(): void {
    this.#history.length = 0;
    this.#forgotten = this.#revision;
  }

  /** Ends every watch, with an error if one is given. */
  breakWatches(error?: unknown): void {
    for (const watcher of [...this.#watchers]) watcher.queue.end(error);
    this.#watchers.clear();
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  async request(request: ApiRequest): Promise<KubeObject | KubeList | Status> {
    this.requests.push(request);
    request.signal?.throwIfAborted();
    await this.intercept?.(request);
    switch (request.verb) {
      case "get":
        return this.#get(request);
      case "list":
        return this.#list(request);
      case "create":
        return request.subresource === undefined ? this.#create(request) : this.#createSubresource(request);
      case "update":
        return this.#update(request, request.body as KubeObject);
      case "patch":
        return this.#patch(request);
      case "delete":
        return this.#delete(request);
      case "deletecollection":
        for (const object of (this.#list(request) as KubeList).items) {
          const { namespace, name } = object.metadata;
          this.#delete({ ...request, namespace, name });
        }
        return success(request, "", "");
      default:
        throw statusErrors.methodNotAllowed(request, request.verb);
    }
  }

  async *watch(request: ApiRequest): AsyncGenerator<readonly WatchEvent[]> {
    this.requests.push(request);
    if (request.signal?.aborted) return;
    await this.intercept?.(request);
    const from = Number(request.options?.resourceVersion ?? "0");
    if (from !== 0 && from < this.#forgotten) throw statusErrors.expired(`too old resource version: ${from}`);
    const queue = new AsyncQueue<readonly WatchEvent[]>(100_000);
    const watcher: Watcher = { request, queue };
    const past: WatchEvent[] = [];
    if (from === 0) {
      for (const object of (this.#list(request) as KubeList).items) past.push({ type: "ADDED", object });
    } else {
      for (const entry of this.#history) {
        if (entry.revision <= from || entry.where !== pathOf(request)) continue;
        const seen = see(request, entry.event, entry.old);
        if (seen !== undefined) past.push(seen);
      }
    }
    if (past.length > 0) queue.push(past);
    this.#watchers.add(watcher);
    const abort = (): void => queue.end();
    request.signal?.addEventListener("abort", abort, { once: true });
    try {
      yield* queue;
    } finally {
      request.signal?.removeEventListener("abort", abort);
      this.#watchers.delete(watcher);
    }
  }

  #key(request: ApiRequest): string {
    return `${pathOf(request)}/${request.namespace ?? ""}/${request.name ?? ""}`;
  }

  #get(request: ApiRequest): KubeObject {
    const object = this.#objects.get(this.#key(request));
    if (object === undefined) throw statusErrors.notFound(request, request.name ?? "");
    return object;
  }

  #list(request: ApiRequest): KubeList {
    const prefix = request.namespace ? `${pathOf(request)}/${request.namespace}/` : `${pathOf(request)}/`;
    const items: KubeObject[] = [];
    for (const [key, object] of this.#objects)
      if (key.startsWith(prefix) && selects(request, object)) items.push(object);
    return {
      apiVersion: apiVersionOf(request),
      kind: "List",
      metadata: { resourceVersion: `${this.#revision}` },
      items,
    };
  }

  #create(request: ApiRequest): KubeObject {
    const given = request.body as Mutable;
    const name = given.metadata.name || `${given.metadata.generateName ?? ""}${randomSuffix(this.#random)}`;
    const key = this.#key({ ...request, name });
    if (this.#objects.has(key)) throw statusErrors.alreadyExists(request, name);
    const metadata = {
      ...given.metadata,
      name,
      uid: `uid-${++this.#uid}`,
      creationTimestamp: timestamp(this.#clock),
      generation: 1,
    };
    return this.#write(request, key, { ...given, metadata } as unknown as KubeObject, undefined);
  }

  #createSubresource(request: ApiRequest): Status {
    const current = this.#get(request);
    if (request.subresource === "binding") {
      const { target } = request.body as { target: { name: string } };
      const next = { ...current, spec: { ...(current as unknown as { spec: object }).spec, nodeName: target.name } };
      this.#write(request, this.#key(request), next as KubeObject, current);
    } else if (request.subresource === "eviction")
      this.#delete({ ...request, subresource: undefined, body: undefined });
    return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
  }

  #update(request: ApiRequest, given: KubeObject): KubeObject {
    const current = this.#get(request);
    const expected = given.metadata.resourceVersion;
    if (expected && expected !== current.metadata.resourceVersion) {
      const why = "the object has been modified; please apply your changes to the latest version and try again";
      throw statusErrors.conflict(request, request.name ?? "", why);
    }
    const { status: givenStatus, ...rest } = given as KubeObject & { status?: unknown };
    const { status: currentStatus, ...currentRest } = current as KubeObject & { status?: unknown };
    const toStatus = request.subresource === "status";
    const body = toStatus ? { ...currentRest, status: givenStatus } : { ...rest, status: currentStatus };
    const changed = !toStatus && JSON.stringify(withoutMeta(rest)) !== JSON.stringify(withoutMeta(currentRest));
    const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation = 1 } = current.metadata;
    const metadata = {
      ...given.metadata,
      uid,
      creationTimestamp,
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp, deletionGracePeriodSeconds }),
      generation: changed ? generation + 1 : generation,
    };
    const next = { ...body, metadata } as unknown as KubeObject;
    if (sameBut(current, next)) return current;
    const finished =
      deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0 && !(deletionGracePeriodSeconds ?? 0);
    return finished ? this.#remove(request, current, next) : this.#write(request, this.#key(request), next, current);
  }

  #patch(request: ApiRequest): KubeObject {
    if (request.patchType === "json" || request.patchType === "apply") {
      throw statusErrors.unsupportedMediaType(["application/merge-patch+json"]);
    }
    const current = this.#get(request);
    const merged = patched(request, current);
    const { resourceVersion, uid } =
      (request.body as { metadata?: { resourceVersion?: string; uid?: string } }).metadata ?? {};
    if (uid !== undefined && uid !== current.metadata.uid)
      throw statusErrors.conflict(request, request.name ?? "", "uid");
    const asked = { ...merged.metadata, resourceVersion: resourceVersion ?? current.metadata.resourceVersion };
    return this.#update(request, { ...merged, metadata: asked } as KubeObject);
  }

  #delete(request: ApiRequest): KubeObject | Status {
    const current = this.#get(request);
    const options = (request.body ?? {}) as DeleteOptions;
    const { uid, resourceVersion } = options.preconditions ?? {};
    if ((uid ?? current.metadata.uid) !== current.metadata.uid) {
      throw statusErrors.conflict(request, request.name ?? "", "the UID in the precondition does not match");
    }
    if ((resourceVersion ?? current.metadata.resourceVersion) !== current.metadata.resourceVersion) {
      throw statusErrors.conflict(
        request,
        request.name ?? "",
        "the resourceVersion in the precondition does not match",
      );
    }
    const finalizers = [...(current.metadata.finalizers ?? [])];
    if (options.propagationPolicy === "Foreground") finalizers.push("foregroundDeletion");
    if (options.propagationPolicy === "Orphan") finalizers.push("orphan");
    const grace = gracePeriodOf(request, current, options.gracePeriodSeconds);
    if (finalizers.length === 0 && grace === 0) {
      this.#remove(request, current, current);
      return success(request, current.metadata.name, current.metadata.uid);
    }
    const metadata = {
      ...current.metadata,
      ...(finalizers.length === 0 ? {} : { finalizers: [...new Set(finalizers)] }),
      deletionTimestamp:
        current.metadata.deletionTimestamp ??
        timestamp({ ...this.#clock, now: () => this.#clock.now() + grace * 1000 }),
      deletionGracePeriodSeconds: grace,
    };
    const next = { ...current, metadata };
    return sameBut(current, next) ? current : this.#write(request, this.#key(request), next, current);
  }

  #remove(request: ApiRequest, old: KubeObject, last: KubeObject): KubeObject {
    const gone = { ...last, metadata: { ...last.metadata, resourceVersion: `${++this.#revision}` } };
    this.#objects.delete(this.#key(request));
    this.#publish(request, { type: "DELETED", object: gone }, old);
    return gone;
  }

  #write(request: ApiRequest, key: string, object: KubeObject, old: KubeObject | undefined): KubeObject {
    const written = { ...object, metadata: { ...object.metadata, resourceVersion: `${++this.#revision}` } };
    this.#objects.set(key, written);
    this.#publish(request, { type: old === undefined ? "ADDED" : "MODIFIED", object: written }, old);
    return written;
  }

  #publish(request: ApiRequest, event: WatchEvent, old: KubeObject | undefined): void {
    const where = pathOf(request);
    this.#history.push({ revision: this.#revision, where, event, ...(old === undefined ? {} : { old }) });
    for (const { request: asked, queue } of this.#watchers) {
      if (pathOf(asked) !== where) continue;
      const seen = see(asked, event, old);
      if (seen !== undefined) queue.push([seen]);
    }
  }
}

function pathOf(request: ApiRequest): string {
  return `${request.group}/${request.resource}`;
}

/** The event as a watch with selectors sees it. */
function see(request: ApiRequest, event: WatchEvent, old: KubeObject | undefined): WatchEvent | undefined {
  if (request.namespace && event.object.metadata.namespace !== request.namespace) return undefined;
  const before = old !== undefined && selects(request, old);
  const after = event.type !== "DELETED" && selects(request, event.object);
  if (!before && !after) return undefined;
  const type = before ? (after ? "MODIFIED" : "DELETED") : "ADDED";
  return { type, object: event.object };
}

function selects(request: ApiRequest, object: KubeObject): boolean {
  const { labelSelector = "", fieldSelector = "" } = request.options ?? {};
  if (!parseLabelSelector(labelSelector).matches(object.metadata.labels)) return false;
  return parseFieldSelector(fieldSelector).matches((path) => {
    let value: unknown = object;
    for (const step of path.split(".")) value = (value as Record<string, unknown> | undefined)?.[step];
    return value === undefined ? "" : String(value);
  });
}

function gracePeriodOf(request: ApiRequest, object: KubeObject, asked: number | undefined): number {
  if (request.resource !== "pods") return 0;
  const { spec, status } = object as {
    spec?: { nodeName?: string; terminationGracePeriodSeconds?: number };
    status?: { phase?: string };
  };
  if (!spec?.nodeName || status?.phase === "Succeeded" || status?.phase === "Failed") return 0;
  return asked ?? spec.terminationGracePeriodSeconds ?? 30;
}

function withoutMeta(object: object): object {
  const { metadata: _, ...rest } = object as { metadata: unknown };
  return rest;
}

function sameBut(a: KubeObject, b: KubeObject): boolean {
  const plain = (object: KubeObject): string =>
    JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: "" } });
  return plain(a) === plain(b);
}

/** Lists of pods are merged by their keys; of other kinds a strategic patch is taken for a merge patch. */
function patched({ patchType, resource, body }: ApiRequest, current: KubeObject): KubeObject {
  if (patchType !== "strategic" || resource !== "pods") return merge(current, body) as KubeObject;
  return applyStrategicMergePatch(builtinSchema("core.v1.Pod"), current, body);
}

function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
  const result = new Map<string, unknown>(isObject ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, merge(result.get(key), value));
  }
  return Object.fromEntries(result);
}
