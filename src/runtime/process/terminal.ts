import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { TerminalSize } from "../streams.js";

/**
 * Runs a command on a pseudo terminal through util-linux's `script`: Node has no terminals of its own. The terminal's name is put into
 * `nameFile`, for resizing.
 */
export function onTerminal(command: readonly string[], nameFile: string): readonly string[] {
  const words = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const inner = `tty > '${nameFile.replaceAll("'", "'\\''")}' 2>/dev/null; exec ${words}`;
  return ["script", "-q", "-e", "-f", "-c", inner, "/dev/null"];
}

export async function resizeTerminal(nameFile: string, { width, height }: TerminalSize, path: string): Promise<void> {
  const name = (await readFile(nameFile, "utf8").catch(() => "")).trim();
  if (!name.startsWith("/dev/")) return;
  const args = ["-F", name, "cols", String(Math.trunc(width)), "rows", String(Math.trunc(height))];
  await new Promise<void>((resolve) => {
    execFile("stty", args, { env: { PATH: path }, timeout: 2000 }, () => resolve());
  });
}
