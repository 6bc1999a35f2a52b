import { type ChildProcess, spawn } from "node:child_process";

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Killed, with an outcome that tells so, after this time. Default 60 s. */
  readonly timeoutMs?: number;
  readonly stdin?: string;
  /** In a process group of its own, which can be signalled as a terminal does it. */
  readonly ownGroup?: boolean;
}

/** A program that runs beside the test. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves when it has ended and its output is read to the end. */
  readonly ended: Promise<Outcome>;
  readonly running: boolean;
  write(text: string): void;
  /** Closes its input. */
  end(): void;
  kill(signal?: NodeJS.Signals): void;
  /** Resolves with the first match in its output; rejects, showing the output, when it ends or the time is up before that. */
  until(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
}

/** Starts a program with its input and output piped. */
export function startProgram(command: string, args: readonly string[], options: ProgramOptions = {}): Program {
  const child = spawn(command, [...args], {
    stdio: "pipe",
    detached: options.ownGroup === true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  });
  let [stdout, stderr] = ["", ""];
  let over = false;
  const listeners = new Set<() => void>();
  const changed = (): void => {
    for (const listener of listeners) listener();
  };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
    changed();
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
    changed();
  });
  // A program that ends without reading its input is no fault of the test.
  child.stdin.on("error", () => {});
  const ended = endOf(child).then((end) => {
    over = true;
    changed();
    return { ...end, stdout, stderr };
  });
  const shown = (): string => `${command} ${args.join(" ")}\n--- stdout\n${stdout}\n--- stderr\n${stderr}`;
  return {
    pid: child.pid ?? -1,
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    get running() {
      return !over;
    },
    ended,
    write: (text) => void child.stdin.write(text),
    end: () => void child.stdin.end(),
    kill: (signal = "SIGTERM") => void child.kill(signal),
    until(pattern, timeoutMs = 30_000) {
      return new Promise((resolve, reject) => {
        const settle = (): boolean => {
          const match = pattern.exec(stdout) ?? pattern.exec(stderr);
          if (match !== null) resolve(match);
          else if (over) reject(new Error(`it ended before it showed ${pattern}: ${shown()}`));
          else return false;
          return true;
        };
        if (settle()) return;
        const listener = (): void => {
          if (!settle()) return;
          clearTimeout(timer);
          listeners.delete(listener);
        };
        const timer = setTimeout(() => {
          listeners.delete(listener);
          reject(new Error(`it did not show ${pattern} within ${timeoutMs} ms: ${shown()}`));
        }, timeoutMs);
        listeners.add(listener);
      });
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

function endOf(child: ChildProcess): Promise<Pick<Outcome, "code" | "signal">> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
}

/** Runs a program to its end. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<Outcome> {
  const program = startProgram(command, args, options);
  const timer = setTimeout(() => program.kill("SIGKILL"), options.timeoutMs ?? 60_000);
  if (options.stdin !== undefined) program.write(options.stdin);
  program.end();
  try {
    return await program.ended;
  } finally {
    clearTimeout(timer);
  }
}

/** Asks until there is an answer that is not undefined. An error counts as no answer, and is shown when the time is up. */
export async function eventually<T>(
  look: () => Promise<T | undefined> | T | undefined,
  what: string,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
