import { dryRunErrors } from "../api/dry-run.js";
import { forbidden, invalid, notSupported, required, tooLong } from "../api/field-error.js";
import { type ApiRequest, type FieldError, statusErrors } from "../api/index.js";

const kinds: ReadonlyMap<string, string> = new Map([
  ["create", "CreateOptions"],
  ["update", "UpdateOptions"],
  ["patch", "PatchOptions"],
]);

/** Throws 422 for the options of a create, update or patch that make no sense, in the name of their kind. */
export function checkWriteOptions({
  verb,
  options = {},
  patchType,
}: Pick<ApiRequest, "verb" | "options" | "patchType">): void {
  const kind = kinds.get(verb);
  if (kind === undefined) return;
  const errors: FieldError[] = [];
  const manager = options.fieldManager ?? "";
  if (kind === "PatchOptions") {
    if (patchType === "apply" && manager === "") {
      errors.push(required("fieldManager", "is required for apply patch"));
    }
    if (patchType !== "apply" && options.force !== undefined) {
      errors.push(forbidden("force", "may not be specified for non-apply patch"));
    }
  }
  errors.push(...managerErrors(manager), ...dryRunErrors(options.dryRun ?? []));
  const validation = options.fieldValidation ?? "";
  if (validation !== "" && !["Ignore", "Warn", "Strict"].includes(validation)) {
    errors.push(notSupported("fieldValidation", validation, ["", "Ignore", "Strict", "Warn"]));
  }
  if (errors.length > 0) throw statusErrors.invalid("meta.k8s.io", kind, "", errors);
}

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

function managerErrors(manager: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (Buffer.byteLength(manager) > 128) errors.push(tooLong("fieldManager", 128));
  let position = 0;
  for (const character of manager) {
    if (!printable.test(character) && errors.length < 100) {
      const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
      errors.push(invalid("fieldManager", manager, `invalid character U+${code} (at position ${position})`));
    }
    position += Buffer.byteLength(character);
  }
  return errors;
}
