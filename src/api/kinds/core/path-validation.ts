import { invalid } from "../../field-error.js";
import type { Errors } from "../checks.js";

export function checkNoBacksteps(errors: Errors, path: string, value: string): void {
  if (value.split("/").includes("..")) errors.push(invalid(path, value, "must not contain '..'"));
}

/** A path below the volume. */
export function checkDescendingPath(errors: Errors, path: string, value: string): void {
  if (value.startsWith("/")) errors.push(invalid(path, value, "must be a relative path"));
  checkNoBacksteps(errors, path, value);
}

/** As checkDescendingPath, and not a name that the volume's own machinery uses. */
export function checkLocalFile(errors: Errors, path: string, value: string): void {
  checkDescendingPath(errors, path, value);
  if (value.startsWith("..") && !value.startsWith("../")) errors.push(invalid(path, value, "must not start with '..'"));
}
