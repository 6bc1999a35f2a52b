import { type Container, type Pod, quantityMilliValue, quantityValue } from "../../api/index.js";
import { containersOf, specOf } from "./containers.js";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

/** The server sets it; computed where it did not. */
export function qosOf(pod: Pod): QosClass {
  const known = pod.status?.qosClass;
  if (known === "Guaranteed" || known === "Burstable" || known === "BestEffort") return known;
  const containers = containersOf(pod).filter(({ role }) => role !== "ephemeral");
  const resources = containers.map(({ container }) => container.resources ?? {});
  const names = ["cpu", "memory"];
  if (resources.every(({ requests, limits }) => names.every((name) => !requests?.[name] && !limits?.[name]))) {
    return "BestEffort";
  }
  const guaranteed = resources.every(({ requests, limits }) =>
    names.every((name) => {
      const limit = limits?.[name];
      return limit !== undefined && quantityMilliValue(requests?.[name] ?? limit) === quantityMilliValue(limit);
    }),
  );
  return guaranteed ? "Guaranteed" : "Burstable";
}

const systemCritical = 2_000_000_000;

/** How willingly the kernel kills it when memory runs out: the more it uses beyond its request, the more so. */
export function oomScoreAdj(pod: Pod, container: Container, nodeMemoryBytes: number): number {
  if ((specOf(pod).priority ?? 0) >= systemCritical) return -997;
  const qos = qosOf(pod);
  if (qos === "Guaranteed") return -997;
  if (qos === "BestEffort") return 1000;
  const request = container.resources?.requests?.memory;
  const bytes = request === undefined ? 0 : quantityValue(request);
  const score = 1000 - Math.floor((1000 * bytes) / Math.max(1, nodeMemoryBytes));
  return Math.min(999, Math.max(3, score));
}

/** What a pod needs in all: the larger of its init phase and its main phase, and its overhead. */
export function podRequests(pod: Pod): { readonly cpuMillis: number; readonly memoryBytes: number } {
  return {
    cpuMillis: podRequest(pod, "cpu", quantityMilliValue),
    memoryBytes: podRequest(pod, "memory", quantityValue),
  };
}

export function podRequest(pod: Pod, name: string, read: (amount: string) => number): number {
  const of = ({ resources }: Pick<Container, "resources">): number => {
    const amount = resources?.requests?.[name] ?? resources?.limits?.[name];
    return amount === undefined ? 0 : read(amount);
  };
  return podTotal(pod, name, specOf(pod).resources?.requests, of, read);
}

/** What a pod may use in all; undefined: one of its containers has no limit, and so the pod has none. */
export function podLimits(pod: Pod): {
  readonly cpuMillis: number | undefined;
  readonly memoryBytes: number | undefined;
} {
  const spec = specOf(pod);
  const limit = (name: "cpu" | "memory", read: (amount: string) => number): number | undefined => {
    const of = ({ resources }: Pick<Container, "resources">): number => read(resources?.limits?.[name] ?? "0");
    const all = [...(spec.initContainers ?? []), ...spec.containers];
    const ofPod = spec.resources?.limits;
    if (ofPod?.[name] === undefined && all.some((container) => of(container) === 0)) return undefined;
    return podTotal(pod, name, ofPod, of, read);
  };
  return { cpuMillis: limit("cpu", quantityMilliValue), memoryBytes: limit("memory", quantityValue) };
}

/** A sum over a pod's containers as its node counts it: what runs beside each other, or the peak before the main ones run; and its overhead. */
export function podTotal(
  pod: Pod,
  name: string,
  ofPod: Readonly<Record<string, string>> | undefined,
  of: (container: Container) => number,
  read: (amount: string) => number,
): number {
  const spec = specOf(pod);
  const whole = ofPod?.[name];
  const overhead = spec.overhead?.[name];
  let sidecars = 0;
  let init = 0;
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === "Always") {
      sidecars += of(container);
      init = Math.max(init, sidecars);
    } else init = Math.max(init, sidecars + of(container));
  }
  const main = spec.containers.reduce((sum, container) => sum + of(container), sidecars);
  const own = whole === undefined ? Math.max(main, init) : read(whole);
  return own + (overhead === undefined ? 0 : read(overhead));
}
