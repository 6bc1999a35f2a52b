/**
 * Amounts by resource name in the scheduler's integer units: cpu in millicores, everything else in its base unit
 * (bytes, or pieces). Absent is zero.
 */
export type ResourceAmounts = ReadonlyMap<string, number>;

const suffixes: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["n", 1e-9],
  ["u", 1e-6],
  ["m", 1e-3],
  ["k", 1e3],
  ["M", 1e6],
  ["G", 1e9],
  ["T", 1e12],
  ["P", 1e15],
  ["E", 1e18],
  ["Ki", 2 ** 10],
  ["Mi", 2 ** 20],
  ["Gi", 2 ** 30],
  ["Ti", 2 ** 40],
  ["Pi", 2 ** 50],
  ["Ei", 2 ** 60],
]);

const pattern = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/;

/**
 * The number that a quantity stands for in `resource`'s unit, rounded up as upstream's scheduler does. What cannot be
 * read counts as zero: the API server has refused it already.
 */
export function amountOf(resource: string, quantity: string | number): number {
  const scale = resource === "cpu" ? 1000 : 1;
  if (typeof quantity === "number") return Math.ceil(quantity * scale);
  const parts = pattern.exec(quantity);
  if (parts === null) return 0;
  const [, digits = "0", exponent, suffix = ""] = parts;
  const value = Number(digits + (exponent ?? ""));
  // Multiplying by 1e-3 and then by 1000 would not give back the integer.
  const exact =
    suffix === "m"
      ? (value * scale) / 1000
      : suffix === "u"
        ? (value * scale) / 1e6
        : suffix === "n"
          ? (value * scale) / 1e9
          : value * (suffixes.get(suffix) ?? 0) * scale;
  // A thousandth of rounding noise from decimals such as 0.1 * 1000 is not a reason to ask for one unit more.
  const nearest = Math.round(exact);
  return Math.abs(exact - nearest) < 1e-6 ? nearest : Math.ceil(exact);
}

/** Parses with a memory: a cluster repeats few distinct quantities very often. Bounded. */
export class QuantityCache {
  readonly #cpu = new Map<string, number>();
  readonly #other = new Map<string, number>();

  amount(resource: string, quantity: string | number): number {
    if (typeof quantity === "number") return amountOf(resource, quantity);
    const known = resource === "cpu" ? this.#cpu : this.#other;
    const cached = known.get(quantity);
    if (cached !== undefined) return cached;
    const amount = amountOf(resource, quantity);
    if (known.size >= 10_000) known.clear();
    known.set(quantity, amount);
    return amount;
  }
}
