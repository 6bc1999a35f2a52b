import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "tsup";

const guest = fileURLToPath(new URL("./uml-guest.sh", import.meta.url));
const modulesRoot = "/usr/lib/uml/modules";

export interface UmlOptions {
  /** A TypeScript file that is bundled and run by node in the guest. It writes its result as JSON to the file of `RESULT`. */
  readonly script: string;
  /** Kernel modules, by name; what they need comes along. */
  readonly modules: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/**
 * Boots User-Mode Linux (Debian's package user-mode-linux) on the host's own files, read-only, without any network device, runs the
 * script in it and gives what that wrote. A kernel of its own, for what this host's kernel lacks.
 */
export async function runInUml<T>(options: UmlOptions): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "coxswain-uml-"));
  try {
    await build({
      entry: { script: options.script },
      outDir: folder,
      format: "esm",
      platform: "node",
      target: "node20",
      noExternal: [/.*/],
      silent: true,
      config: false,
      clean: false,
      dts: false,
      outExtension: () => ({ js: ".mjs" }),
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    });
    await writeFile(join(folder, "modules"), (await moduleFiles(options.modules)).join("\n"));
    const env = Object.entries({ RESULT: "/mnt/result.json", ...options.env }).map(
      ([name, value]) => `${name}=${value}`,
    );
    const output = await boot(folder, env, options.timeoutMs);
    try {
      return JSON.parse(await readFile(join(folder, "result.json"), "utf8"));
    } catch (error) {
      throw new Error(`the guest left no result:\n${output.slice(-4000)}`, { cause: error });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function boot(folder: string, env: readonly string[], timeoutMs: number): Promise<string> {
  const args = [
    "mem=1024M",
    "rootfstype=hostfs",
    "root=/dev/root",
    "hostfs=/",
    "ro",
    "con0=fd:0,fd:1",
    "con=null",
    "quiet",
    `uml_dir=${folder}`,
    `SHARED=${folder}`,
    `NODE=${process.execPath}`,
    `LIMIT=${Math.ceil(timeoutMs / 1000)}`,
    ...env,
    `init=${guest}`,
  ];
  try {
    const { stdout } = await promisify(execFile)("linux.uml", args, {
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      maxBuffer: 16 * 1024 * 1024,
    });
    return stdout;
  } catch (error) {
    throw new Error("User-Mode Linux did not come to its end", { cause: error });
  }
}

/** The files of the modules, each behind those it needs. Built-in ones have none. */
async function moduleFiles(wanted: readonly string[]): Promise<readonly string[]> {
  const [version] = await readdir(modulesRoot);
  if (version === undefined) throw new Error(`no modules in ${modulesRoot}`);
  const folder = join(modulesRoot, version);
  const nameOf = (path: string): string =>
    (path.split("/").pop() ?? "").replace(/\.ko(\..*)?$/, "").replaceAll("-", "_");
  const needs = new Map<string, readonly string[]>();
  for (const line of (await readFile(join(folder, "modules.dep"), "utf8")).split("\n")) {
    const [file, rest] = line.split(":");
    if (file && rest !== undefined) needs.set(nameOf(file), [file, ...rest.trim().split(/\s+/).filter(Boolean)]);
  }
  const files = new Set<string>();
  const add = (name: string): void => {
    const [file, ...others] = needs.get(name) ?? [];
    if (file === undefined) return;
    for (const other of others) if (!files.has(join(folder, other))) add(nameOf(other));
    files.add(join(folder, file));
  };
  for (const name of wanted) add(name);
  return [...files];
}
