import type { KubeObject, ListMeta, ObjectMeta, UserInfo, WatchEventType } from "../../api/index.js";

/** Who asks, and for how long they wait. */
export interface StorageRequest {
  readonly user: UserInfo;
  readonly signal: AbortSignal | undefined;
}

/** Which objects: one, all of a namespace, or all. */
export interface StorageScope {
  /** Absent: all namespaces, or a resource that is in none. */
  readonly namespace?: string | undefined;
}

export interface StorageKey extends StorageScope {
  readonly name: string;
}

export interface StorageWatch extends StorageScope {
  /** Of the list that the client has: what came after it is wanted. Absent: what comes from now on. */
  readonly resourceVersion?: string | undefined;
}

/** An object as a storage gives it: the server says what kind it is of, and takes it with as much metadata as it has. */
export type StorageObject<T extends KubeObject = KubeObject> = Omit<T, "apiVersion" | "kind" | "metadata"> & {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: Partial<ObjectMeta>;
};

export interface StorageList<T extends KubeObject = KubeObject> {
  readonly metadata?: ListMeta;
  readonly items: readonly StorageObject<T>[];
}

export interface StorageEvent<T extends KubeObject = KubeObject> {
  readonly type: WatchEventType;
  readonly object: StorageObject<T>;
}

type Awaitable<T> = T | Promise<T>;

/**
 * Where the objects of one resource are, when it is not the server's store: in memory, in another system, or nowhere, because they are computed
 * when somebody asks. What is absent are verbs that the resource has not; but `get` is made of `list`, deletecollection of `list` and `delete`,
 * and patch and apply of `get` and `update`.
 *
 * The server does the rest: authorization, admission, selectors, defaults, validation, patches, field ownership, names and uids, finalizers,
 * dry runs, tables. Objects that are handed out are shared and must not be changed. A StatusError that is thrown is the answer; anything else
 * is an InternalError. Functions may be called at any time, several at once.
 */
export interface ResourceStorage<T extends KubeObject = KubeObject> {
  /** undefined: there is none (NotFound). */
  readonly get?: (key: StorageKey, request: StorageRequest) => Awaitable<StorageObject<T> | undefined>;
  /** In no particular order. With a resourceVersion where `watch` understands it; without one a watch begins with all there is. */
  readonly list?: (
    scope: StorageScope,
    request: StorageRequest,
  ) => Awaitable<readonly StorageObject<T>[] | StorageList<T>>;
  /**
   * Changes in order, from the call on (which is before what the client is shown of `list`: it may see a change twice, never miss one), until
   * `request.signal` aborts. May throw Expired for a resourceVersion that is too old. Ending it ends the client's watch.
   */
  readonly watch?: (scope: StorageWatch, request: StorageRequest) => AsyncIterable<StorageEvent<T>>;
  /** Keeps a new object, which is whole and valid, and gives it as it is kept. Throws AlreadyExists where there is one of that name. */
  readonly create?: (object: T, request: StorageRequest) => Awaitable<StorageObject<T>>;
  /** Replaces `old`. May throw Conflict when that is no more what is kept: then it is tried again where the client allows it. */
  readonly update?: (object: T, old: T, request: StorageRequest) => Awaitable<StorageObject<T>>;
  /** Removes an object that nothing holds back any more. */
  readonly delete?: (object: T, request: StorageRequest) => Awaitable<void>;
}
