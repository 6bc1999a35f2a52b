import type { Pod } from "../../api/index.js";
import type { Clock, ClockTimer } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { ResizeRefusal } from "../admission.js";
import { specOf } from "../pod/containers.js";
import type { PodRecord, ResizeState } from "../pod/pod-record.js";
import { podRequests, qosOf } from "../pod/qos.js";
import type { ResourceCheckpoint } from "./checkpoint.js";
import { type PodResources, resourcesIn, resourcesInStatus } from "./pod-resources.js";
import { resizeMessage } from "./resize-message.js";

export interface ResizesOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** What pods were promised. */
  readonly allocated: ResourceCheckpoint;
  /** What their running containers are held to. */
  readonly actuated: ResourceCheckpoint;
  /** Makes room for a pod that runs here with these resources, or says why there is none. */
  admit(pod: Pod): ResizeRefusal | undefined;
  event(pod: Pod, type: "Normal" | "Warning", reason: string, message: string): void;
  /** The pod has other resources, or another condition. */
  onChange(podUid: string): void;
}

/** As upstream: whatever frees room asks again at once, this is for what nobody told. */
const retryMs = 3 * 60 * 1000;

/**
 * What each pod here was promised, and which of them wait for more. What the API wants of a running pod's resources is
 * tried when it changes and whenever room may have come: by upstream's order, those first that want no more than they have, then by
 * priority, by QoS class, and by how long they wait.
 */
export class Resizes {
  readonly #options: ResizesOptions;
  readonly #pending = new Map<string, PodRecord>();
  #timer: ClockTimer | undefined;
  #running = false;

  constructor(options: ResizesOptions) {
    this.#options = options;
  }

  /** A pod that an earlier agent took in: what it has is on record, or told by its status. */
  restore(record: PodRecord): void {
    const { allocated, actuated } = this.#options;
    const known = resourcesInStatus(record.pod);
    record.allocation = allocated.get(record.uid) ?? known.allocated;
    const { pod, containers } = actuated.get(record.uid) ?? known.actuated;
    record.actuated = { pod, containers: new Map(containers) };
    allocated.set(record.uid, record.allocation);
    record.resize.pending = pendingIn(record.pod);
    this.#save();
    this.changed(record);
  }

  /** A pod that was taken in now has what it asks for. */
  admitted(record: PodRecord): void {
    record.allocation = resourcesIn(record.pod);
    record.actuated = { pod: record.allocation.pod, containers: new Map() };
    this.#options.allocated.set(record.uid, record.allocation);
    this.#options.actuated.set(record.uid, record.actuated);
    this.#save();
  }

  /** What a container is held to from now on. */
  applied(record: PodRecord, resources: Partial<PodResources>): void {
    const { pod, containers } = { pod: record.actuated.pod, containers: new Map(), ...resources };
    record.actuated = { pod, containers: new Map([...record.actuated.containers, ...containers]) };
    this.#options.actuated.set(record.uid, record.actuated);
    this.#save();
  }

