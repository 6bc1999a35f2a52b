import { type FieldError, notSupported } from "./field-error.js";

/** What is wrong with a dryRun parameter: there is no other value than `All`. */
export function dryRunErrors(dryRun: readonly unknown[]): readonly FieldError[] {
  return dryRun.every((value) => value === "All") ? [] : [notSupported("dryRun", dryRun, ["All"])];
}
