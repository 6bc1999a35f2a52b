/**
 * An object as a client may have sent it. Its fields have the right types (decoding checks them against the schema and drops
 * nulls), but any of them may be missing, those that the API requires too: finding that out is what validation is for.
 */
export type Loose<T> = T extends readonly (infer Item)[]
  ? readonly Loose<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]?: Loose<T[Key]> | undefined }
    : T;

/** A map with keys of the user's choosing. Read it with `entriesOf` and `ownValue`: a key may be `__proto__`. */
export type Dictionary<T = string> = { readonly [key: string]: T | undefined };

export function ownValue<T>(map: Dictionary<T> | undefined, key: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
}

export function entriesOf<T>(map: Dictionary<T> | undefined): readonly (readonly [string, T])[] {
  if (map === undefined) return [];
  const entries: [string, T][] = [];
  for (const [key, value] of Object.entries(map)) if (value !== undefined && value !== null) entries.push([key, value]);
  return entries;
}

export function isEmptyMap(map: object | undefined): boolean {
  if (map === undefined) return true;
  for (const key in map) if (Object.hasOwn(map, key)) return false;
  return true;
}
