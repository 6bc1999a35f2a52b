import type { FilesystemUsage, Image, PullImageOptions } from "../image.js";
import type { CallOptions, ImageService } from "../runtime.js";
import { filesystemOf, imageOf } from "./answers.js";
import type { CriChannel } from "./channel.js";
import { imageError } from "./errors.js";
import { property } from "./property.js";
import { pullRequest } from "./requests.js";

/** CRI's ImageService. A pull has no time limit of its own: the runtime gives up when nothing comes any more. */
export class CriImages implements ImageService {
  protected readonly channel: CriChannel;

  constructor(channel: CriChannel) {
    this.channel = channel;
  }

  async pullImage(reference: string, options: PullImageOptions = {}): Promise<string> {
    const limits = { signal: options.signal, timeoutMs: Number.POSITIVE_INFINITY };
    try {
      return (await this.channel.call("PullImage", pullRequest(reference, options), limits)).imageRef;
    } catch (error) {
      throw imageError(error);
    }
  }

  async imageStatus(reference: string, options?: CallOptions): Promise<Image | undefined> {
    const { image } = await this.channel.call("ImageStatus", { image: { image: reference } }, options);
    return image === null ? undefined : imageOf(image);
  }

  async listImages(options?: CallOptions): Promise<readonly Image[]> {
    const { images } = await this.channel.call("ListImages", {}, options);
    if (images.every(({ pinned }) => pinned)) return images.map(imageOf);
    const ofSandboxes = await this.#sandboxImage(options);
    return images.map((image) => {
      const needed = ofSandboxes !== undefined && [...image.repoTags, ...image.repoDigests].includes(ofSandboxes);
      return needed ? { ...imageOf(image), pinned: true } : imageOf(image);
    });
  }

  async removeImage(reference: string, options?: CallOptions): Promise<void> {
    await this.channel.call("RemoveImage", { image: { image: reference } }, options);
  }

  /** Every sandbox needs it, but no container has it; before containerd 1.7 it is not pinned either. Of containerd's own record of its settings. */
  async #sandboxImage(options?: CallOptions): Promise<string | undefined> {
    const { info } = await this.channel.call("Status", { verbose: true }, options);
    try {
      const image = property(JSON.parse(info.config ?? "{}"), "sandboxImage");
      return typeof image === "string" && image !== "" ? image : undefined;
    } catch {
      return undefined;
    }
  }

  async imageFsInfo(options?: CallOptions): Promise<readonly FilesystemUsage[]> {
    const { imageFilesystems } = await this.channel.call("ImageFsInfo", {}, options);
    return imageFilesystems.map(filesystemOf);
  }
}
