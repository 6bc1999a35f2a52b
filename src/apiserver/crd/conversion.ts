import type { Definition } from "../../api/custom/describe.js";
import { goTypeOf } from "../../api/decode/go-print.js";
import type { FieldError } from "../../api/field-error.js";
import { type JsonObject, type StatusError, statusErrors, type VersionedStorage } from "../../api/index.js";
import { isJsonObject, jsonEqual, type MutableJsonObject } from "../../api/json-value.js";
import { checkLabels } from "../../api/kinds/checks.js";
import type { Dictionary } from "../../api/kinds/loose.js";
import { checkAnnotations } from "../../api/kinds/object-meta.js";
import type { ConvertFunction } from "./custom-resources.js";

type Webhook = NonNullable<NonNullable<NonNullable<Definition["spec"]>["conversion"]>["webhook"]>;

/** Converts objects through the webhook of a definition. Rejects with an Error that says why it could not. */
export type ConvertObjects = (
  webhook: Webhook,
  objects: readonly JsonObject[],
  apiVersion: string,
  signal: AbortSignal | undefined,
) => Promise<readonly JsonObject[]>;

/** How objects of a definition come from one version to another; undefined where only apiVersion is rewritten. */
export function conversionOf(
  definition: Definition,
  inProcess: ConvertFunction | undefined,
  webhook: ConvertObjects | undefined,
): VersionedStorage["convert"] {
  const { conversion } = definition.spec ?? {};
  if (inProcess !== undefined) {
    return async (objects, apiVersion) =>
      objects.map((object) =>
        object["apiVersion"] === apiVersion ? object : settled(object, inProcess(object, apiVersion), apiVersion),
      );
  }
  if (conversion?.strategy !== "Webhook" || conversion.webhook === undefined) return undefined;
  const config = conversion.webhook;
  return async (objects, apiVersion, signal) => {
    const foreign = objects.filter((object) => object["apiVersion"] !== apiVersion);
    if (foreign.length === 0) return objects;
    const converted = await ask(webhook, { config, objects: foreign, apiVersion, signal });
    const results = new Map(foreign.map((object, index) => [object, settled(object, converted[index], apiVersion)]));
    return objects.map((object) => results.get(object) ?? object);
  };
}

interface Question {
  readonly config: Webhook;
  readonly objects: readonly JsonObject[];
  readonly apiVersion: string;
  readonly signal: AbortSignal | undefined;
}

async function ask(
  webhook: ConvertObjects | undefined,
  { config, objects, apiVersion, signal }: Question,
): Promise<readonly JsonObject[]> {
  const kind = String(objects[0]?.["kind"] ?? "");
  const from = String(objects[0]?.["apiVersion"] ?? "");
  let converted: readonly JsonObject[];
  try {
    if (webhook === undefined) throw new Error("this server calls no conversion webhooks");
    converted = await webhook(config, objects, apiVersion, signal);
  } catch (cause) {
    signal?.throwIfAborted();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw failed(`for ${from}, Kind=${kind} failed: ${why}`, cause);
  }
  if (converted.length === objects.length) return converted;
  throw failed(`for ${from}, Kind=${kind} returned ${converted.length} objects, expected ${objects.length}`);
}

/** A converter may change everything but who the object is: of metadata only labels and annotations. */
function settled(object: JsonObject, converted: unknown, apiVersion: string): JsonObject {
  const from = `for ${String(object["apiVersion"])}, Kind=${String(object["kind"])}`;
  const given = isJsonObject(converted) ? converted : {};
  const wrong = mismatch(object, given, apiVersion);
  if (wrong !== undefined) throw failed(`${from} returned ${wrong}`);
  const metadata: MutableJsonObject = { ...metadataOf(object) };
  for (const field of ["labels", "annotations"] as const) {
    const why = wrongText(field, metadataOf(given)[field], metadata[field]);
    if (why !== undefined) throw failed(`${from} returned invalid metadata: ${why}`);
    const value = metadataOf(given)[field];
    if (isJsonObject(value)) metadata[field] = value;
    else delete metadata[field];
  }
  return { ...given, metadata };
}

function metadataOf(object: JsonObject): JsonObject {
  return isJsonObject(object["metadata"]) ? object["metadata"] : {};
}

/** In what a converted object is another one than that it was made of; undefined when it is the same. */
function mismatch(object: JsonObject, converted: JsonObject, apiVersion: string): string | undefined {
  const invalid = "invalid object at index 0:";
  const { apiVersion: version = "", kind = "" } = converted;
  if (version !== apiVersion) return `${invalid} invalid groupVersion (expected ${apiVersion}, received ${version})`;
  if (kind !== object["kind"]) return `${invalid} invalid kind (expected ${object["kind"]}, received ${kind})`;
  for (const [field, name] of [
    ["name", "name"],
    ["namespace", "namespace"],
    ["uid", "UID"],
  ] as const) {
    const [before = "", after = ""] = [metadataOf(object)[field], metadataOf(converted)[field]];
    if (before !== after) return `invalid object: must have the same ${name}: ${before} != ${after}`;
  }
  const { metadata } = converted;
  if (metadata === undefined) return "invalid metadata: missing metadata in converted object";
  if (isJsonObject(metadata)) return undefined;
  return `invalid metadata: invalid metadata of type ${goTypeOf(metadata)} in converted object`;
}

function wrongText(field: "labels" | "annotations", value: unknown, before: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isJsonObject(value)) return `invalid metadata.${field} of type ${goTypeOf(value)} in converted object`;
  for (const [key, each] of Object.entries(value)) {
    if (typeof each === "string") continue;
    return `metadata.${field}[${key}] must be a string, but is ${goTypeOf(each)} in converted object`;
  }
  if (jsonEqual(value, before)) return undefined;
  const errors: FieldError[] = [];
  const texts = value as Dictionary;
  if (field === "labels") checkLabels(errors, "metadata.labels", texts);
  else checkAnnotations(errors, "metadata.annotation", texts);
  const lines = [...new Set(errors.map(({ path, message }) => `${path}: ${message}`))];
  if (lines.length < 2) return lines[0];
  return `[${lines.join(", ")}]`;
}

/** Upstream has neither a reason nor a code for it. */
function failed(why: string, cause?: unknown): StatusError {
  return statusErrors.unclassified(`conversion webhook ${why}`, { cause });
}
