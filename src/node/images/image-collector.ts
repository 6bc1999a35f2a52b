import type { Clock } from "../../internal/clock.js";
import { sleep } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { Container, Image, Runtime } from "../../runtime/index.js";
import type { SignalReading } from "../eviction/usage.js";

/** When images that no container uses are removed, as a kubelet is configured. */
export interface ImageCollectionOptions {
  /** Once so much of the images' file system is used, images go. 100: never. Default 85. */
  readonly highThresholdPercent?: number | undefined;
  /** Until no more than so much is used. Default 80. */
  readonly lowThresholdPercent?: number | undefined;
  /** None that came less than so long ago. Default 120. */
  readonly minimumAgeSeconds?: number | undefined;
  /** Whatever space there is, those that nobody used for so long go. Default 0: none. */
  readonly maximumAgeSeconds?: number | undefined;
}

export interface ImageCollectorOptions {
  readonly options: ImageCollectionOptions;
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The file system that images are on; undefined: nobody knows. */
  fileSystem(signal: AbortSignal): Promise<SignalReading | undefined>;
  nodeEvent(type: "Normal" | "Warning", reason: string, message: string): void;
  /** An image was removed, for space or for its age. */
  onRemoved(reason: "space" | "age"): void;
}

interface Seen {
  firstAtMs: number;
  lastUsedAtMs: number;
}

const intervalMs = 5 * 60 * 1000;

/** Removes images that no container uses: those first that were not used for the longest. Pinned ones stay. */
export class ImageCollector {
  readonly #own: ImageCollectorOptions;
  readonly #high: number;
  readonly #low: number;
  readonly #minimumAgeMs: number;
  readonly #maximumAgeMs: number;
  readonly #seen = new Map<string, Seen>();
  #beganAtMs: number | undefined;
  #failed = false;

