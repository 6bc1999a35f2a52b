/** A fragment of an OpenAPI document. */
export type Fragment = { readonly [key: string]: unknown };

/** OpenAPI 3.0 (`/openapi/v3`) and Swagger 2.0 (`/openapi/v2`) say the same in different words. */
export type Dialect = "v2" | "v3";

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Documentation by definition id (`core.v1.Pod`): its own under the empty key, then by field. */
export type Docs = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface Parameter {
  readonly name: string;
  readonly in: "query" | "path";
  readonly type: "string" | "integer" | "boolean";
  readonly description: string;
}

/** One method of one path, before it is words of a dialect. */
export interface Operation {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  readonly operationId: string;
  readonly tag: string;
  readonly description: string;
  /** x-kubernetes-action. */
  readonly action: string;
  readonly kind: GroupVersionKind;
  readonly parameters: readonly Parameter[];
  /** The definition that goes in. */
  readonly body?: string;
  readonly bodyRequired?: boolean;
  /** The definition that comes back; absent: text. */
  readonly response?: string;
  readonly codes: readonly (200 | 201 | 202)[];
  /** Comes as events when `watch` is set. */
  readonly watchable?: boolean;
  /** Any method; the body is of no kind. */
  readonly connect?: boolean;
}

export interface PathItem {
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly operations: readonly Operation[];
}
