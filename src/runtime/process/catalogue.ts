import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { RuntimeError } from "../errors.js";
import type { FilesystemUsage, Image } from "../image.js";
import type { ImageService } from "../runtime.js";
import { webServerSource } from "./web-image.js";

/** An image for host processes: not files, but how to run, in the words of an OCI image's configuration. */
export interface ProcessImage {
  readonly entrypoint?: readonly string[] | undefined;
  readonly cmd?: readonly string[] | undefined;
  /** `NAME=value`. */
  readonly env?: readonly string[] | undefined;
  readonly workingDir?: string | undefined;
  readonly stopSignal?: string | undefined;
  /** Put before the container's PATH. */
  readonly binDir?: string | undefined;
  readonly sizeBytes?: number | undefined;
}

export interface CatalogueOptions {
  /** The Node program for images that need one. */
  readonly nodePath: string;
  /** Where the programs of built-in images are put. */
  readonly dataDir: string;
  /** `<name>/image.json`, each a ProcessImage, with programs in `<name>/bin`; `/` in a name is a folder. */
  readonly imagesDir?: string | undefined;
  /** By repository, such as `example.com/app`. */
  readonly images?: Readonly<Record<string, ProcessImage>> | undefined;
}

/** Images of any registry and tag under these last names run the host's own shell. */
const shells: ReadonlySet<string> = new Set(["busybox", "alpine", "debian", "ubuntu", "bash"]);

/**
 * The images that a ProcessRuntime knows: the caller's, folders, and a few built-in ones: `coxswain/web` (a server that answers with its pod's name),
 * `node`, `pause`, and busybox, alpine, debian, ubuntu and bash, which stand for the host's shell and programs. Any
 * other reference cannot be pulled.
 */
export class ImageCatalogue implements ImageService {
  readonly #options: CatalogueOptions;
  readonly #pulled = new Map<string, { readonly image: Image; readonly definition: ProcessImage }>();

  constructor(options: CatalogueOptions) {
    this.#options = options;
  }

  async pullImage(reference: string): Promise<string> {
    const repository = repositoryOf(reference);
    const definition = await this.#find(repository);
    if (definition === undefined) {
      const message = `failed to resolve reference ${JSON.stringify(reference)}: ${repository}: not found: this node runs host processes and knows only its own images`;
      throw new RuntimeError("image-not-found", message);
    }
    const id = `sha256:${createHash("sha256")
      .update(JSON.stringify([repository, definition]))
      .digest("hex")}`;
    const tags = [...new Set([...(this.#pulled.get(id)?.image.repoTags ?? []), reference])];
    const image: Image = {
      id,
      repoTags: tags,
      repoDigests: [`${repository}@${id}`],
      sizeBytes: definition.sizeBytes ?? 1024,
    };
    this.#pulled.set(id, { image, definition });
    return id;
  }

  async imageStatus(reference: string): Promise<Image | undefined> {
    return this.#get(reference)?.image;
  }

  async listImages(): Promise<readonly Image[]> {
    return [...this.#pulled.values()].map(({ image }) => image);
  }

  async removeImage(reference: string): Promise<void> {
    const found = this.#get(reference);
    if (found !== undefined) this.#pulled.delete(found.image.id);
  }

  async imageFsInfo(): Promise<readonly FilesystemUsage[]> {
    const usedBytes = [...this.#pulled.values()].reduce((sum, { image }) => sum + image.sizeBytes, 0);
    return [{ timestampMs: Date.now(), mountpoint: this.#options.dataDir, usedBytes, inodesUsed: this.#pulled.size }];
  }

  definition(idOrReference: string): ProcessImage {
    const found = this.#get(idOrReference);
    if (found === undefined) throw new RuntimeError("not-found", `image ${JSON.stringify(idOrReference)} not found`);
    return found.definition;
  }

  #get(key: string): { readonly image: Image; readonly definition: ProcessImage } | undefined {
    const byId = this.#pulled.get(key);
    if (byId !== undefined) return byId;
    return [...this.#pulled.values()].find(({ image }) => image.repoTags.includes(key));
  }

  async #find(repository: string): Promise<ProcessImage | undefined> {
    const { images = {}, nodePath, dataDir } = this.#options;
    if (Object.hasOwn(images, repository)) return images[repository];
    const folder = await this.#folder(repository);
    if (folder !== undefined) return folder;
    const last = repository.slice(repository.lastIndexOf("/") + 1);
    if (repository === "coxswain/web") {
      return { entrypoint: [nodePath, join(dataDir, "web.mjs")], sizeBytes: webServerSource.length };
    }
    if (repository === "node") return { entrypoint: [nodePath] };
    if (last === "pause") return { entrypoint: ["sleep", "infinity"] };
    return shells.has(last) ? { cmd: ["sh"] } : undefined;
  }

  async #folder(repository: string): Promise<ProcessImage | undefined> {
    const { imagesDir } = this.#options;
    if (imagesDir === undefined || repository.split("/").some((step) => step === ".." || step === "")) return undefined;
    const directory = join(imagesDir, repository);
    const text = await readFile(join(directory, "image.json"), "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    const parsed: unknown = JSON.parse(text);
    const names = await readdir(directory);
    return { ...(parsed as ProcessImage), ...(names.includes("bin") ? { binDir: join(directory, "bin") } : {}) };
  }
}

/** Without tag, digest and the default registry. */
function repositoryOf(reference: string): string {
  const [named = ""] = reference.split("@");
  const slash = named.lastIndexOf("/");
  const colon = named.indexOf(":", slash + 1);
  const bare = colon < 0 ? named : named.slice(0, colon);
  return bare.replace(/^(index\.)?docker\.io\//, "").replace(/^library\//, "");
}
