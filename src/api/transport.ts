import type { KubeList, KubeObject, WatchEvent } from "./object.js";
import type { GroupVersionResource, ResourceType } from "./resource-type.js";
import type { Status } from "./status.js";

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

export type PatchType = "json" | "merge" | "strategic" | "apply";

/** The content type of each kind of patch. */
export const patchContentTypes: Readonly<Record<PatchType, string>> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

export type PropagationPolicy = "Orphan" | "Background" | "Foreground";

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: PropagationPolicy | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
  readonly orphanDependents?: boolean | undefined;
  readonly dryRun?: readonly string[] | undefined;
}

/** Query parameters by their wire names; each verb reads those it knows. */
export interface RequestOptions {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: string | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly allowWatchBookmarks?: boolean | undefined;
  readonly sendInitialEvents?: boolean | undefined;
  /** Only `All`: everything is done but the write. */
  readonly dryRun?: readonly string[] | undefined;
  readonly fieldManager?: string | undefined;
  readonly fieldValidation?: string | undefined;
  /** With an apply patch: take over fields of others. */
  readonly force?: boolean | undefined;
}

export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: { readonly [key: string]: readonly string[] };
}

/** One call of the API, before it is bytes or after it was. */
export interface ApiRequest extends GroupVersionResource {
  readonly verb: Verb;
  readonly subresource?: string | undefined;
  /** Empty or absent: cluster-scoped, or across all namespaces. */
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly options?: RequestOptions | undefined;
  /** create, update: the object; patch: the document; delete, deletecollection: DeleteOptions. */
  readonly body?: unknown;
  readonly patchType?: PatchType | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The way from a client to an API server, in-process or over the wire. A caller cannot tell which, but for speed.
 * Both methods fail with a StatusError whose status is what the server said (or, where none was reached, one with
 * reason ServiceUnavailable and the cause).
 */
export interface Transport {
  /**
   * Every verb but watch. The result is shared: it must not be changed. Aborting rejects with the signal's reason;
   * a write may have happened.
   */
  request(request: ApiRequest): Promise<KubeObject | KubeList | Status>;

  /**
   * verb watch. Events in order of resourceVersion, in batches as they became available. An ERROR event of the server is
   * thrown as its StatusError (410 Expired: list again); the server's own end (timeoutSeconds, shutdown) ends the iteration, and
   * so does aborting.
   */
  watch(request: ApiRequest): AsyncIterable<readonly WatchEvent[]>;

  /**
   * What a group-version has, as its discovery document says: for what is behind APIServices, of which no definition tells. Fails as
   * `request` does. Absent: nobody can be asked.
   */
  discover?(groupVersion: GroupVersion, signal?: AbortSignal): Promise<readonly DiscoveredResource[]>;
}

export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

export interface DiscoveredResource extends ResourceType {
  /** `get`, `list`, `watch` ..., as far as the server has them. */
  readonly verbs: readonly string[];
}
