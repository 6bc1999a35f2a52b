/** The first key behind all keys that start with `prefix`; a zero byte, which stands for the end, when there is none. */
export function prefixEnd(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  for (let length = end.length; length > 0; length--) {
    const last = end[length - 1] ?? 0xff;
    if (last === 0xff) continue;
    end[length - 1] = last + 1;
    return end.subarray(0, length);
  }
  return Buffer.from([0]);
}
