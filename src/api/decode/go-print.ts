import { isJsonObject } from "../json-value.js";

/** A JSON value as Go's `%v` shows it: `map[a:1 b:[x y]]`. Error messages of patches and applies carry such text. */
export function goPrint(value: unknown): string {
  if (value === null || value === undefined) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(goPrint).join(" ")}]`;
  if (!isJsonObject(value)) return goScalar(value);
  const fields = Object.keys(value).sort();
  return `map[${fields.map((field) => `${field}:${goPrint(value[field])}`).join(" ")}]`;
}

/** The same as `%#v` shows it, in Go's own syntax: `map[string]interface {}{"a":1}`. */
export function goSyntax(value: unknown): string {
  if (value === null || value === undefined) return "interface {}(nil)";
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(", ")}}`;
  if (!isJsonObject(value)) return goScalar(value);
  const fields = Object.keys(value).sort();
  return `map[string]interface {}{${fields.map((field) => `${JSON.stringify(field)}:${goSyntax(value[field])}`).join(", ")}}`;
}

/** `%T` of a JSON value. */
export function goTypeOf(value: unknown): string {
  if (value === null || value === undefined) return "<nil>";
  if (Array.isArray(value)) return "[]interface {}";
  if (typeof value === "number") return Number.isInteger(value) ? "int64" : "float64";
  if (typeof value === "boolean") return "bool";
  return typeof value === "string" ? "string" : "map[string]interface {}";
}

/** Floats get an exponent of two digits at least, from 1e21 on. */
function goScalar(value: unknown): string {
  return String(value).replace(/e([+-])(\d)$/, "e$10$2");
}
