import type { JsonObject, ResourceDescription } from "../../api/index.js";
import { semanticallyEqual } from "../../api/kinds/equality.js";
import { type Random, randomSuffix } from "../../internal/random.js";
import { uuid } from "../../internal/uuid.js";
import type { ServerRequest } from "../request.js";
import { without } from "./subtree.js";

/** metadata.generateName is cut so that name and suffix stay within 63 characters. */
const maxGeneratedBase = 58;

export function metadataOf(object: JsonObject): JsonObject {
  const metadata = object["metadata"];
  return typeof metadata === "object" && metadata !== null && !Array.isArray(metadata) ? (metadata as JsonObject) : {};
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** `object` with `metadata` in place of its own. */
export function withMetadata(object: JsonObject, metadata: JsonObject): JsonObject {
  return { ...object, metadata };
}

/** A new object without the metadata that only the server gives, before anybody could come to own it. */
export function withoutSystemFields(object: JsonObject): JsonObject {
  const metadata = without(metadataOf(object), ...systemFields);
  return metadata === object["metadata"] ? object : withMetadata(object, metadata);
}

const systemFields = [
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "selfLink",
] as const;

/** metadata.resourceVersion as a number, 0 when there is none; undefined for what upstream could not parse. */
export function parseVersion(version: string): number | undefined {
  if (version === "") return 0;
  return /^[0-9]+$/.test(version) && BigInt(version) < 2n ** 64n ? Number(version) : undefined;
}

/** What the server fills in on create; whatever the client put there is not its to say. */
export function metadataForCreate(
  description: ResourceDescription,
  object: JsonObject,
  request: Pick<ServerRequest, "namespace" | "name">,
  context: { readonly random: Random; readonly now: string },
): JsonObject {
  const {
    deletionTimestamp: _dt,
    deletionGracePeriodSeconds: _dg,
    selfLink: _sl,
    resourceVersion: _rv,
    namespace: _ns,
    ...given
  } = metadataOf(object);
  const name = text(given["name"]) || generateName(text(given["generateName"]), context.random);
  return withMetadata(object, {
    ...given,
    name,
    ...(description.namespaced ? { namespace: request.namespace ?? "" } : {}),
    uid: uuid(context.random),
    creationTimestamp: context.now,
    ...(countsGenerations(description) ? { generation: 1 } : {}),
  });
}

function generateName(base: string, random: Random): string {
  return base === "" ? "" : base.slice(0, maxGeneratedBase) + randomSuffix(random);
}

/**
 * The object of an update with the metadata that no update changes. An update that asks for another uid or grace period, or for a deletion
 * that nobody requested, keeps that, for validation to refuse.
 */
export function metadataForUpdate(object: JsonObject, old: JsonObject): JsonObject {
  const before = metadataOf(old);
  const { selfLink: _sl, ...given } = metadataOf(object);
  const kept: Record<string, unknown> = { ...given };
  for (const field of serverOwned) {
    if (before[field] === undefined) delete kept[field];
    else kept[field] = before[field];
  }
  if (before["deletionTimestamp"] !== undefined) kept["deletionTimestamp"] = before["deletionTimestamp"];
  for (const field of fallbackFields) {
    const value = kept[field];
    if (before[field] !== undefined && (value === undefined || value === "")) kept[field] = before[field];
  }
  return withMetadata(object, kept);
}

const serverOwned = [
  "name",
  "namespace",
  "creationTimestamp",
  "generation",
  // Kept so that an object that nothing changed in is equal to the stored one.
  "resourceVersion",
] as const;
const fallbackFields = ["uid", "deletionGracePeriodSeconds"] as const;

export function countsGenerations(description: ResourceDescription): boolean {
  return description.strategy.generation ?? description.schema.properties?.has("spec") === true;
}

/** metadata.generation grows when anything but metadata and status changed. */
export function withGeneration(description: ResourceDescription, object: JsonObject, old: JsonObject): JsonObject {
  if (!countsGenerations(description)) return object;
  const unchanged = desiredFields(description, object, old).every((field) =>
    semanticallyEqual(object[field], old[field]),
  );
  if (unchanged) return object;
  const before = metadataOf(old)["generation"];
  return withMetadata(object, { ...metadataOf(object), generation: (typeof before === "number" ? before : 0) + 1 });
}

const notDesired: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata", "status"]);

/** Custom resources without a status of their own may call any field `status`. */
function desiredFields(description: ResourceDescription, object: JsonObject, old: JsonObject): readonly string[] {
  const plainStatus = description.custom === true && !description.subresources.has("status");
  return [...new Set([...Object.keys(object), ...Object.keys(old)])].filter(
    (field) => !notDesired.has(field) || (plainStatus && field === "status"),
  );
}
