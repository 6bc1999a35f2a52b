import {
  type JsonObject,
  type KubeObject,
  type ResourceDescription,
  type ResourceType,
  statusErrors,
  type Transport,
  type UserInfo,
} from "../api/index.js";
import { type Clock, realClock } from "../internal/clock.js";
import type { Component } from "../internal/component.js";
import { type Logger, silentLogger } from "../internal/logger.js";
import { type Random, systemRandom } from "../internal/random.js";
import type { Store } from "../store/index.js";
import type { AdmissionPlugin, CacheReader } from "./admission/admission.js";
import { liveDeps } from "./admission/live-deps.js";
import { annotateDecision, attributesOf, authorizeOrThrow } from "./authz/attributes.js";
import type { Authorizer } from "./authz/authorizer.js";
import { inProcessTransport } from "./in-process.js";
import { ownReads, ownWrites } from "./own/own-objects.js";
import { type OwnResource, withStorage } from "./own/own-resource.js";
import { ownWatch } from "./own/own-watch.js";
import type { ResourceStorage } from "./own/resource-storage.js";
import { adminAccessHooks } from "./registry/admin-access-hook.js";
import { admitConnect } from "./registry/connect.js";
import type { RegistryContext, WriteHook } from "./registry/context.js";
import { dispatch } from "./registry/dispatch.js";
import { Endpoint } from "./registry/endpoint.js";
import { LeasePool } from "./registry/lease-pool.js";
import { Reader } from "./registry/read.js";
import { startWatch } from "./registry/watch.js";
import { ObjectWriter } from "./registry/writer.js";
import type { RequestHandler, ServerRequest, ServerResult, StoredEvent, StoredObject } from "./request.js";
import { ResourceTable } from "./resource-table.js";
import { WatchCache } from "./watchcache/watch-cache.js";

/** A resource or subresource that is computed, not stored, and only takes create: SubjectAccessReview, serviceaccounts/token. */
export type VirtualResource = (request: ServerRequest) => KubeObject | Promise<KubeObject>;

export interface ApiServerOptions {
  readonly store: Store;
  /** What is served. */
  readonly resources: Iterable<ResourceDescription>;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** Before every key in the store. Default: `/registry`, upstream's. */
  readonly root?: string;
  /** Absent: everything is allowed. */
  readonly authorizer?: (cache: CacheReader) => Authorizer;
  /** In order; none: everything is admitted. */
  readonly admission?: (server: ApiServer) => readonly AdmissionPlugin[];
  /** By `group/resource`. */
  readonly hooks?: (server: ApiServer) => ReadonlyMap<string, WriteHook>;
  /** Resources with storages of their own: further ones, and some of `resources`. */
  readonly ownResources?: readonly OwnResource[];
  /** By `group/resource` or `group/resource/subresource`. */
  readonly virtualResources?: (server: ApiServer) => ReadonlyMap<string, VirtualResource>;
}

/** The groups of the server's own requests, which nobody has to allow. */
const privileged = "system:masters";

/**
 * The API without a network: authorization, admission, validation and storage of every kind, with one watch cache. HTTP is put
 * before it by `createHttpServer`; clients in the same process use `transport`.
 */
export class ApiServer implements RequestHandler {
  readonly table: ResourceTable;
  readonly cache: WatchCache;
  readonly cacheReader: CacheReader;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly context: RegistryContext;
  readonly #endpoints = new Map<ResourceDescription, Endpoint>();
  readonly #authorizer: Authorizer | undefined;
  readonly #virtual: ReadonlyMap<string, VirtualResource>;
  readonly #own: ReadonlyMap<string, ResourceStorage>;
  readonly #reads: Reader;

