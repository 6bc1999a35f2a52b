import { type KubeObject, StatusError } from "../../api/index.js";
import type { StoredEvent } from "../request.js";
import { statusOf } from "./respond.js";

/** Where the frames of a watch go: a response, or a WebSocket. */
export interface FrameSink {
  /** Whether each event must be sent by itself, as a message of its own. */
  readonly single: boolean;
  /** Sends whole events; false when the client is gone or takes no more. */
  send(frames: Buffer): boolean | Promise<boolean>;
}

/** Joins the frames of batches, once for all watchers that were given the same batch. One for each format. */
export class FrameJoiner {
  readonly #frame: (event: StoredEvent) => Buffer;
  readonly #joined = new WeakMap<readonly StoredEvent[], Buffer>();

  constructor(frame: (event: StoredEvent) => Buffer = (event) => event.frame) {
    this.#frame = frame;
  }

  join(batch: readonly StoredEvent[]): Buffer {
    if (batch.length === 1) return this.#frame(batch[0] as StoredEvent);
    let bytes = this.#joined.get(batch);
    if (bytes === undefined) {
      bytes = Buffer.concat(batch.map(this.#frame));
      this.#joined.set(batch, bytes);
    }
    return bytes;
  }
}

/** Makes one whole frame. */
export type FrameEncoder = (type: string, object: unknown) => Buffer;

export interface PumpOptions {
  readonly joiner: FrameJoiner;
  /** Makes each event's object what the client asked for; absent: frames go as they are. */
  readonly represent?: ((object: KubeObject, first: boolean) => unknown) | undefined;
  /** Makes a frame of what `represent` gave, and of the Status of an error. Default: a line of JSON. */
  readonly encode?: FrameEncoder | undefined;
}

/**
 * Sends the events of a watch until either side ends. Takes the next batch only when the last one was taken, so what a slow
 * client holds up is held by the watch itself, which is bounded and ends it. Failures of the watch go out as an ERROR event.
 */
export async function pumpWatch(
  events: AsyncIterable<readonly StoredEvent[]>,
  sink: FrameSink,
  options: PumpOptions,
): Promise<void> {
  const encode = options.encode ?? jsonFrame;
  let first = true;
  try {
    for await (const batch of events) {
      if (batch.length === 0) continue;
      const frames = options.represent === undefined ? undefined : represented(batch, options.represent, encode, first);
      first = false;
      if (!sink.single) {
        const sent = sink.send(frames === undefined ? options.joiner.join(batch) : Buffer.concat(frames));
        if (sent !== true && !(await sent)) return;
        continue;
      }
      for (const frame of frames ?? batch.map((event) => event.frame)) {
        const sent = sink.send(frame);
        if (sent !== true && !(await sent)) return;
      }
    }
  } catch (error) {
    await sink.send(encode("ERROR", statusOf(error)));
    if (!(error instanceof StatusError)) throw error;
  }
}

function jsonFrame(type: string, object: unknown): Buffer {
  return Buffer.from(`{"type":"${type}","object":${JSON.stringify(object)}}\n`);
}

function represented(
  batch: readonly StoredEvent[],
  represent: (object: KubeObject, first: boolean) => unknown,
  encode: FrameEncoder,
  first: boolean,
): readonly Buffer[] {
  return batch.map((event, at) => encode(event.type, represent(event.stored.object, first && at === 0)));
}
