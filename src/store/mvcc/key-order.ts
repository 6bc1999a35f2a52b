/** Negative, zero or positive as `a` comes before, equals or comes after `b`. */
export type KeyOrder = (a: string, b: string) => number;

/**
 * Order by UTF-16 code units: one native comparison, and the same as by UTF-8 bytes as long as neither key has a code
 * unit from the surrogates on.
 */
export const codeUnitOrder: KeyOrder = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/** Order by UTF-8 bytes, for all keys. */
export const byteOrder: KeyOrder = (a, b) => {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
};

/** Whether the two orders may differ for this key. */
export function needsByteOrder(key: string): boolean {
  return /[\ud800-\uffff]/.test(key);
}

// Surrogates encode code points above U+FFFF, so in UTF-8 they come behind U+E000 to U+FFFF.
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
