/** When a schedule fires. */
export interface Schedule {
  /** The first time after `afterMs`, in ms; undefined when there is none in five years. */
  next(afterMs: number): number | undefined;
}

export class ScheduleError extends Error {
  override readonly name = "ScheduleError";
}

interface Field {
  readonly values: ReadonlySet<number>;
  /** `*` or `?`, which for the two fields of days means: the other one decides. */
  readonly star: boolean;
}

const months = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const weekdays = "sun mon tue wed thu fri sat".split(" ");

const named: ReadonlyMap<string, string> = new Map([
  ["@yearly", "0 0 1 1 *"],
  ["@annually", "0 0 1 1 *"],
  ["@monthly", "0 0 1 * *"],
  ["@weekly", "0 0 * * 0"],
  ["@daily", "0 0 * * *"],
  ["@midnight", "0 0 * * *"],
  ["@hourly", "0 * * * *"],
]);

const minuteMs = 60_000;
const horizonMs = 5 * 366 * 24 * 60 * minuteMs;

/** Reads the grammar that upstream's CronJob takes: five fields with names, lists, ranges and steps, `@daily` and such, `@every 1h30m`. */
export function parseSchedule(text: string, timeZone = "UTC"): Schedule {
  const every = /^@every (.+)$/.exec(text.trim());
  if (every !== null) return interval(parseDuration(every[1] ?? ""));
  const fields = (named.get(text.trim()) ?? text.trim()).split(/\s+/);
  if (text.trim().startsWith("@") && fields.length !== 5) throw new ScheduleError(`unrecognized descriptor: ${text}`);
  if (fields.length !== 5)
    throw new ScheduleError(`expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`);
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = fields;
  return new CronSchedule(
    {
      minute: parseField(minute, 0, 59),
      hour: parseField(hour, 0, 23),
      day: parseField(day, 1, 31),
      month: parseField(month, 1, 12, months, 1),
      weekday: parseField(weekday, 0, 6, weekdays, 0),
    },
    zoneOf(timeZone),
  );
}

function parseField(text: string, min: number, max: number, names: readonly string[] = [], base = 0): Field {
  const values = new Set<number>();
  let star = false;
  for (const part of text.split(",")) {
    const [range = "", stepText, ...rest] = part.split("/");
    if (rest.length > 0) throw new ScheduleError(`too many slashes: ${part}`);
    const step = stepText === undefined ? 1 : number(stepText, [], 0);
    if (step === 0) throw new ScheduleError(`step of range should be a positive number: ${part}`);
    const any = range === "*" || range === "?";
    const [low, high, ...more] = any ? [] : range.split("-");
    if (more.length > 0) throw new ScheduleError(`too many hyphens: ${part}`);
    const first = any ? min : number(low ?? "", names, base);
    const last =
      any || (high === undefined && stepText !== undefined)
        ? max
        : high === undefined
          ? first
          : number(high, names, base);
    if (first < min) throw new ScheduleError(`beginning of range (${first}) below minimum (${min}): ${part}`);
    if (last > max) throw new ScheduleError(`end of range (${last}) above maximum (${max}): ${part}`);
    if (first > last) throw new ScheduleError(`beginning of range (${first}) beyond end of range (${last}): ${part}`);
    if (any && step === 1) star = true;
    for (let value = first; value <= last; value += step) values.add(value);
  }
  return { values, star };
}

function number(text: string, names: readonly string[], base: number): number {
  const at = names.indexOf(text.toLowerCase());
  if (at >= 0) return at + base;
  if (!/^[0-9]{1,9}$/.test(text)) throw new ScheduleError(`failed to parse int from ${text}`);
  return Number(text);
}

const unitsMs: ReadonlyMap<string, number> = new Map([
  ["h", 3_600_000],
  ["m", minuteMs],
  ["s", 1000],
  ["ms", 1],
]);

function parseDuration(text: string): number {
  let total = 0;
  const parts = /^(?:[0-9]+(?:\.[0-9]+)?(?:h|ms|m|s))+$/.test(text)
    ? text.matchAll(/([0-9]+(?:\.[0-9]+)?)(h|ms|m|s)/g)
    : undefined;
  if (parts === undefined) throw new ScheduleError(`failed to parse duration @every ${text}`);
  for (const [, amount, unit] of parts) total += Number(amount) * (unitsMs.get(unit ?? "") ?? 0);
  return Math.max(1000, Math.floor(total / 1000) * 1000);
}

function interval(everyMs: number): Schedule {
  return { next: (afterMs) => Math.floor(afterMs / 1000) * 1000 + everyMs };
}

interface Fields {
  readonly minute: Field;
  readonly hour: Field;
  readonly day: Field;
  readonly month: Field;
  readonly weekday: Field;
}

