import { isAlias, isMap, isScalar, isSeq, type Scalar, type YAMLMap, type YAMLSeq } from "yaml";
import { isJsonObject, type MutableJsonObject, maxDepth, setOwn } from "../json-value.js";
import { DecodeError } from "./decode-error.js";

/** What aliases may add to a document, in values. */
const maxAliased = 100_000;

interface Anchored {
  readonly value: unknown;
  /** How many values it stands for. */
  readonly size: number;
}

/**
 * Converts the nodes of one document. Aliases share the value of their anchor, which nobody changes; what they would add when
 * written out is counted and bounded.
 */
export class YamlToJson {
  /** `line 3: key "a" already set in map`. */
  readonly duplicates: string[] = [];
  readonly #lineOf: (offset: number) => number;
  readonly #anchors = new Map<string, Anchored>();
  #size = 0;
  #aliased = 0;

  constructor(lineOf: (offset: number) => number) {
    this.#lineOf = lineOf;
  }

  convert(node: unknown, depth = 0): unknown {
    if (depth > maxDepth) throw yamlError("exceeded max depth");
    if (isAlias(node)) return this.#alias(node.source);
    const before = this.#size++;
    const value = this.#value(node, depth);
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, { value, size: this.#size - before });
    return value;
  }

  #value(node: unknown, depth: number): unknown {
    if (isMap(node)) return this.#map(node, depth);
    if (isSeq(node)) return (node as YAMLSeq).items.map((item) => this.convert(item, depth + 1));
    return isScalar(node) ? scalar(node) : null;
  }

  #alias(name: string): unknown {
    const anchored = this.#anchors.get(name);
    if (anchored === undefined) throw yamlError(`unknown anchor '${name}' referenced`);
    this.#size += anchored.size;
    this.#aliased += anchored.size;
    if (this.#aliased > maxAliased) throw yamlError("document contains excessive aliasing");
    return anchored.value;
  }

  #map(map: YAMLMap, depth: number): MutableJsonObject {
    const object: MutableJsonObject = {};
    const merged: unknown[] = [];
    const seen = new Set<string>();
    for (const { key, value } of map.items) {
      if (isScalar(key) && key.value === "<<" && key.type === "PLAIN") {
        merged.push(this.convert(value, depth + 1));
        continue;
      }
      const name = this.#key(key);
      if (seen.has(name) && this.duplicates.length < 100) {
        const offset = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
        this.duplicates.push(`line ${this.#lineOf(offset)}: key ${JSON.stringify(name)} already set in map`);
      }
      seen.add(name);
      setOwn(object, name, this.convert(value, depth + 1));
    }
    for (const source of merged.flat()) this.#merge(object, source);
    return object;
  }

  /** Own keys win over merged ones, and earlier sources over later. */
  #merge(object: MutableJsonObject, source: unknown): void {
    if (!isJsonObject(source)) throw yamlError("map merge requires map or sequence of maps as the value");
    for (const key of Object.keys(source)) if (!Object.hasOwn(object, key)) setOwn(object, key, source[key]);
  }

  #key(key: unknown): string {
    const value = isAlias(key) ? this.#alias(key.source) : isScalar(key) ? scalar(key) : undefined;
    if (value === null) return "null";
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    throw yamlError("invalid map key");
  }
}

function scalar({ value, source = "" }: Scalar): unknown {
  if (typeof value === "bigint") return exactNumber(value);
  // A dot or an exponent alone is text: `.` stands in every managedFields, and `e5` may be a commit.
  if (typeof value === "number" && !/\d|nan|inf/i.test(mantissaOf(source))) return source;
  if (typeof value === "number" && !Number.isFinite(value)) throw yamlError("json: unsupported value");
  return value === undefined ? null : value;
}

function mantissaOf(source: string): string {
  return source.replace(/[eE][-+]?\d+$/, "");
}

function exactNumber(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new DecodeError(
    "malformed",
    `json: cannot unmarshal number ${value} into Go value of type int64: integers beyond 2^53 must be written as strings`,
  );
}

export function yamlError(message: string, cause?: unknown): DecodeError {
  return new DecodeError("malformed", `error converting YAML to JSON: yaml: ${message}`, { cause });
}
