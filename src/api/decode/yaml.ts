import { isUtf8 } from "node:buffer";
import { isMap, isScalar, LineCounter, parseAllDocuments, type Tags, visit } from "yaml";
import { isJsonObject, type MutableJsonObject, maxDepth, setOwn } from "../json-value.js";
import { checkSize, type Decoded, DecodeError, type DecodeLimits } from "./decode-error.js";

// Kubernetes reads YAML as JSON: of YAML 1.1 it knows the booleans and merge keys, not dates, binaries or base-60 numbers.
const foreignTags = /timestamp|binary|omap|pairs|set/;

/**
 * One YAML document to a JSON value. Bounded in size, depth and aliases, as a few bytes of YAML can stand for terabytes.
 * Throws DecodeError.
 */
export function decodeYaml(bytes: Uint8Array, limits?: DecodeLimits): Decoded {
  checkSize(bytes, limits);
  if (!isUtf8(bytes)) throw new DecodeError("malformed", "yaml: invalid UTF-8 in the body");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  limitNesting(text);
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    const why =
      error instanceof RangeError ? "exceeded max depth" : error instanceof Error ? error.message : "malformed";
    throw new DecodeError("malformed", `error converting YAML to JSON: yaml: ${why}`, { cause: error });
  }
}

function parse(text: string): Decoded {
  const lineCounter = new LineCounter();
  const documents = parseAllDocuments(text, {
    version: "1.1",
    merge: true,
    uniqueKeys: false,
    intAsBigInt: true,
    prettyErrors: false,
    lineCounter,
    customTags: (tags: Tags) =>
      tags.filter(
        (tag) => typeof tag === "string" || (!foreignTags.test(tag.tag) && !("format" in tag && tag.format === "TIME")),
      ),
  });
  const document = Array.isArray(documents) ? documents[0] : undefined;
  if (document === undefined) return { value: null, duplicates: [] };
  const error = document.errors[0];
  if (error !== undefined) {
    const { line } = lineCounter.linePos(error.pos[0]);
    throw new DecodeError("malformed", `error converting YAML to JSON: yaml: line ${line}: ${error.message}`);
  }
  const duplicates: string[] = [];
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key) || key.value === "<<") continue;
        if (seen.has(key.value) && duplicates.length < 100) {
          const { line } = lineCounter.linePos(key.range?.[0] ?? 0);
          duplicates.push(`line ${line}: key ${JSON.stringify(String(key.value))} already set in map`);
        }
        seen.add(key.value);
      }
    },
    Pair(_, { key }) {
      if (isMap(key)) throw new DecodeError("malformed", "error converting YAML to JSON: yaml: invalid map key");
    },
  });
  const value = toJson(document.toJS({ maxAliasCount: 100, mapAsMap: true }), 0);
  if (duplicates.length === 0) return { value, duplicates };
  return { value, duplicates: [`yaml: unmarshal errors:\n  ${duplicates.join("\n  ")}`] };
}

/** Maps become objects with text keys, as JSON has them. */
function toJson(value: unknown, depth: number): unknown {
  if (depth > maxDepth) throw new DecodeError("malformed", "error converting YAML to JSON: yaml: exceeded max depth");
  if (typeof value === "bigint") return exactNumber(value);
  if (Array.isArray(value)) return value.map((item) => toJson(item, depth + 1));
  if (!(value instanceof Map)) return value === undefined ? null : isJsonObject(value) ? {} : value;
  const object: MutableJsonObject = {};
  for (const [key, item] of value) setOwn(object, key === null ? "null" : String(key), toJson(item, depth + 1));
  return object;
}

function exactNumber(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new DecodeError(
    "malformed",
    `json: cannot unmarshal number ${value} into Go value of type int64: integers beyond 2^53 must be written as strings`,
  );
}

// The parser is recursive and slow on deep input; brackets and dashes that open more than this can only be hostile.
function limitNesting(text: string): void {
  let depth = 0;
  let dashes = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x5b || code === 0x7b) {
      if (++depth > 10 * maxDepth)
        throw new DecodeError("malformed", "error converting YAML to JSON: yaml: exceeded max depth");
    } else if (code === 0x5d || code === 0x7d) depth = Math.max(0, depth - 1);
    if (code === 0x0a) dashes = 0;
    else if ((code === 0x2d || code === 0x3f) && text.charCodeAt(index + 1) === 0x20 && ++dashes > maxDepth) {
      throw new DecodeError("malformed", "error converting YAML to JSON: yaml: exceeded max depth");
    }
  }
}
