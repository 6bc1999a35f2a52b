/** A duration that cannot be read; the message is that of Go's time package, which clients see. */
export class DurationError extends Error {
  override readonly name = "DurationError";
}

const unitsMs: ReadonlyMap<string, number> = new Map([
  ["ns", 1e-6],
  ["us", 1e-3],
  ["µs", 1e-3],
  ["μs", 1e-3],
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

/** Milliseconds of a Go duration such as `1h30m`, `1.5s`, `-100ms`, `0`. Throws DurationError. */
export function parseDurationMs(text: string): number {
  const quoted = JSON.stringify(text);
  const negative = text.startsWith("-");
  const unsigned = /^[+-]/.test(text) ? text.slice(1) : text;
  if (unsigned === "0") return 0;
  if (unsigned === "" || unsigned.length > 200) throw new DurationError(`time: invalid duration ${quoted}`);
  let milliseconds = 0;
  const term = /([0-9]*)(\.[0-9]*)?([^0-9.]*)/y;
  while (term.lastIndex < unsigned.length) {
    const [, whole = "", fraction = "", unit = ""] = term.exec(unsigned) ?? [];
    if (whole === "" && fraction.length < 2) throw new DurationError(`time: invalid duration ${quoted}`);
    if (unit === "") throw new DurationError(`time: missing unit in duration ${quoted}`);
    const factor = unitsMs.get(unit);
    if (factor === undefined)
      throw new DurationError(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
    milliseconds += Number(`${whole || "0"}${fraction}`) * factor;
  }
  return negative ? -milliseconds : milliseconds;
}

/** As Go prints a duration: `1h30m0s`, `1.5s`, `100ms`, `0s`. Finer than a nanosecond is cut. */
export function formatDurationMs(milliseconds: number): string {
  const nanoseconds = Math.trunc(Math.abs(milliseconds) * 1e6);
  const sign = milliseconds < 0 && nanoseconds > 0 ? "-" : "";
  if (nanoseconds === 0) return "0s";
  if (nanoseconds < 1e3) return `${sign}${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${sign}${nanoseconds / 1e3}µs`;
  if (nanoseconds < 1e9) return `${sign}${nanoseconds / 1e6}ms`;
  const totalSeconds = Math.floor(nanoseconds / 1e9);
  const fraction = nanoseconds % 1e9;
  const hours = Math.floor(totalSeconds / 3600);
  const minutes = Math.floor((totalSeconds % 3600) / 60);
  const tail = fraction === 0 ? "" : `.${String(fraction).padStart(9, "0").replace(/0+$/, "")}`;
  const seconds = `${totalSeconds % 60}${tail}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}
