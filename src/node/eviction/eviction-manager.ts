import type { Pod, Toleration } from "../../api/index.js";
import { type Clock, sleep } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import { specOf } from "../pod/containers.js";
import type { PodVerdict } from "../pod/pod-status.js";
import { qosOf } from "../pod/qos.js";
import { type StorageLimit, storageExcess } from "./local-storage.js";
import { evictionMessage } from "./messages.js";
import { Pressure } from "./pressure.js";
import { ranked } from "./rank.js";
import {
  type EvictionOptions,
  type PressureCondition,
  type StarvedResource,
  signals,
  type Threshold,
  thresholdsOf,
} from "./thresholds.js";
import type { EvictionSignal, NodeUsage, NodeUsageSource } from "./usage.js";

export interface Eviction {
  /** What it is counted under: a signal, or the kind of limit that was passed. */
  readonly signal: EvictionSignal | StorageLimit;
  readonly message: string;
  /** At most; a pod's own grace period may be shorter. */
  readonly gracePeriodSeconds: number;
  /** Whether the pod is told that the node ends it, which it is not when it passed a limit of its own. */
  readonly disruption: boolean;
}

export interface EvictionManagerOptions {
  readonly options: EvictionOptions;
  readonly nodeName: string;
  readonly usage: NodeUsageSource;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Those that run here and are not at their end. */
  pods(): readonly Pod[];
  /** Whether the pod comes from this node itself: it would not come back. */
  isStatic(podUid: string): boolean;
  /** Ends a pod. Resolves when it is done and nothing of it uses the node, or when the node waited long enough. */
  evict(pod: Pod, eviction: Eviction): Promise<void>;
  /** Frees disk without ending pods: containers that have ended, images that nobody uses. */
  reclaimDisk(signal: AbortSignal): Promise<void>;
  nodeEvent(type: "Normal" | "Warning", reason: string, message: string): void;
  /** The node's conditions are others now. */
  onConditions(): void;
}

const defaultIntervalMs = 10_000;
const defaultTransitionSeconds = 300;
/** As upstream: enough for a program that heeds its signal at once. */
const hardGraceSeconds = 1;
const systemCritical = 2_000_000_000;
/** The reasons of events when a condition comes and goes. */
const conditionReasons: readonly (readonly [PressureCondition, readonly [string, string]])[] = [
  ["MemoryPressure", ["NodeHasInsufficientMemory", "NodeHasSufficientMemory"]],
  ["DiskPressure", ["NodeHasDiskPressure", "NodeHasNoDiskPressure"]],
  ["PIDPressure", ["NodeHasInsufficientPID", "NodeHasSufficientPID"]],
];

/** Keeps the node alive when memory, disk or process numbers run out, at the cost of single pods. */
export class EvictionManager {
  readonly #own: EvictionManagerOptions;
  readonly #pressure: Pressure;

  /** Throws RangeError when the thresholds make no sense. */
  constructor(options: EvictionManagerOptions) {
    this.#own = options;
    const { pressureTransitionSeconds = defaultTransitionSeconds } = options.options;
    this.#pressure = new Pressure(thresholdsOf(options.options), pressureTransitionSeconds * 1000);
  }

  get conditions(): ReadonlySet<PressureCondition> {
    return this.#pressure.conditions;
  }

