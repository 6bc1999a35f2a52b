import { type Status, StatusError, type WatchEvent } from "../api/index.js";

/** A line beyond this is no event of a sane server. */
const maxLineBytes = 64 * 1024 * 1024;
const lineFeed = 10;

/**
 * Cuts a stream of lines of JSON into events, a batch for each chunk that completes at least one. A line that comes in
 * many chunks is put together once, at its end.
 */
export class WatchDecoder {
  #parts: Buffer[] = [];
  #size = 0;

  /** Events of this chunk, up to an ERROR event, which is given apart. */
  push(chunk: Buffer): { readonly events: readonly WatchEvent[]; readonly error?: StatusError } {
    const events: WatchEvent[] = [];
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      const line = this.#take(chunk.subarray(start, end));
      start = end + 1;
      if (line === "") continue;
      const event = JSON.parse(line) as { readonly type: string; readonly object: unknown };
      if (event.type === "ERROR") return { events, error: new StatusError(event.object as Status) };
      events.push(event as WatchEvent);
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    return { events };
  }

  #take(rest: Buffer): string {
    if (this.#parts.length === 0) return rest.toString("utf8").trim();
    this.#parts.push(rest);
    const line = Buffer.concat(this.#parts).toString("utf8").trim();
    this.#parts = [];
    this.#size = 0;
    return line;
  }

  #keep(part: Buffer): void {
    this.#size += part.length;
    if (this.#size > maxLineBytes) throw new Error(`an event of the watch has more than ${maxLineBytes} bytes`);
    this.#parts.push(part);
  }
}
