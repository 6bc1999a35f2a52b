import { open } from "node:fs/promises";
import { type ContainerStatus, parseLogLine } from "../../runtime/index.js";
import { runtimeAnnotations } from "./runtime-state.js";

const maxMessageBytes = 4096;
const maxFallbackBytes = 2048;
const maxFallbackLines = 80;

/** What a container left as its last words: its message file, or if it asked for that and failed, the end of its log. */
export async function terminationMessage(status: ContainerStatus): Promise<string> {
  const path = status.annotations[runtimeAnnotations.terminationHostPath];
  const written = path === undefined ? undefined : await readEnd(path, maxMessageBytes, false);
  if (written) return written.toString();
  const policy = status.annotations[runtimeAnnotations.terminationMessagePolicy];
  if (policy !== "FallbackToLogsOnError" || status.exitCode === 0 || status.logPath === undefined) return "";
  // Each line of the log carries some 50 bytes of its own.
  const log = await readEnd(status.logPath, maxFallbackBytes + maxFallbackLines * 64, true);
  const lines = (log ?? Buffer.alloc(0)).toString("latin1").split("\n").slice(0, -1).slice(-maxFallbackLines);
  const texts = lines.map((line) => {
    const record = parseLogLine(Buffer.from(line, "latin1"));
    return record === undefined ? "" : `${Buffer.from(record.text).toString()}${record.partial ? "" : "\n"}`;
  });
  return Buffer.from(texts.join("")).subarray(-maxFallbackBytes).toString();
}

async function readEnd(path: string, limit: number, fromEnd: boolean): Promise<Buffer | undefined> {
  let file: Awaited<ReturnType<typeof open>> | undefined;
  try {
    file = await open(path, "r");
    const { size } = await file.stat();
    const length = Math.min(size, limit);
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await file.read(buffer, 0, length, fromEnd ? size - length : 0);
    return buffer.subarray(0, bytesRead);
  } catch {
    // Gone, or never made: a container without last words.
    return undefined;
  } finally {
    await file?.close();
  }
}
