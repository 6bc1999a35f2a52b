/** The alphabet of names that upstream generates: no vowels and no 0, 1, 3, so no words. */
const safe = "bcdfghjklmnpqrstvwxz2456789";

/**
 * A short stable hash of a JSON value as text fit for names and labels: FNV-1a over its canonical form (sorted keys),
 * printed as upstream prints its own, each decimal digit as a letter. `collisionCount` makes another one.
 */
export function stableHash(value: unknown, collisionCount?: number): string {
  let hash = 0x811c9dc5;
  const text = canonicalJson(value) + (collisionCount === undefined ? "" : `\n${collisionCount}`);
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    if (unit > 0xff) hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  let encoded = "";
  for (const digit of String(hash >>> 0)) encoded += safe[digit.charCodeAt(0) % safe.length] ?? "";
  return encoded;
}

/** JSON with keys in order and without undefined, so that equal values have equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const fields: string[] = [];
  for (const [key, field] of Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (field !== undefined) fields.push(`${JSON.stringify(key)}:${canonicalJson(field)}`);
  }
  return `{${fields.join(",")}}`;
}

/** Whether two JSON values are equal; absent and undefined are the same. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => equalJson(item, b[index]));
  }
  const left = new Map<string, unknown>(Object.entries(a));
  const right = new Map<string, unknown>(Object.entries(b));
  for (const [key, value] of left) if (!equalJson(value, right.get(key))) return false;
  for (const [key, value] of right) if (value !== undefined && left.get(key) === undefined) return false;
  return true;
}
