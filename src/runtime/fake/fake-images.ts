import { type Clock, sleep } from "../../internal/clock.js";
import { RuntimeError } from "../errors.js";
import type { FilesystemUsage, Image, PullImageOptions } from "../image.js";
import type { CallOptions, ImageService } from "../runtime.js";

export interface FakeImagesOptions {
  readonly clock: Clock;
  /** How long a pull takes. Default 0. */
  readonly pullMs?: number | undefined;
  /** The message that a pull of this reference fails with; undefined: it succeeds. */
  readonly pullError?: ((reference: string) => string | undefined) | undefined;
}

/** Every reference names an image, made the first time that it is pulled. */
export class FakeImages implements ImageService {
  readonly #options: FakeImagesOptions;
  readonly #images = new Map<string, Image>();

  constructor(options: FakeImagesOptions) {
    this.#options = options;
  }

  async pullImage(reference: string, options: PullImageOptions = {}): Promise<string> {
    const { clock, pullMs = 0, pullError } = this.#options;
    if (pullMs > 0) await sleep(clock, pullMs, options.signal);
    options.signal?.throwIfAborted();
    const why = pullError?.(reference);
    if (why !== undefined) throw new RuntimeError("image-not-found", why);
    const known = this.#images.get(reference);
    if (known !== undefined) return known.id;
    const image: Image = {
      id: `fake-image://${reference}`,
      repoTags: [reference],
      repoDigests: [],
      sizeBytes: 1_000_000,
    };
    this.#images.set(reference, image);
    return image.id;
  }

  async imageStatus(reference: string): Promise<Image | undefined> {
    return this.#images.get(reference.replace(/^fake-image:\/\//, ""));
  }

  async listImages(): Promise<readonly Image[]> {
    return [...this.#images.values()];
  }

  async removeImage(reference: string): Promise<void> {
    this.#images.delete(reference.replace(/^fake-image:\/\//, ""));
  }

  async imageFsInfo(_options?: CallOptions): Promise<readonly FilesystemUsage[]> {
    const usedBytes = this.#images.size * 1_000_000;
    return [{ timestampMs: this.#options.clock.now(), mountpoint: "/fake", usedBytes, inodesUsed: this.#images.size }];
  }
}
