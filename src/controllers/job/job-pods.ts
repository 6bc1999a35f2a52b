import { type Container, type Job, jobs, type New, type Pod } from "../../api/index.js";
import type { ReconcileContext } from "../define-controller.js";
import type { Expectations } from "../shared/expectations.js";
import { createPod, isNamespaceTerminating, podFromTemplate } from "../shared/pod-control.js";
import { slowStart } from "../shared/slow-start.js";
import { failuresKey, indexKey, isIndexed, type JobState, trackingFinalizer } from "./state.js";
import { freeIndexes } from "./verdict.js";

const burst = 500;

/** Creates up to `missing` pods; those of an indexed Job for its lowest free indexes. */
export async function createJobPods(
  state: JobState,
  missing: number,
  expectations: Expectations,
  context: ReconcileContext,
): Promise<void> {
  const { job } = state;
  const { uid } = job.metadata;
  const indexes = isIndexed(job) ? freeIndexes(state, Math.min(missing, burst)) : undefined;
  const count = indexes?.length ?? Math.min(missing, burst);
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
      generateName: `${name}-${index}-`,
      finalizers,
      labels: { ...pod.metadata.labels, [indexKey]: String(index) },
      annotations: {
        ...pod.metadata.annotations,
        [indexKey]: String(index),
        ...(perIndex ? { [failuresKey]: String(state.failuresAt(index)) } : {}),
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
