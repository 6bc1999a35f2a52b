import { isJsonObject } from "../json-value.js";
import type { Schema } from "../schema.js";

/** What upstream's Go type of a field is called in messages: `[]v1.Container`, `map[string]string`, `int32`. */
export function goType(schema: Schema): string {
  switch (schema.type) {
    case "array":
      return schema.items === undefined ? "[]interface {}" : `[]${goType(schema.items)}`;
    case "object":
      if (schema.name !== undefined) return goStruct(schema, true);
      return schema.additional === undefined ? "map[string]interface {}" : `map[string]${goType(schema.additional)}`;
    case "boolean":
      return "bool";
    case "integer":
      return schema.format === "int32" ? "int32" : "int64";
    case "number":
      return "float64";
    case "string":
      return schema.format === "byte" ? "[]uint8" : "string";
    case "intOrString":
      return "intstr.IntOrString";
    case "quantity":
      return "resource.Quantity";
    case "any":
      return "interface {}";
  }
}

/** `io.k8s.api.core.v1.PodSpec` is `PodSpec`, or `v1.PodSpec` with its package. */
export function goStruct(schema: Schema, withPackage = false): string {
  const parts = (schema.name ?? "").split(".");
  return parts.slice(withPackage ? -2 : -1).join(".");
}

/** What Go's decoder calls a JSON value: numbers are shown where a number was wanted. */
export function goValue(value: unknown, wantsNumber: boolean): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return wantsNumber ? `number ${value}` : "number";
  return typeof value;
}

/** What upstream's converter says of a JSON value that does not fit a Go type. */
export function converterMismatch(schema: Schema, value: unknown): string {
  const kind = goKind(value);
  if (schema.type === "array") return `cannot restore slice from ${kind}`;
  if (schema.type === "object") {
    return schema.name === undefined ? `cannot restore map from ${kind}` : `cannot restore struct from: ${kind}`;
  }
  const wanted = goType(schema);
  const isNumber = kind === "int64" || kind === "float64";
  const convertible = isNumber && (wanted === "string" ? kind === "int64" : /^(int|float)/.test(wanted));
  return convertible ? `cannot convert ${kind} to ${wanted}` : `unrecognized type: ${wanted}`;
}

function goKind(value: unknown): string {
  if (Array.isArray(value)) return "slice";
  if (typeof value === "number") return Number.isInteger(value) ? "int64" : "float64";
  if (typeof value === "boolean") return "bool";
  return isJsonObject(value) ? "map" : "string";
}
