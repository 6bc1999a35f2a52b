import { isJsonObject, maxDepth } from "../json-value.js";
import type { Schema } from "../schema.js";
import { isUnowned } from "./compare.js";
import { type FieldsV1, pathText } from "./fields-v1.js";
import { PathSet } from "./path-set.js";
import { fieldSchema, isNamedField, itemElement, missingKey, shapeOf } from "./shape.js";

export interface ExtractedSet {
  readonly fields: FieldsV1;
  /** Why the object cannot be applied: `.spec.containers: duplicate entries for key [name="a"]`. */
  readonly errors: readonly string[];
}

/**
 * The fields that an applied object speaks of: its leaves, the items of its lists and the entries of its maps, but not the
 * structs on the way to them. Without apiVersion, kind and the metadata that the server keeps.
 */
export function extractSet(schema: Schema, object: { readonly [key: string]: unknown }): ExtractedSet {
  const extracting = new Extracting();
  extracting.value(schema, object);
  return { fields: extracting.set.fields, errors: extracting.errors };
}

class Extracting {
  readonly set: PathSet = new PathSet();
  readonly errors: string[] = [];
  readonly #path: string[] = [];
  #depth = 0;

  value(schema: Schema, value: unknown): void {
    if (this.#depth > maxDepth) {
      this.#error("exceeded max depth");
      return;
    }
    switch (shapeOf(schema, value, undefined)) {
      case "map":
        if (isJsonObject(value)) this.#map(schema, value);
        return;
      case "listMap":
      case "set":
        if (Array.isArray(value)) this.#list(schema, value);
        return;
      case "leaf":
        this.#insert();
    }
  }

  #map(schema: Schema, object: { readonly [key: string]: unknown }): void {
    for (const key in object) {
      const value = object[key];
      if (value === undefined) continue;
      const field = fieldSchema(schema, key);
      this.#path[this.#depth] = `f:${key}`;
      if (field === undefined) {
        this.#depth++;
        this.#error("field not declared in schema");
        this.#depth--;
      } else if (!isUnowned(this.#path, this.#depth, key)) {
        this.#depth++;
        this.value(field, value);
        // Metadata itself has no owner.
        const bare = value === null || (isJsonObject(value) && Object.keys(value).length === 0);
        if ((bare && !(this.#depth === 1 && key === "metadata")) || !isNamedField(schema, key)) this.#insert();
        this.set.leave(--this.#depth);
      }
    }
  }

  #list(schema: Schema, list: readonly unknown[]): void {
    const seen = new Set<string>();
    for (const [index, item] of list.entries()) {
      const element = itemElement(schema, item);
      if (element === undefined || schema.items === undefined) {
        this.#keyError(schema, item, index);
        continue;
      }
      if (seen.has(element)) {
        this.#error(`duplicate entries for key ${pathText([element])}`);
        continue;
      }
      seen.add(element);
      this.#path[this.#depth++] = element;
      this.value(schema.items, item);
      this.#insert();
      this.set.leave(--this.#depth);
    }
  }

  #keyError(schema: Schema, item: unknown, index: number): void {
    const key = missingKey(schema, item);
    this.#error(
      key === undefined
        ? `element ${index}: set items must be scalars`
        : `element ${index}: associative list with keys has an element that omits key field ${JSON.stringify(key)} (and doesn't have default value)`,
    );
  }

  #insert(): void {
    if (this.#depth > 0) this.set.insert(this.#path, this.#depth);
  }

  #error(message: string): void {
    if (this.errors.length < 100) this.errors.push(`${pathText(this.#path.slice(0, this.#depth))}: ${message}`);
  }
}
