import type { Duplex, Writable } from "node:stream";
import type { TerminalSize } from "../../runtime/index.js";
import { parseSize, type RemoteCommandStreams } from "./remote-command.js";
import { SpdySession, type SpdyStream } from "./spdy/session.js";

export const spdyCommandProtocols: readonly string[] = [
  "v4.channel.k8s.io",
  "v3.channel.k8s.io",
  "v2.channel.k8s.io",
  "channel.k8s.io",
];

const streamsMs = 30_000;

/**
 * A remote command over SPDY: the client opens a stream for each of error, stdin, stdout, stderr and, with a terminal, resize. Resolves when
 * it has opened all that were asked for; undefined when it does not.
 */
export async function spdyCommand(
  connection: Duplex,
  wants: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean; readonly tty: boolean },
  protocol: string,
): Promise<RemoteCommandStreams | undefined> {
  const modern = protocol === "v4.channel.k8s.io" || protocol === "v3.channel.k8s.io";
  const expected = new Set<string>(["error"]);
  if (wants.stdin) expected.add("stdin");
  if (wants.stdout) expected.add("stdout");
  if (wants.stderr) expected.add("stderr");
  if (wants.tty && modern) expected.add("resize");
  const streams = new Map<string, SpdyStream>();
  let complete = (): void => {};
  const all = new Promise<void>((resolve) => {
    complete = resolve;
  });
  const session = new SpdySession(connection, {
    onStream(stream) {
      const type = stream.headers.get("streamtype") ?? "";
      if (!expected.has(type) || streams.has(type)) throw new Error(`unexpected stream ${type}`);
      streams.set(type, stream);
      if (streams.size === expected.size) complete();
    },
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, streamsMs);
  });
  await Promise.race([all, late, session.closed]);
  clearTimeout(timer);
  if (streams.size !== expected.size) {
    session.close();
    return undefined;
  }
  streams.get("stdout")?.resume();
  streams.get("stderr")?.resume();
  const error = streams.get("error");
  error?.resume();
  return {
    stdin: streams.get("stdin"),
    stdout: streams.get("stdout"),
    stderr: streams.get("stderr"),
    onResize: (listener) => readSizes(streams.get("resize"), listener),
    writeStatus: (status) =>
      finish(error, protocol === "v4.channel.k8s.io" ? JSON.stringify(status) : oldStatus(status)),
    close: () => session.finish(),
    closed: session.closed,
  };
}

/** Before v4 the error stream carried only words, and nothing on success. */
function oldStatus(status: unknown): string {
  const { status: is, message = "" } = status as { readonly status?: string; readonly message?: string };
  return is === "Success" ? "" : message;
}

function finish(stream: Writable | undefined, text: string): Promise<void> {
  return new Promise((resolve) => {
    if (stream === undefined || stream.destroyed) return resolve();
    stream.once("close", () => resolve());
    stream.end(text, () => resolve());
  });
}

function readSizes(stream: SpdyStream | undefined, listener: (size: TerminalSize) => void): void {
  let text = "";
  stream?.on("data", (chunk: Buffer) => {
    // Sizes follow one another without a separator but the braces.
    text = `${text}${chunk.toString()}`.slice(-4096);
    for (let end = text.indexOf("}"); end >= 0; end = text.indexOf("}")) {
      const size = parseSize(text.slice(0, end + 1).trim());
      if (size !== undefined) listener(size);
      text = text.slice(end + 1);
    }
  });
}
