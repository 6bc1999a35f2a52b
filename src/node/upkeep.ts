import type { Pod } from "../api/index.js";
import { type Clock, sleep } from "../internal/clock.js";
import type { Logger } from "../internal/logger.js";
import type { Runtime } from "../runtime/index.js";
import { type Eviction, EvictionManager } from "./eviction/eviction-manager.js";
import type { EvictionOptions, PressureCondition } from "./eviction/thresholds.js";
import type { NodeUsageSource } from "./eviction/usage.js";
import { type ImageCollectionOptions, ImageCollector } from "./images/image-collector.js";
import type { PodRecord } from "./pod/pod-record.js";
import type { PodVerdict } from "./pod/pod-status.js";

export interface UpkeepOptions {
  readonly eviction: EvictionOptions;
  readonly imageCollection: ImageCollectionOptions;
  readonly nodeName: string;
  readonly usage: NodeUsageSource;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly logger: Logger;
  records(): readonly PodRecord[];
  isStatic(podUid: string): boolean;
  /** Ends a pod; resolves when nothing of it uses the node. */
  evict(podUid: string, eviction: Eviction): Promise<void>;
  nodeEvent(type: "Normal" | "Warning", reason: string, message: string): void;
  /** The node's conditions are others now. */
  onConditions(): void;
}

/** How often something happened, for metrics. */
export interface Count {
  readonly name: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly count: number;
}

const imagesHelp = "Total number of images garbage collected by the kubelet, whether through disk usage or image age.";
const evictionsHelp = "Cumulative number of pod evictions by eviction signal";

/** Longer than a pod should take: the node has to look after itself. */
const cleanUpMs = 30_000;

/** What keeps a node able to run pods: eviction under pressure, and the removal of images and containers that nobody needs. */
export class Upkeep {
  readonly #counts = new Map<string, Count>();
  readonly #own: UpkeepOptions;
  readonly #evictions: EvictionManager;
  readonly #images: ImageCollector;

  /** Throws RangeError when thresholds make no sense. */
  constructor(options: UpkeepOptions) {
    this.#own = options;
    const { nodeName, usage, runtime, clock, logger, nodeEvent } = options;
    this.#images = new ImageCollector({
      ...{ runtime, clock, logger, nodeEvent },
      options: options.imageCollection,
      fileSystem: async (signal) => (await usage.read([], signal)).signals.get("imagefs.available"),
      onRemoved: (reason) => this.#count("kubelet_image_garbage_collected_total", imagesHelp, { reason }),
    });
    this.#evictions = new EvictionManager({
      ...{ nodeName, usage, clock, logger, nodeEvent },
      options: options.eviction,
      pods: () => options.records().flatMap((record) => (isActive(record) ? [record.allocated] : [])),
      isStatic: (podUid) => options.isStatic(podUid),
      evict: (pod, eviction) => this.#evict(pod, eviction),
      reclaimDisk: (signal) => this.#reclaimDisk(signal),
      onConditions: () => options.onConditions(),
    });
  }

  get counts(): readonly Count[] {
    return [...this.#counts.values()];
  }

  get usage(): NodeUsageSource {
    return this.#own.usage;
  }

  get conditions(): ReadonlySet<PressureCondition> {
    return this.#evictions.conditions;
  }

  admit(pod: Pod): PodVerdict | undefined {
    return this.#evictions.admit(pod);
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#evictions.run(signal), this.#images.run(signal)]);
  }

  async #evict(pod: Pod, eviction: Eviction): Promise<void> {
    const { clock, evict, logger } = this.#own;
    this.#count("kubelet_evictions", evictionsHelp, { eviction_signal: eviction.signal });
    const stop = new AbortController();
    let late = false;
    const timeoutMs = Math.max(10_000, eviction.gracePeriodSeconds * 1500) + cleanUpMs;
    const timeout = sleep(clock, timeoutMs, stop.signal).then(() => {
      late = !stop.signal.aborted;
    });
    await Promise.race([evict(pod.metadata.uid, eviction), timeout]);
    stop.abort();
    if (late) logger.warn("an evicted pod does not end", { pod: pod.metadata.name });
  }

  /** Containers of pods that have ended, which nothing starts again; and images. */
  async #reclaimDisk(signal: AbortSignal): Promise<void> {
    const { runtime } = this.#own;
    for (const { terminated, state } of this.#own.records()) {
      if (!terminated) continue;
      for (const { id } of [...state.containers.values()].flat()) await runtime.removeContainer(id, { signal });
    }
    await this.#images.removeUnused(signal);
  }

  #count(name: string, help: string, labels: Count["labels"]): void {
    const key = JSON.stringify([name, labels]);
    this.#counts.set(key, { name, help, labels, count: (this.#counts.get(key)?.count ?? 0) + 1 });
  }
}

function isActive({ terminating, terminated, allocation }: PodRecord): boolean {
  return !terminating && !terminated && allocation !== undefined;
}
