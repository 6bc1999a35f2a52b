import type { FieldError } from "./field-error.js";
import { type GroupVersionResource, qualifiedResource } from "./resource-type.js";

/** metav1.StatusReason. */
export type StatusReason =
  | ""
  | "Unauthorized"
  | "Forbidden"
  | "NotFound"
  | "AlreadyExists"
  | "Conflict"
  | "Gone"
  | "Invalid"
  | "ServerTimeout"
  | "StoreReadError"
  | "Timeout"
  | "TooManyRequests"
  | "BadRequest"
  | "MethodNotAllowed"
  | "NotAcceptable"
  | "RequestEntityTooLarge"
  | "UnsupportedMediaType"
  | "InternalError"
  | "Expired"
  | "ServiceUnavailable";

export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** metav1.Status: how the API says yes or no. */
export interface Status {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly status: "Success" | "Failure";
  readonly message?: string;
  readonly reason?: StatusReason;
  readonly details?: StatusDetails;
  /** The HTTP code: every failure has one, the Status of a delete has none. */
  readonly code?: number;
}

/** An error of the API. `status` is what goes over the wire. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly status: Status;

  constructor(status: Status, options?: { readonly cause?: unknown }) {
    super(status.message ?? status.reason ?? `HTTP ${status.code}`, options);
    this.status = status;
  }

  get code(): number {
    return this.status.code ?? 500;
  }

  get reason(): StatusReason {
    return this.status.reason ?? "";
  }
}

/** Whether `error` is a StatusError, with that reason if one is given. */
export function isStatusError(error: unknown, reason?: StatusReason): error is StatusError {
  return error instanceof StatusError && (reason === undefined || error.reason === reason);
}

type Resource = Pick<GroupVersionResource, "group" | "resource">;

function failure(
  code: number,
  reason: StatusReason,
  message: string,
  details?: StatusDetails,
  options?: { readonly cause?: unknown },
): StatusError {
  const status: Status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    ...(details === undefined ? {} : { details }),
    code,
  };
  return new StatusError(status, options);
}

function detailsOf(resource: Resource, name: string, more: StatusDetails = {}): StatusDetails {
  return {
    ...(name === "" ? {} : { name }),
    ...(resource.group === "" ? {} : { group: resource.group }),
    ...(resource.resource === "" ? {} : { kind: resource.resource }),
    ...more,
  };
}