class CronSchedule implements Schedule {
  readonly #fields: Fields;
  readonly #zone: Zone;

  constructor(fields: Fields, zone: Zone) {
    this.#fields = fields;
    this.#zone = zone;
  }

  next(afterMs: number): number | undefined {
    const { minute, hour, month } = this.#fields;
    let at = Math.floor(afterMs / minuteMs) * minuteMs + minuteMs;
    while (at <= afterMs + horizonMs) {
      const local = this.#zone.local(at);
      if (!month.values.has(local.month)) at = this.#zone.instant(local.year, local.month + 1, 1, at);
      else if (!this.#isDay(local)) at = this.#zone.instant(local.year, local.month, local.day + 1, at);
      // An hour that the clocks skip never comes, one that they repeat comes twice.
      else if (!hour.values.has(local.hour)) at += (60 - local.minute) * minuteMs;
      else if (!minute.values.has(local.minute)) at += minuteMs;
      else return at;
    }
    return undefined;
  }

  #isDay(local: LocalTime): boolean {
    const { day, weekday } = this.#fields;
    const [byDay, byWeekday] = [day.values.has(local.day), weekday.values.has(local.weekday)];
    return day.star || weekday.star ? byDay && byWeekday : byDay || byWeekday;
  }
}

interface LocalTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly weekday: number;
}

interface Zone {
  local(atMs: number): LocalTime;
  /** The beginning of a local day (month 13 is January), never at or before `notBeforeMs`. */
  instant(year: number, month: number, day: number, notBeforeMs: number): number;
}

/** Throws a ScheduleError for a zone that does not exist. */
export function zoneOf(timeZone: string): Zone {
  const offset = offsetOf(timeZone);
  return {
    local(atMs) {
      const date = new Date(atMs + offset(atMs));
      return {
        year: date.getUTCFullYear(),
        month: date.getUTCMonth() + 1,
        day: date.getUTCDate(),
        hour: date.getUTCHours(),
        minute: date.getUTCMinutes(),
        weekday: date.getUTCDay(),
      };
    },
    instant(year, month, day, notBeforeMs) {
      const wall = Date.UTC(year, month - 1, day);
      const first = wall - offset(wall);
      const at = wall - offset(first);
      return Math.max(at, notBeforeMs + minuteMs);
    },
  };
}

/** The moment as RFC 3339 with the zone's offset then: `2026-07-01T09:00:00+09:00`, and `Z` for none. */
export function inZone(atMs: number, timeZone: string): string {
  const offsetMs = offsetOf(timeZone)(atMs);
  const local = new Date(atMs + offsetMs).toISOString().slice(0, 19);
  if (offsetMs === 0) return `${local}Z`;
  const minutes = Math.abs(offsetMs) / minuteMs;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  return `${local}${offsetMs < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
}

function offsetOf(timeZone: string): (atMs: number) => number {
  if (timeZone === "UTC" || timeZone === "Etc/UTC") return () => 0;
  let format: Intl.DateTimeFormat;
  try {
    const numeric = "2-digit";
    const fields = {
      year: "numeric",
      month: numeric,
      day: numeric,
      hour: numeric,
      minute: numeric,
      second: numeric,
    } as const;
    format = new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", ...fields });
  } catch (cause) {
    throw new ScheduleError(`unknown time zone ${timeZone}`, { cause });
  }
  return (atMs) => {
    const parts = new Map(format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
    const of = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    const wall = Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
    return wall - Math.floor(atMs / 1000) * 1000;
  };
}

const windowsMs = [1, 24, 24 * 8, 24 * 32, 24 * 367, 24 * 366 * 5].map((hours) => hours * 60 * minuteMs);

/** The last time in (afterMs, nowMs] that the schedule fired, and whether more than `tooMany` did. */
export function mostRecent(
  schedule: Schedule,
  afterMs: number,
  nowMs: number,
  tooMany = 100,
): { readonly at: number | undefined; readonly missedTooMany: boolean; readonly missed: number } {
  let missed = 0;
  let last: number | undefined;
  for (let at = schedule.next(afterMs); at !== undefined && at <= nowMs; at = schedule.next(at)) {
    last = at;
    if (++missed <= tooMany) continue;
    // Long away: not every minute of it need be counted.
    for (const window of windowsMs) {
      const near = schedule.next(Math.max(afterMs, nowMs - window));
      if (near === undefined || near > nowMs) continue;
      for (let one: number | undefined = near; one !== undefined && one <= nowMs; one = schedule.next(one)) last = one;
      break;
    }
    return { at: last, missedTooMany: true, missed };
  }
  return { at: last, missedTooMany: false, missed };
}
