// What the scripts of this folder share. Plain Node: it runs before anything is installed.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Runs a command in the project with its output shown; gives the exit code. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
  if (result.error) {
    console.error(`coxswain: cannot run ${command}: ${result.error.message}`);
    return 1;
  }
  return result.status ?? 1;
}

/** The same, and the end of this script when it fails. */
export function must(command, args, options) {
  const code = run(command, args, options);
  if (code !== 0) process.exit(code);
}

/** Installs the packages of the lock file when they are missing or older than it. */
export function install() {
  const installed = join(root, "node_modules/.package-lock.json");
  const lock = join(root, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  console.log("Installing packages ...");
  must("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { stdio: ["ignore", "ignore", "inherit"] });
}

/** Builds dist/ when a source is newer than it. `types` also writes the declarations. */
export function build({ types }) {
  const built = newest(join(root, "dist"), (name) => (types ? name.endsWith(".d.ts") : name.endsWith(".js")));
  const sources = ["src", "scripts/generate", "package.json", "package-lock.json", "tsup.config.ts"];
  const changed = Math.max(...sources.map((path) => newest(join(root, path), (name) => !name.endsWith(".test.ts"))));
  if (built >= changed) return;
  console.log("Building ...");
  must("node", ["scripts/generate-api.mjs"]);
  must("npx", ["--no-install", "tsup", "--silent"]);
  if (types) must("npx", ["--no-install", "tsc", "-p", "tsconfig.build.json"]);
}

function newest(path, counts) {
  if (!existsSync(path)) return 0;
  if (!statSync(path).isDirectory()) return statSync(path).mtimeMs;
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && counts(entry.name) && !entry.parentPath.endsWith("/gen"))
    .reduce((latest, entry) => Math.max(latest, statSync(join(entry.parentPath, entry.name)).mtimeMs), 0);
}

/** Runs a program in the place of this one: its output, its signals, its exit code. */
export function become(command, args) {
  const child = spawn(command, args, { cwd: process.env.INIT_CWD ?? process.cwd(), stdio: "inherit" });
  // Ctrl-C reaches the child from the terminal itself; it decides when to end.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
}
