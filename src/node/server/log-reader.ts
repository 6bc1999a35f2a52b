import { type FSWatcher, watch } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { type LogRecord, parseLogLine } from "../../runtime/index.js";

const blockBytes = 64 * 1024;
const pollMs = 1000;
const newline = 0x0a;
const maxLineBytes = 1024 * 1024;

export interface LogFileOptions {
  readonly follow: boolean;
  /** Start so many lines before the end; absent: at the beginning. */
  readonly tailLines?: number | undefined;
  readonly signal: AbortSignal;
  /** Whether more may come. */
  running(): boolean;
}

/** A container's log file, record by record; with `follow` on and on, across rotation, until the container has ended. */
export async function* readLogFile(path: string, options: LogFileOptions): AsyncGenerator<LogRecord> {
  const { follow, signal, tailLines } = options;
  const opened = await openFile(path, options);
  if (opened === undefined) return;
  let file: FileHandle = opened;
  const wakeUp = follow ? watchFile(path, signal) : undefined;
  try {
    let at = tailLines === undefined ? 0 : await tailStart(file, tailLines);
    let rest: Buffer = Buffer.alloc(0);
    while (!signal.aborted) {
      const ended = !options.running();
      const buffer = Buffer.alloc(blockBytes);
      const { bytesRead } = await file.read(buffer, 0, blockBytes, at);
      if (bytesRead > 0) {
        at += bytesRead;
        let data =
          rest.length === 0 ? buffer.subarray(0, bytesRead) : Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
        for (let end = data.indexOf(newline); end >= 0; end = data.indexOf(newline)) {
          const record = parseLogLine(data.subarray(0, end));
          if (record !== undefined) yield record;
          data = data.subarray(end + 1);
        }
        rest = data.length > maxLineBytes ? Buffer.alloc(0) : data;
        continue;
      }
      const rotated: FileHandle | undefined = follow ? await rotatedFile(path, file) : undefined;
      if (rotated !== undefined) {
        await file.close();
        file = rotated;
        at = 0;
        rest = Buffer.alloc(0);
        continue;
      }
      if (!follow || ended) return;
      await wakeUp?.next();
    }
  } finally {
    wakeUp?.close();
    await file.close();
  }
}

async function openFile(path: string, { follow, signal, running }: LogFileOptions): Promise<FileHandle | undefined> {
  for (;;) {
    const file = await open(path, "r").catch(() => undefined);
    if (file !== undefined || !follow || signal.aborted || !running()) return file;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The file that now has the name, where it is another one. */
async function rotatedFile(path: string, file: FileHandle): Promise<FileHandle | undefined> {
  const [now, own] = await Promise.all([stat(path).catch(() => undefined), file.stat()]);
  if (now === undefined || (now.ino === own.ino && now.dev === own.dev)) return undefined;
  return open(path, "r").catch(() => undefined);
}

/** Where the last `lines` lines begin. */
async function tailStart(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat();
  if (lines === 0) return size;
  let left = lines;
  const buffer = Buffer.alloc(blockBytes);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - blockBytes);
    await file.read(buffer, 0, end - start, start);
    for (let at = end - start - 1; at >= 0; at--) {
      // The newline that ends the file ends its last line, it does not begin another one.
      if (buffer[at] !== newline || start + at === size - 1) continue;
      if (--left === 0) return start + at + 1;
    }
    end = start;
  }
  return 0;
}

interface FileWatch {
  /** Resolves when the file may have changed, or after a second. */
  next(): Promise<void>;
  close(): void;
}

function watchFile(path: string, signal: AbortSignal): FileWatch {
  let changed = false;
  let wake: (() => void) | undefined;
  const tell = (): void => {
    changed = true;
    wake?.();
  };
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(dirname(path), { persistent: false }, (_, name) => {
      if (name === null || name === basename(path)) tell();
    });
    watcher.on("error", () => {});
  } catch {
    // Without a watch there is still the poll.
  }
  signal.addEventListener("abort", tell, { once: true });
  return {
    async next() {
      if (!changed) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, pollMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        wake = undefined;
      }
      changed = false;
    },
    close() {
      watcher?.close();
      signal.removeEventListener("abort", tell);
    },
  };
}
