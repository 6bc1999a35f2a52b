import { isJsonObject, jsonEqual, type MutableJsonObject, setOwn } from "../json-value.js";
import type { Schema } from "../schema.js";
import { deduced, fieldSchema, itemElement, shapeOf } from "./shape.js";

/**
 * Lays an applied object over the live one: leaves of the applied win, maps and keyed lists are merged. Shares with the live
 * object what stays, and is the live object when nothing changes. Depth is bounded by what `checkApplied` accepted.
 */
export function mergeApplied(schema: Schema, live: unknown, applied: unknown): unknown {
  if (applied === undefined) return live;
  if (live === undefined || live === null) return applied;
  switch (shapeOf(schema, live, applied)) {
    case "map":
      if (isJsonObject(live) && isJsonObject(applied)) return mergeMaps(schema, live, applied);
      // Null adds nothing to what is there.
      return isJsonObject(live) && Object.keys(live).length > 0 ? live : applied;
    case "listMap":
    case "set":
      if (Array.isArray(live) && Array.isArray(applied)) return mergeLists(schema, live, applied);
      return Array.isArray(live) && live.length > 0 ? live : applied;
    case "leaf":
      return jsonEqual(live, applied) ? live : applied;
  }
}

type Fields = { readonly [key: string]: unknown };

function mergeMaps(schema: Schema, live: Fields, applied: Fields): Fields {
  let result: MutableJsonObject | undefined;
  for (const key of Object.keys(applied)) {
    const old = Object.hasOwn(live, key) ? live[key] : undefined;
    const field = fieldSchema(schema, key) ?? deduced;
    const merged = mergeApplied(field, old, applied[key]);
    if (merged === old || (old === undefined && isEmptyKeyedList(field, merged))) continue;
    result ??= { ...live };
    setOwn(result, key, merged);
  }
  return result ?? live;
}

/** An empty list of items that are owned one by one says nothing: nobody would have it. */
function isEmptyKeyedList(schema: Schema, value: unknown): boolean {
  return Array.isArray(value) && value.length === 0 && shapeOf(schema, value, undefined) !== "leaf";
}

/**
 * Shared items come in the order of the applied list; items of only one list keep their place between their neighbours.
 * Live items with the same keys, which updates may have made, collapse into the first when applied to.
 */
function mergeLists(schema: Schema, live: readonly unknown[], applied: readonly unknown[]): readonly unknown[] {
  const appliedElements = applied.map((item) => itemElement(schema, item) ?? "");
  const liveElements = live.map((item) => itemElement(schema, item) ?? "");
  const wanted = new Set(appliedElements);
  const liveItems = new Map<string, unknown>();
  liveElements.forEach((element, index) => {
    if (!liveItems.has(element)) liveItems.set(element, live[index]);
  });
  const merged: unknown[] = [];
  const take = (index: number): void => {
    const old = liveItems.get(appliedElements[index] ?? "");
    merged.push(schema.items === undefined ? applied[index] : mergeApplied(schema.items, old, applied[index]));
  };
  let left = 0;
  let right = 0;
  let shared = -1;
  /** The next applied item that is live too. Only ever moves on. */
  const nextShared = (): string | undefined => {
    shared = Math.max(shared, right);
    while (shared < applied.length && !liveItems.has(appliedElements[shared] ?? "")) shared++;
    return appliedElements[shared];
  };
  while (left < live.length || right < applied.length) {
    const element = liveElements[left];
    if (element !== undefined && !wanted.has(element)) {
      merged.push(live[left++]);
    } else if (element !== undefined && element === appliedElements[right]) {
      take(right++);
      left++;
    } else if (element !== undefined && element !== nextShared()) {
      // A shared item whose turn in the applied order is not now.
      left++;
    } else if (right < applied.length) take(right++);
    else left++;
  }
  return merged.length === live.length && merged.every((item, index) => item === live[index]) ? live : merged;
}
