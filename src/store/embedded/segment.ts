import { readSync } from "node:fs";
import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileHeader } from "./frame.js";

const namePattern = /^(\d{12})\.journal$/;

/** One file of the journal. Files are numbered in the order in which they were begun. */
export class Segment {
  readonly number: number;
  path: string;
  readonly #file: FileHandle;
  /** Up to here the file is durable. */
  size: number;
  /** A sync failed: what is on disk behind `size` is unknown. */
  suspect = false;

  constructor(number: number, path: string, file: FileHandle, size: number) {
    this.number = number;
    this.path = path;
    this.#file = file;
    this.size = size;
  }

  read(offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const count = readSync(this.#file.fd, bytes, done, length - done, offset + done);
      if (count === 0) throw new Error(`${this.path} ends before ${offset + length}`);
      done += count;
    }
    return bytes;
  }

  /** Writes behind what is durable and makes it durable too. */
  async append(bytes: Buffer): Promise<void> {
    await this.write(bytes, this.size);
    await this.sync();
    this.size += bytes.length;
  }

  async write(bytes: Buffer, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, offset + done);
      done += bytesWritten;
    }
  }

  async sync(): Promise<void> {
    try {
      await this.#file.datasync();
    } catch (error) {
      this.suspect = true;
      throw error;
    }
  }

  /** Cuts off what is behind the durable part. */
  async trim(): Promise<void> {
    await this.#file.truncate(this.size);
    await this.sync();
  }

  /** The bytes from `offset` on, up to `length` of them. */
  async readChunk(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.size - offset)));
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await this.#file.read(bytes, done, bytes.length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

export function segmentPath(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(12, "0")}.journal`);
}

/** The numbers of the folder's segments, ascending. */
export async function listSegments(folder: string): Promise<number[]> {
  const names = await readdir(folder);
  const numbers = names.map((name) => Number(namePattern.exec(name)?.[1] ?? Number.NaN));
  return numbers.filter((number) => !Number.isNaN(number)).sort((a, b) => a - b);
}

/** Begins a file, over what a failed attempt may have left there. */
export async function createSegment(path: string, number: number): Promise<Segment> {
  const file = await open(path, "w+", 0o600);
  const segment = new Segment(number, path, file, 0);
  await segment.append(fileHeader);
  return segment;
}

export async function openSegment(path: string, number: number): Promise<Segment> {
  const file = await open(path, "r+");
  return new Segment(number, path, file, (await file.stat()).size);
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
