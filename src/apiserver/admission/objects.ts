import {
  type JsonObject,
  type ObjectMeta,
  type Pod,
  type StatusCause,
  type StatusError,
  statusErrors,
} from "../../api/index.js";
import type { AdmissionRequest } from "./admission.js";

/** What plugins read: they run behind decoding and before or after validation, on objects of a known kind. */
export function metadataOf(object: JsonObject | undefined): Partial<ObjectMeta> {
  const metadata = object?.["metadata"];
  return typeof metadata === "object" && metadata !== null ? metadata : {};
}

export function specOf<T extends { readonly spec?: unknown }>(
  object: JsonObject | undefined,
): Partial<NonNullable<T["spec"]>> {
  const spec = object?.["spec"];
  return typeof spec === "object" && spec !== null ? spec : {};
}

export type PodSpecLike = Partial<NonNullable<Pod["spec"]>>;

export function podSpecOf(object: JsonObject | undefined): PodSpecLike {
  return specOf<Pod>(object);
}

/** The same object with fields of its spec set. */
export function withSpec(object: JsonObject, fields: object): JsonObject {
  const spec = object["spec"];
  return { ...object, spec: { ...(typeof spec === "object" ? spec : {}), ...fields } };
}

export function withMetadata(object: JsonObject, fields: object): JsonObject {
  return { ...object, metadata: { ...metadataOf(object), ...fields } };
}

export function sameJson(left: unknown, right: unknown): boolean {
  return JSON.stringify(left ?? null) === JSON.stringify(right ?? null);
}

export const mirrorAnnotation = "kubernetes.io/config.mirror";

export function isMirrorPod(object: JsonObject | undefined): boolean {
  return Object.hasOwn(metadataOf(object).annotations ?? {}, mirrorAnnotation);
}

/** A 403 in the name of the object that is written. */
export function refuse(request: AdmissionRequest, why: string, causes?: readonly StatusCause[]): StatusError {
  const name = request.name || metadataOf(request.object).generateName || "Unknown";
  return statusErrors.forbidden(request, name, why, causes);
}

/** Whether a request is about pods themselves. */
export function onPods(operations: readonly AdmissionRequest["operation"][]): (request: AdmissionRequest) => boolean {
  return (request) =>
    request.resource === "pods" &&
    request.group === "" &&
    request.subresource === "" &&
    operations.includes(request.operation);
}
