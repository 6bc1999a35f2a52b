import { goPrint } from "../decode/go-print.js";
import { isJsonObject, jsonEqual } from "../json-value.js";
import { PatchError } from "./patch-error.js";

/**
 * What identifies an item of a merged list: the value of its merge key, or the item itself in a list of primitives.
 * Undefined `mergeKey` is a list of primitives.
 */
export function itemKey(item: unknown, mergeKey: string | undefined): unknown {
  if (mergeKey === undefined) return typeof item === "object" && item !== null ? JSON.stringify(item) : item;
  if (!isJsonObject(item)) throw new PatchError("unclassified", "list element types are not identical");
  const key = Object.hasOwn(item, mergeKey) ? item[mergeKey] : undefined;
  if (key === undefined || key === null) {
    throw new PatchError("unclassified", `map: ${goPrint(item)} does not contain declared merge key: ${mergeKey}`);
  }
  return typeof key === "object" ? JSON.stringify(key) : key;
}

/** Like `itemKey`, undefined instead of an error: for items that are stored already. */
export function storedItemKey(item: unknown, mergeKey: string | undefined): unknown {
  if (mergeKey !== undefined && !(isJsonObject(item) && Object.hasOwn(item, mergeKey))) return undefined;
  return itemKey(item, mergeKey);
}

/**
 * The order of a merged list. Items that the patch names come in the patch's order; the others keep their order, each
 * before those named items that followed it on the server.
 */
export function orderItems(
  merged: readonly unknown[],
  patchOrder: readonly unknown[],
  serverOrder: readonly unknown[],
  mergeKey: string | undefined,
): readonly unknown[] {
  const patchRank = ranks(patchOrder, mergeKey);
  const serverRank = ranks(serverOrder, mergeKey);
  const named: { readonly item: unknown; readonly rank: number; readonly server: number | undefined }[] = [];
  const others: { readonly item: unknown; readonly server: number | undefined }[] = [];
  for (const item of merged) {
    const key = storedItemKey(item, mergeKey);
    const rank = patchRank.get(key);
    const server = serverRank.get(key);
    if (rank === undefined) others.push({ item, server });
    else named.push({ item, rank, server });
  }
  named.sort((a, b) => a.rank - b.rank);
  const ordered: unknown[] = [];
  let next = 0;
  for (const { item, rank: _rank, server } of named) {
    for (let other = others[next]; other !== undefined && before(other.server, server); other = others[next]) {
      ordered.push(other.item);
      next++;
    }
    ordered.push(item);
  }
  for (const { item } of others.slice(next)) ordered.push(item);
  return ordered;
}

function before(other: number | undefined, named: number | undefined): boolean {
  return other !== undefined && named !== undefined && other < named;
}

function ranks(items: readonly unknown[], mergeKey: string | undefined): Map<unknown, number> {
  const found = new Map<unknown, number>();
  for (const item of items) {
    const key = storedItemKey(item, mergeKey);
    if (!found.has(key)) found.set(key, found.size);
  }
  return found;
}

/** Whether two lists hold the very same items. */
export function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

/** `original` without the primitives of `removed`; itself when there are none. */
export function withoutPrimitives(original: readonly unknown[], removed: readonly unknown[]): readonly unknown[] {
  const gone = new Set(removed);
  const kept = original.filter((item) => !gone.has(item));
  return kept.length === original.length ? original : kept;
}

/** First comes, first stays. */
export function uniquePrimitives(items: readonly unknown[]): unknown[] {
  return [...new Map(items.map((item) => [itemKey(item, undefined), item])).values()];
}

/** Throws when the patch's own items come in another order than `$setElementOrder` says. */
export function checkOrder(
  patchItems: readonly unknown[],
  order: readonly unknown[],
  mergeKey: string | undefined,
): void {
  let position = 0;
  for (const item of patchItems) {
    if (isJsonObject(item) && Object.hasOwn(item, "$patch")) continue;
    const key = itemKey(item, mergeKey);
    while (position < order.length && !jsonEqual(storedItemKey(order[position], mergeKey), key)) position++;
    if (position >= order.length) {
      throw new PatchError(
        "unclassified",
        `The order in patch list:\n${goPrint(patchItems)}\n doesn't match $setElementOrder list:\n${goPrint(order)}\n`,
      );
    }
    position++;
  }
}
