import { isUtf8 } from "node:buffer";
import { Composer, type Document, LineCounter, Parser, type Tags } from "yaml";
import { maxDepth } from "../json-value.js";
import { checkSize, type Decoded, DecodeError, type DecodeLimits } from "./decode-error.js";
import { decodeJson, refuseLoneSurrogates } from "./json.js";
import { YamlToJson, yamlError } from "./yaml-to-json.js";

// Kubernetes reads YAML as JSON: of YAML 1.1 it knows the booleans, not dates, binaries or base-60 numbers. Merge keys are
// ours to resolve.
const foreignTags = /timestamp|binary|omap|pairs|set|merge/;

/**
 * The first YAML document of a body to a JSON value. Bounded in size, depth and aliases, as a few bytes of YAML can stand for
 * terabytes. A body that is JSON, as kubectl sends it with YAML's content type, goes the fast way. Throws DecodeError.
 */
export function decodeYaml(bytes: Uint8Array, limits?: DecodeLimits): Decoded {
  checkSize(bytes, limits);
  if (!isUtf8(bytes)) throw new DecodeError("malformed", "yaml: invalid UTF-8 in the body");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  const json = /^\s*\{/.test(text) ? tryJson(bytes, limits) : undefined;
  // Keys that come twice are told of in YAML's words.
  if (json !== undefined && json.duplicates.length === 0) return json;
  limitNesting(text);
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    throw yamlError(
      error instanceof RangeError ? "exceeded max depth" : error instanceof Error ? error.message : "malformed",
      error,
    );
  }
}

function tryJson(bytes: Uint8Array, limits: DecodeLimits | undefined): Decoded | undefined {
  try {
    return decodeJson(bytes, limits);
  } catch (error) {
    // A flow mapping of YAML begins alike; what is no JSON may still be that.
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function parse(text: string): Decoded {
  const lineCounter = new LineCounter();
  const document = firstDocument(text, lineCounter);
  if (document === undefined) return { value: null, duplicates: [] };
  const [error] = document.errors;
  if (error !== undefined) {
    throw yamlError(`line ${lineCounter.linePos(error.pos[0]).line}: ${error.message}`);
  }
  const converting = new YamlToJson((offset) => lineCounter.linePos(offset).line);
  const value = converting.convert(document.contents);
  if (text.includes("\\")) refuseLoneSurrogates(value);
  const { duplicates } = converting;
  if (duplicates.length === 0) return { value, duplicates };
  return { value, duplicates: [`yaml: unmarshal errors:\n  ${duplicates.join("\n  ")}`] };
}

function firstDocument(text: string, lineCounter: LineCounter): Document | undefined {
  const parser = new Parser(lineCounter.addNewLine);
  const composer = new Composer({
    version: "1.1",
    uniqueKeys: false,
    intAsBigInt: true,
    prettyErrors: false,
    lineCounter,
    customTags: (tags: Tags) =>
      tags.filter(
        (tag) => typeof tag === "string" || (!foreignTags.test(tag.tag) && !("format" in tag && tag.format === "TIME")),
      ),
  });
  for (const document of composer.compose(parser.parse(text))) return document;
  return undefined;
}

// The parser is recursive and slow on deep input; brackets and dashes that open more than this can only be hostile.
function limitNesting(text: string): void {
  let depth = 0;
  let dashes = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x5b || code === 0x7b) {
      if (++depth > 10 * maxDepth) throw yamlError("exceeded max depth");
    } else if (code === 0x5d || code === 0x7d) depth = Math.max(0, depth - 1);
    if (code === 0x0a) dashes = 0;
    else if ((code === 0x2d || code === 0x3f) && text.charCodeAt(index + 1) === 0x20 && ++dashes > maxDepth) {
      throw yamlError("exceeded max depth");
    }
  }
}
