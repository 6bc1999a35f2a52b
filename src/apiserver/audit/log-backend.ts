import type { AuditBackend } from "./backend.js";
import { type AuditEvent, encodeEvent, legacyLine } from "./event.js";

/** `json`: an event is a line of JSON. `legacy`: a line of text, without objects. */
export type AuditLogFormat = "json" | "legacy";

/** Where lines go. */
export interface AuditLogOutput {
  /** Writes whole lines; called again only when the last call settled. */
  write(lines: string): Promise<void>;
}

export interface AuditLogOptions {
  readonly output: AuditLogOutput;
  /** Default `json`. */
  readonly format?: AuditLogFormat | undefined;
}

/** What waits for the output: a disk that hangs must not take the server's memory. */
const maxWaitingLength = 64 * 1024 * 1024;
const maxWriteLength = 1024 * 1024;

interface Waiting {
  readonly text: string;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Writes a line for each event. Lines that come while others are being written go out together. */
export class AuditLog implements AuditBackend {
  readonly name = "log";
  readonly #output: AuditLogOutput;
  readonly #line: (event: AuditEvent) => string;
  #waiting: Waiting[] = [];
  #length = 0;
  #writing = false;

  constructor({ output, format = "json" }: AuditLogOptions) {
    this.#output = output;
    this.#line = format === "json" ? encodeEvent : legacyLine;
  }

  write(events: readonly AuditEvent[]): Promise<void> {
    const text = events.map((event) => `${this.#line(event)}\n`).join("");
    if (this.#length + text.length > maxWaitingLength) {
      return Promise.reject(new Error("too much waits to be written to the audit log"));
    }
    this.#length += text.length;
    return new Promise((done, failed) => {
      this.#waiting.push({ text, done, failed });
      if (!this.#writing) void this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    // What else comes in this turn goes out with the first.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#next();
      const text = group.map((each) => each.text).join("");
      try {
        await this.#output.write(text);
        for (const { done } of group) done();
      } catch (error) {
        for (const { failed } of group) failed(error);
      }
      this.#length -= text.length;
    }
    this.#writing = false;
  }

  #next(): readonly Waiting[] {
    let count = 0;
    let length = 0;
    for (const { text } of this.#waiting) {
      if (count > 0 && length + text.length > maxWriteLength) break;
      count++;
      length += text.length;
    }
    return this.#waiting.splice(0, count);
  }
}
