import type { FeatureGate } from "./feature-gates.js";
import type { FieldError } from "./field-error.js";
import type { JsonObject } from "./object.js";
import type { ResourceType } from "./resource-type.js";
import type { Schema } from "./schema.js";
import type { UserInfo, Verb } from "./transport.js";

/**
 * Everything that varies by kind, in one place. All generic code reads descriptions and none asks for a kind by name.
 * Built-in kinds have theirs in `kinds/`; a CustomResourceDefinition makes one at run time.
 */
export interface ResourceDescription extends ResourceType {
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly Verb[];
  readonly schema: Schema;
  readonly subresources: ReadonlyMap<string, SubresourceDescription>;
  readonly storage: StorageDescription;
  readonly columns: readonly PrinterColumn[];
  /** What a table says of an object beside its cells: that it is done with. Absent: nothing. */
  readonly rowConditions?: (object: JsonObject) => readonly RowCondition[];
  /** Field selectors beyond metadata.name and metadata.namespace: path to its value as text (`""` when unset) in the object as it is stored. */
  readonly selectableFields: ReadonlyMap<string, (object: JsonObject) => string>;
  /** What a client is told that selects by another field than these. */
  readonly unselectable?: (path: string) => string;
  /** Selectable fields by whose value servers keep an index, because many clients select by them (pods: spec.nodeName). */
  readonly indexedFields?: readonly string[];
  readonly strategy: ResourceStrategy;
  /**
   * Made by a CustomResourceDefinition: what is not in the schema is pruned and not refused, strategic merge patches are unknown, and a
   * write to status leaves metadata as it is.
   */
  readonly custom?: boolean;
  /** Its definition is being deleted: what is there can be read and changed until it is gone, and nothing can be created. */
  readonly terminating?: boolean;
  /** What clients of a deprecated version are warned of with every answer. */
  readonly deprecation?: string;
}

export interface SubresourceDescription {
  readonly name: string;
  /** The kind that it takes or gives, when not the resource's own: Scale, Eviction, Binding, TokenRequest. */
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly verbs: readonly (Verb | "connect")[];
}

/** Where the objects are in the store. Versions of one resource share it. */
export interface StorageDescription {
  /** Below the root, without slashes at the ends: `pods`, `services/specs`, `minions`. */
  readonly path: string;
  /** The version that is stored, with its kind. */
  readonly version: string;
  readonly group: string;
  /** Absent: the object is the same at this version but for apiVersion. */
  readonly convert?: {
    readonly toStorage: (object: JsonObject) => JsonObject;
    readonly fromStorage: (object: JsonObject) => JsonObject;
  };
  /** For objects that may be stored at other versions than the one that is stored now: those of custom resources. */
  readonly versions?: VersionedStorage;
}

export interface VersionedStorage {
  /** Sets what objects at this version may lack since they were written; absent: nothing. Gives the object itself where it lacks nothing. */
  readonly complete?: (object: JsonObject) => JsonObject;
  /**
   * Converts objects, in order, to an API version of the same resource. Absent: only apiVersion is rewritten. Rejects with a StatusError
   * when it cannot.
   */
  readonly convert?: (
    objects: readonly JsonObject[],
    apiVersion: string,
    signal: AbortSignal | undefined,
  ) => Promise<readonly JsonObject[]>;
}

export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  readonly format?: string;
  readonly description: string;
  /** 0 is always shown, 1 with -o wide. */
  readonly priority: number;
  /** The cell as `kubectl get` prints it. `nowMs` is the time to count ages from. Dates of custom columns are printed as ages. */
  readonly cell: (object: JsonObject, nowMs: number) => string | number | boolean | null;
}

/** A condition of a row of a table, as meta.k8s.io has it. */
export interface RowCondition {
  readonly type: "Completed";
  readonly status: "True";
  readonly reason: string;
  readonly message: string;
}

export interface StrategyContext {
  /** RFC 3339, seconds. */
  readonly now: string;
  readonly nowMs: number;
  readonly subresource?: string;
  /** Who writes: certificate signing requests carry it. */
  readonly user?: UserInfo;
  /** Tells the client of something that only shows while the object is prepared. */
  readonly warn?: (text: string) => void;
}

/** Fields that belong to one feature. A path is its steps from the object on; `[]` is every item of a list or of a map. */
export interface GatedFields {
  readonly gate: FeatureGate;
  readonly paths: readonly (readonly string[])[];
  /** What is dropped where a path is there. Absent: what the path leads to. */
  readonly drops?: readonly string[];
  /** The old object uses the feature when this is there. Absent: when any of the paths is. */
  readonly keptWith?: readonly string[];
  /** The field above goes as well when nothing is left in it. */
  readonly emptied?: boolean;
}

