import { isJsonObject, jsonEqual, maxDepth } from "../json-value.js";
import type { Schema } from "../schema.js";
import { type FieldsV1, hasFields, noFields } from "./fields-v1.js";
import { PathSet } from "./path-set.js";
import { fieldSchema, isAlwaysPresent, itemElement, itemsByElement, shapeOf } from "./shape.js";

/** The fields in which two objects differ. */
export interface Comparison {
  /** Only in the new object: leaves, and all the containers that came with them. */
  readonly added: FieldsV1;
  readonly modified: FieldsV1;
  /** Only in the old object. */
  readonly removed: FieldsV1;
  readonly same: boolean;
}

/**
 * Compares two versions of an object field by field. Subtrees that both share are not looked into, so that the cost follows
 * what was copied. The type and the metadata that the server keeps are not compared: nobody owns them.
 */
export function compareObjects(schema: Schema, before: unknown, after: unknown): Comparison {
  const comparing = new Comparing();
  comparing.compare(schema, before, after);
  const added = comparing.added.fields;
  const modified = comparing.modified.fields;
  const removed = comparing.removed.fields;
  return { added, modified, removed, same: !hasFields(added) && !hasFields(modified) && !hasFields(removed) };
}

/** Fields of the root and of its metadata that the server keeps itself. */
const unownedRoot = new Set(["apiVersion", "kind"]);
const unownedMetadata: ReadonlySet<string> = new Set([
  "name",
  "namespace",
  "creationTimestamp",
  "selfLink",
  "uid",
  "clusterName",
  "generation",
  "managedFields",
  "resourceVersion",
]);

/** Whether a field below the first `depth` elements of `path` is one that nobody owns. */
export function isUnowned(path: readonly string[], depth: number, key: string): boolean {
  if (depth === 0) return unownedRoot.has(key);
  return depth === 1 && path[0] === "f:metadata" && unownedMetadata.has(key);
}

class Comparing {
  readonly added: PathSet = new PathSet();
  readonly modified: PathSet = new PathSet();
  readonly removed: PathSet = new PathSet();
  readonly #path: string[] = [];
  #depth = 0;

  compare(schema: Schema, before: unknown, after: unknown): void {
    if (before === after) return;
    if (before === undefined && this.#isOwnable()) {
      this.added.graft(this.#path, this.#depth, fieldsOf(schema, after, this.#depth));
      return;
    }
    if (after === undefined && this.#isOwnable()) {
      this.removed.graft(this.#path, this.#depth, fieldsOf(schema, before, this.#depth));
      return;
    }
    const shape = this.#depth > maxDepth ? "leaf" : shapeOf(schema, before, after);
    if (shape === "leaf" || (isBare(before) && isBare(after))) this.#leaf(before, after);
    else if (shape === "map") this.#map(schema, asObject(before), asObject(after));
    else this.#list(schema, before, after);
  }

  #map(schema: Schema, before: Fields | undefined, after: Fields | undefined): void {
    if (after !== undefined) {
      for (const key in after) {
        const value = after[key];
        if (value === undefined || isUnowned(this.#path, this.#depth, key)) continue;
        const old = before !== undefined && Object.hasOwn(before, key) ? before[key] : undefined;
        if (old === value) continue;
        const field = fieldSchema(schema, key);
        if (field === undefined) continue;
        const present = old === undefined && before !== undefined && isAlwaysPresent(schema, key);
        this.#descend(`f:${key}`, field, present ? null : old, value);
      }
    }
    if (before !== undefined) {
      for (const key in before) {
        const old = before[key];
        if (old === undefined || (after !== undefined && Object.hasOwn(after, key) && after[key] !== undefined))
          continue;
        if (isUnowned(this.#path, this.#depth, key)) continue;
        const field = fieldSchema(schema, key);
        if (field !== undefined) this.#descend(`f:${key}`, field, old, undefined);
      }
    }
  }

  #list(schema: Schema, before: unknown, after: unknown): void {
    const old = itemsByElement(schema, asList(before));
    const now = itemsByElement(schema, asList(after));
    const { items } = schema;
    if (old === undefined || now === undefined || items === undefined) {
      this.#leaf(before, after);
      return;
    }
    for (const [element, same] of now) {
      const earlier = old.get(element);
      if (same.length === 1 && (earlier === undefined || earlier.length === 1)) {
        this.#descend(element, items, earlier?.[0], same[0]);
      } else if (earlier === undefined || !jsonEqual(earlier, same)) {
        this.#mark(earlier === undefined ? this.added : this.modified, element);
      }
    }
    for (const [element, earlier] of old) {
      if (now.has(element)) continue;
      if (earlier.length === 1) this.#descend(element, items, earlier[0], undefined);
      else this.#mark(this.removed, element);
    }
  }

  #descend(element: string, schema: Schema, before: unknown, after: unknown): void {
    this.#path[this.#depth++] = element;
    this.compare(schema, before, after);
    this.#ascend();
  }

  #ascend(): void {
    this.#depth--;
    this.added.leave(this.#depth);
    this.modified.leave(this.#depth);
    this.removed.leave(this.#depth);
  }

  #mark(set: PathSet, element: string): void {
    this.#path[this.#depth++] = element;
    set.insert(this.#path, this.#depth);
    this.#ascend();
  }

  /** Neither the object nor its metadata are fields that somebody owns. */
  #isOwnable(): boolean {
    return this.#depth > 1 || (this.#depth === 1 && this.#path[0] !== "f:metadata");
  }

  #leaf(before: unknown, after: unknown): void {
    if (this.#isOwnable() && !jsonEqual(before ?? emptyLike(after), after))
      this.modified.insert(this.#path, this.#depth);
  }
}

/** All fields of a value that comes or goes as a whole; a container is a field too. */
function fieldsOf(schema: Schema, value: unknown, depth: number): FieldsV1 {
  const shape = depth > maxDepth || isBare(value) ? "leaf" : shapeOf(schema, undefined, value);
  if (shape === "leaf") return noFields;
  const fields: { [element: string]: FieldsV1 } = { ".": noFields };
  let empty = true;
  if (shape === "map") {
    const object = value as Fields;
    for (const key in object) {
      const field = object[key] === undefined ? undefined : fieldSchema(schema, key);
      if (field === undefined) continue;
      fields[`f:${key}`] = fieldsOf(field, object[key], depth + 1);
      empty = false;
    }
  } else {
    const { items } = schema;
    for (const item of asList(value)) {
      const element = items && itemElement(schema, item);
      if (items === undefined || element === undefined) return noFields;
      // Of items that are the same to a list, nobody owns what is in them.
      fields[element] = Object.hasOwn(fields, element) ? noFields : fieldsOf(items, item, depth + 1);
      empty = false;
    }
  }
  return empty ? noFields : fields;
}

type Fields = { readonly [key: string]: unknown };

/** Nothing, or an empty container: what is no container to go into. */
function isBare(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value !== "object") return true;
  if (Array.isArray(value)) return value.length === 0;
  for (const key in value) if (key !== undefined) return false;
  return true;
}

function asObject(value: unknown): Fields | undefined {
  return isJsonObject(value) ? value : value === null ? {} : undefined;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A field that is always present counts as empty, of its own type. */
function emptyLike(value: unknown): unknown {
  return Array.isArray(value) ? [] : isJsonObject(value) ? {} : null;
}
