import { spawn } from "node:child_process";

export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program to its end, with `stdin` as its input. A program that fails is a result, not an error. Rejects when it cannot be
 * started (`code` ENOENT or EACCES) or is killed by a signal; abort kills it.
 */
export type Exec = (
  command: string,
  args: readonly string[],
  options?: { readonly stdin?: string | undefined; readonly signal?: AbortSignal | undefined },
) => Promise<ExecResult>;

export interface HostExecOptions {
  /** Path of a network namespace (`/run/netns/node-a`) to run in, by nsenter. Absent: this process's own. */
  readonly netns?: string | undefined;
}

/** Runs programs on this host. */
export function hostExec(options: HostExecOptions = {}): Exec {
  const { netns } = options;
  // `ip netns exec` would remount /sys and hide cgroups.
  const wrap = (command: string, args: readonly string[]): readonly [string, readonly string[]] =>
    netns === undefined ? [command, args] : ["nsenter", [`--net=${netns}`, "--", command, ...args]];
  return (command, args, { stdin, signal } = {}) =>
    new Promise((resolve, reject) => {
      const [program, programArgs] = wrap(command, args);
      const child = spawn(program, programArgs, {
        stdio: ["pipe", "pipe", "pipe"],
        ...(signal === undefined ? {} : { signal }),
      });
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      child.stdout.on("data", (part: Buffer) => stdout.push(part));
      child.stderr.on("data", (part: Buffer) => stderr.push(part));
      // One that ends without reading all its input says why in its result.
      child.stdin.on("error", () => {});
      child.once("error", reject);
      child.once("close", (code, killer) => {
        if (code === null) reject(new Error(`${command} was killed by ${killer ?? "a signal"}`));
        else resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() });
      });
      child.stdin.end(stdin ?? "");
    });
}