  constructor(options: ApiServerOptions) {
    const { store, ownResources = [] } = options;
    this.clock = options.clock ?? realClock;
    this.random = options.random ?? systemRandom;
    this.logger = options.logger ?? silentLogger;
    this.table = new ResourceTable(withOwnResources(options.resources, ownResources));
    this.#own = new Map(ownResources.map(({ resource, storage }) => [groupResourceOf(resource), storage]));
    const root = options.root === undefined ? {} : { root: options.root };
    this.cache = new WatchCache({ store, clock: this.clock, logger: this.logger, ...root });
    for (const description of this.table.all()) this.#register(description);
    this.cacheReader = this.#reader();
    this.#reads = new Reader(store, this.cache);
    const admission: AdmissionPlugin[] = [];
    const hooks = new Map<string, WriteHook>(adminAccessHooks(liveDeps(this).liveNamespace));
    this.context = {
      cache: this.cache,
      reader: this.#reads,
      writer: new ObjectWriter(store, this.cache, new LeasePool(store, this.clock)),
      clock: this.clock,
      random: this.random,
      admission,
      hooks,
      authorize: (request, verb) => this.#authorize({ ...request, verb }),
    };
    this.#authorizer = options.authorizer?.(this.cacheReader);
    admission.push(...(options.admission?.(this) ?? []));
    for (const [resource, hook] of options.hooks?.(this) ?? []) hooks.set(resource, hook);
    this.#virtual = options.virtualResources?.(this) ?? new Map();
  }

  /** Keeps the cache up to date; the server answers while this runs. */
  get component(): Component {
    return this.cache;
  }

  lookup(group: string, version: string, resource: string): ResourceDescription | undefined {
    return this.table.lookup(group, version, resource);
  }

  /** Serves one more resource from now on. */
  addResource(description: ResourceDescription): void {
    this.#register(description);
    this.table.add(description);
  }

  /** Serves a resource by another description from now on. What watches it goes on. */
  replaceResource(old: ResourceDescription, description: ResourceDescription): void {
    this.addResource(description);
    this.#endpoints.delete(old);
  }

  /** Serves a resource no more; what is stored stays. */
  removeResource(description: ResourceDescription): void {
    this.table.remove(description);
    this.#endpoints.delete(description);
    if (!this.table.all().some(({ storage }) => storage.path === description.storage.path)) {
      this.cache.unregister(description.storage.path);
    }
  }

  /**
   * The way in for clients in this process, as `user`; default: the server itself, which may do everything. `agent` names the program
   * as which it manages fields.
   */
  transport(user: UserInfo = { username: "system:apiserver", groups: [privileged] }, agent = "coxswain"): Transport {
    return inProcessTransport(this, user, agent);
  }

  async handle(request: ServerRequest): Promise<ServerResult> {
    const entering = this.#enter(request);
    if (entering !== undefined) await entering;
    const virtual = request.verb === "create" ? this.#virtual.get(placeOf(request)) : undefined;
    if (virtual !== undefined) return { type: "object", code: 201, object: await virtual(request) };
    const endpoint = this.#endpointOf(request);
    return dispatch(this.#contextFor(request), endpoint, (type) => this.endpointFor(type), request);
  }

  async watch(request: ServerRequest): Promise<AsyncIterable<readonly StoredEvent[]>> {
    const entering = this.#enter(request);
    if (entering !== undefined) await entering;
    const endpoint = this.#endpointOf(request);
    const storage = this.#own.get(groupResourceOf(request));
    if (storage !== undefined) return ownWatch(storage, endpoint, request, this.clock);
    const { cache, clock, random } = this;
    return startWatch({ cache, reader: this.#reads, clock, random }, endpoint, request);
  }

  admitConnect(request: ServerRequest, options: JsonObject): Promise<JsonObject> {
    return admitConnect(this.context, this.endpointFor(request), request, options);
  }

  #endpointOf(request: ServerRequest): Endpoint {
    const endpoint = this.endpointFor(request);
    const { deprecation } = endpoint.description;
    if (deprecation !== undefined) {
      request.warn?.(deprecation);
      request.annotate?.("k8s.io/deprecated", "true");
    }
    return endpoint;
  }

  /** Errors: NotFound for what is not served. */
  endpointFor(place: { readonly group: string; readonly version: string; readonly resource: string }): Endpoint {
    const description = this.table.lookup(place.group, place.version, place.resource);
    const endpoint = description && this.#endpoints.get(description);
    if (endpoint === undefined) throw statusErrors.pathNotFound();
    return endpoint;
  }

  #contextFor(request: ServerRequest): RegistryContext {
    const storage = this.#own.size === 0 ? undefined : this.#own.get(groupResourceOf(request));
    if (storage === undefined) return this.context;
    return { ...this.context, reader: ownReads(storage), writer: ownWrites(storage, request) };
  }

  /** Nobody has to be asked about it. */
  #exempt({ user }: ServerRequest): boolean {
    return this.#authorizer === undefined || user.groups.includes(privileged);
  }

