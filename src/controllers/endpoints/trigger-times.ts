import type { Pod, Service } from "../../api/index.js";

/** Says, on Endpoints and EndpointSlices, since when what they were written for was so: what proxies reckon their delay from. */
export const triggerAnnotation = "endpoints.kubernetes.io/last-change-trigger-time";

interface Known {
  readonly service: string;
  readonly pods: ReadonlyMap<string, string>;
}

/** Which changes of services and their pods endpoints are written for, as upstream's trigger time tracker reckons. */
export class TriggerTimes {
  readonly #known = new Map<string, Known>();

  /**
   * When the first of the changes since the last call happened, by the service's making and the times at which its pods became ready or no
   * longer so. Undefined: at no time that is known.
   */
  next(key: string, service: Service, pods: readonly Pod[]): string | undefined {
    const before = this.#known.get(key);
    const times = new Map<string, string>();
    const changed: string[] = [];
    for (const pod of pods) {
      const time = pod.status?.conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime;
      if (!time) continue;
      times.set(pod.metadata.name, time);
      if (isLater(time, before?.pods.get(pod.metadata.name))) changed.push(time);
    }
    const made = service.metadata.creationTimestamp ?? "";
    this.#known.set(key, { service: made, pods: times });
    if (before === undefined) return made || undefined;
    if (isLater(made, before.service)) changed.push(made);
    return changed.sort((a, b) => Date.parse(a) - Date.parse(b))[0];
  }

  forget(key: string): void {
    this.#known.delete(key);
  }
}

/** The annotations with the time, or without one. */
export function withTrigger(
  annotations: Readonly<Record<string, string>> | undefined,
  time: string | undefined,
): Readonly<Record<string, string>> {
  const { [triggerAnnotation]: _, ...others } = annotations ?? {};
  return time === undefined ? others : { ...others, [triggerAnnotation]: time };
}

function isLater(time: string, than: string | undefined): boolean {
  return time !== "" && (!than || Date.parse(time) > Date.parse(than));
}