/**
 * What is particular to writing a kind. All functions are pure and give back a new object or the one they were given;
 * they never change it. What the pipeline does for every kind (names, uid, generation, resourceVersion, deletion, status kept apart
 * from spec where a status subresource exists, unknown fields) needs nothing here.
 */
export interface ResourceStrategy {
  /** Server-side defaults. Runs on everything that comes in, and on what is read from the store at another version. */
  readonly defaults?: (object: JsonObject) => JsonObject;
  /** Fields that a feature must be on for: they are dropped from what is written, unless the old object uses the feature. */
  readonly gatedFields?: readonly GatedFields[];
  readonly prepareForCreate?: (object: JsonObject, context: StrategyContext) => JsonObject;
  readonly prepareForUpdate?: (object: JsonObject, old: JsonObject, context: StrategyContext) => JsonObject;
  readonly validate?: (object: JsonObject) => readonly FieldError[];
  /** Beside `validate`: what only a new object may not have. */
  readonly validateCreate?: (object: JsonObject) => readonly FieldError[];
  /** Beside `validate`, which also runs on updates. */
  readonly validateUpdate?: (object: JsonObject, old: JsonObject, context?: StrategyContext) => readonly FieldError[];
  readonly validateStatusUpdate?: (object: JsonObject, old: JsonObject) => readonly FieldError[];
  /**
   * Beside the others, for every write: validation that may take long. It yields whenever others should have their turn; `old` is
   * undefined for a new object.
   */
  readonly validateInSlices?: (
    object: JsonObject,
    old: JsonObject | undefined,
  ) => Generator<undefined, readonly FieldError[]>;
  /** How names are checked; absent: DNS-1123 subdomain. */
  readonly validateName?: (name: string) => readonly string[];
  /** Warnings to send along with a write of anything but status. */
  readonly warnings?: (object: JsonObject, old: JsonObject | undefined) => readonly string[];
  /** Warnings to send along with a write of status. */
  readonly statusWarnings?: (object: JsonObject) => readonly string[];
  /**
   * Seconds between the request and the end of the object, when deletion is graceful; 0 deletes at once. Absent: kinds
   * without grace. `requested` is what the client asked for.
   */
  readonly gracePeriodSeconds?: (object: JsonObject, requested: number | undefined) => number;
  /** What becomes of dependents when a delete does not say; Unsupported: there can be none, whatever it says. Absent: Background. */
  readonly defaultPropagation?: "Orphan" | "Background" | "Unsupported";
  /** Whether create keeps the status that the client sent (nodes). Absent: it is dropped where a status subresource exists. */
  readonly keepsStatusOnCreate?: boolean;
  /** Whether delete answers with the object that was deleted instead of a Status (pods, services ...). */
  readonly returnsDeleted?: boolean;
  /** What the first request to delete changes in an object that goes on to exist for a while (namespace: phase Terminating). */
  readonly prepareForDelete?: (object: JsonObject, context: StrategyContext) => JsonObject;
  /** Whether something beside metadata.finalizers still holds back the deletion (namespace: spec.finalizers). */
  readonly holdsDeletion?: (object: JsonObject) => boolean;
  /** Whether a PUT to a name that does not exist creates it. */
  readonly createOnUpdate?: boolean;
  /** Whether an update without resourceVersion is taken; upstream's AllowUnconditionalUpdate. Absent: yes. */
  readonly unconditionalUpdate?: boolean;
  /** Whether metadata.generation counts changes outside metadata and status. Absent: yes when there is a spec. */
  readonly generation?: boolean;
  /** Whether finalizers without a domain's slash are taken, which upstream refuses for its older kinds only. Absent: no. */
  readonly anyFinalizer?: boolean;
  /** The server itself acts by these objects: a write of one is answered when the server's own cache has it. Absent: no. */
  readonly inForceAtOnce?: boolean;
  /** Seconds until an object is removed by itself (events). */
  readonly ttlSeconds?: number;
  /** For autoscaling/v1 Scale: where the numbers are. */
  readonly scale?: ScalePaths;
}

export interface ScalePaths {
  readonly specReplicas: string;
  readonly statusReplicas: string;
  /** A label selector, as text or as a LabelSelector. */
  readonly selector?: string;
}
