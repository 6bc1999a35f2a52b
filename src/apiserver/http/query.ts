import { forbidden, invalid, notSupported, required, tooLong } from "../../api/field-error.js";
import { type FieldError, type RequestOptions, statusErrors } from "../../api/index.js";

const maxInt64 = 2n ** 63n - 1n;

/**
 * The parameters of a query, first value of each (and all of dryRun). Values are converted as upstream does it: any
 * boolean but `0` and `false` is true, numbers must parse. Throws StatusError.
 */
export function parseRequestOptions(query: string): RequestOptions {
  if (query === "") return {};
  const parameters = new URLSearchParams(query);
  const options: { -readonly [K in keyof RequestOptions]: RequestOptions[K] } = {};
  for (const [name, value] of parameters) {
    switch (name) {
      case "labelSelector":
      case "fieldSelector":
      case "continue":
      case "resourceVersion":
      case "resourceVersionMatch":
      case "fieldManager":
      case "fieldValidation":
        options[name] ??= value;
        break;
      case "limit":
      case "timeoutSeconds":
        options[name] ??= parseInteger(value);
        break;
      case "allowWatchBookmarks":
      case "sendInitialEvents":
      case "force":
        options[name] ??= parseBoolean(value);
        break;
      case "dryRun":
        options.dryRun = [...(options.dryRun ?? []), value];
        break;
    }
  }
  return options;
}

/** DeleteOptions may also come as query parameters, as kubectl and curl users send them. */
export function parseDeleteParameters(query: string): Record<string, unknown> | undefined {
  if (query === "") return undefined;
  const parameters = new URLSearchParams(query);
  const options: Record<string, unknown> = {};
  const grace = parameters.get("gracePeriodSeconds");
  if (grace !== null) options["gracePeriodSeconds"] = parseInteger(grace);
  const policy = parameters.get("propagationPolicy");
  if (policy !== null) options["propagationPolicy"] = policy;
  const orphan = parameters.get("orphanDependents");
  if (orphan !== null) options["orphanDependents"] = parseBoolean(orphan);
  const dryRun = parameters.getAll("dryRun");
  if (dryRun.length > 0) options["dryRun"] = dryRun;
  return Object.keys(options).length === 0 ? undefined : options;
}

/** Whether a list is to be a watch. */
export function wantsWatch(query: string): boolean {
  if (!query.includes("watch")) return false;
  const value = new URLSearchParams(query).get("watch");
  return value !== null && parseBoolean(value);
}

/** Throws 422 for write options that make no sense, in the name of `CreateOptions`, `UpdateOptions`, `PatchOptions`. */
export function validateWriteOptions(kind: string, options: RequestOptions, patchType?: string): void {
  const errors: FieldError[] = [];
  for (const value of options.dryRun ?? []) {
    if (value !== "All") errors.push(notSupported("dryRun", value, ["All"]));
  }
  const manager = options.fieldManager ?? "";
  if (Buffer.byteLength(manager) > 128) errors.push(tooLong("fieldManager", 128));
  else if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u.test(manager)) {
    errors.push(invalid("fieldManager", manager, "should only contain printable characters"));
  }
  const validation = options.fieldValidation ?? "";
  if (validation !== "" && !["Ignore", "Warn", "Strict"].includes(validation)) {
    errors.push(notSupported("fieldValidation", validation, ["", "Ignore", "Strict", "Warn"]));
  }
  if (kind === "PatchOptions") {
    if (patchType === "apply" && manager === "") {
      errors.push(required("fieldManager", "is required for apply patch"));
    }
    if (patchType !== "apply" && options.force !== undefined) {
      errors.push(forbidden("force", "may not be specified for non-apply patch"));
    }
  }
  if (errors.length > 0) throw statusErrors.invalid("meta.k8s.io", kind, "", errors);
}

function parseBoolean(value: string): boolean {
  return value !== "0" && value.toLowerCase() !== "false";
}

function parseInteger(text: string): number {
  if (!/^[+-]?[0-9]+$/.test(text)) {
    throw statusErrors.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const value = BigInt(text.replace(/^\+/, ""));
  if (value > maxInt64 || value < -maxInt64 - 1n) {
    throw statusErrors.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`);
  }
  return Number(value);
}
