interface CronField {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const fields: readonly CronField[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: ["", ...months] },
  { min: 0, max: 6, names: days },
];
const descriptors: ReadonlySet<string> = new Set([
  "@yearly",
  "@annually",
  "@monthly",
  "@weekly",
  "@daily",
  "@midnight",
  "@hourly",
]);

/**
 * What is wrong with a schedule in the standard format of robfig/cron, which upstream reads, in its words; undefined is good.
 * Five fields or a descriptor, perhaps after `TZ=` or `CRON_TZ=`.
 */
export function cronScheduleError(schedule: string): string | undefined {
  let text = schedule;
  if (text === "") return "empty spec string";
  const zone = /^(?:CRON_)?TZ=([^ ]*)(?: |$)/.exec(text);
  if (zone !== null) {
    if (!isTimeZone(zone[1] ?? "")) return `provided bad location ${zone[1]}: unknown time zone ${zone[1]}`;
    text = text.slice(zone[0].length).trim();
  }
  if (text.startsWith("@")) return descriptorError(text);
  const parts = text.split(/\s+/).filter((part) => part !== "");
  if (parts.length !== fields.length) {
    return `expected exactly ${fields.length} fields, found ${parts.length}: [${parts.join(" ")}]`;
  }
  for (const [index, field] of fields.entries()) {
    for (const range of (parts[index] ?? "").split(",").filter((part) => part !== "")) {
      const error = rangeError(range, field);
      if (error !== undefined) return error;
    }
  }
  return undefined;
}

function descriptorError(text: string): string | undefined {
  if (descriptors.has(text)) return undefined;
  const every = "@every ";
  if (!text.startsWith(every)) return `unrecognized descriptor: ${text}`;
  const duration = text.slice(every.length);
  if (/^[-+]?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$/.test(duration)) return undefined;
  return `failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`;
}

/** One of `*`, `?`, `3`, `mon`, `1-5`, each perhaps with `/step`. */
function rangeError(text: string, field: CronField): string | undefined {
  const [range = "", step, ...more] = text.split("/");
  const [low = "", high, ...rest] = range.split("-");
  let start = field.min;
  let end = field.max;
  if (low !== "*" && low !== "?") {
    const first = numberOf(low, field);
    if (typeof first === "string") return first;
    start = first;
    if (rest.length > 0) return `too many hyphens: ${text}`;
    const last = high === undefined ? first : numberOf(high, field);
    if (typeof last === "string") return last;
    end = last;
  }
  if (more.length > 0) return `too many slashes: ${text}`;
  let every = 1;
  if (step !== undefined) {
    const parsed = integerOf(step);
    if (typeof parsed === "string") return parsed;
    every = parsed;
    // `3/5` is from 3 on.
    if (high === undefined && low !== "*" && low !== "?") end = field.max;
  }
  if (start < field.min) return `beginning of range (${start}) below minimum (${field.min}): ${text}`;
  if (end > field.max) return `end of range (${end}) above maximum (${field.max}): ${text}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${text}`;
  return every === 0 ? `step of range should be a positive number: ${text}` : undefined;
}

function numberOf(text: string, field: CronField): number | string {
  const named = text === "" ? -1 : (field.names?.indexOf(text.toLowerCase()) ?? -1);
  return named >= 0 ? named : integerOf(text);
}

function integerOf(text: string): number | string {
  if (!/^[-+]?[0-9]+$/.test(text)) {
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
  }
  const value = Number(text);
  return value < 0 ? `negative number (${value}) not allowed: ${text}` : value;
}

/** Whether the name is of the time zone database. */
export function isTimeZone(name: string): boolean {
  if (name === "" || /^[+-]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
