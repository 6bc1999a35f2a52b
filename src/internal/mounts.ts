import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const execute = promisify(execFile);
/** No environment of the user's is read. */
const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C" };

/** The mount points at and below a path, the inner ones last. None where there is no such table. */
export async function mountPointsBelow(path: string): Promise<readonly string[]> {
  return mountPointsIn(await readFile("/proc/self/mountinfo", "utf8").catch(() => ""), path);
}

/** The same of the text of a mountinfo, in which spaces and the like are written as octal numbers. */
export function mountPointsIn(mountinfo: string, path: string): readonly string[] {
  const points = mountinfo.split("\n").map((line) => line.split(" ")[4] ?? "");
  const plain = points.map((point) =>
    point.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))),
  );
  return plain.filter((point) => point === path || point.startsWith(`${path}/`)).sort();
}

/** Takes a mount off, also one that is in use. Rejects with what the program said. */
export async function unmount(point: string): Promise<void> {
  await execute("umount", ["-l", point], { env });
}

/** Takes off all that is mounted at and below a path, as far as that can be done. */
export async function unmountBelow(path: string): Promise<void> {
  for (const point of [...(await mountPointsBelow(path))].reverse()) await unmount(point).catch(() => undefined);
}

/** Puts what an open file of this process is at a path, whatever has the file's name by now. */
export async function bindFile(fd: number, target: string): Promise<void> {
  await execute("mount", ["--no-canonicalize", "--bind", `/proc/${process.pid}/fd/${fd}`, target], { env });
}

/** Puts memory in place of a folder, if that was not done before. Rejects when this process may not. */
export async function mountMemory(folder: string, sizeBytes: number | undefined): Promise<void> {
  if ((await mountPointsBelow(folder)).includes(folder)) return;
  const options = sizeBytes === undefined ? [] : ["-o", `size=${Math.ceil(sizeBytes)}`];
  await execute("mount", ["-t", "tmpfs", ...options, "tmpfs", folder], { env });
}
