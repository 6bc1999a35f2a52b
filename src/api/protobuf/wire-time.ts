import { parseTimeMs } from "../time.js";

/** The seconds of the years 0 to 9999, which RFC 3339 can say. */
const minSeconds = -62167219200;
const maxSeconds = 253402300799;

export interface WireTime {
  readonly seconds: number;
  /** Whole microseconds; 0 for a Time, which has seconds only. */
  readonly nanos: number;
}

const canonical = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/** Undefined for text that is no time. */
export function secondsOf(text: string): number | undefined {
  if (canonical.test(text)) {
    const milliseconds = Date.parse(text);
    return Number.isNaN(milliseconds) ? undefined : milliseconds / 1000;
  }
  const milliseconds = parseTimeMs(text);
  return milliseconds === undefined ? undefined : Math.floor(milliseconds / 1000);
}

/** Keeps all six digits of a MicroTime. Undefined for text that is no time. */
export function microTimeOf(text: string): WireTime | undefined {
  const seconds = secondsOf(text);
  if (seconds === undefined) return undefined;
  const fraction = /[.,](\d{1,6})/.exec(text)?.[1] ?? "";
  return { seconds, nanos: Number(fraction.padEnd(6, "0")) * 1000 };
}

/** Undefined for a time that RFC 3339 cannot say. */
export function timeText(seconds: number): string | undefined {
  if (seconds < minSeconds || seconds > maxSeconds) return undefined;
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

export function microTimeText({ seconds, nanos }: WireTime): string | undefined {
  if (nanos < 0 || nanos >= 1e9) return undefined;
  const text = timeText(seconds);
  return text && `${text.slice(0, -1)}.${String(Math.floor(nanos / 1000)).padStart(6, "0")}Z`;
}
