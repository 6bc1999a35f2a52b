/** The reasons of field errors, as metav1.CauseType and field.ErrorType spell them. */
export type FieldErrorReason =
  | "FieldValueRequired"
  | "FieldValueInvalid"
  | "FieldValueDuplicate"
  | "FieldValueNotFound"
  | "FieldValueNotSupported"
  | "FieldValueForbidden"
  | "FieldValueTooLong"
  | "FieldValueTooMany"
  | "FieldValueTypeInvalid"
  | "InternalError";

/** What is wrong with one field. `message` is whole, without the path: `Required value: must be set`. */
export interface FieldError {
  readonly path: string;
  readonly reason: FieldErrorReason;
  readonly message: string;
}

export function required(path: string, detail?: string): FieldError {
  return { path, reason: "FieldValueRequired", message: withDetail("Required value", detail) };
}

export function invalid(path: string, value: unknown, detail: string): FieldError {
  return { path, reason: "FieldValueInvalid", message: `Invalid value: ${show(value)}${suffix(detail)}` };
}

/** As invalid, of a value that says nothing by itself: the message leaves it out. */
export function invalidBecause(path: string, why: string): FieldError {
  return { path, reason: "FieldValueInvalid", message: `Invalid value: ${why}` };
}

export function duplicate(path: string, value: unknown, detail = ""): FieldError {
  return { path, reason: "FieldValueDuplicate", message: `Duplicate value: ${show(value)}${suffix(detail)}` };
}

export function notFoundValue(path: string, value: unknown, detail = ""): FieldError {
  return { path, reason: "FieldValueNotFound", message: `Not found: ${show(value)}${suffix(detail)}` };
}

/** The choices are shown in the order in which they are given. */
export function notSupported(path: string, value: unknown, supported: readonly string[]): FieldError {
  const choices = supported.map((choice) => JSON.stringify(choice));
  return {
    path,
    reason: "FieldValueNotSupported",
    message: `Unsupported value: ${show(value)}${choices.length > 0 ? `: supported values: ${choices.join(", ")}` : ""}`,
  };
}

export function forbidden(path: string, detail: string): FieldError {
  return { path, reason: "FieldValueForbidden", message: withDetail("Forbidden", detail) };
}

export function internalError(path: string, why: string): FieldError {
  return { path, reason: "InternalError", message: `Internal error: ${why}` };
}

export function tooLong(path: string, maxBytes: number): FieldError {
  return { path, reason: "FieldValueTooLong", message: `Too long: may not be more than ${maxBytes} bytes` };
}

export function tooMany(path: string, count: number, max: number): FieldError {
  return {
    path,
    reason: "FieldValueTooMany",
    message: `Too many: ${count}: must have at most ${max} ${max === 1 ? "item" : "items"}`,
  };
}

export function typeInvalid(path: string, value: unknown, detail: string): FieldError {
  return { path, reason: "FieldValueTypeInvalid", message: `Invalid value: ${show(value)}${suffix(detail)}` };
}

function show(value: unknown): string {
  return value === undefined ? "null" : JSON.stringify(value);
}

function suffix(detail: string): string {
  return detail === "" ? "" : `: ${detail}`;
}

function withDetail(what: string, detail: string | undefined): string {
  return detail === undefined || detail === "" ? what : `${what}: ${detail}`;
}
