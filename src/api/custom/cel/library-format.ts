import type { Environment } from "@marcbachmann/cel-js";
import {
  validateDns1035Label,
  validateDns1123Label,
  validateDns1123Subdomain,
  validateLabelValue,
  validateQualifiedName,
} from "../../names.js";
import { formatCheck } from "../formats.js";
import type { Define } from "./library.js";

/** A named format, whose `validate` gives what is wrong with a text. */
class Format {
  readonly name: string;
  readonly validate: (text: string) => readonly string[];
  constructor(name: string, validate: (text: string) => readonly string[]) {
    this.name = name;
    this.validate = validate;
  }
}

class FormatNamespace {}

const named: readonly (readonly [string, (text: string) => readonly string[]])[] = [
  ["dns1123Label", validateDns1123Label],
  ["dns1123Subdomain", validateDns1123Subdomain],
  ["dns1035Label", validateDns1035Label],
  ["qualifiedName", validateQualifiedName],
  ["dns1123LabelPrefix", (text) => validateDns1123Label(maskDash(text))],
  ["dns1123SubdomainPrefix", (text) => validateDns1123Subdomain(maskDash(text))],
  ["dns1035LabelPrefix", (text) => validateDns1035Label(maskDash(text))],
  ["labelValue", validateLabelValue],
  ["uri", (text) => (formatCheck("uri")?.(text) ? [] : ["invalid URI"])],
  ["uuid", (text) => (formatCheck("uuid")?.(text) ? [] : ["does not match the UUID format"])],
  ["byte", (text) => (formatCheck("byte")?.(text) ? [] : ["invalid base64"])],
  ["date", (text) => (formatCheck("date")?.(text) ? [] : ["invalid date"])],
  ["datetime", (text) => (formatCheck("datetime")?.(text) ? [] : ["invalid datetime"])],
];

function maskDash(prefix: string): string {
  return prefix.length > 1 && prefix.endsWith("-") ? `${prefix.slice(0, -1)}a` : prefix;
}

/** `format.dns1123Label().validate(text)` and `"%d of %s".format([1, "a"])`. */
export function registerFormats(define: Define, environment: Environment): void {
  environment.registerType("kubernetes.NamedFormat", { ctor: Format, fields: {} });
  environment.registerType("FormatNamespace", FormatNamespace);
  environment.registerConstant("format", "FormatNamespace", new FormatNamespace());
  for (const [name, validate] of named) {
    const format = new Format(name, validate);
    define(`FormatNamespace.${name}(): kubernetes.NamedFormat`, () => format);
  }
  define("kubernetes.NamedFormat.validate(string): list<string>", ({ validate }: Format, text: string) =>
    validate(text),
  );
  define("string.format(list): string", (text: string, values: readonly unknown[]) => formatText(text, values));
}

function formatText(text: string, values: readonly unknown[]): string {
  let next = 0;
  return text.replace(/%(?:%|(?:\.(\d{1,3}))?([a-zA-Z]))/g, (whole, precision: string | undefined, verb: string) => {
    if (whole === "%%") return "%";
    if (next >= values.length) throw new Error(`index ${next} out of range`);
    return render(values[next++], verb, precision === undefined ? undefined : Number(precision));
  });
}

function render(value: unknown, verb: string, precision: number | undefined): string {
  switch (verb) {
    case "s":
      return textOf(value);
    case "d":
      return isWhole(value) ? String(value) : unfit(value, verb);
    case "f":
      return typeof value === "number" || typeof value === "bigint"
        ? Number(value).toFixed(precision ?? 6)
        : unfit(value, verb);
    case "e":
      return typeof value === "number" || typeof value === "bigint"
        ? Number(value)
            .toExponential(precision ?? 6)
            .replace(/e([+-])(\d)$/, "e$10$2")
        : unfit(value, verb);
    case "b":
    case "o":
    case "x":
    case "X":
      return inBase(value, verb);
    default:
      throw new Error(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
}

function inBase(value: unknown, verb: string): string {
  const bases: ReadonlyMap<string, number> = new Map([
    ["b", 2],
    ["o", 8],
    ["x", 16],
    ["X", 16],
  ]);
  const number = typeof value === "boolean" ? BigInt(value) : value;
  const hex = typeof value === "string" ? Buffer.from(value).toString("hex") : undefined;
  const text = typeof number === "bigint" ? number.toString(bases.get(verb)) : hex;
  if (text === undefined) return unfit(value, verb);
  return verb === "X" ? text.toUpperCase() : text;
}

function unfit(value: unknown, verb: string): never {
  throw new Error(`error during formatting: ${textOf(value)} cannot be formatted as %${verb}`);
}

function isWhole(value: unknown): boolean {
  return typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
}

function textOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return `[${value.map(textOf).join(", ")}]`;
  if (value instanceof Map) {
    const entries = [...value].map(([key, inner]) => `${textOf(key)}: ${textOf(inner)}`);
    return `{${entries.sort().join(", ")}}`;
  }
  if (value instanceof Date) return value.toISOString().replace(".000Z", "Z");
  if (typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    return textOf(new Map(Object.entries(value)));
  }
  return String(value);
}
