/**
 * Building blocks of defaults. Each gives back the very object that it was given when there is nothing to add, and otherwise a copy
 * of that object alone: what lies below is shared.
 */

/** Fills fields that are absent (upstream's pointers: an explicit zero or empty string stays). */
export function withDefaults<T extends object>(object: T, defaults: Partial<T>): T {
  let result: T = object;
  for (const key in defaults) {
    const value = defaults[key];
    if (value === undefined || object[key] !== undefined) continue;
    if (result === object) result = { ...object };
    result[key] = value;
  }
  return result;
}

/** Fills fields that are absent or zero (upstream's plain values, where zero, "" and absent are one). */
export function withZeroDefaults<T extends object>(object: T, defaults: Partial<T>): T {
  let result: T = object;
  for (const key in defaults) {
    const value = defaults[key];
    const current: unknown = object[key];
    if (value === undefined || (current !== undefined && current !== "" && current !== 0)) continue;
    if (result === object) result = { ...object };
    result[key] = value;
  }
  return result;
}

/** Sets a field; undefined removes it. */
export function withField<T extends object, K extends keyof T>(object: T, key: K, value: T[K] | undefined): T {
  if (object[key] === value && (value !== undefined || !(key in object))) return object;
  const copy = { ...object };
  if (value === undefined) delete copy[key];
  else copy[key] = value;
  return copy;
}

export function without<T extends object, K extends keyof T>(object: T, ...keys: readonly K[]): T {
  let result: T = object;
  for (const key of keys) result = withField(result, key, undefined);
  return result;
}

/** Applies `change` to a field that is there. */
export function mapField<T extends object, K extends keyof T>(
  object: T,
  key: K,
  change: (value: NonNullable<T[K]>) => NonNullable<T[K]>,
): T {
  const value = object[key];
  if (value === undefined || value === null) return object;
  const changed = change(value);
  return changed === value ? object : { ...object, [key]: changed };
}

/** Applies `change` to each item of a list that is there. */
export function mapItems<Item>(items: readonly Item[], change: (item: Item, index: number) => Item): readonly Item[] {
  let result: Item[] | undefined;
  for (let index = 0; index < items.length; index++) {
    const item = items[index];
    if (item === undefined) continue;
    const changed = change(item, index);
    if (changed === item) continue;
    result ??= items.slice();
    result[index] = changed;
  }
  return result ?? items;
}

/** The entries of `more` whose keys `map` lacks are added to it. */
export function withMissingEntries<T>(
  map: { readonly [key: string]: T } | undefined,
  more: { readonly [key: string]: T } | undefined,
): { readonly [key: string]: T } | undefined {
  if (more === undefined) return map;
  let added: [string, T][] | undefined;
  for (const [key, value] of Object.entries(more)) {
    if (map !== undefined && Object.hasOwn(map, key)) continue;
    added ??= map === undefined ? [] : Object.entries(map);
    added.push([key, value]);
  }
  // fromEntries defines own properties, so that a key `__proto__` stays a key.
  return added === undefined ? map : Object.fromEntries(added);
}
