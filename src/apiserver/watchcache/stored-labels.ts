import type { Labels } from "../../api/index.js";

const labelsStart = Buffer.from('"labels":{');
const quote = 0x22;
const backslash = 0x5c;
const openingBrace = 0x7b;
const closingBrace = 0x7d;

/**
 * The labels of an encoded object, read without decoding the rest. `metadata` is where the value of its metadata begins. The bytes
 * `"labels":{` are nothing but a key (in a text the quotes would be escaped), and in metadata no other object has such a key.
 */
export function labelsIn(value: Buffer, metadata: number): Labels | undefined {
  const at = value.indexOf(labelsStart, metadata);
  if (at < 0 || depthAt(value, metadata, at) < 1) return undefined;
  const start = at + labelsStart.length - 1;
  return JSON.parse(value.toString("utf8", start, endOfObject(value, start))) as Labels;
}

/** How deep `target` is in the object that begins at `start`: 0 when that object has ended before. */
function depthAt(value: Buffer, start: number, target: number): number {
  let depth = 0;
  for (let at = start; at < target; at++) {
    const byte = value[at];
    if (byte === quote) at = endOfString(value, at);
    else if (byte === openingBrace) depth++;
    else if (byte === closingBrace && --depth === 0) return 0;
  }
  return depth;
}

/** Behind the closing brace of the object that begins at `start` and holds nothing but texts. */
function endOfObject(value: Buffer, start: number): number {
  let at = start + 1;
  while (value[at] !== closingBrace) at = value[at] === quote ? endOfString(value, at) + 1 : at + 1;
  return at + 1;
}

/** At the closing quote of the string that begins at `start`. */
function endOfString(value: Buffer, start: number): number {
  let at = start + 1;
  while (value[at] !== quote) at += value[at] === backslash ? 2 : 1;
  return at;
}
