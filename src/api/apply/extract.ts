import { isJsonObject, maxDepth } from "../json-value.js";
import type { Schema } from "../schema.js";
import { isUnowned } from "./compare.js";
import type { FieldsV1 } from "./fields-v1.js";
import { PathSet } from "./path-set.js";
import { fieldSchema, isNamedField, itemElement, shapeOf } from "./shape.js";

/**
 * The fields that an applied object speaks of: its leaves, the items of its lists and the entries of its maps, but not the
 * structs on the way to them. Without apiVersion, kind and the metadata that the server keeps. The object must be one that
 * `checkApplied` finds nothing wrong with: what does not fit the schema is passed over.
 */
export function extractSet(schema: Schema, object: { readonly [key: string]: unknown }): FieldsV1 {
  const extracting = new Extracting();
  extracting.value(schema, object);
  return extracting.set.fields;
}

class Extracting {
  readonly set: PathSet = new PathSet();
  readonly #path: string[] = [];
  #depth = 0;

  value(schema: Schema, value: unknown): void {
    if (this.#depth > maxDepth) return;
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
      const field = fieldSchema(schema, key);
      if (value === undefined || field === undefined || isUnowned(this.#path, this.#depth, key)) continue;
      this.#path[this.#depth++] = `f:${key}`;
      this.value(field, value);
      // Metadata itself has no owner.
      const bare = value === null || (isJsonObject(value) && Object.keys(value).length === 0);
      if ((bare && !(this.#depth === 1 && key === "metadata")) || !isNamedField(schema, key)) this.#insert();
      this.set.leave(--this.#depth);
    }
  }

  #list(schema: Schema, list: readonly unknown[]): void {
    for (const item of list) {
      const element = itemElement(schema, item);
      if (element === undefined || schema.items === undefined) continue;
      this.#path[this.#depth++] = element;
      this.value(schema.items, item);
      this.#insert();
      this.set.leave(--this.#depth);
    }
  }

  #insert(): void {
    if (this.#depth > 0) this.set.insert(this.#path, this.#depth);
  }
}
