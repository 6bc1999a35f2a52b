import { isUtf8 } from "node:buffer";
import { maxDepth } from "../json-value.js";
import { checkSize, type Decoded, DecodeError, type DecodeLimits } from "./decode-error.js";
import { JsonInspector } from "./json-inspector.js";

const noDuplicates: readonly string[] = [];

/**
 * JSON bytes to a value. Beyond JSON.parse: the size and depth are bounded before anything is built, invalid UTF-8 is
 * refused, duplicate keys are found, and integers that a double cannot hold (beyond 2^53) are refused rather than
 * rounded. Throws DecodeError.
 */
export function decodeJson(bytes: Uint8Array, limits?: DecodeLimits): Decoded {
  checkSize(bytes, limits);
  if (!isUtf8(bytes)) throw new DecodeError("malformed", "invalid UTF-8 in the body");
  const facts = scan(bytes);
  if (facts.depth > maxDepth) throw new DecodeError("malformed", "exceeded max depth");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  const value = parse(text);
  if (surrogateEscape.test(text)) refuseLoneSurrogates(value);
  // JSON.parse keeps one of each: fewer keys than colons means that some came twice.
  if (!facts.longNumber && countKeys(value) === facts.colons) return { value, duplicates: noDuplicates };
  const inspector = new JsonInspector(text);
  inspector.inspect();
  return inspector.duplicates.length === 0
    ? { value, duplicates: noDuplicates }
    : { value, duplicates: inspector.duplicates, order: inspector.order };
}

const surrogateEscape = /\\u[dD][89a-fA-F]/;
const loneSurrogate = /\p{Surrogate}/u;

/**
 * Half of a surrogate pair is no character: it has no UTF-8, so that other forms of the object could not carry it. Throws
 * DecodeError. The value must be bounded in depth.
 */
export function refuseLoneSurrogates(value: unknown): void {
  if (typeof value === "string") {
    if (loneSurrogate.test(value)) throw new DecodeError("malformed", "invalid surrogate pair in a string");
  } else if (Array.isArray(value)) for (const item of value) refuseLoneSurrogates(item);
  else if (typeof value === "object" && value !== null) {
    for (const [key, child] of Object.entries(value)) {
      refuseLoneSurrogates(key);
      refuseLoneSurrogates(child);
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    new JsonInspector(text).inspect();
    throw new DecodeError("malformed", error instanceof Error ? error.message : "invalid JSON", { cause: error });
  }
}

interface TextFacts {
  readonly depth: number;
  /** Outside strings: one for each key. */
  readonly colons: number;
  /** Some number has 16 digits in a row or more. */
  readonly longNumber: boolean;
}

const quote = 0x22;
const backslash = 0x5c;

/** One pass over the bytes, which need not be JSON: then the figures mean nothing, and parsing will say so. */
function scan(bytes: Uint8Array): TextFacts {
  let depth = 0;
  let deepest = 0;
  let colons = 0;
  let digits = 0;
  let longNumber = false;
  const length = bytes.length;
  for (let index = 0; index < length; index++) {
    const byte = bytes[index] ?? 0;
    if (byte === quote) {
      for (index++; index < length && bytes[index] !== quote; index++) if (bytes[index] === backslash) index++;
    } else if (byte >= 0x30 && byte <= 0x39) {
      if (++digits >= 16) longNumber = true;
      continue;
    } else if (byte === 0x3a) colons++;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > deepest) deepest = depth;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
    digits = 0;
  }
  return { depth: deepest, colons, longNumber };
}

function countKeys(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += countKeys(item);
    return count;
  }
  const object = value as { readonly [key: string]: unknown };
  for (const key in object) {
    const child = object[key];
    count += typeof child === "object" && child !== null ? countKeys(child) + 1 : 1;
  }
  return count;
}
