import { PassThrough } from "node:stream";
import type { AttachOptions, ExecExit, ExecOptions, LocalProcessStream } from "../streams.js";
import type { FakeContainer } from "./fake-container.js";

/** Runs the scripted command once its standard input has ended. */
export function fakeExec(container: FakeContainer, options: ExecOptions): LocalProcessStream {
  const streams = open(options);
  const run = async (): Promise<ExecExit> => {
    let input = "";
    if (streams.stdin !== undefined) for await (const chunk of streams.stdin) input += String(chunk);
    const result = (await container.behavior.exec?.(options.command, input)) ?? { exitCode: 0 };
    streams.stdout?.write(result.stdout ?? "");
    (streams.stderr ?? (options.tty ? streams.stdout : undefined))?.write(result.stderr ?? "");
    return { exitCode: result.exitCode };
  };
  return session(streams, options.signal, run);
}

/** Shows what the container logged until it ends. */
export function fakeAttach(container: FakeContainer, options: AttachOptions): LocalProcessStream {
  const streams = open(options);
  return session(streams, options.signal, async () => {
    for (const record of container.log()) streams.stdout?.write(`${Buffer.from(record.text).toString()}\n`);
    await container.ended();
    return { exitCode: container.status().exitCode };
  });
}

interface Streams {
  readonly stdin?: PassThrough | undefined;
  readonly stdout?: PassThrough | undefined;
  readonly stderr?: PassThrough | undefined;
}

function open(options: AttachOptions): Streams {
  return {
    stdin: options.stdin ? new PassThrough() : undefined,
    stdout: options.stdout ? new PassThrough() : undefined,
    stderr: options.stderr && !options.tty ? new PassThrough() : undefined,
  };
}

function session(streams: Streams, signal: AbortSignal | undefined, run: () => Promise<ExecExit>): LocalProcessStream {
  const end = (): void => {
    streams.stdout?.end();
    streams.stderr?.end();
  };
  let close = (): void => {};
  const closed = new Promise<ExecExit>((resolve) => {
    close = () => resolve({ exitCode: 137, error: "closed" });
  });
  signal?.addEventListener("abort", close, { once: true });
  if (signal?.aborted) close();
  const failed = (error: unknown): ExecExit => ({
    exitCode: 1,
    error: error instanceof Error ? error.message : String(error),
  });
  const exit = Promise.race([run().catch(failed), closed]).finally(() => {
    signal?.removeEventListener("abort", close);
    streams.stdin?.destroy();
    end();
  });
  return { kind: "local", ...streams, resize() {}, exit, close };
}
