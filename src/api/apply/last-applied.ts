import { isJsonObject } from "../json-value.js";
import type { JsonObject } from "../object.js";
import type { Schema } from "../schema.js";
import { compareObjects } from "./compare.js";
import { extractSet } from "./extract.js";
import { differenceFields, memberPaths, unionFields } from "./fields-v1.js";

/** Where client-side apply keeps what it applied. */
export const lastAppliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration";

const maxAnnotationBytes = 256 * 1024;

function lastAppliedText(object: JsonObject): string | undefined {
  const metadata = isJsonObject(object.metadata) ? object.metadata : {};
  const annotations = isJsonObject(metadata.annotations) ? metadata.annotations : {};
  const text = Object.hasOwn(annotations, lastAppliedAnnotation) ? annotations[lastAppliedAnnotation] : undefined;
  return typeof text === "string" && text !== "" ? text : undefined;
}

/** Paths, joined by line feeds, that client-side apply set and that still are as it set them. */
export function lastAppliedFields(schema: Schema, live: JsonObject): ReadonlySet<string> {
  const applied = parse(lastAppliedText(live));
  if (applied === undefined || applied.apiVersion !== live.apiVersion) return new Set();
  const comparison = compareObjects(schema, live, applied);
  const differing = unionFields(unionFields(comparison.added, comparison.modified), comparison.removed);
  const kept = differenceFields(extractSet(schema, applied), differing);
  return new Set([...memberPaths(kept)].map((path) => path.join("\n")));
}

function parse(text: string | undefined): JsonObject | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps the annotation of an object that has one in step with what was applied, so that client-side apply can go on. */
export function setLastApplied(live: JsonObject, object: JsonObject, applied: JsonObject): JsonObject {
  const old = lastAppliedText(live);
  if (old === undefined) return object;
  const metadata = isJsonObject(object.metadata) ? object.metadata : {};
  const annotations = isJsonObject(metadata.annotations) ? metadata.annotations : {};
  const text = `${JSON.stringify(withoutAnnotation(applied))}\n`;
  const { [lastAppliedAnnotation]: _, ...others } = annotations;
  const size = Object.entries(others).reduce(
    (sum, [key, value]) => sum + key.length + String(value).length,
    text.length,
  );
  // Too large to be kept: the annotation would make the object invalid.
  const next = size > maxAnnotationBytes ? others : { ...annotations, [lastAppliedAnnotation]: text };
  if (old === text && annotations[lastAppliedAnnotation] === text) return object;
  return { ...object, metadata: { ...metadata, annotations: next } };
}

function withoutAnnotation(applied: JsonObject): JsonObject {
  const metadata = isJsonObject(applied.metadata) ? applied.metadata : undefined;
  const annotations = isJsonObject(metadata?.annotations) ? metadata.annotations : undefined;
  if (annotations === undefined || !Object.hasOwn(annotations, lastAppliedAnnotation)) return applied;
  const { [lastAppliedAnnotation]: _, ...kept } = annotations;
  return { ...applied, metadata: { ...metadata, annotations: kept } };
}
