import type { Environment } from "@marcbachmann/cel-js";
import type { Define } from "./library.js";

/** A version by the rules of semver.org 2.0.0: the value of `semver()` in expressions. */
export class Semver {
  readonly numbers: readonly [major: bigint, minor: bigint, patch: bigint];
  /** Before a release: `alpha.1` as its parts; empty for a release. */
  readonly before: readonly string[];

  constructor(numbers: Semver["numbers"], before: readonly string[]) {
    this.numbers = numbers;
    this.before = before;
  }

  compare(other: Semver): number {
    for (const [index, number] of this.numbers.entries()) {
      const theirs = other.numbers[index] ?? 0n;
      if (number !== theirs) return number < theirs ? -1 : 1;
    }
    return compareBefore(this.before, other.before);
  }
}

/** A release comes after everything before it; numbers come before words, and fewer parts before more. */
function compareBefore(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return Math.sign(b.length - a.length);
  for (const [index, part] of a.entries()) {
    const theirs = b[index];
    if (theirs === undefined) return 1;
    if (part !== theirs) return compareParts(part, theirs);
  }
  return a.length < b.length ? -1 : 0;
}

function compareParts(a: string, b: string): number {
  const [first, second] = [isNumber(a), isNumber(b)];
  if (first !== second) return first ? -1 : 1;
  if (first) return BigInt(a) < BigInt(b) ? -1 : 1;
  return a < b ? -1 : 1;
}

function isNumber(text: string): boolean {
  return /^[0-9]+$/.test(text);
}

const grammar =
  /^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

/** Undefined for what is no version. */
export function parseSemver(text: string): Semver | undefined {
  const [, major, minor, patch, before] = grammar.exec(text) ?? [];
  if (major === undefined || minor === undefined || patch === undefined) return undefined;
  const parts = before?.split(".") ?? [];
  if (parts.some((part) => isNumber(part) && part.length > 1 && part.startsWith("0"))) return undefined;
  const numbers = [BigInt(major), BigInt(minor), BigInt(patch)] as const;
  return numbers.some((number) => number >= 2n ** 64n) ? undefined : new Semver(numbers, parts);
}

/** `v1.2` is `1.2.0`, and `01` is `1`. */
function normalized(text: string): string {
  const [, body = "", tail = ""] = /^([^-+]*)(.*)$/s.exec(text.replace(/^v/, "")) ?? [];
  const numbers = body.split(".").map((number) => number.replace(/^0+(?=[0-9])/, ""));
  while (numbers.length < 3) numbers.push("0");
  return numbers.join(".") + tail;
}

function versionOf(text: string): Semver {
  const version = parseSemver(text);
  if (version === undefined) throw new Error(`Semver parse error: ${JSON.stringify(text)} is no semantic version`);
  return version;
}

/** semver(), isSemver() and what can be asked of a version. With true as second argument they are lenient about its form. */
export function registerSemver(define: Define, environment: Environment): void {
  environment.registerType("kubernetes.Semver", { ctor: Semver, fields: {} });
  const lenient = (text: string, normalize: boolean): string => (normalize ? normalized(text) : text);
  define("semver(string): kubernetes.Semver", versionOf);
  define("semver(string, bool): kubernetes.Semver", (text: string, normalize: boolean) =>
    versionOf(lenient(text, normalize)),
  );
  define("isSemver(string): bool", (text: string) => parseSemver(text) !== undefined);
  define(
    "isSemver(string, bool): bool",
    (text: string, normalize: boolean) => parseSemver(lenient(text, normalize)) !== undefined,
  );
  for (const [index, name] of ["major", "minor", "patch"].entries()) {
    define(`kubernetes.Semver.${name}(): int`, ({ numbers }: Semver) => numbers[index] ?? 0n);
  }
  const compare = (a: Semver, b: Semver): bigint => BigInt(a.compare(b));
  define("kubernetes.Semver.compareTo(kubernetes.Semver): int", compare);
  define("kubernetes.Semver.isGreaterThan(kubernetes.Semver): bool", (a: Semver, b: Semver) => a.compare(b) > 0);
  define("kubernetes.Semver.isLessThan(kubernetes.Semver): bool", (a: Semver, b: Semver) => a.compare(b) < 0);
  environment.registerOperator("kubernetes.Semver == kubernetes.Semver", (a: Semver, b: Semver) => a.compare(b) === 0);
}