// The messages follow k8s.io/apimachinery/pkg/api/errors, because clients print them and some match on them.
export const statusErrors = {
  /** The same error with list metadata, as an expired continue token needs it. */
  withMetadata: (error: StatusError, metadata: Status["metadata"]): StatusError =>
    new StatusError({ ...error.status, metadata }, { cause: error.cause }),

  notFound: (resource: Resource, name: string): StatusError =>
    failure(404, "NotFound", `${qualifiedResource(resource)} "${name}" not found`, detailsOf(resource, name)),

  /** No such path, group, version or resource. */
  pathNotFound: (): StatusError => failure(404, "NotFound", "the server could not find the requested resource", {}),

  alreadyExists: (resource: Resource, name: string): StatusError =>
    failure(409, "AlreadyExists", `${qualifiedResource(resource)} "${name}" already exists`, detailsOf(resource, name)),

  /** A name that the server made up is taken: the client may try again. */
  generateNameConflict: (resource: Resource, name: string): StatusError =>
    failure(
      409,
      "AlreadyExists",
      `${qualifiedResource(resource)} "${name}" already exists, the server was not able to generate a unique name for the object`,
      detailsOf(resource, name, { retryAfterSeconds: 1 }),
    ),

  conflict: (resource: Resource, name: string, why: string, causes?: readonly StatusCause[]): StatusError =>
    failure(
      409,
      "Conflict",
      `Operation cannot be fulfilled on ${qualifiedResource(resource)} "${name}": ${why}`,
      detailsOf(resource, name, causes === undefined ? {} : { causes }),
    ),

  /** A server-side apply that meets fields of other managers. */
  applyConflict: (message: string, causes: readonly StatusCause[]): StatusError =>
    failure(409, "Conflict", message, { causes }),

  invalid: (group: string, kind: string, name: string, errors: readonly FieldError[]): StatusError => {
    const lines = [...new Set(errors.map((error) => `${error.path}: ${error.message}`))];
    const what = lines.length === 1 ? lines[0] : `[${lines.join(", ")}]`;
    return failure(422, "Invalid", `${qualifiedResource({ group, resource: kind })} "${name}" is invalid: ${what}`, {
      ...(name === "" ? {} : { name }),
      ...(group === "" ? {} : { group }),
      ...(kind === "" ? {} : { kind }),
      causes: errors.map((error) => ({ reason: error.reason, message: error.message, field: error.path })),
    });
  },

  /** A patch that makes sense but does not fit the object. Upstream does not say why. */
  unprocessable: (options?: { readonly cause?: unknown }): StatusError =>
    failure(422, "Invalid", "the server rejected our request due to an error in our request", {}, options),

  /** What upstream has no code and no reason for. */
  unclassified: (message: string, options?: { readonly cause?: unknown }): StatusError =>
    new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, code: 500 }, options),

  forbidden: (resource: Resource, name: string, why: string, causes?: readonly StatusCause[]): StatusError => {
    const what = qualifiedResource(resource);
    const subject = what === "" ? "forbidden" : name === "" ? `${what} is forbidden` : `${what} "${name}" is forbidden`;
    return failure(
      403,
      "Forbidden",
      `${subject}: ${why}`,
      detailsOf(resource, name, causes === undefined ? {} : { causes }),
    );
  },

  unauthorized: (): StatusError => failure(401, "Unauthorized", "Unauthorized"),
  badRequest: (message: string, options?: { readonly cause?: unknown }): StatusError =>
    failure(400, "BadRequest", message, undefined, options),
  methodNotAllowed: (resource: Resource, verb: string, message?: string): StatusError =>
    failure(
      405,
      "MethodNotAllowed",
      message ?? `${verb} is not supported on resources of kind "${qualifiedResource(resource)}"`,
      detailsOf(resource, ""),
    ),
  notAcceptable: (accepted: readonly string[]): StatusError =>
    failure(406, "NotAcceptable", `only the following media types are accepted: ${accepted.join(", ")}`),
  /** The object cannot have the shape that the client asked for. */
  wrongShape: (message: string): StatusError => failure(406, "NotAcceptable", message),
  unsupportedMediaType: (accepted: readonly string[]): StatusError =>
    failure(
      415,
      "UnsupportedMediaType",
      `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
    ),
  requestEntityTooLarge: (message: string): StatusError => failure(413, "RequestEntityTooLarge", message),
  /** History is gone: list again. */
  expired: (message: string): StatusError => failure(410, "Expired", message),
  gone: (message: string): StatusError => failure(410, "Gone", message),
  tooManyRequests: (message: string, retryAfterSeconds: number, causes?: readonly StatusCause[]): StatusError =>
    failure(429, "TooManyRequests", message, {
      ...(causes === undefined ? {} : { causes }),
      ...(retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),
    }),
  timeout: (message: string, retryAfterSeconds = 1): StatusError =>
    failure(504, "Timeout", `Timeout: ${message}`, { retryAfterSeconds }),
  serverTimeout: (
    resource: Resource,
    verb: string,
    retryAfterSeconds: number,
    options?: { readonly cause?: unknown },
  ): StatusError =>
    failure(
      500,
      "ServerTimeout",
      `The ${verb} operation against ${qualifiedResource(resource)} could not be completed at this time, please try again.`,
      detailsOf(resource, "", { retryAfterSeconds }),
      options,
    ),
  /** The asked resourceVersion has not happened here yet. */
  tooLargeResourceVersion: (asked: number, current: number): StatusError =>
    failure(504, "Timeout", `Timeout: Too large resource version: ${asked}, current: ${current}`, {
      causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
      retryAfterSeconds: 1,
    }),
  serviceUnavailable: (message: string, options?: { readonly cause?: unknown }): StatusError =>
    failure(503, "ServiceUnavailable", message, undefined, options),
  internal: (message: string, options?: { readonly cause?: unknown }): StatusError =>
    failure(500, "InternalError", `Internal error occurred: ${message}`, { causes: [{ message }] }, options),
};

/** The Status of a success without an object of its own, as after a delete. */
export function success(resource: GroupVersionResource, name: string, uid: string): Status {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name, ...(resource.group === "" ? {} : { group: resource.group }), kind: resource.resource, uid },
  };
}
