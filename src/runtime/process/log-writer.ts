import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../../internal/clock.js";
import { formatLogLine, type LogStream, logTime, maxLogLineBytes } from "../cri-log.js";

const newline = 0x0a;

/** Cuts a container's output into lines and writes them in the format of the CRI. */
export class LogWriter {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #rest = new Map<LogStream, Buffer>();
  #file: number | undefined;
  #last = { atMs: 0, nanos: 0 };

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  write(stream: LogStream, chunk: Buffer): void {
    const before = this.#rest.get(stream);
    let data = before === undefined ? chunk : Buffer.concat([before, chunk]);
    const lines: Buffer[] = [];
    for (;;) {
      const end = data.indexOf(newline);
      if (end < 0 && data.length < maxLogLineBytes) break;
      const partial = end < 0 || end > maxLogLineBytes;
      const length = partial ? maxLogLineBytes : end;
      lines.push(formatLogLine(this.#time(), stream, partial, data.subarray(0, length)));
      data = data.subarray(partial ? length : length + 1);
    }
    if (data.length === 0) this.#rest.delete(stream);
    else this.#rest.set(stream, data);
    if (lines.length > 0) this.#append(Buffer.concat(lines));
  }

  /** After the file was renamed: the next line makes a new one. */
  reopen(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** Writes what has no newline, and lets go of the file. */
  end(): void {
    for (const [stream, rest] of this.#rest) this.#append(formatLogLine(this.#time(), stream, true, rest));
    this.#rest.clear();
    this.reopen();
  }

  /** Strictly rising, so that lines can be told apart by their times. */
  #time(): string {
    const atMs = Math.floor(this.#clock.now());
    const same = atMs <= this.#last.atMs;
    this.#last = same ? { atMs: this.#last.atMs, nanos: this.#last.nanos + 1 } : { atMs, nanos: 0 };
    return logTime(this.#last.atMs, this.#last.nanos % 1_000_000);
  }

  // Synchronous: order with the exit is certain, and a line costs a microsecond.
  #append(bytes: Buffer): void {
    if (this.#file === undefined) {
      mkdirSync(dirname(this.#path), { recursive: true });
      this.#file = openSync(this.#path, "a", 0o640);
    }
    writeSync(this.#file, bytes);
  }
}
