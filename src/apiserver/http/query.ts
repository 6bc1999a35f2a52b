import { type RequestOptions, statusErrors } from "../../api/index.js";

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
