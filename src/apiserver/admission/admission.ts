import type { GroupVersionResource, JsonObject, KubeObject, ResourceType, UserInfo } from "../../api/index.js";
import type { Reinvocation } from "./reinvocation.js";

/** A write on its way to the store, after defaulting and (for `validate`) validation. */
export interface AdmissionRequest extends GroupVersionResource {
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  readonly kind: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly user: UserInfo;
  /** Absent for DELETE. */
  readonly object: JsonObject | undefined;
  /** Absent for CREATE. */
  readonly oldObject: JsonObject | undefined;
  /** CreateOptions, UpdateOptions, DeleteOptions or the options of the connect. */
  readonly options: JsonObject;
  readonly dryRun: boolean;
  readonly warn: (text: string) => void;
  /** Shared by all mutating plugins of one write. Absent: there is only one run. */
  readonly reinvocation?: Reinvocation | undefined;
  /** Adds an annotation to the audit event of the request, of level `Request` only to those that tell what was sent. Absent: nobody records it. */
  readonly annotate?: ((key: string, value: string, level?: "Metadata" | "Request") => void) | undefined;
}

/** Reads of what this server has seen so far, without a round trip: at most some milliseconds behind. */
export interface CacheReader {
  /** What a server does not serve is not there: it has no objects. */
  get<T extends KubeObject>(resource: ResourceType<T>, key: { namespace?: string; name: string }): T | undefined;
  list<T extends KubeObject>(resource: ResourceType<T>, namespace?: string): readonly T[];
  /** Those whose indexed field has this value: `spec.nodeName` of pods. Absent: the caller looks through the list. */
  listByField?<T extends KubeObject>(resource: ResourceType<T>, field: string, value: string): readonly T[];
  /** Grows whenever any object of the resource changes: what derived tables are kept by. */
  generation(resource: ResourceType): number;
}

/**
 * Admission as plain functions. All `admit` run first, in order, each given what the one before returned, and once more where a webhook or policy
 * changed something; then validation; then all `validate`. Refuse by throwing a StatusError. Functions must not write when `dryRun` is set, and may be called again for
 * the same write when it met a conflict.
 */
export interface AdmissionPlugin {
  readonly name: string;
  /** Whether the plugin wants to see this write; absent: all. */
  readonly handles?: (request: AdmissionRequest) => boolean;
  /** Returns the object to go on with: a new one, or the given one. */
  readonly admit?: (request: AdmissionRequest) => JsonObject | Promise<JsonObject>;
  readonly validate?: (request: AdmissionRequest) => void | Promise<void>;
}
