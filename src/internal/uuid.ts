import type { Random } from "./random.js";

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** A version 4 UUID from the given source of chance: unique, not secret. */
export function uuid(random: Random): string {
  const byte = (): number => Math.floor(random.next() * 256);
  let text = "";
  for (let index = 0; index < 16; index++) {
    const value = index === 6 ? 0x40 | (byte() & 0x0f) : index === 8 ? 0x80 | (byte() & 0x3f) : byte();
    if (index === 4 || index === 6 || index === 8 || index === 10) text += "-";
    text += hex[value];
  }
  return text;
}
