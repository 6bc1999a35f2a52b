import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Program, type ProgramOptions, startProgram } from "./cli-program.js";

/** The built command line, or the one named in COXSWAIN_CLI. */
export function cliPath(): string {
  const path = process.env.COXSWAIN_CLI ?? fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
  if (!existsSync(path)) throw new Error(`${path} is missing: npm run build makes it`);
  return path;
}

/** `coxswain` with arguments, as a process of its own. */
export function startCli(args: readonly string[], options: ProgramOptions = {}): Program {
  return startProgram(process.execPath, [cliPath(), ...args], options);
}

/** Brings a cluster up and waits until it says that it is ready. */
export async function startUp(
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<{ readonly program: Program; readonly kubeconfig: string }> {
  const program = startCli(["up", ...args], options);
  try {
    const [, kubeconfig = ""] = await program.until(/^coxswain: ready KUBECONFIG=(.+)$/m, options.timeoutMs ?? 60_000);
    return { program, kubeconfig };
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
}

/** Asks it to stop as Ctrl-C does, and gives its exit code. */
export async function interrupt(program: Program, timeoutMs = 30_000): Promise<number | null> {
  program.kill("SIGINT");
  const timer = setTimeout(() => program.kill("SIGKILL"), timeoutMs);
  const { code } = await program.ended;
  clearTimeout(timer);
  return code;
}
