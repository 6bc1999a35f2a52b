import type { Container, EphemeralContainer, PodSpec } from "../../../api/index.js";

export type AnyContainer = Container | EphemeralContainer;

/** What is judged: a pod, or a template of one. */
export interface Subject {
  readonly spec: Partial<PodSpec>;
  readonly annotations: { readonly [name: string]: string };
}

/** What is wrong, in upstream's words. */
export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

/** One rule of a standard, as it is in a minor version. */
export type Check = (subject: Subject, minor: number) => Violation | undefined;

export function containersOf({ spec }: Subject): readonly AnyContainer[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
}

/** The names of containers of which something is true. */
export function namesWhere(subject: Subject, holds: (container: AnyContainer) => boolean): readonly string[] {
  return containersOf(subject)
    .filter(holds)
    .map(({ name }) => name);
}

export function plural(count: number, one: string, many: string): string {
  return count === 1 ? one : many;
}

/** `"a", "b"` */
export function quoted(words: Iterable<string>): string {
  return [...words].map((word) => JSON.stringify(word)).join(", ");
}

/** `containers "a", "b"` */
export function containers(names: readonly string[]): string {
  return `${plural(names.length, "container", "containers")} ${quoted(names)}`;
}

export function sorted(words: Iterable<string>): readonly string[] {
  return [...new Set(words)].sort();
}

/** Who set something that may not be set: the pod, containers, or both. */
export function setters(pod: boolean, names: readonly string[]): readonly string[] {
  return [...(pod ? ["pod"] : []), ...(names.length === 0 ? [] : [containers(names)])];
}

/** Windows has none of what some rules are about. */
export function isWindows({ spec }: Subject, minor: number): boolean {
  return minor >= 25 && spec.os?.name === "windows";
}
