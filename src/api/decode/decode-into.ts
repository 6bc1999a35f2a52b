import { isJsonObject } from "../json-value.js";
import type { Schema } from "../schema.js";
import { statusErrors } from "../status.js";
import { type CheckedFields, checkFields } from "./check-fields.js";
import { type Decoded, DecodeError } from "./decode-error.js";

export type FieldValidation = "Strict" | "Warn" | "Ignore";

export interface DecodeIntoOptions {
  /** The kind that the request is for. */
  readonly kind: string;
  /** The version that the request is for, without group: what messages show when the object has none. */
  readonly version: string;
  /** Absent: Warn. */
  readonly fieldValidation?: FieldValidation | undefined;
  /** Receives what is wrong, one by one, with Warn. */
  readonly warn?: ((text: string) => void) | undefined;
  /** How unknown fields are found; absent: `checkFields`. Custom resources give `pruneFields`. */
  readonly check?: (schema: Schema, object: { readonly [key: string]: unknown }) => CheckedFields;
}

/**
 * From a decoded body to an object of the kind, as fieldValidation says. Throws StatusError 400 in upstream's words: for a wrong
 * type always, for unknown and duplicate fields with Strict. The object is the decoded one when nothing was to change.
 */
export function decodeInto(
  schema: Schema,
  decoded: Decoded,
  options: DecodeIntoOptions,
): { readonly [key: string]: unknown } {
  const { value } = decoded;
  if (!isJsonObject(value)) {
    throw statusErrors.badRequest(
      `the object provided is unrecognized (must be of type ${options.kind}): couldn't get version/kind; json parse error: json: cannot unmarshal ${Array.isArray(value) ? "array" : typeof value} into Go value of type struct`,
    );
  }
  const refuse = (message: string, cause?: unknown): never => {
    const kind = typeof value.kind === "string" && value.kind !== "" ? value.kind : options.kind;
    const apiVersion = typeof value.apiVersion === "string" ? value.apiVersion : "";
    const version = apiVersion === "" ? options.version : apiVersion.slice(apiVersion.indexOf("/") + 1);
    throw statusErrors.badRequest(
      `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${options.kind}: ${message}`,
      { cause },
    );
  };
  const checked = check(schema, value, options, refuse);
  if (options.fieldValidation === "Ignore") return checked.object;
  // Upstream decodes custom resources first, and only then looks at their schema.
  const complaints =
    options.check === undefined
      ? complaintsOf(decoded, checked.unknown)
      : [...complaintsOf(decoded, []), ...complaintsOf({ duplicates: [] }, checked.unknown)];
  if (complaints.length === 0) return checked.object;
  if (options.fieldValidation === "Strict") refuse(`strict decoding error: ${complaints.join(", ")}`);
  warnOf(complaints, options.warn);
  return checked.object;
}

const yamlHead = /^(?:error converting YAML to JSON: )?yaml: unmarshal errors:\n/;

/** What strict decoders of YAML find comes as one text, and each line of it is a warning. */
export function warnOf(complaints: readonly string[], warn: ((text: string) => void) | undefined): void {
  for (const complaint of complaints) {
    const lines = complaint.replace(yamlHead, "").split("\n");
    for (const line of lines) warn?.(line.trim());
  }
}

function check(
  schema: Schema,
  value: { readonly [key: string]: unknown },
  options: DecodeIntoOptions,
  refuse: (message: string, cause?: unknown) => never,
): CheckedFields {
  try {
    return (options.check ?? checkFields)(schema, value);
  } catch (error) {
    if (error instanceof DecodeError) return refuse(error.message, error);
    throw error;
  }
}

/** In the order of the text. A field that is unknown is not also a duplicate. */
export function complaintsOf(
  decoded: Pick<Decoded, "duplicates" | "order">,
  unknownPaths: readonly string[],
): readonly string[] {
  const unknown = unknownPaths.map((path) => ({ path, text: `unknown field ${JSON.stringify(path)}` }));
  if (decoded.duplicates.length === 0) return unknown.map(({ text }) => text);
  const isUnknown = (path: string): boolean =>
    unknownPaths.some((known) => path === known || path.startsWith(`${known}.`) || path.startsWith(`${known}[`));
  const duplicates = decoded.duplicates
    .map((text) => ({ path: duplicatePath(text), text }))
    .filter(({ path }) => !isUnknown(path));
  const { order } = decoded;
  const position = ({ path }: { readonly path: string }): number => order?.get(path) ?? 0;
  return [...duplicates, ...unknown]
    .sort((a, b) => position(a) - position(b))
    .slice(0, 100)
    .map(({ text }) => text);
}

function duplicatePath(complaint: string): string {
  const prefix = "duplicate field ";
  return complaint.startsWith(prefix) ? (JSON.parse(complaint.slice(prefix.length)) as string) : "";
}
