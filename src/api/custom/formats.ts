import { parseCidr, parseIp } from "../ip.js";

type Check = (value: string) => boolean;

const email =
  /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;
const hostname =
  /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?$/;
const dateTime = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;
const uuidOf = (version: string): RegExp =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, "i");
const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const qualifiedName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const duration =
  /^[+-]?(\d+(\.\d*)?|\.\d+)\s*(ns|nanos?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)(\s*(\d+(\.\d*)?|\.\d+)\s*(ns|nanos?|us|µs|micros?|ms|millis?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?))*$/i;

function isDate(text: string): boolean {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  if (match === null) return false;
  const [, year, month, day] = match.map(Number);
  const date = new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day));
  return date.getUTCMonth() === (month ?? 0) - 1 && date.getUTCDate() === day;
}

function isDateTime(text: string): boolean {
  const match = dateTime.exec(text);
  if (match === null) return false;
  const [hour, minute, second] = match.slice(4, 7).map(Number);
  return isDate(text.slice(0, 10)) && (hour ?? 0) < 24 && (minute ?? 0) < 60 && (second ?? 0) < 60;
}

/** Go's url.ParseRequestURI, in what people write. */
function isUri(text: string): boolean {
  if (text.startsWith("/")) return !/[\s\p{Cc}]/u.test(text);
  try {
    return new URL(text).protocol !== "" && !/[\s\p{Cc}]/u.test(text);
  } catch {
    return false;
  }
}

function isCreditCard(text: string): boolean {
  const digits = text.replace(/[- ]/g, "");
  if (!/^\d{12,19}$/.test(digits)) return false;
  let sum = 0;
  [...digits].reverse().forEach((digit, index) => {
    const doubled = Number(digit) * (index % 2 === 0 ? 1 : 2);
    sum += doubled > 9 ? doubled - 9 : doubled;
  });
  return sum % 10 === 0;
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[- ]/g, "");
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const sum = [...digits].reduce(
    (total, digit, index) => total + (10 - index) * (digit === "X" ? 10 : Number(digit)),
    0,
  );
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[- ]/g, "");
  if (!/^\d{13}$/.test(digits)) return false;
  return [...digits].reduce((total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3), 0) % 10 === 0;
}

function isBase64(text: string): boolean {
  return text !== "" && text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

const hexColor: Check = (value) => /^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/.test(value);
const rgbColor: Check = (value) =>
  /^rgb\(\s*(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\s*,\s*(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\s*,\s*(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])\s*\)$/.test(
    value,
  );
const mac: Check = (value) =>
  /^([0-9a-fA-F]{2}[:-]){5}([0-9a-fA-F]{2}[:-]?){1,3}$|^([0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}$/.test(value);
const objectId: Check = (value) => /^[0-9a-fA-F]{24}$/.test(value);

/** The formats of strings that upstream checks, without their dashes; all others are only documentation. */
const checks: ReadonlyMap<string, Check> = new Map<string, Check>([
  ["bsonobjectid", objectId],
  ["uri", isUri],
  ["email", (value) => value.length <= 320 && email.test(value)],
  ["hostname", (value) => value.length <= 255 && hostname.test(value)],
  ["ipv4", (value) => parseIp(value)?.family === 4],
  ["ipv6", (value) => parseIp(value)?.family === 6],
  ["cidr", (value) => parseCidr(value) !== undefined],
  ["mac", mac],
  ["uuid", (value) => uuidOf("[0-9a-f]").test(value)],
  ["uuid3", (value) => uuidOf("3").test(value)],
  ["uuid4", (value) => uuidOf("4").test(value)],
  ["uuid5", (value) => uuidOf("5").test(value)],
  ["isbn", (value) => isIsbn10(value) || isIsbn13(value)],
  ["isbn10", isIsbn10],
  ["isbn13", isIsbn13],
  ["creditcard", isCreditCard],
  ["ssn", (value) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(value)],
  ["hexcolor", hexColor],
  ["rgbcolor", rgbColor],
  ["byte", isBase64],
  ["password", () => true],
  ["date", isDate],
  ["duration", (value) => duration.test(value)],
  ["datetime", isDateTime],
  ["k8sshortname", (value) => value.length <= 63 && label.test(value)],
  ["k8slongname", (value) => value.length <= 253 && value.split(".").every((part) => label.test(part))],
  ["qualifiedname", (value) => value.length <= 63 && qualifiedName.test(value)],
]);

/** Whether a string is what its format says; undefined for formats that nobody checks. */
export function formatCheck(format: string): Check | undefined {
  return checks.get(format.replaceAll("-", ""));
}
