import { goPrint, goSyntax, goTypeOf } from "../decode/go-print.js";
import { isJsonObject, maxDepth } from "../json-value.js";
import type { Schema } from "../schema.js";
import { pathText } from "./fields-v1.js";
import { fieldSchema, isUntyped, itemElement, missingKey } from "./shape.js";

const maxErrors = 100;

/**
 * Why an object cannot be applied, as upstream's merge library words it: `.spec.containers: duplicate entries for key [name="a"]`.
 * An apply configuration is taken as it was written, so this is where fields of the wrong type and fields that the kind does
 * not have are found. Empty for a good one; at most 100.
 */
export function checkApplied(schema: Schema, object: { readonly [key: string]: unknown }): readonly string[] {
  const checking = new Checking();
  checking.value(schema, object);
  return checking.errors;
}

class Checking {
  readonly errors: string[] = [];
  readonly #path: string[] = [];

  value(schema: Schema, value: unknown): void {
    if (this.#path.length > maxDepth) this.#error("exceeded max depth");
    else if (value === null || isUntyped(schema)) return;
    else if (schema.type === "object") this.#map(schema, value);
    else if (schema.type === "array") this.#list(schema, value);
    else {
      const problem = scalarProblem(schema, value);
      if (problem !== undefined) this.#error(problem);
    }
  }

  #map(schema: Schema, value: unknown): void {
    if (!isJsonObject(value)) {
      this.#error(`expected map, got &{${goPrint(value)}}`);
      return;
    }
    for (const key of Object.keys(value)) {
      const field = fieldSchema(schema, key);
      this.#below(`f:${key}`, () => {
        if (field === undefined) this.#error("field not declared in schema");
        else this.value(field, value[key]);
      });
      // Upstream looks no further in an object after the first field that it does not know.
      if (field === undefined) return;
    }
  }

  #list(schema: Schema, value: unknown): void {
    if (!Array.isArray(value)) {
      this.#error(`expected list, got &{${goPrint(value)}}`);
      return;
    }
    const { items, listType } = schema;
    if (items === undefined) return;
    const keyed = listType === "set" || (listType === "map" && (schema.listMapKeys?.length ?? 0) > 0);
    const seen = new Set<string>();
    for (const [index, item] of (value as readonly unknown[]).entries()) {
      const element = keyed ? itemElement(schema, item) : `i:${index}`;
      if (element === undefined) {
        this.#error(`element ${index}: ${keyProblem(schema, item)}`);
        return;
      }
      if (seen.has(element)) this.#error(`duplicate entries for key ${pathText([element])}`);
      seen.add(element);
      this.#below(element, () => this.value(items, item));
    }
  }

  #below(element: string, check: () => void): void {
    this.#path.push(element);
    check();
    this.#path.pop();
  }

  #error(message: string): void {
    if (this.errors.length >= maxErrors) return;
    const path = pathText(this.#path);
    this.errors.push(path === "" ? message : `${path}: ${message}`);
  }
}

function keyProblem(schema: Schema, item: unknown): string {
  if (schema.listType === "set") {
    if (item === null) return "associative list without keys has an element that's an explicit null";
    if (Array.isArray(item)) return "not supporting lists of lists (yet?)";
    return "associative list without keys has an element that's a map type";
  }
  if (item === null) return "associative list with keys may not have a null element";
  if (!isJsonObject(item)) return "associative list with keys may not have non-map elements";
  const key = JSON.stringify(missingKey(schema, item));
  return `associative list with keys has an element that omits key field ${key} (and doesn't have default value)`;
}

function scalarProblem(schema: Schema, value: unknown): string | undefined {
  const isScalar = typeof value !== "object";
  switch (schema.type) {
    case "integer":
    case "number":
      return typeof value === "number" ? undefined : `expected numeric (int or float), got ${goTypeOf(value)}`;
    case "boolean":
      return typeof value === "boolean" ? undefined : `expected boolean, got &{${goPrint(value)}}`;
    case "string":
      if (schema.format === "date-time" || schema.format === "microtime") break;
      return typeof value === "string"
        ? undefined
        : `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`;
  }
  return isScalar ? undefined : `expected any scalar, got &{${goPrint(value)}}`;
}
