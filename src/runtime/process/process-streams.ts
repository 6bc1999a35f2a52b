import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, type Readable, Writable } from "node:stream";
import { RuntimeError } from "../errors.js";
import type { AttachOptions, ExecExit, ExecOptions, LocalProcessStream } from "../streams.js";
import { enterCommand } from "./isolation.js";
import type { ProcessContainer } from "./process-container.js";
import { signalProcess } from "./procfs.js";
import { onTerminal, resizeTerminal } from "./terminal.js";

/** Runs a command beside the container's process: same environment, same files. */
export async function execIn(container: ProcessContainer, options: ExecOptions): Promise<LocalProcessStream> {
  const { launch, isolation, config } = container.record;
  const pid = await container.pid();
  if (container.state !== "running" || pid === undefined) {
    throw new RuntimeError("failed-precondition", `container ${container.record.id} is not running`);
  }
  const ttyFile = join(container.dir, `tty-${randomUUID()}`);
  const command = options.tty ? onTerminal(options.command, ttyFile) : options.command;
  const isolated = isolation === "mount" && config.mounts.length > 0;
  const argv = isolated ? [...enterCommand(pid, launch.workingDir ?? "/"), ...command] : command;
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    cwd: isolated ? "/" : join(container.dir, "files"),
    env: options.tty ? { TERM: "xterm", ...launch.env } : launch.env,
    detached: true,
    stdio: [options.stdin ? "pipe" : "ignore", options.stdout ? "pipe" : "ignore", options.stderr ? "pipe" : "ignore"],
  });
  child.stdin?.on("error", () => {});
  const close = (): void => {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      if (!signalProcess(-child.pid, "SIGKILL")) child.kill("SIGKILL");
    }
  };
  options.signal?.addEventListener("abort", close, { once: true });
  if (options.signal?.aborted) close();
  const exit = new Promise<ExecExit>((resolve) => {
    child.once("error", (error) => resolve({ exitCode: 127, error: wordsOf(error, options.command[0] ?? "") }));
    child.once("close", (code, signal) => resolve({ exitCode: code ?? exitCodeOf(signal) }));
  }).finally(() => {
    options.signal?.removeEventListener("abort", close);
    if (options.tty) void rm(ttyFile, { force: true });
  });
  const path = launch.env.PATH ?? "";
  return {
    kind: "local",
    stdin: child.stdin ?? undefined,
    stdout: kept(child.stdout),
    stderr: options.tty ? undefined : kept(child.stderr),
    resize: (size) => void (options.tty && resizeTerminal(ttyFile, size, path)),
    exit,
    close,
  };
}

/** Node throws away a child's output that nobody reads yet when the child exits; through this it waits for its reader. */
function kept(output: Readable | null): Readable | undefined {
  if (output === null) return undefined;
  const through = new PassThrough();
  output.pipe(through);
  through.once("close", () => output.resume());
  return through;
}

/** Joins a container's own streams. */
export function attachTo(container: ProcessContainer, options: AttachOptions): LocalProcessStream {
  const { config, launch } = container.record;
  if (container.state !== "running") {
    throw new RuntimeError("failed-precondition", `container ${container.record.id} is not running`);
  }
  const stdout = options.stdout ? new PassThrough() : undefined;
  const stderr = options.stderr && !config.tty ? new PassThrough() : undefined;
  if (stdout !== undefined) container.output.attach("stdout", stdout);
  if (stderr !== undefined) container.output.attach("stderr", stderr);
  let close = (): void => {};
  const closed = new Promise<void>((resolve) => {
    close = resolve;
  });
  options.signal?.addEventListener("abort", close, { once: true });
  if (options.signal?.aborted) close();
  const exit = Promise.race([container.ended(), closed]).then((): ExecExit => {
    options.signal?.removeEventListener("abort", close);
    stdout?.end();
    stderr?.end();
    return { exitCode: container.status().exitCode };
  });
  return {
    kind: "local",
    stdin: options.stdin && config.stdin ? stdinOf(container) : undefined,
    stdout,
    stderr,
    resize: (size) => void (config.tty && resizeTerminal(join(container.dir, "tty"), size, launch.env.PATH ?? "")),
    exit,
    close,
  };
}

/** One client's input: its end is the container's only where the container waits for one client. */
function stdinOf(container: ProcessContainer): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const stdin = container.stdin;
      if (stdin === undefined || stdin.destroyed) return done();
      stdin.write(chunk, () => done());
    },
    final(done) {
      if (container.record.config.stdinOnce) container.closeStdin();
      done();
    },
  });
}

const signalNumbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

function exitCodeOf(signal: NodeJS.Signals | null): number {
  return 128 + (signal === null ? 9 : (signalNumbers[signal] ?? 9));
}

function wordsOf(error: Error, program: string): string {
  if ("code" in error && error.code === "ENOENT") {
    return `OCI runtime exec failed: exec failed: unable to start container process: exec: ${JSON.stringify(program)}: executable file not found in $PATH: unknown`;
  }
  return error.message;
}
