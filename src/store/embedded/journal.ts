import { createSegment, type Segment, segmentPath, syncFolder } from "./segment.js";

/** Something to be made durable. */
export interface JournalEntry {
  readonly head: Buffer;
  readonly value: Buffer;
  /** Runs once it is durable, in order, with the place where the entry begins. Must not throw. */
  applied(segment: Segment, offset: number): void;
  failed(error: unknown): void;
}

export interface JournalOptions {
  readonly folder: string;
  readonly active: Segment;
  /** A file grown beyond this is followed by a new one. */
  readonly segmentBytes: number;
  /** The bytes that a new file begins with. */
  readonly preamble: () => Buffer;
  readonly onRolled: (next: Segment) => void;
}

const maxBatchBytes = 8 * 1024 * 1024;

/**
 * Group commit: while one batch is being written and synced the next one collects, and shares one sync. Entries become
 * durable, and are applied, in the order in which they were appended.
 */
export class Journal {
  readonly #options: JournalOptions;
  #active: Segment;
  #waiting: JournalEntry[] = [];
  #running: Promise<void> | undefined;
  /** A failed sync says nothing about what is on disk: nothing is written after it. */
  #broken: { readonly cause: unknown } | undefined;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#active = options.active;
  }

  get active(): Segment {
    return this.#active;
  }

  append(entry: JournalEntry): void {
    if (this.#broken !== undefined) {
      entry.failed(this.#broken.cause);
      return;
    }
    this.#waiting.push(entry);
    // A microtask later: what is written in the same tick goes along.
    this.#running ??= Promise.resolve().then(() => this.#run());
  }

  /** Resolves when everything appended before is durable or has failed. */
  async flushed(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting.length > 0) await this.#writeBatch(this.#takeBatch());
    } finally {
      this.#running = undefined;
    }
  }

  async #writeBatch(batch: readonly JournalEntry[]): Promise<void> {
    try {
      if (this.#active.size > this.#options.segmentBytes) await this.#roll();
      const segment = this.#active;
      let offset = segment.size;
      await segment.append(Buffer.concat(batch.flatMap((entry) => [entry.head, entry.value])));
      for (const entry of batch) {
        entry.applied(segment, offset);
        offset += entry.head.length + entry.value.length;
      }
    } catch (error) {
      await this.#fail(batch, error);
    }
  }

  #takeBatch(): JournalEntry[] {
    let bytes = 0;
    let count = 0;
    for (const { head, value } of this.#waiting) {
      bytes += head.length + value.length;
      if (count > 0 && bytes > maxBatchBytes) break;
      count++;
    }
    if (count === this.#waiting.length) {
      const all = this.#waiting;
      this.#waiting = [];
      return all;
    }
    return this.#waiting.splice(0, count);
  }

  async #roll(): Promise<void> {
    const { folder, preamble, onRolled } = this.#options;
    const number = this.#active.number + 1;
    const next = await createSegment(segmentPath(folder, number), number);
    await next.append(preamble());
    await syncFolder(folder);
    this.#active = next;
    onRolled(next);
  }

  /** What waits was decided on the failed batch's outcome, and fails with it. */
  async #fail(batch: readonly JournalEntry[], error: unknown): Promise<void> {
    await this.#active.trim().catch(() => {
      this.#broken = { cause: error };
    });
    if (this.#active.suspect) this.#broken = { cause: error };
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const entry of [...batch, ...waiting]) entry.failed(error);
  }
}
