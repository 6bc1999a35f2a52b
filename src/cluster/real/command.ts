import { spawn } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** Where Debian and its relatives keep what a node needs; no environment is read. */
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What children of ours see: no proxies, no settings of the user's. */
export const childEnv: Readonly<Record<string, string>> = { PATH: systemPath, LANG: "C", HOME: "/root" };

const maxOutput = 4 * 1024 * 1024;

/** Runs a program to its end, gives its stdout; rejects with one sentence of what it said. */
export function run(argv: readonly string[], input?: string): Promise<string> {
  const [program = "", ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: childEnv, stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => {
      if (stdout.length < maxOutput) stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      if (stderr.length < 4000) stderr += chunk;
    });
    child.on("error", (error) => reject(new Error(`cannot run ${program}: ${error.message}`, { cause: error })));
    child.on("close", (code) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${argv.join(" ")}: ${stderr.trim().split("\n").join("; ") || `exit code ${code}`}`));
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input ?? "");
  });
}

/** The same, where failure is no matter: undefined then. */
export async function attempt(argv: readonly string[]): Promise<string | undefined> {
  return run(argv).catch(() => undefined);
}

/** Full path of a program; rejects with what to install. */
export async function findProgram(name: string, debianPackage: string): Promise<string> {
  for (const folder of systemPath.split(delimiter)) {
    const path = join(folder, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  throw new Error(`${name} is not installed (Debian: apt-get install ${debianPackage})`);
}