  /** The decision about the request as it came, which its audit event tells. */
  #enter(request: ServerRequest): void | Promise<void> {
    if (this.#authorizer === undefined || this.#exempt(request)) return annotateDecision(request.annotate, true);
    return authorizeOrThrow(this.#authorizer, attributesOf(request, request.user), request.annotate);
  }

  async #authorize(request: ServerRequest): Promise<void> {
    if (this.#authorizer === undefined || this.#exempt(request)) return;
    await authorizeOrThrow(this.#authorizer, attributesOf(request, request.user));
  }

  #register(description: ResourceDescription): void {
    const { selectableFields, indexedFields = [], storage } = description;
    const indexes = new Map<string, (object: JsonObject) => string>();
    for (const field of indexedFields) {
      const read = selectableFields.get(field);
      if (read !== undefined) indexes.set(field, read);
    }
    this.#endpoints.set(description, new Endpoint(description, this.cache.register(storage.path, indexes)));
  }

  #reader(): CacheReader {
    const endpoint = ({ group, version, resource }: ResourceType): Endpoint | undefined => {
      const description = this.table.lookup(group, version, resource);
      return description && this.#endpoints.get(description);
    };
    return {
      get: <T extends KubeObject>(resource: ResourceType<T>, key: { namespace?: string; name: string }) => {
        const at = endpoint(resource);
        const stored = at?.cache.get(at.keyOf(key.namespace, key.name));
        return at === undefined || stored === undefined ? undefined : (at.view(stored).object as T);
      },
      list: <T extends KubeObject>(resource: ResourceType<T>, namespace?: string) => {
        const at = endpoint(resource);
        if (at === undefined) return [];
        return [...at.cache.select({ prefix: at.prefixOf(namespace) })].map((stored) => at.view(stored).object as T);
      },
      listByField: <T extends KubeObject>(resource: ResourceType<T>, field: string, value: string) => {
        const at = endpoint(resource);
        if (at === undefined) return [];
        const read = at.description.selectableFields.get(field);
        const matches = ({ object }: StoredObject): boolean => read?.(object as unknown as JsonObject) === value;
        const selection = { prefix: at.prefixOf(undefined), index: { field, value }, matches };
        return [...at.cache.select(selection)].map((stored) => at.view(stored).object as T);
      },
      generation: (resource) => endpoint(resource)?.cache.generation ?? 0,
    };
  }
}

/** The resources, those with a storage of their own with what that can do. */
function withOwnResources(
  resources: Iterable<ResourceDescription>,
  own: readonly OwnResource[],
): readonly ResourceDescription[] {
  const storages = new Map(own.map(({ resource, storage }) => [groupResourceOf(resource), storage]));
  const further = own.flatMap(({ description }) => description ?? []);
  return [...resources, ...further].map((description) => {
    const storage = storages.get(groupResourceOf(description));
    return storage === undefined ? description : withStorage(description, storage);
  });
}

function groupResourceOf({ group, resource }: { readonly group: string; readonly resource: string }): string {
  return `${group}/${resource}`;
}

function placeOf({ group, resource, subresource }: ServerRequest): string {
  return subresource ? `${group}/${resource}/${subresource}` : `${group}/${resource}`;
}
