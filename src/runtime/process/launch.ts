import { accessSync, constants, existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { ContainerConfig } from "../container.js";
import type { PodSandboxConfig } from "../sandbox.js";
import type { ProcessImage } from "./catalogue.js";
import { containerMarker } from "./procfs.js";

/** All that is needed to start a container's program, fixed when the container is made. */
export interface Launch {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string | undefined;
  readonly stopSignal: string;
}

export interface LaunchInput {
  readonly containerId: string;
  readonly image: ProcessImage;
  readonly config: ContainerConfig;
  readonly sandbox: PodSandboxConfig;
  readonly ip: string;
  /** Where the container's mounts are linked, by their paths. */
  readonly rootDir: string;
  readonly path: string;
}

/** Command, arguments and environment by the rules of the OCI image configuration. */
export function launchOf({ containerId, image, config, sandbox, ip, rootDir, path }: LaunchInput): Launch {
  const entrypoint = config.command.length > 0 ? config.command : (image.entrypoint ?? []);
  const args = config.args.length > 0 ? config.args : config.command.length > 0 ? [] : (image.cmd ?? []);
  const { name, namespace } = sandbox.metadata;
  const env = new Map<string, string>([
    ["PATH", image.binDir === undefined ? path : `${image.binDir}:${path}`],
    ["HOME", "/"],
    ["HOSTNAME", sandbox.hostname || name],
    // A process has the host's name and addresses: these tell it which are its pod's.
    ["HOST", ip],
    ["POD_IP", ip],
    ["POD_NAME", name],
    ["POD_NAMESPACE", namespace],
  ]);
  for (const entry of image.env ?? []) {
    const [key = "", ...value] = entry.split("=");
    env.set(key, value.join("="));
  }
  for (const { name: key, value } of config.env) env.set(key, value);
  env.set("COXSWAIN_ROOT", rootDir);
  env.set(containerMarker, containerId);
  if (config.tty) env.set("TERM", env.get("TERM") ?? "xterm");
  return {
    argv: [...entrypoint, ...args],
    env: Object.fromEntries(env),
    workingDir: config.workingDir ?? image.workingDir,
    stopSignal: config.stopSignal ?? image.stopSignal ?? "SIGTERM",
  };
}

/** Why the program cannot be run, in the words that people know from container runtimes; undefined: it can. */
export function cannotRun({ argv, env, workingDir }: Launch): string | undefined {
  const [program] = argv;
  if (program === undefined) return "no command specified";
  const failed = (why: string): string =>
    `failed to create containerd task: failed to create shim task: OCI runtime create failed: exec: ${JSON.stringify(program)}: ${why}: unknown`;
  if (program.includes("/")) {
    const file = isAbsolute(program) ? program : join(workingDir ?? "/", program);
    if (!existsSync(file)) return failed(`stat ${program}: no such file or directory`);
    return executable(file) ? undefined : failed("permission denied");
  }
  const found = (env.PATH ?? "").split(":").some((folder) => executable(join(folder, program)));
  return found ? undefined : failed("executable file not found in $PATH");
}

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
