import type { Readable, Writable } from "node:stream";
import type { LocalProcessStream, TerminalSize } from "../../runtime/index.js";

/** The client's ends of a remote command, whatever protocol carries them. */
export interface RemoteCommandStreams {
  readonly stdin?: Readable | undefined;
  readonly stdout?: Writable | undefined;
  readonly stderr?: Writable | undefined;
  /** Sizes of the client's terminal, as they come. */
  onResize(listener: (size: TerminalSize) => void): void;
  /** How it ended, in the last message before the end. */
  writeStatus(status: unknown): Promise<void>;
  close(): void;
  /** Resolves when the client has gone. */
  readonly closed: Promise<void>;
}

/** Joins a client's streams with a process's until the process ends or the client goes. */
export async function joinStreams(streams: RemoteCommandStreams, process: LocalProcessStream): Promise<void> {
  streams.onResize((size) => process.resize(size));
  const outputs = [copy(process.stdout, streams.stdout), copy(process.stderr, streams.stderr)];
  if (streams.stdin !== undefined && process.stdin !== undefined) {
    process.stdin.on("error", () => {});
    streams.stdin.pipe(process.stdin);
  } else streams.stdin?.resume();
  let gone = false;
  void streams.closed.then(() => {
    gone = true;
    process.stdin?.end();
    process.close();
  });
  const { exitCode, error } = await process.exit;
  if (!gone) {
    await Promise.race([Promise.all(outputs), streams.closed]);
    await streams.writeStatus(exitStatus(exitCode, error));
  }
  process.stdout?.destroy();
  process.stderr?.destroy();
  streams.close();
}

function copy(from: Readable | undefined, to: Writable | undefined): Promise<void> {
  if (from === undefined) return Promise.resolve();
  if (to === undefined) {
    from.resume();
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    from.once("error", () => resolve());
    to.once("error", () => resolve());
    to.once("close", () => resolve());
    to.once("finish", () => resolve());
    from.pipe(to);
  });
}

/** metav1.Status of a command's end, as clients of v4 and v5 read it. */
function exitStatus(exitCode: number, error: string | undefined): unknown {
  if (error !== undefined && exitCode !== 0) {
    return { metadata: {}, status: "Failure", message: error, reason: "InternalError", code: 500 };
  }
  if (exitCode === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(exitCode) }] },
  };
}

/** A size as clients send it: `{"Width":80,"Height":24}`. */
export function parseSize(text: string): TerminalSize | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    const { Width: width, Height: height } = parsed as { readonly Width?: unknown; readonly Height?: unknown };
    return typeof width === "number" && typeof height === "number" ? { width, height } : undefined;
  } catch {
    return undefined;
  }
}
