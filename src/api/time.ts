const pattern = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,30}))?(?:Z|([+-])(\d{2}):(\d{2}))$/;

/** Times come again and again, as the many of one second do. */
const parsed = new Map<string, number>();
const parsedLimit = 1000;

/** Milliseconds since 1970 of an RFC 3339 time; undefined for what is none. */
export function parseTimeMs(text: string): number | undefined {
  const known = parsed.get(text);
  if (known !== undefined || text.length > 64) return known;
  const milliseconds = parse(text);
  if (parsed.size >= parsedLimit) parsed.clear();
  if (milliseconds !== undefined) parsed.set(text, milliseconds);
  return milliseconds;
}

function parse(text: string): number | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 || day < 1) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second, Math.floor(Number(`0.${match[7] ?? "0"}`) * 1000));
  const offsetHours = Number(match[9] ?? 0);
  const offsetMinutes = Number(match[10] ?? 0);
  if (offsetHours > 24 || offsetMinutes > 59) return undefined;
  return date.getTime() - (match[8] === "-" ? -1 : 1) * (offsetHours * 60 + offsetMinutes) * 60_000;
}

/** metav1.Time: seconds, UTC. */
export function formatTime(milliseconds: number): string {
  return `${new Date(Math.floor(milliseconds / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

/** metav1.MicroTime: microseconds, UTC. */
export function formatMicroTime(milliseconds: number): string {
  const whole = Math.floor(milliseconds);
  const micros = Math.floor((milliseconds - whole) * 1000);
  return `${new Date(whole).toISOString().slice(0, 23)}${String(micros).padStart(3, "0")}Z`;
}

const canonicalTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/** An RFC 3339 time as the API stores it; undefined for what is none. */
export function canonicalTimeText(text: string): string | undefined {
  const milliseconds = parseTimeMs(text);
  if (milliseconds === undefined) return undefined;
  return canonicalTime.test(text) ? text : formatTime(milliseconds);
}

/** Like `canonicalTimeText` for a MicroTime; keeps all six digits. */
export function canonicalMicroTimeText(text: string): string | undefined {
  const milliseconds = parseTimeMs(text);
  if (milliseconds === undefined) return undefined;
  const fraction = /[.,](\d+)/.exec(text)?.[1] ?? "";
  return `${formatTime(milliseconds).slice(0, -1)}.${fraction.slice(0, 6).padEnd(6, "0")}Z`;
}
