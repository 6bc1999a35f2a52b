import { type FieldError, invalid, notSupported, required } from "../field-error.js";
import {
  validateDns1123Label,
  validateDns1123Subdomain,
  validateLabelValue,
  validatePercent,
  validatePortName,
  validatePortNumber,
  validateQualifiedName,
} from "../names.js";
import { semanticallyEqual } from "./equality.js";
import { type Dictionary, entriesOf } from "./loose.js";

/** Checks add what they find to a list that the caller owns, so that a good object costs no allocation. */
export type Errors = FieldError[];

export const immutableMessage = "field is immutable";
export const negativeMessage = "must be greater than or equal to 0";

export function addInvalid(errors: Errors, path: string, value: unknown, messages: readonly string[]): void {
  for (const message of messages) errors.push(invalid(path, value, message));
}

export function checkLabel(errors: Errors, path: string, value: string): void {
  addInvalid(errors, path, value, validateDns1123Label(value));
}

export function checkSubdomain(errors: Errors, path: string, value: string): void {
  addInvalid(errors, path, value, validateDns1123Subdomain(value));
}

export function checkQualifiedName(errors: Errors, path: string, value: string): void {
  addInvalid(errors, path, value, validateQualifiedName(value));
}

/** Adds "Required value" for an absent or empty value, and says whether there is one. */
export function checkRequired<T>(errors: Errors, path: string, value: T | undefined, detail = ""): value is T {
  if (value !== undefined && value !== "") return true;
  errors.push(required(path, detail));
  return false;
}

/** One of a closed set. Absent or "" is "Required value". */
export function checkEnum(errors: Errors, path: string, value: string | undefined, supported: readonly string[]): void {
  if (value === undefined || value === "") errors.push(required(path));
  else if (!supported.includes(value)) errors.push(notSupported(path, value, supported));
}

/** As checkEnum, but absent is fine. */
export function checkOptionalEnum(
  errors: Errors,
  path: string,
  value: string | undefined,
  supported: readonly string[],
): void {
  if (value !== undefined && !supported.includes(value)) errors.push(notSupported(path, value, supported));
}

export function checkNonNegative(errors: Errors, path: string, value: number | undefined): void {
  if (value !== undefined && value < 0) errors.push(invalid(path, value, negativeMessage));
}

export function checkRange(errors: Errors, path: string, value: number | undefined, min: number, max: number): void {
  if (value !== undefined && (value < min || value > max)) {
    errors.push(invalid(path, value, `must be between ${min} and ${max}, inclusive`));
  }
}

export function checkImmutable(errors: Errors, path: string, value: unknown, old: unknown): void {
  if (!semanticallyEqual(value, old)) errors.push(invalid(path, value, immutableMessage));
}

/** A port by number or by IANA service name. */
export function checkPortOrName(errors: Errors, path: string, port: number | string | undefined): void {
  if (typeof port === "string") addInvalid(errors, path, port, validatePortName(port));
  else addInvalid(errors, path, port ?? 0, validatePortNumber(port ?? 0));
}

/** A count, or a percentage of one. */
export function checkNonNegativeIntOrPercent(errors: Errors, path: string, value: number | string | undefined): void {
  if (typeof value === "string") addInvalid(errors, path, value, validatePercent(value));
  else checkNonNegative(errors, path, value);
}

/** The number before `%`, if it is a percentage. */
export function percentOf(value: number | string | undefined): number | undefined {
  return typeof value === "string" && validatePercent(value).length === 0 ? Number.parseInt(value, 10) : undefined;
}

export function checkNotOver100Percent(errors: Errors, path: string, value: number | string | undefined): void {
  const percent = percentOf(value);
  if (percent !== undefined && percent > 100) errors.push(invalid(path, value, "must not be greater than 100%"));
}

export function checkLabels(errors: Errors, path: string, labels: Dictionary | undefined): void {
  for (const [key, value] of entriesOf(labels)) {
    addInvalid(errors, path, key, validateQualifiedName(key));
    addInvalid(errors, path, value, validateLabelValue(value));
  }
}

/** RBAC names and others that only have to fit into a URL's path as one segment. */
export function validatePathSegmentName(name: string): readonly string[] {
  if (name === "." || name === "..") return [`may not be '${name}'`];
  return ["/", "%"].filter((text) => name.includes(text)).map((text) => `may not contain '${text}'`);
}
