import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Clock } from "../../internal/clock.js";
import type { AuditLogOutput } from "./log-backend.js";

export interface RotatingFileOptions {
  readonly clock: Clock;
  /** A file that would be larger becomes a backup, named after the time. Default 100 MiB. */
  readonly maxSizeBytes?: number | undefined;
  /** How many backups are kept; 0 is all. Default 0. */
  readonly maxBackups?: number | undefined;
  /** For how many days backups are kept; 0 is for ever. Default 0. */
  readonly maxAgeDays?: number | undefined;
  /** Backups are packed with gzip. */
  readonly compress?: boolean | undefined;
}

const dayMs = 24 * 60 * 60 * 1000;

/**
 * A log file that nobody but its owner reads, which is replaced when it is large. Backups are named as upstream's rotation names
 * them, `audit-2026-01-31T10-00-00.000.log` in UTC, and each knows those of the other. Opened with the first line.
 */
export class RotatingFile implements AuditLogOutput, AsyncDisposable {
  readonly #path: string;
  readonly #options: RotatingFileOptions;
  readonly #maxSize: number;
  #file: FileHandle | undefined;
  #size = 0;
  #mending: Promise<void> | undefined;

  constructor(path: string, options: RotatingFileOptions) {
    this.#path = path;
    this.#options = options;
    this.#maxSize = options.maxSizeBytes || 100 * 1024 * 1024;
  }

  async write(lines: string): Promise<void> {
    const bytes = Buffer.from(lines);
    let file = this.#file ?? (await this.#open());
    if (this.#size > 0 && this.#size + bytes.length > this.#maxSize) {
      await this.#rotate();
      file = await this.#open();
    }
    await file.appendFile(bytes);
    this.#size += bytes.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
    await this.#mending;
  }

  async #open(): Promise<FileHandle> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o755 });
    this.#file = await open(this.#path, "a", 0o600);
    this.#size = (await this.#file.stat()).size;
    return this.#file;
  }

  async #rotate(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    const time = new Date(this.#options.clock.now()).toISOString().slice(0, -1).replaceAll(":", "-");
    const { folder, stem, extension } = this.#parts();
    await rename(this.#path, join(folder, `${stem}-${time}${extension}`));
    this.#mending = (this.#mending ?? Promise.resolve()).then(() => this.#tidy()).catch(() => {});
  }

  #parts(): { readonly folder: string; readonly stem: string; readonly extension: string } {
    const extension = extname(this.#path);
    return { folder: dirname(this.#path), stem: basename(this.#path, extension), extension };
  }

  /** Removes backups that are too many or too old, and packs the others. What fails is tried again at the next rotation. */
  async #tidy(): Promise<void> {
    const { maxBackups = 0, maxAgeDays = 0, compress = false, clock } = this.#options;
    const { folder } = this.#parts();
    const oldestMs = maxAgeDays > 0 ? clock.now() - maxAgeDays * dayMs : Number.NEGATIVE_INFINITY;
    const backups = await this.#backups();
    for (const [index, { name, timeMs }] of backups.entries()) {
      const path = join(folder, name);
      if ((maxBackups > 0 && index >= maxBackups) || timeMs < oldestMs) await rm(path, { force: true });
      else if (compress && !name.endsWith(".gz")) await pack(path);
    }
  }

  /** The newest first. */
  async #backups(): Promise<readonly { readonly name: string; readonly timeMs: number }[]> {
    const { folder, stem, extension } = this.#parts();
    const backups = (await readdir(folder)).flatMap((name) => {
      const bare = name.endsWith(".gz") ? name.slice(0, -3) : name;
      if (!bare.startsWith(`${stem}-`) || !bare.endsWith(extension)) return [];
      const time = bare.slice(stem.length + 1, bare.length - extension.length);
      const timeMs = Date.parse(`${time.replace(/T(\d\d)-(\d\d)-/, "T$1:$2:")}Z`);
      return Number.isNaN(timeMs) ? [] : [{ name, timeMs }];
    });
    return backups.sort((left, right) => right.timeMs - left.timeMs);
  }
}

async function pack(path: string): Promise<void> {
  const partial = `${path}.gz.partial`;
  await pipeline(createReadStream(path), createGzip(), createWriteStream(partial, { mode: 0o600 }));
  await rename(partial, `${path}.gz`);
  await rm(path, { force: true });
}
