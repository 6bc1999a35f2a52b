import type { Pod } from "../../api/index.js";
import { quantityMilliValue } from "../../api/quantity.js";
import { isTerminating, readyCondition } from "../shared/pods.js";
import type { PodMetrics } from "./metrics-client.js";

/** How long what is measured of a pod that has just begun says little. */
export interface Timing {
  readonly nowMs: number;
  /** So long after its start a pod's CPU counts only while it is ready, and measured since. */
  readonly cpuInitializationMs: number;
  /** A pod that became unready within this after its start was never ready. */
  readonly initialReadinessDelayMs: number;
}

export interface PodGroups {
  /** Measured, and to be counted. */
  readonly ready: number;
  /** Not ready yet. */
  readonly unready: ReadonlySet<string>;
  /** Not measured. */
  readonly missing: ReadonlySet<string>;
  /** Failed, or on their way out: as if they were not there. */
  readonly gone: ReadonlySet<string>;
}

/** Sorts pods by whether what is measured of them counts. */
export function groupPods(pods: readonly Pod[], metrics: PodMetrics, resource: string, timing: Timing): PodGroups {
  let ready = 0;
  const gone = new Set<string>();
  const unready = new Set<string>();
  const missing = new Set<string>();
  for (const pod of pods) {
    const { name } = pod.metadata;
    const metric = metrics.get(name);
    if (isTerminating(pod) || pod.status?.phase === "Failed") gone.add(name);
    else if (pod.status?.phase === "Pending") unready.add(name);
    else if (metric === undefined) missing.add(name);
    else if (resource === "cpu" && isStarting(pod, metric, timing)) unready.add(name);
    else ready++;
  }
  return { ready, unready, missing, gone };
}

function isStarting(
  pod: Pod,
  { timestampMs, windowMs }: { readonly timestampMs: number; readonly windowMs: number },
  { nowMs, cpuInitializationMs, initialReadinessDelayMs }: Timing,
): boolean {
  const condition = readyCondition(pod);
  const { startTime } = pod.status ?? {};
  if (condition === undefined || startTime === undefined) return true;
  const startedMs = Date.parse(startTime);
  const changedMs = condition.lastTransitionTime === undefined ? 0 : Date.parse(condition.lastTransitionTime);
  const unready = condition.status === "False";
  if (startedMs + cpuInitializationMs > nowMs) return unready || timestampMs < changedMs + windowMs;
  return unready && startedMs + initialReadinessDelayMs > changedMs;
}

/** What each pod asks for of a resource, in thousandths. Errors: Error when a container that counts asks for nothing. */
export function requestsOf(
  pods: readonly Pod[],
  resource: string,
  container: string | undefined,
): ReadonlyMap<string, number> {
  return new Map(pods.map((pod) => [pod.metadata.name, requestOf(pod, resource, container)]));
}

function requestOf({ metadata, spec }: Pod, resource: string, only: string | undefined): number {
  const whole = spec?.resources?.requests?.[resource];
  if (only === undefined && whole !== undefined) return quantityMilliValue(whole);
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  let sum = 0;
  for (const { name, resources } of [...(spec?.containers ?? []), ...sidecars]) {
    if (only !== undefined && name !== only) continue;
    const request = resources?.requests?.[resource];
    if (request === undefined) {
      throw new Error(`missing request for ${resource} in container ${name} of Pod ${metadata.name}`);
    }
    sum += quantityMilliValue(request);
  }
  return sum;
}
