import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Outcome, type ProgramOptions, runProgram } from "../support/cli-program.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));

interface LockEntry {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
}

interface PackageJson {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly files: readonly string[];
}

/** A project that has nothing but this package in it, installed from the tarball that would be published. */
export interface EmptyProject extends AsyncDisposable {
  readonly folder: string;
  /** The installed package's own package.json. */
  readonly installed: PackageJson;
  /** Runs a program in it; rejects, showing what it said, unless its exit code is 0. */
  run(command: string, args: readonly string[], options?: ProgramOptions): Promise<string>;
  /** Runs a module, given as text, with Node. */
  node(source: string, options?: ProgramOptions): Promise<string>;
  write(file: string, text: string): Promise<void>;
  /** Lets it import a package of ours, as if it had installed that too. */
  link(name: string): Promise<void>;
}

const shown = (what: string, { code, stdout, stderr }: Outcome): string =>
  `${what} ended with ${code}\n${stdout.slice(-4000)}\n${stderr.slice(-4000)}`;

export async function createEmptyProject(): Promise<EmptyProject> {
  const folder = await mkdtemp(join(tmpdir(), "package-"));
  const run: EmptyProject["run"] = async (command, args, options = {}) => {
    const outcome = await runProgram(command, args, { cwd: folder, timeoutMs: 120_000, ...options });
    if (outcome.code !== 0) throw new Error(shown(`${command} ${args.join(" ")}`, outcome));
    return outcome.stdout;
  };
  const write = (file: string, text: string): Promise<void> => writeFile(join(folder, file), text);
  try {
    await run("npm", ["pack", "--ignore-scripts", "--silent", `--pack-destination=${folder}`], { cwd: root });
    const own = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as PackageJson;
    const tarball = `file:coxswain-${own.version}.tgz`;
    await write(
      "package.json",
      JSON.stringify({ name: "empty", version: "1.0.0", type: "module", dependencies: { coxswain: tarball } }),
    );
    await write("package-lock.json", JSON.stringify(await lockOf(own, tarball)));
    await run("npm", ["ci", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"]);
    const installed = JSON.parse(
      await readFile(join(folder, "node_modules/coxswain/package.json"), "utf8"),
    ) as PackageJson;
    let scripts = 0;
    return {
      folder,
      installed,
      run,
      write,
      async node(source, options) {
        const file = `script-${scripts++}.mjs`;
        await write(file, source);
        return run(process.execPath, [file], options);
      },
      async link(name) {
        const path = join(folder, "node_modules", name);
        await rm(path, { force: true });
        await symlink(join(root, "node_modules", name), path);
      },
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Our own lock file without what only our own development needs: so that npm has all of it in its cache, and asks nobody. */
async function lockOf(own: PackageJson, tarball: string): Promise<unknown> {
  const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as {
    readonly lockfileVersion: number;
    readonly packages: Readonly<Record<string, LockEntry>>;
  };
  const needed = Object.entries(lock.packages).filter(
    ([path, { dev, devOptional }]) => path !== "" && !dev && !devOptional,
  );
  return {
    name: "empty",
    version: "1.0.0",
    lockfileVersion: lock.lockfileVersion,
    requires: true,
    packages: {
      "": { name: "empty", version: "1.0.0", dependencies: { coxswain: tarball } },
      "node_modules/coxswain": {
        version: own.version,
        resolved: tarball,
        dependencies: own.dependencies,
        bin: own.bin,
      },
      ...Object.fromEntries(needed),
    },
  };
}