  /** Whether a new pod may add to what is short; undefined: it may. */
  admit(pod: Pod): PodVerdict | undefined {
    const conditions = [...this.#pressure.conditions];
    if (conditions.length === 0 || this.#isCritical(pod)) return undefined;
    if (conditions.length === 1 && conditions[0] === "MemoryPressure") {
      if (qosOf(pod) !== "BestEffort" || (specOf(pod).tolerations ?? []).some(toleratesMemoryPressure))
        return undefined;
    }
    return { phase: "Failed", reason: "Evicted", message: `The node had condition: [${conditions.join(" ")}]. ` };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, options } = this.#own;
    while (!signal.aborted) {
      let evicted = false;
      try {
        evicted = await this.synchronize(signal);
      } catch (error) {
        if (!signal.aborted) logger.warn("cannot tell whether the node runs short", { error });
      }
      // One pod at a time, and then another look.
      if (!evicted) await sleep(clock, options.intervalMs ?? defaultIntervalMs, signal);
    }
  }

  /** Looks once. Resolves with whether pods were evicted. */
  async synchronize(signal: AbortSignal): Promise<boolean> {
    const { usage: source, clock, nodeEvent } = this.#own;
    const pods = this.#own.pods();
    const usage = await source.read(pods, signal);
    const before = this.#pressure.conditions;
    const acting = this.#pressure.observe(usage.signals, clock.now());
    this.#tellChange(before);
    if (await this.#evictExcess(pods, usage)) return true;
    const [first] = acting;
    if (first === undefined) return false;
    const { resource } = signals[first.signal];
    nodeEvent("Warning", "EvictionThresholdMet", `Attempting to reclaim ${resource}`);
    if (await this.#reclaim(first, usage, pods, signal)) return false;
    return this.#evictOne(first, resource, acting, pods, usage);
  }

  #tellChange(before: ReadonlySet<PressureCondition>): void {
    const { nodeEvent, nodeName, onConditions } = this.#own;
    const { conditions } = this.#pressure;
    let changed = false;
    for (const [type, [there, gone]] of conditionReasons) {
      if (before.has(type) === conditions.has(type)) continue;
      changed = true;
      const reason = conditions.has(type) ? there : gone;
      nodeEvent("Normal", reason, `Node ${nodeName} status is now: ${reason}`);
    }
    if (changed) onConditions();
  }

  async #evictExcess(pods: readonly Pod[], usage: NodeUsage): Promise<boolean> {
    const evicting: Promise<boolean>[] = [];
    for (const pod of pods) {
      const used = usage.pods.get(pod.metadata.uid);
      const excess = used === undefined ? undefined : storageExcess(pod, used, usage.dedicatedImageFs);
      if (excess === undefined) continue;
      evicting.push(this.#evict(pod, { ...excess, gracePeriodSeconds: hardGraceSeconds, disruption: false }));
    }
    return (await Promise.all(evicting)).includes(true);
  }

  /** Whether it was enough to clean up. */
  async #reclaim(threshold: Threshold, usage: NodeUsage, pods: readonly Pod[], signal: AbortSignal): Promise<boolean> {
    const { condition } = signals[threshold.signal];
    const ofVolumes = usage.dedicatedImageFs && threshold.signal.startsWith("nodefs");
    if (condition !== "DiskPressure" || ofVolumes) return false;
    await this.#own.reclaimDisk(signal);
    return this.#pressure.isRelieved((await this.#own.usage.read(pods, signal)).signals);
  }

  async #evictOne(
    { signal, graceMs }: Threshold,
    resource: StarvedResource,
    acting: readonly Threshold[],
    pods: readonly Pod[],
    usage: NodeUsage,
  ): Promise<boolean> {
    const { options, logger } = this.#own;
    const gracePeriodSeconds = graceMs === 0 ? hardGraceSeconds : (options.maxPodGracePeriodSeconds ?? 0);
    for (const pod of ranked(signal, pods, usage)) {
      const message = evictionMessage(resource, pod, acting, usage);
      if (await this.#evict(pod, { signal, message, gracePeriodSeconds, disruption: true })) return true;
    }
    logger.warn("the node runs short, and no pod can be evicted", { resource });
    return false;
  }

  /** What the node itself, or the cluster, cannot do without. */
  #isCritical(pod: Pod): boolean {
    return this.#own.isStatic(pod.metadata.uid) || (specOf(pod).priority ?? 0) >= systemCritical;
  }

  async #evict(pod: Pod, eviction: Eviction): Promise<boolean> {
    if (this.#isCritical(pod)) return false;
    await this.#own.evict(pod, eviction);
    return true;
  }
}

function toleratesMemoryPressure({ key, operator, value, effect }: Toleration): boolean {
  if (effect && effect !== "NoSchedule") return false;
  if (!key) return operator === "Exists";
  return key === "node.kubernetes.io/memory-pressure" && (operator === "Exists" || !value);
}
