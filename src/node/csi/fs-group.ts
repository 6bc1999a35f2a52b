import { chmod, lchown, lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Gives everything in a folder to a group that may read and write it, and so what will be made in it. Links stay as they are. */
export async function giveToGroup(path: string, group: number): Promise<void> {
  const found = await lstat(path);
  await lchown(path, found.uid, group);
  if (found.isSymbolicLink()) return;
  const isFolder = found.isDirectory();
  await chmod(path, (found.mode & 0o7777) | (isFolder ? 0o2770 : 0o660));
  if (isFolder) for (const name of await readdir(path)) await giveToGroup(join(path, name), group);
}
