import { invalid } from "../../../api/field-error.js";
import type { FieldError, Labels } from "../../../api/index.js";

export type Level = "privileged" | "baseline" | "restricted";

/** A standard as it was in a minor version of Kubernetes; Infinity is the newest. */
export interface LevelVersion {
  readonly level: Level;
  readonly minor: number;
}

export interface Policy {
  readonly enforce: LevelVersion;
  readonly audit: LevelVersion;
  readonly warn: LevelVersion;
}

const prefix = "pod-security.kubernetes.io/";
const strictness: Readonly<Record<Level, number>> = { privileged: 0, baseline: 1, restricted: 2 };
export const privileged: Policy = {
  enforce: { level: "privileged", minor: Number.POSITIVE_INFINITY },
  audit: { level: "privileged", minor: Number.POSITIVE_INFINITY },
  warn: { level: "privileged", minor: Number.POSITIVE_INFINITY },
};

/** `restricted:latest`, `baseline:v1.24` */
export function format({ level, minor }: LevelVersion): string {
  return `${level}:${minor === Number.POSITIVE_INFINITY ? "latest" : `v1.${minor}`}`;
}

export function isStricter(one: LevelVersion, other: LevelVersion): boolean {
  return strictness[one.level] > strictness[other.level];
}

/** What a namespace's labels say, over `defaults`. What cannot be read counts as restricted: better shut than open. */
export function policyOf(labels: Labels, defaults: Policy): { readonly policy: Policy; readonly errors: FieldError[] } {
  const errors: FieldError[] = [];
  const read = (mode: keyof Policy): LevelVersion => {
    const { level, minor } = defaults[mode];
    return { level: levelOf(labels, mode, level, errors), minor: minorOf(labels, mode, minor, errors) };
  };
  const enforce = read("enforce");
  const audit = read("audit");
  let warn = read("warn");
  // A level that is enforced is warned of as well: workloads are only told.
  const says = Object.hasOwn(labels, `${prefix}enforce`) && !Object.hasOwn(labels, `${prefix}warn`);
  if (says && isStricter(enforce, warn)) warn = enforce;
  return { policy: { enforce, audit, warn }, errors };
}

function levelOf(labels: Labels, mode: string, fallback: Level, errors: FieldError[]): Level {
  const label = `${prefix}${mode}`;
  const given = Object.hasOwn(labels, label) ? labels[label] : undefined;
  if (given === undefined) return fallback;
  if (given === "privileged" || given === "baseline" || given === "restricted") return given;
  errors.push(invalid(`metadata.labels[${label}]`, given, "must be one of privileged, baseline, restricted"));
  return "restricted";
}

function minorOf(labels: Labels, mode: string, fallback: number, errors: FieldError[]): number {
  const label = `${prefix}${mode}-version`;
  const given = Object.hasOwn(labels, label) ? labels[label] : undefined;
  if (given === undefined) return fallback;
  if (given === "latest") return Number.POSITIVE_INFINITY;
  const minor = /^v1\.(0|[1-9][0-9]*)$/.exec(given)?.[1];
  if (minor !== undefined) return Number(minor);
  errors.push(invalid(`metadata.labels[${label}]`, given, 'must be "latest" or "v1.x"'));
  return Number.POSITIVE_INFINITY;
}
