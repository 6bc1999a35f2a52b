import { type Container, type Job, jobs, type New, type Pod } from "../../api/index.js";
import type { ReconcileContext } from "../define-controller.js";
import type { Expectations } from "../shared/expectations.js";
import { createPod, isNamespaceTerminating, podFromTemplate } from "../shared/pod-control.js";
import { podsToDelete } from "../shared/rank-pods.js";
import { slowStart } from "../shared/slow-start.js";
import { type Backoffs, indexLeftMs } from "./backoff.js";
import { failureAnnotations, indexKey, indexOf, isIndexed, type JobState, trackingFinalizer } from "./state.js";
import { freeIndexes } from "./verdict.js";

const burst = 500;
/** Longer names are cut by the server, which would cut the index off. */
const maxPrefixLength = 58;

/**
 * What to make of `missing` pods: how many now, for which indexes of an indexed Job (the lowest free ones), or how long all of them
 * have to wait after failures.
 */
export function planJobPods(
  state: JobState,
  missing: number,
  backoffs: Backoffs,
  nowMs: number,
): { readonly count: number; readonly indexes: readonly number[] | undefined; readonly waitMs: number } {
  const { job, heldBack } = state;
  const count = Math.min(missing, burst);
  const perIndex = job.spec?.backoffLimitPerIndex !== undefined;
  const waitMs = perIndex ? 0 : backoffs.leftMs(job, nowMs);
  if (waitMs > 0) return { count: 0, indexes: undefined, waitMs };
  if (!isIndexed(job)) return { count, indexes: undefined, waitMs: 0 };
  const free = freeIndexes(state, count);
  if (!perIndex) return { count: free.length, indexes: free, waitMs: 0 };
  const waits = free.map((index) => indexLeftMs(heldBack.get(index), nowMs));
  const ready = free.filter((_, at) => waits[at] === 0);
  return {
    count: ready.length,
    indexes: ready,
    waitMs: ready.length > 0 || free.length === 0 ? 0 : Math.min(...waits),
  };
}

/** At least `atLeast` active pods to delete; those of an indexed Job first that share an index, have none, or one beyond the Job's size. */
export function surplusPods({ job, active }: JobState, atLeast: number, nowMs: number): readonly Pod[] {
  const surplus: Pod[] = [];
  let left = active;
  if (isIndexed(job)) {
    const byIndex = new Map<number, Pod[]>();
    for (const pod of active) {
      const index = indexOf(pod);
      const group = index === undefined ? undefined : byIndex.get(index);
      if (index === undefined || index >= (job.spec?.completions ?? 0)) surplus.push(pod);
      else if (group === undefined) byIndex.set(index, [pod]);
      else group.push(pod);
    }
    for (const group of byIndex.values()) surplus.push(...podsToDelete(group, group, group.length - 1, nowMs));
    left = active.filter((pod) => !surplus.includes(pod));
  }
  const more = Math.max(0, atLeast - surplus.length);
  return [...surplus, ...podsToDelete(left, left, more, nowMs)].slice(0, burst);
}

/** Creates `count` pods, or one for each of `indexes`. */
export async function createJobPods(
  state: JobState,
  { count, indexes }: { readonly count: number; readonly indexes: readonly number[] | undefined },
  expectations: Expectations,
  context: ReconcileContext,
): Promise<void> {
  const { job } = state;
  const { uid } = job.metadata;
  const call = { client: context.client, events: context.events, owner: job, signal: context.signal };
  expectations.expectCreations(uid, count);
  let tried = 0;
  const { error } = await slowStart(count, async (at) => {
    tried++;
    try {
      await createPod(call, makeJobPod(job, indexes?.[at], state));
    } catch (failure) {
      expectations.creationObserved(uid);
      if (!isNamespaceTerminating(failure)) throw failure;
    }
  });
  for (; tried < count; tried++) expectations.creationObserved(uid);
  if (error !== undefined) throw error;
}

function makeJobPod(job: Job, index: number | undefined, state: JobState): New<Pod> {
  const pod = podFromTemplate(job, jobs, job.spec?.template ?? {});
  const finalizers = [...(pod.metadata.finalizers ?? []), trackingFinalizer];
  if (index === undefined || pod.spec === undefined) return { ...pod, metadata: { ...pod.metadata, finalizers } };
  const { name } = job.metadata;
  const withIndex = (containers: readonly Container[]): readonly Container[] => containers.map(addIndexVariable);
  const perIndex = job.spec?.backoffLimitPerIndex !== undefined;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: `${name.slice(0, maxPrefixLength - `-${index}-`.length)}-${index}-`,
      finalizers,
      labels: { ...pod.metadata.labels, [indexKey]: String(index) },
      annotations: {
        ...pod.metadata.annotations,
        [indexKey]: String(index),
        ...(perIndex ? failureAnnotations(job, state.heldBack.get(index)) : {}),
      },
    },
    spec: {
      ...pod.spec,
      hostname: `${name}-${index}`,
      containers: withIndex(pod.spec.containers),
      ...(pod.spec.initContainers === undefined ? {} : { initContainers: withIndex(pod.spec.initContainers) }),
    },
  };
}

function addIndexVariable(container: Container): Container {
  const variable = "JOB_COMPLETION_INDEX";
  if ((container.env ?? []).some(({ name }) => name === variable)) return container;
  const fieldPath = `metadata.labels['${indexKey}']`;
  return { ...container, env: [...(container.env ?? []), { name: variable, valueFrom: { fieldRef: { fieldPath } } }] };
}
