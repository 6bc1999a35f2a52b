import type {
  DeleteOptions,
  KubeList,
  KubeObject,
  New,
  ObjectKey,
  PatchType,
  RequestOptions,
  ResourceType,
  Status,
  Transport,
  WatchEvent,
} from "../api/index.js";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface GetOptions extends CallOptions, Pick<RequestOptions, "resourceVersion"> {
  readonly subresource?: string | undefined;
}

export interface ListOptions
  extends CallOptions,
    Pick<
      RequestOptions,
      "labelSelector" | "fieldSelector" | "limit" | "continue" | "resourceVersion" | "resourceVersionMatch"
    > {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
}

export interface WatchOptions
  extends ListOptions,
    Pick<RequestOptions, "timeoutSeconds" | "allowWatchBookmarks" | "sendInitialEvents"> {}

export interface WriteOptions extends CallOptions, Pick<RequestOptions, "dryRun" | "fieldManager" | "fieldValidation"> {
  /** `status`, `scale`, `binding` ... */
  readonly subresource?: string | undefined;
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  readonly force?: boolean | undefined;
}

export interface PatchOptions extends WriteOptions {
  readonly force?: boolean | undefined;
}

/**
 * The typed way to the API for every part and for users, over any Transport. All methods reject with StatusError;
 * objects that come back are shared and must not be changed.
 */
export interface Client {
  readonly transport: Transport;
  get<T extends KubeObject>(resource: ResourceType<T>, key: ObjectKey, options?: GetOptions): Promise<T>;
  list<T extends KubeObject>(resource: ResourceType<T>, options?: ListOptions): Promise<KubeList<T>>;
  /** Events one by one; see Transport.watch for how it ends. */
  watch<T extends KubeObject>(resource: ResourceType<T>, options?: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** The namespace is the object's own. */
  create<T extends KubeObject>(resource: ResourceType<T>, object: New<T>, options?: WriteOptions): Promise<T>;
  /** Fails with Conflict when metadata.resourceVersion is set and no longer the current one. */
  update<T extends KubeObject>(resource: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    resource: ResourceType<T>,
    key: ObjectKey,
    patch: { readonly type: Exclude<PatchType, "apply">; readonly body: unknown },
    options?: PatchOptions,
  ): Promise<T>;
  /** Server-side apply of what `object` says; the name and namespace are its own. */
  apply<T extends KubeObject>(
    resource: ResourceType<T>,
    object: { readonly metadata: ObjectKey },
    options: ApplyOptions,
  ): Promise<T>;
  /** Gives the object when it goes on to exist for a while (grace, finalizers), else a Status. */
  delete<T extends KubeObject>(
    resource: ResourceType<T>,
    key: ObjectKey,
    options?: DeleteOptions & CallOptions,
  ): Promise<T | Status>;
  deleteCollection<T extends KubeObject>(
    resource: ResourceType<T>,
    options?: ListOptions & { readonly deleteOptions?: DeleteOptions },
  ): Promise<void>;
  /** POST to a subresource that takes a kind of its own: binding, eviction, token. */
  createSubresource<R = Status>(
    resource: ResourceType,
    key: ObjectKey,
    subresource: string,
    body: unknown,
    options?: WriteOptions,
  ): Promise<R>;
}

export function createClient(transport: Transport): Client {
  return new TransportClient(transport);
}

class TransportClient implements Client {
  readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }

  async get<T extends KubeObject>(resource: ResourceType<T>, key: ObjectKey, options: GetOptions = {}): Promise<T> {
    const { signal, subresource, ...query } = options;
    return (await this.transport.request({
      ...where(resource),
      verb: "get",
      subresource,
      ...key,
      options: query,
      signal,
    })) as T;
  }

  async list<T extends KubeObject>(resource: ResourceType<T>, options: ListOptions = {}): Promise<KubeList<T>> {
    const { signal, namespace, ...query } = options;
    return (await this.transport.request({
      ...where(resource),
      verb: "list",
      namespace,
      options: query,
      signal,
    })) as KubeList<T>;
  }

  async *watch<T extends KubeObject>(
    resource: ResourceType<T>,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<T>> {
    const { signal, namespace, ...query } = options;
    const batches = this.transport.watch({ ...where(resource), verb: "watch", namespace, options: query, signal });
    for await (const batch of batches) yield* batch as readonly WatchEvent<T>[];
  }

  async create<T extends KubeObject>(
    resource: ResourceType<T>,
    object: New<T>,
    options: WriteOptions = {},
  ): Promise<T> {
    const { signal, subresource, ...query } = options;
    return (await this.transport.request({
      ...where(resource),
      verb: "create",
      subresource,
      namespace: object.metadata.namespace,
      body: object,
      options: query,
      signal,
    })) as T;
  }

  async update<T extends KubeObject>(resource: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { signal, subresource, ...query } = options;
    const { namespace, name } = object.metadata;
    return (await this.transport.request({
      ...where(resource),
      verb: "update",
      subresource,
      namespace,
      name,
      body: object,
      options: query,
      signal,
    })) as T;
  }

  patch<T extends KubeObject>(
    resource: ResourceType<T>,
    key: ObjectKey,
    patch: { readonly type: Exclude<PatchType, "apply">; readonly body: unknown },
    options: PatchOptions = {},
  ): Promise<T> {
    return this.#patch(resource, key, patch.type, patch.body, options);
  }

  apply<T extends KubeObject>(
    resource: ResourceType<T>,
    object: { readonly metadata: ObjectKey },
    options: ApplyOptions,
  ): Promise<T> {
    return this.#patch(resource, object.metadata, "apply", object, options);
  }

  async #patch<T extends KubeObject>(
    resource: ResourceType<T>,
    key: ObjectKey,
    patchType: PatchType,
    body: unknown,
    options: PatchOptions,
  ): Promise<T> {
    const { signal, subresource, ...query } = options;
    const { namespace, name } = key;
    return (await this.transport.request({
      ...where(resource),
      verb: "patch",
      subresource,
      namespace,
      name,
      patchType,
      body,
      options: query,
      signal,
    })) as T;
  }

  async delete<T extends KubeObject>(
    resource: ResourceType<T>,
    key: ObjectKey,
    options: DeleteOptions & CallOptions = {},
  ): Promise<T | Status> {
    const { signal, ...body } = options;
    return (await this.transport.request({ ...where(resource), verb: "delete", ...key, body, signal })) as T | Status;
  }

  async deleteCollection<T extends KubeObject>(
    resource: ResourceType<T>,
    options: ListOptions & { readonly deleteOptions?: DeleteOptions } = {},
  ): Promise<void> {
    const { signal, namespace, deleteOptions, ...query } = options;
    await this.transport.request({
      ...where(resource),
      verb: "deletecollection",
      namespace,
      body: deleteOptions,
      options: query,
      signal,
    });
  }

  async createSubresource<R = Status>(
    resource: ResourceType,
    key: ObjectKey,
    subresource: string,
    body: unknown,
    options: WriteOptions = {},
  ): Promise<R> {
    const { signal, subresource: _, ...query } = options;
    return (await this.transport.request({
      ...where(resource),
      verb: "create",
      subresource,
      ...key,
      body,
      options: query,
      signal,
    })) as R;
  }
}

function where(resource: ResourceType): Pick<ResourceType, "group" | "version" | "resource"> {
  return { group: resource.group, version: resource.version, resource: resource.resource };
}
