import type { Pod } from "../../api/index.js";
import { isReady } from "../shared/pods.js";
import type { PodMetrics } from "./metrics-client.js";
import { groupPods, requestsOf, type Timing } from "./pod-groups.js";

/** How far use may be from its target, as a part of it, before anything is scaled. */
export interface Tolerances {
  readonly up: number;
  readonly down: number;
}

/** What the count of replicas is computed from, beside the metric. */
export interface Measured {
  /** As the target's scale says. */
  readonly current: number;
  readonly pods: readonly Pod[];
  readonly tolerances: Tolerances;
  readonly timing: Timing;
}

export interface PodProposal {
  readonly replicas: number;
  /** On average of the pods that count, in thousandths. */
  readonly average: number;
  /** In percent of what is requested, where that is the target. */
  readonly utilization?: number;
}

interface Ratio {
  readonly ratio: number;
  readonly average: number;
  readonly utilization?: number;
}

function isWithin(ratio: number, { up, down }: Tolerances): boolean {
  return 1 - down <= ratio && ratio <= 1 + up;
}

/** For a resource that pods should use `target` percent of what they request of. Errors: Error that says why nothing can be said. */
export function replicasByUtilization(
  { current, pods, tolerances, timing }: Measured,
  metrics: PodMetrics,
  target: number,
  { resource, container }: { readonly resource: string; readonly container?: string | undefined },
): PodProposal {
  const requests = lazily(() => requestsOf(pods, resource, container));
  const ratioOf = (values: ReadonlyMap<string, number>): Ratio => {
    let [used, requested, count] = [0, 0, 0];
    for (const [pod, value] of values) {
      const request = requests().get(pod);
      if (request === undefined) continue;
      used += value;
      requested += request;
      count++;
    }
    if (requested === 0) throw new Error("no metrics returned matched known pods");
    const utilization = Math.trunc((used * 100) / requested);
    return { ratio: utilization / target, average: Math.trunc(used / count), utilization };
  };
  return propose({ current, pods, tolerances, timing }, metrics, resource, ratioOf, {
    // As if it used all that it requests, or what it should where that is more.
    full: (pod) => Math.trunc(((requests().get(pod) ?? 0) * Math.max(100, target)) / 100),
    emptyAtPar: false,
  });
}

/** For what pods should have `target` thousandths of on average; `resource` where it is one. Errors as above. */
export function replicasByAverage(
  measured: Measured,
  metrics: PodMetrics,
  target: number,
  resource?: string,
): PodProposal {
  const ratioOf = (values: ReadonlyMap<string, number>): Ratio => {
    const average = Math.trunc([...values.values()].reduce((sum, value) => sum + value, 0) / values.size);
    return { ratio: average / target, average };
  };
  return propose(measured, metrics, resource ?? "", ratioOf, { full: () => target, emptyAtPar: true });
}

/**
 * The count by which use would be on target. Of pods that say nothing the cautious is assumed: when there should be fewer, that they
 * use all they may; when there should be more, that they and those that are not ready yet use nothing. What is assumed never turns
 * the direction.
 */
function propose(
  { current, pods, tolerances, timing }: Measured,
  metrics: PodMetrics,
  resource: string,
  ratioOf: (values: ReadonlyMap<string, number>) => Ratio,
  assumed: { readonly full: (pod: string) => number; readonly emptyAtPar: boolean },
): PodProposal {
  if (pods.length === 0) throw new Error("no pods returned by selector while calculating replica count");
  const { ready, unready, missing, gone } = groupPods(pods, metrics, resource, timing);
  const values = new Map<string, number>();
  for (const [pod, { value }] of metrics) {
    if (!unready.has(pod) && !gone.has(pod)) values.set(pod, value);
  }
  if (values.size === 0) throw new Error("did not receive metrics for any ready pods");
  const { ratio, ...told } = ratioOf(values);
  const waiting = unready.size > 0 && ratio > 1;
  if (!waiting && missing.size === 0) {
    return { ...told, replicas: isWithin(ratio, tolerances) ? current : Math.ceil(ratio * ready) };
  }
  for (const pod of missing) {
    if (ratio < 1) values.set(pod, assumed.full(pod));
    else if (ratio > 1 || assumed.emptyAtPar) values.set(pod, 0);
  }
  if (waiting) for (const pod of unready) values.set(pod, 0);
  const cautious = ratioOf(values).ratio;
  const turned = (ratio < 1 && cautious > 1) || (ratio > 1 && cautious < 1);
  if (turned || isWithin(cautious, tolerances)) return { ...told, replicas: current };
  const replicas = Math.ceil(cautious * values.size);
  const against = (cautious < 1 && replicas > current) || (cautious > 1 && replicas < current);
  return { ...told, replicas: against ? current : replicas };
}

/** For a value that should be `target`, whoever many pods there are. From none, it says how many make the first step. */
export function replicasByValue({ current, pods, tolerances }: Measured, value: number, target: number): number {
  const ratio = value / target;
  if (current === 0) return Math.ceil(ratio);
  if (isWithin(ratio, tolerances)) return current;
  if (pods.length === 0) {
    throw new Error("unable to calculate ready pods: no pods returned by selector while calculating replica count");
  }
  const ready = pods.filter((pod) => pod.status?.phase === "Running" && isReady(pod)).length;
  return Math.ceil(ratio * ready);
}

/** For a value of which each replica should have `target`. `running`: how many there are, as the scale's status says. */
export function replicasByShare(
  running: number,
  value: number,
  target: number,
  tolerances: Tolerances,
): { readonly replicas: number; readonly average: number } {
  const within = running > 0 && isWithin(value / (target * running), tolerances);
  return {
    replicas: within ? running : Math.ceil(value / target),
    average: Math.ceil(value / Math.max(1, running)),
  };
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