  /** Throws RangeError when the options make no sense. */
  constructor(options: ImageCollectorOptions) {
    const { highThresholdPercent: high = 85, lowThresholdPercent: low = 80 } = options.options;
    const { minimumAgeSeconds = 120, maximumAgeSeconds = 0 } = options.options;
    for (const [name, value] of [
      ["HighThresholdPercent", high],
      ["LowThresholdPercent", low],
    ] as const) {
      if (!(value >= 0 && value <= 100)) throw new RangeError(`invalid ${name} ${value}, must be in range [0-100]`);
    }
    if (low > high)
      throw new RangeError(`LowThresholdPercent ${low} can not be higher than HighThresholdPercent ${high}`);
    if (maximumAgeSeconds > 0 && maximumAgeSeconds <= minimumAgeSeconds) {
      throw new RangeError("the maximum age of images must be higher than their minimum age");
    }
    this.#own = options;
    this.#high = high;
    this.#low = low;
    this.#minimumAgeMs = minimumAgeSeconds * 1000;
    this.#maximumAgeMs = maximumAgeSeconds * 1000;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, nodeEvent } = this.#own;
    if (this.#high === 100 && this.#maximumAgeMs === 0) return;
    while (!signal.aborted) {
      try {
        await this.collect(signal);
        this.#failed = false;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn("images cannot be collected", { error });
        // Once may be an accident of the start.
        if (this.#failed) nodeEvent("Warning", "ImageGCFailed", error instanceof Error ? error.message : String(error));
        this.#failed = true;
      }
      await sleep(clock, intervalMs, signal);
    }
  }

  /** Looks once. Rejects when not enough could be freed. */
  async collect(signal: AbortSignal): Promise<void> {
    const now = this.#own.clock.now();
    await this.#look(now, signal);
    await this.#removeOld(now, signal);
    const reading = await this.#own.fileSystem(signal);
    if (reading === undefined || reading.capacity <= 0) return;
    const { capacity } = reading;
    const available = Math.min(reading.available, capacity);
    const usedPercent = 100 - Math.trunc((available * 100) / capacity);
    if (this.#high === 100 || usedPercent < this.#high) return;
    const wanted = Math.trunc((capacity * (100 - this.#low)) / 100) - available;
    const freed = await this.#free(wanted, now, signal);
    if (freed >= wanted) return;
    const message =
      `Insufficient free disk space on the node's image filesystem (${usedPercent}% of ${sizeText(capacity)} used). ` +
      `Failed to free sufficient space by deleting unused images (freed ${freed} bytes). ` +
      "Investigate disk usage, as it could be used by active images, logs, volumes, or other data.";
    this.#own.nodeEvent("Warning", "FreeDiskSpaceFailed", message);
    throw new Error(message);
  }

  /** Removes all that may go. */
  async removeUnused(signal: AbortSignal): Promise<void> {
    await this.#free(Number.POSITIVE_INFINITY, this.#own.clock.now(), signal);
  }

  /** Takes note of what is there and what is in use. Gives the images that may go. */
  async #look(now: number, signal: AbortSignal): Promise<readonly Image[]> {
    const { runtime } = this.#own;
    const [images, containers] = await Promise.all([
      runtime.listImages({ signal }),
      runtime.listContainers({}, { signal }),
    ]);
    const used = namesOf(containers);
    // What was there before the agent is as old as can be.
    const firstAtMs = this.#beganAtMs === undefined ? 0 : now;
    this.#beganAtMs ??= now;
    const unused: Image[] = [];
    for (const image of images) {
      const seen = this.#seen.get(image.id) ?? { firstAtMs, lastUsedAtMs: 0 };
      this.#seen.set(image.id, seen);
      if ([image.id, ...image.repoTags, ...image.repoDigests].some((name) => used.has(name))) seen.lastUsedAtMs = now;
      else if (!image.pinned) unused.push(image);
    }
    const present = new Set(images.map(({ id }) => id));
    for (const id of this.#seen.keys()) if (!present.has(id)) this.#seen.delete(id);
    return unused;
  }

  async #removeOld(now: number, signal: AbortSignal): Promise<void> {
    // Before that, an image may have been in use without this agent having seen it.
    if (this.#maximumAgeMs === 0 || now - (this.#beganAtMs ?? now) <= this.#maximumAgeMs) return;
    for (const image of await this.#look(now, signal)) {
      const { firstAtMs, lastUsedAtMs } = this.#seen.get(image.id) ?? { firstAtMs: now, lastUsedAtMs: now };
      if (now - Math.max(firstAtMs, lastUsedAtMs) > this.#maximumAgeMs) await this.#remove(image, "age", signal);
    }
  }

  /** Resolves with how many bytes were freed. Rejects when images could not be removed, after trying the others. */
  async #free(bytes: number, now: number, signal: AbortSignal): Promise<number> {
    const seenOf = ({ id }: Image): Seen => this.#seen.get(id) ?? { firstAtMs: now, lastUsedAtMs: now };
    const byUse = (a: Image, b: Image): number => {
      const [first, second] = [seenOf(a), seenOf(b)];
      return first.lastUsedAtMs - second.lastUsedAtMs || first.firstAtMs - second.firstAtMs;
    };
    let freed = 0;
    const problems: string[] = [];
    for (const image of [...(await this.#look(now, signal))].sort(byUse)) {
      if (freed >= bytes) break;
      if (now - seenOf(image).firstAtMs < this.#minimumAgeMs) continue;
      try {
        await this.#remove(image, "space", signal);
        freed += image.sizeBytes;
      } catch (error) {
        signal.throwIfAborted();
        problems.push(error instanceof Error ? error.message : String(error));
      }
    }
    if (problems.length === 0) return freed;
    const wanted = Number.isFinite(bytes) ? bytes : Number.MAX_SAFE_INTEGER;
    throw new Error(
      `wanted to free ${wanted} bytes, but freed ${freed} bytes space with errors in image deletion: ${problems.join(", ")}`,
    );
  }

  async #remove(image: Image, reason: "space" | "age", signal: AbortSignal): Promise<void> {
    const { runtime, logger, onRemoved } = this.#own;
    logger.info("removing an image that nobody uses", { image: image.repoTags[0] ?? image.id, reason });
    await runtime.removeImage(image.id, { signal });
    this.#seen.delete(image.id);
    onRemoved(reason);
  }
}

/** By all names that containers may have their images by. */
function namesOf(containers: readonly Container[]): ReadonlySet<string> {
  return new Set(containers.flatMap(({ image, imageRef }) => [image, imageRef]));
}

function sizeText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let [value, unit] = [bytes, 0];
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
