import { constants, openSync } from "node:fs";
import { Socket } from "node:net";
import type { PassThrough } from "node:stream";
import type { LogStream } from "../cri-log.js";
import type { LogWriter } from "./log-writer.js";

/** What of a container's output may come after its end, from processes that it left. */
const drainMs = 200;

/**
 * Reads a container's output from its pipes into its log and to those attached. While nobody reads, as after an agent's death,
 * a pipe holds 64 KiB and then its writer waits.
 */
export class OutputReader {
  readonly #log: LogWriter | undefined;
  readonly #sockets: Socket[] = [];
  readonly #sinks = new Map<PassThrough, LogStream>();
  readonly #ended: Promise<void>[] = [];

  constructor(log: LogWriter | undefined) {
    this.#log = log;
  }

  open(stream: LogStream, fifo: string): void {
    const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const socket = new Socket({ fd, readable: true, writable: false });
    this.#sockets.push(socket);
    this.#ended.push(new Promise((resolve) => socket.once("close", () => resolve())));
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      this.#log?.write(stream, chunk);
      for (const [sink, of] of this.#sinks) if (of === stream && !sink.write(chunk)) this.#hold(sink, socket);
    });
  }

  attach(stream: LogStream, sink: PassThrough): void {
    this.#sinks.set(sink, stream);
    sink.once("close", () => this.#sinks.delete(sink));
    sink.on("error", () => this.#sinks.delete(sink));
  }

  reopenLog(): void {
    this.#log?.reopen();
  }

  /** After the container's end: takes what is left in the pipes, then closes everything. */
  async drain(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, drainMs);
    });
    await Promise.race([Promise.all(this.#ended), late]);
    clearTimeout(timer);
    this.close();
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.destroy();
    for (const sink of this.#sinks.keys()) sink.end();
    this.#sinks.clear();
    this.#log?.end();
  }

  /** A reader that does not keep up holds the container up, rather than miss anything. */
  #hold(sink: PassThrough, socket: Socket): void {
    if (socket.isPaused()) return;
    socket.pause();
    const go = (): void => {
      sink.off("drain", go);
      sink.off("close", go);
      socket.resume();
    };
    sink.on("drain", go);
    sink.on("close", go);
  }
}