  /** Begins to write what was noted; an error is no reason to stop: a resize waits for `saved`. */
  #save(): void {
    this.saved().catch((error: unknown) => {
      this.#options.logger.warn("pods' resources cannot be noted", { error });
    });
  }

  /** Resolves when what was promised and applied is on disk; otherwise rejects. */
  async saved(): Promise<void> {
    const { allocated, actuated } = this.#options;
    await Promise.all([allocated.saved(), actuated.saved()]);
  }

  /** The API may want other resources for that pod than before. */
  changed(record: PodRecord): void {
    if (record.allocation === undefined || record.terminating) return;
    if (record.allocated === record.pod && record.resize.pending === undefined) return;
    this.#pending.set(record.uid, record);
    this.retry();
  }

  /** The pod holds nothing any more. */
  remove(podUid: string): void {
    this.#pending.delete(podUid);
  }

  forget(podUid: string): void {
    this.remove(podUid);
    this.#options.allocated.delete(podUid);
    this.#options.actuated.delete(podUid);
    this.#save();
  }

  /** Drops what is noted of pods that are not among these. */
  retain(podUids: ReadonlySet<string>): void {
    this.#options.allocated.retain(podUids);
    this.#options.actuated.retain(podUids);
    this.#save();
  }

  /** Tries all that wait. */
  retry(): void {
    if (!this.#running) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const record of [...this.#pending.values()].sort(byUrgency)) {
      if (record.terminating || record.gone || !this.#try(record)) this.#pending.delete(record.uid);
    }
    if (this.#pending.size > 0) this.#timer = this.#options.clock.setTimeout(() => this.retry(), retryMs);
  }

  /** What had begun is done: containers are held to what the pod was promised. */
  completed(record: PodRecord): void {
    record.resize.inProgress = undefined;
    this.#options.event(record.pod, "Normal", "ResizeCompleted", resizeMessage("completed", record.allocated));
    this.retry();
  }

  failed(record: PodRecord, message: string): void {
    const generation = record.resize.inProgress?.generation ?? record.pod.metadata.generation;
    const known = record.resize.inProgress;
    record.resize.inProgress = { reason: "Error", message, generation };
    if (known?.message === message && known.reason === "Error") return;
    this.#options.event(record.pod, "Warning", "ResizeError", resizeMessage("error", record.allocated, message));
  }

  /** All pods that are here are known: before, what seems to be room may be taken. */
  start(): void {
    this.#running = true;
    this.retry();
  }

  stop(): void {
    this.#running = false;
    this.#timer?.cancel();
  }

  /** Whether it goes on waiting. */
  #try(record: PodRecord): boolean {
    const { pod, resize } = record;
    const { generation } = pod.metadata;
    if (record.allocated === pod) {
      if (resize.pending === undefined) return false;
      resize.pending = undefined;
      this.#options.onChange(record.uid);
      return false;
    }
    const refusal = this.#options.admit(pod);
    if (refusal === undefined) {
      record.allocation = resourcesIn(pod);
      this.#options.allocated.set(record.uid, record.allocation);
      resize.pending = undefined;
      resize.inProgress = { generation };
      this.#options.event(pod, "Normal", "ResizeStarted", resizeMessage("started", pod));
      this.#options.onChange(record.uid);
      return false;
    }
    const { reason, message } = refusal;
    const known = resize.pending;
    if (known?.reason !== reason || known.message !== message || known.generation !== generation) {
      const sinceMs = known?.sinceMs ?? this.#options.clock.now();
      resize.pending = { reason, message, generation, sinceMs };
      const what = `Resize${reason}`;
      this.#options.event(pod, "Warning", what, resizeMessage(reason, pod, message));
      this.#options.onChange(record.uid);
    }
    return reason === "Deferred";
  }
}

/** What an earlier agent reported: who waits since then is not overtaken, and it is no news. */
function pendingIn({ status }: Pod): ResizeState["pending"] {
  const found = status?.conditions?.find(({ type, status: is }) => type === "PodResizePending" && is === "True");
  const { reason, message = "", observedGeneration: generation, lastTransitionTime } = found ?? {};
  if (reason !== "Deferred" && reason !== "Infeasible") return undefined;
  return { reason, message, generation, sinceMs: Date.parse(lastTransitionTime ?? "") || 0 };
}

function byUrgency(a: PodRecord, b: PodRecord): number {
  const growing = Number(wantsMore(a)) - Number(wantsMore(b));
  if (growing !== 0) return growing;
  const priority = (specOf(b.pod).priority ?? 0) - (specOf(a.pod).priority ?? 0);
  if (priority !== 0) return priority;
  const guaranteed = Number(qosOf(b.pod) === "Guaranteed") - Number(qosOf(a.pod) === "Guaranteed");
  if (guaranteed !== 0) return guaranteed;
  const since = ({ resize }: PodRecord): number => resize.pending?.sinceMs ?? Number.MAX_SAFE_INTEGER;
  return since(a) - since(b);
}

function wantsMore({ pod, allocated }: PodRecord): boolean {
  const [wanted, has] = [podRequests(pod), podRequests(allocated)];
  return wanted.cpuMillis > has.cpuMillis || wanted.memoryBytes > has.memoryBytes;
}
