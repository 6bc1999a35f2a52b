/** How a quantity is written: powers of ten with letters, powers of 1024, or with an exponent. */
export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent";

/** A quantity that cannot be read; the message is upstream's. */
export class QuantityError extends Error {
  override readonly name = "QuantityError";
}

const nano = 1_000_000_000n;
const kibi = 1024n;
const maxNanos = ((1n << 63n) - 1n) * nano;
const decimalSuffixes: readonly string[] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const binarySuffixes: readonly string[] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/** What a client is told of text that is no quantity. */
export const quantityFormatMessage =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/**
 * An exact amount, as upstream's resource.Quantity: to 1e-9 (finer parts round away from zero), at most 2^63-1. Immutable.
 */
export class Quantity {
  static readonly zero: Quantity = new Quantity(0n, "DecimalSI");

  /** The amount in billionths. */
  readonly nanos: bigint;
  readonly format: QuantityFormat;

  constructor(nanos: bigint, format: QuantityFormat) {
    this.nanos = nanos;
    this.format = format;
  }

  static fromMilli(milli: number, format: QuantityFormat = "DecimalSI"): Quantity {
    return new Quantity(BigInt(Math.ceil(milli)) * 1_000_000n, format);
  }

  static fromValue(value: number, format: QuantityFormat = "DecimalSI"): Quantity {
    return new Quantity(BigInt(Math.ceil(value)) * nano, format);
  }

  get isZero(): boolean {
    return this.nanos === 0n;
  }

  get sign(): -1 | 0 | 1 {
    return this.nanos > 0n ? 1 : this.nanos < 0n ? -1 : 0;
  }

  compare(other: Quantity): -1 | 0 | 1 {
    return this.nanos < other.nanos ? -1 : this.nanos > other.nanos ? 1 : 0;
  }

  equals(other: Quantity): boolean {
    return this.nanos === other.nanos;
  }

  /** The result is written as `this` is, or as `other` where `this` is zero. */
  add(other: Quantity): Quantity {
    return new Quantity(this.nanos + other.nanos, this.isZero ? other.format : this.format);
  }

  sub(other: Quantity): Quantity {
    return new Quantity(this.nanos - other.nanos, this.isZero ? other.format : this.format);
  }

  negate(): Quantity {
    return new Quantity(-this.nanos, this.format);
  }

  /** Whole units, fractions rounded away from zero. Beyond 2^53 the nearest number. */
  value(): number {
    return Number(divideAway(this.nanos, nano));
  }

  /** Thousandths, fractions rounded away from zero. Beyond 2^53 the nearest number. */
  milliValue(): number {
    return Number(divideAway(this.nanos, 1_000_000n));
  }

  /** The nearest double, for ratios. */
  toNumber(): number {
    return Number(this.nanos / nano) + Number(this.nanos % nano) / 1e9;
  }

  /** Canonical text: no fraction, the largest suffix that allows it. */
  toString(): string {
    if (this.nanos === 0n) return "0";
    const whole = this.nanos % nano === 0n;
    const binary = this.format === "BinarySI" && whole && (this.nanos >= kibi * nano || this.nanos <= -kibi * nano);
    return binary ? binaryText(this.nanos / nano) : decimalText(this.nanos, this.format === "DecimalExponent");
  }

  toJSON(): string {
    return this.toString();
  }
}

function binaryText(units: bigint): string {
  let mantissa = units;
  let power = 0;
  while (mantissa % kibi === 0n && power < binarySuffixes.length - 1) {
    mantissa /= kibi;
    power++;
  }
  return `${mantissa}${binarySuffixes[power] ?? ""}`;
}

function decimalText(nanos: bigint, withExponent: boolean): string {
  let mantissa = nanos;
  let step = 0;
  while (mantissa % 1000n === 0n && step < decimalSuffixes.length - 1) {
    mantissa /= 1000n;
    step++;
  }
  const exponent = step * 3 - 9;
  if (withExponent) return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
  return `${mantissa}${decimalSuffixes[step] ?? ""}`;
}

function divideAway(amount: bigint, divisor: bigint): bigint {
  const quotient = amount / divisor;
  if (amount % divisor === 0n) return quotient;
  return amount > 0n ? quotient + 1n : quotient - 1n;
}

