import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const execute = promisify(execFile);
/** No environment of the user's is read. */
const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C" };

/** Mount points in or at a folder, the last mounted first. Linux. */
async function mountsBelow(folder: string): Promise<readonly string[]> {
  const lines = (await readFile("/proc/self/mounts", "utf8")).split("\n");
  const points = lines.map((line) => unescapePath(line.split(" ")[1] ?? ""));
  return points.filter((point) => point === folder || point.startsWith(`${folder}/`)).reverse();
}

/** Takes them all off, also those that are in use. */
export async function unmountBelow(folder: string): Promise<void> {
  for (const point of await mountsBelow(folder)) await execute("umount", ["-l", point], { env }).catch(() => undefined);
}

/** Puts memory in place of a folder, if that was not done before. Rejects when this process may not. */
export async function mountMemory(folder: string, sizeBytes: number | undefined): Promise<void> {
  if ((await mountsBelow(folder)).includes(folder)) return;
  const options = sizeBytes === undefined ? [] : ["-o", `size=${Math.ceil(sizeBytes)}`];
  await execute("mount", ["-t", "tmpfs", ...options, "tmpfs", folder], { env });
}

/** Spaces and the like are octal there. */
function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
