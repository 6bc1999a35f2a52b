/**
 * The structure of a value: what generic code (validation of unknown fields, patches, apply, OpenAPI, pruning) reads
 * instead of knowing kinds. Built-in kinds get theirs from generated tables, custom resources from their CRD.
 *
 * Named definitions (`name`) are shared, may be recursive, and become OpenAPI definitions. `properties` is a Map
 * because field names come from users: a plain object would answer for `constructor`.
 */
export interface Schema {
  readonly type: SchemaType;
  /** The name of a shared definition: `io.k8s.api.core.v1.PodSpec`. */
  readonly name?: string;
  /** OpenAPI's: int32, int64, double, byte, date-time, quantity. */
  readonly format?: string;
  /** type object: its fields. An object with neither properties nor additional takes any field when preserveUnknown is set, else none. */
  readonly properties?: ReadonlyMap<string, Schema>;
  readonly required?: readonly string[];
  /** type object: the values of a map with free keys. */
  readonly additional?: Schema;
  /** type array. */
  readonly items?: Schema;
  readonly listType?: "atomic" | "set" | "map";
  /** listType map: the fields that identify an item. */
  readonly listMapKeys?: readonly string[];
  /** type object. Absent: granular. */
  readonly mapType?: "granular" | "atomic";
  /** Strategic merge patch; absent: replace for lists, merge for objects. */
  readonly patchStrategy?: readonly ("merge" | "replace" | "retainKeys")[];
  readonly patchMergeKey?: string;
  /** x-kubernetes-preserve-unknown-fields. */
  readonly preserveUnknown?: boolean;
  /** x-kubernetes-embedded-resource: has apiVersion, kind and metadata of its own. */
  readonly embedded?: boolean;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  /** Further JSON schema constraints of custom resources (pattern, minimum, x-kubernetes-validations ...), as they were given. */
  readonly constraints?: { readonly [keyword: string]: unknown };
  readonly description?: string;
}

/** `intOrString` and `quantity` take both a number and a string; `any` takes everything. */
export type SchemaType =
  | "object"
  | "array"
  | "string"
  | "integer"
  | "number"
  | "boolean"
  | "intOrString"
  | "quantity"
  | "any";