/** Reads the text form, or a JSON number. Throws QuantityError. */
export function parseQuantity(given: string | number): Quantity {
  const text = typeof given === "number" ? String(given) : given;
  const match = text.length > 1000 ? null : /^([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*)([-+]?[0-9]*)$/.exec(text);
  if (match === null) throw new QuantityError(quantityFormatMessage);
  const [, sign = "", whole = "", fraction = "", letters = "", digits = ""] = match;
  if (whole === "" && fraction === "") throw new QuantityError(quantityFormatMessage);
  const unit = unitOf(letters + digits);
  if (unit === undefined) throw new QuantityError("unable to parse quantity's suffix");

  const mantissa = BigInt(whole + fraction);
  const binary = unit.format === "BinarySI";
  const scaled = binary ? mantissa * kibi ** BigInt(unit.power) : mantissa;
  const nanos = shiftDecimal(scaled, (binary ? 0 : unit.power) + 9 - fraction.length);
  const capped = nanos > maxNanos ? maxNanos : nanos;
  const small = binary && capped > 0n && capped < nano;
  return new Quantity(sign === "-" ? -capped : capped, small ? "DecimalSI" : unit.format);
}

/** Reads a quantity, undefined for what is none. */
export function tryParseQuantity(given: unknown): Quantity | undefined {
  if (typeof given !== "string" && typeof given !== "number") return undefined;
  try {
    return parseQuantity(given);
  } catch (error) {
    if (error instanceof QuantityError) return undefined;
    throw error;
  }
}

function unitOf(suffix: string): { readonly format: QuantityFormat; readonly power: number } | undefined {
  const decimal = decimalSuffixes.indexOf(suffix);
  if (decimal >= 0) return { format: "DecimalSI", power: decimal * 3 - 9 };
  const binary = binarySuffixes.indexOf(suffix);
  if (binary >= 0) return { format: "BinarySI", power: binary };
  const exponent = /^[eE]([-+]?[0-9]+)$/.exec(suffix)?.[1];
  return exponent === undefined ? undefined : { format: "DecimalExponent", power: Number(exponent) };
}

// Beyond these shifts nothing but the cap, or the smallest amount, is left of a mantissa of 1000 digits.
const largestShift = 2000;

/** amount * 10^places; what is lost rounds away from zero. */
function shiftDecimal(amount: bigint, places: number): bigint {
  if (amount === 0n) return 0n;
  if (places >= 0) return amount * 10n ** BigInt(Math.min(places, largestShift));
  return divideAway(amount, 10n ** BigInt(Math.min(-places, largestShift)));
}

// The factor of each suffix to whole units, where everything stays an exact double.
const simpleUnits: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["k", 1e3],
  ["M", 1e6],
  ["G", 1e9],
  ["Ki", 1024],
  ["Mi", 1024 ** 2],
  ["Gi", 1024 ** 3],
]);

/** How many leading characters are digits, if that many make an exact small number; else 0. */
function simpleDigits(text: string): number {
  let length = 0;
  while (length < text.length) {
    const code = text.charCodeAt(length);
    if (code < 0x30 || code > 0x39) break;
    length++;
  }
  return length <= 6 ? length : 0;
}

/** `parseQuantity(text).milliValue()`, without allocation for common forms. Throws QuantityError. */
export function quantityMilliValue(given: string | number): number {
  if (typeof given === "string") {
    const length = simpleDigits(given);
    if (length > 0) {
      const suffix = given.slice(length);
      if (suffix === "m") return Number(given.slice(0, length));
      const unit = simpleUnits.get(suffix);
      if (unit !== undefined) {
        const milli = Number(given.slice(0, length)) * unit * 1000;
        if (milli <= Number.MAX_SAFE_INTEGER) return milli;
      }
    }
  }
  return parseQuantity(given).milliValue();
}

/** `parseQuantity(text).value()`, without allocation for common forms. Throws QuantityError. */
export function quantityValue(given: string | number): number {
  if (typeof given === "string") {
    const length = simpleDigits(given);
    if (length > 0) {
      const suffix = given.slice(length);
      if (suffix === "m") return Math.ceil(Number(given.slice(0, length)) / 1000);
      const unit = simpleUnits.get(suffix);
      if (unit !== undefined) {
        const value = Number(given.slice(0, length)) * unit;
        if (value <= Number.MAX_SAFE_INTEGER) return value;
      }
    }
  }
  return parseQuantity(given).value();
}

/** The canonical text of a quantity as it came over the wire; the text itself where it is canonical. Throws QuantityError. */
export function canonicalQuantity(given: string | number): string {
  if (typeof given === "string") {
    const length = simpleDigits(given);
    // Up to three digits are canonical with every suffix: nothing to factor out.
    if (length > 0 && length <= 3 && given.charCodeAt(0) !== 0x30) {
      const suffix = given.slice(length);
      if (suffix === "m" || simpleUnits.has(suffix)) return given;
    }
  }
  return parseQuantity(given).toString();
}

/** Compares two quantities as text. Throws QuantityError. */
export function compareQuantities(a: string | number, b: string | number): -1 | 0 | 1 {
  return a === b ? 0 : parseQuantity(a).compare(parseQuantity(b));
}
