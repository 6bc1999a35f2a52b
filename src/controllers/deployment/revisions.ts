import type { Deployment, PodTemplateSpec, ReplicaSet } from "../../api/index.js";
import { equalJson, stableHash } from "../shared/hash.js";
import { desiredReplicas, maxSurge } from "./sizes.js";

type Annotations = { readonly [name: string]: string };

export const hashLabel = "pod-template-hash";
export const revisionAnnotation = "deployment.kubernetes.io/revision";
const historyAnnotation = "deployment.kubernetes.io/revision-history";
export const desiredAnnotation = "deployment.kubernetes.io/desired-replicas";
export const maxAnnotation = "deployment.kubernetes.io/max-replicas";

/** Annotations of a Deployment that are its own affair, or that its ReplicaSets have values of their own for. */
const notCopied: ReadonlySet<string> = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  revisionAnnotation,
  historyAnnotation,
  desiredAnnotation,
  maxAnnotation,
  "deprecated.deployment.rollback.to",
]);

const historyLimit = 2000;
const maxRevision = 2n ** 63n - 1n;

/** Oldest first. */
export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const [first, second] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  if (first !== second) return first < second ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

/** The one with the Deployment's template: the oldest, where there are several. */
export function findNew(deployment: Deployment, all: readonly ReplicaSet[]): ReplicaSet | undefined {
  const template = deployment.spec?.template ?? {};
  return [...all].sort(byAge).find((replicaSet) => equalTemplates(replicaSet.spec?.template ?? {}, template));
}

/** Whether two templates are the same but for the hash label. */
export function equalTemplates(a: PodTemplateSpec, b: PodTemplateSpec): boolean {
  return equalJson(withoutHash(a), withoutHash(b));
}

function withoutHash(template: PodTemplateSpec): unknown {
  const {
    creationTimestamp: _,
    labels = {},
    ...metadata
  } = (template.metadata ?? {}) as Record<string, unknown> & {
    readonly labels?: Annotations;
  };
  const { [hashLabel]: __, ...others } = labels;
  return { ...template, metadata: { ...metadata, labels: others } };
}

/** An int64, larger than what numbers hold exactly: people and tests write such revisions. What is none counts as 0. */
export function revisionOf(object: { readonly metadata: { readonly annotations?: Annotations } }): bigint {
  return parseRevision(object.metadata.annotations?.[revisionAnnotation]);
}

/** 0: there is none. */
export function latestRevision(replicaSets: readonly ReplicaSet[]): bigint {
  let latest = 0n;
  for (const revision of replicaSets.map(revisionOf)) if (revision > latest) latest = revision;
  return latest;
}

function parseRevision(text = "0"): bigint {
  const revision = /^[0-9]{1,19}$/.test(text) ? BigInt(text) : 0n;
  return revision <= maxRevision ? revision : 0n;
}

export function numberAnnotation(object: ReplicaSet, name: string): number | undefined {
  const text = object.metadata.annotations?.[name];
  return text !== undefined && /^[0-9]+$/.test(text) ? Number(text) : undefined;
}

/** The annotations of the new ReplicaSet at `revision`; the very same object when nothing changes. */
export function annotationsFor(
  deployment: Deployment,
  current: Annotations | undefined,
  revision: bigint,
  exists: boolean,
): Annotations {
  const next = new Map<string, string>(Object.entries(current ?? {}));
  for (const [name, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!notCopied.has(name)) next.set(name, value);
  }
  const old = current?.[revisionAnnotation];
  if (parseRevision(old) < revision) {
    next.set(revisionAnnotation, String(revision));
    if (old !== undefined) next.set(historyAnnotation, extendHistory(current?.[historyAnnotation], old));
  }
  if (!exists) for (const [name, value] of Object.entries(sizeAnnotations(deployment))) next.set(name, value);
  const result = Object.fromEntries(next);
  return equalJson(result, current ?? {}) ? (current ?? result) : result;
}

function extendHistory(history: string | undefined, revision: string): string {
  if (history === undefined || history === "") return revision;
  const revisions = [...history.split(","), revision];
  while (revisions.length > 1 && revisions.join(",").length > historyLimit) revisions.shift();
  return revisions.join(",");
}

/** What a ReplicaSet remembers of the Deployment's size, for proportional scaling. */
export function sizeAnnotations(deployment: Deployment): Annotations {
  const desired = desiredReplicas(deployment);
  return { [desiredAnnotation]: String(desired), [maxAnnotation]: String(desired + maxSurge(deployment)) };
}

export function templateHash(deployment: Deployment): string {
  return stableHash(deployment.spec?.template ?? {}, deployment.status?.collisionCount);
}
