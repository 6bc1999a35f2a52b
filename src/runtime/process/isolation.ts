import { execFile } from "node:child_process";
import { mkdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, normalize } from "node:path";

/**
 * `mount`: a container has a mount namespace of its own: the host's files, and its volumes at their true paths. `none`: it sees the host's files; volumes are below `$COXSWAIN_ROOT`.
 */
export type Isolation = "mount" | "none";

/** How to enter new namespaces: root needs no user namespace for it. */
function unshareCommand(): readonly string[] {
  return process.getuid?.() === 0
    ? ["unshare", "--mount", "--propagation", "private"]
    : ["unshare", "--user", "--map-root-user", "--mount"];
}

/** Tells by descriptor 4 the process's number, now that all is set up, and becomes the container's program. */
export const announceScript = 'echo $$ >&4 && exec "$@" 3>&- 4>&-';

export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Where the host's own files are within a container, for what is linked there. */
const hostDir = "/.host";

export interface IsolatedMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readonly: boolean;
}

/**
 * The command that sets up a container's files and then becomes the container's program, as the same process. `directory` is an empty
 * folder of the container's own. A folder of the host to which a mount point must be added is made anew, with links to what the host
 * has in it; everything else is bound as it is.
 */
export async function isolate(
  directory: string,
  mounts: readonly IsolatedMount[],
  workingDir: string,
): Promise<readonly string[]> {
  const resolved = await Promise.all(
    mounts.map(async (mount) => ({ ...mount, containerPath: await throughLinks(mount.containerPath) })),
  );
  const remade = await foldersToRemake(resolved.map(({ containerPath }) => containerPath));
  const binds = resolved
    .sort((a, b) => a.containerPath.length - b.containerPath.length)
    .map(({ hostPath, containerPath, readonly }) => {
      const [from, to] = [quote(hostPath), `"$0"${quote(containerPath)}`];
      const make = `[ -L ${to} ] && rm -f ${to}
if [ -d ${from} ]; then mkdir -p ${to}; else mkdir -p "$(dirname ${to})"; [ -e ${to} ] || : > ${to}; fi`;
      return `${make}\nmount --rbind ${from} ${to}${readonly ? `\nmount -o remount,bind,ro ${to}` : ""}`;
    });
  const enter = `mkdir -p "$0"${quote(workingDir)} 2>/dev/null || true
exec chroot "$0" sh -c 'cd "$0" && ${announceScript}' ${quote(workingDir)} "$@"`;
  return [...unshareCommand(), "sh", "-c", [rootScript(remade), ...binds, enter].join("\n"), directory];
}

/** Tries it out: kernels and containers forbid parts of it in many ways. */
export async function probeIsolation(directory: string): Promise<Isolation> {
  const probe = join(directory, "probe");
  const source = join(directory, "probe-source");
  await mkdir(probe, { recursive: true });
  await mkdir(source, { recursive: true });
  const mount = { hostPath: source, containerPath: "/coxswain-probe/mount", readonly: true };
  const args = [
    "-c",
    'exec 4>/dev/null; exec "$@"',
    "sh",
    ...(await isolate(probe, [mount], "/coxswain-probe/mount")),
    "sh",
    "-c",
    "test -e /proc/self",
  ];
  return new Promise((resolve) => {
    const options = { timeout: 5000, env: { PATH: defaultPath } };
    execFile("sh", args, options, (error) => resolve(error === null ? "mount" : "none"));
  });
}

/** The new root: a folder in memory, the host's folders bound into it, those in `remade` only by links. */
function rootScript(remade: readonly string[]): string {
  const top = remade.filter((path) => path.lastIndexOf("/") === 0);
  return `set -e
mount -t tmpfs tmpfs "$0"
mkdir "$0${hostDir}"
mount --rbind / "$0${hostDir}"
for path in /*; do
  case "$path" in ${["/lost+found", ...top].map(quote).join(" | ")}) continue ;; esac
  if [ -L "$path" ]; then cp -P "$path" "$0$path"
  elif [ -d "$path" ]; then mkdir "$0$path"; mount --rbind "$path" "$0$path" 2>/dev/null || true
  fi
done
${remade.map(relinkScript).join("\n")}`;
}

/** A remade folder: one link for each of the host's names, pointing below the bound host root. */
function relinkScript(path: string): string {
  const host = quote(path);
  return `[ -L "$0"${host} ] && rm "$0"${host}
mkdir -p "$0"${host}
(cd ${host} 2>/dev/null && for name in * .[!.]*; do
  [ -e "$name" ] || [ -L "$name" ] && printf '%s\\0' ${quote(hostDir)}${host}/"$name"
done | xargs -0 -r ln -s -t "$0"${host})`;
}

/** Folders of the host between the root and mount points that do not exist there, the upper ones first. */
async function foldersToRemake(containerPaths: readonly string[]): Promise<string[]> {
  const remade = new Set<string>();
  const wanted = new Set<string>();
  for (const path of containerPaths) if (!(await exists(path))) wanted.add(path);
  for (let size = -1; size !== remade.size; ) {
    size = remade.size;
    for (const path of wanted) for (const parent of parentsOf(path)) if (await exists(parent)) remade.add(parent);
    // Within a remade folder everything is a link: what is to be mounted there needs real folders too.
    for (const path of containerPaths) if (parentsOf(path).some((parent) => remade.has(parent))) wanted.add(path);
  }
  return [...remade].sort((a, b) => a.length - b.length);
}

function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let parent = dirname(path); parent !== "/"; parent = dirname(parent)) parents.push(parent);
  return parents;
}

/** The path with the host's symbolic links resolved as far as it exists: `/var/run/x` is `/run/x`. */
async function throughLinks(path: string): Promise<string> {
  let rest = "";
  for (let prefix = normalize(path).replace(/\/$/, ""); prefix !== "/" && prefix !== "."; prefix = dirname(prefix)) {
    const real = await realpath(prefix).catch(() => undefined);
    if (real !== undefined) return real + rest;
    rest = `/${basename(prefix)}${rest}`;
  }
  return rest;
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** The command that runs something beside a container's process, in the same namespaces. */
export function enterCommand(pid: number, workingDir: string): readonly string[] {
  const user = process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"];
  return [
    "nsenter",
    `--target=${pid}`,
    ...user,
    "--mount",
    "--root",
    "--wd",
    "sh",
    "-c",
    'cd "$0" 2>/dev/null; exec "$@"',
    workingDir,
  ];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
