/** A number, or text: a percentage of something, or the name of a port. */
export type IntOrString = number | string;

/** The percentage that text stands for (`25%` is 25), or undefined when it is none. */
export function percentOf(value: IntOrString): number | undefined {
  if (typeof value !== "string" || !/^[+-]?[0-9]{1,9}%$/.test(value)) return undefined;
  return Number(value.slice(0, -1));
}

/**
 * A number as it is, a percentage as that part of `total`, rounded up or down. Throws Error with upstream's message for
 * text that is no percentage.
 */
export function scaledIntOrPercent(value: IntOrString, total: number, rounding: "up" | "down"): number {
  if (typeof value === "number") return value;
  const percent = percentOf(value);
  if (percent === undefined) {
    const why = value.endsWith("%")
      ? `invalid value ${JSON.stringify(value.slice(0, -1))}: strconv.Atoi: parsing ${JSON.stringify(value.slice(0, -1))}: invalid syntax`
      : "invalid type: string is not a percentage";
    throw new Error(`invalid value for IntOrString: ${why}`);
  }
  const part = (percent * total) / 100;
  return rounding === "up" ? Math.ceil(part) : Math.floor(part);
}
