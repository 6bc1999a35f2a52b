export type LogStream = "stdout" | "stderr";

/** One line of a container's log file, or a part of a long one. */
export interface LogRecord {
  /** RFC 3339 with nanoseconds, UTC. */
  readonly time: string;
  readonly stream: LogStream;
  /** More of the same line follows. */
  readonly partial: boolean;
  /** Without the newline. */
  readonly text: Uint8Array;
}

/** Lines longer than this are written in parts, as containerd does by default. */
export const maxLogLineBytes: number = 16 * 1024;

const space = 0x20;
const partialTag = 0x50;

/** `<time> stdout|stderr F|P <text>\n`: the format of the Container Runtime Interface. */
export function formatLogLine(time: string, stream: LogStream, partial: boolean, text: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${time} ${stream} ${partial ? "P" : "F"} `), text, newline]);
}

const newline = Buffer.from("\n");

/** Reads one line without its newline; undefined when it is not of the format. */
export function parseLogLine(line: Uint8Array): LogRecord | undefined {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  const first = bytes.indexOf(space);
  const second = first < 0 ? -1 : bytes.indexOf(space, first + 1);
  if (second < 0) return undefined;
  const stream = bytes.toString("latin1", first + 1, second);
  if (stream !== "stdout" && stream !== "stderr") return undefined;
  const third = bytes.indexOf(space, second + 1);
  const tagsEnd = third < 0 ? bytes.length : third;
  if (tagsEnd <= second + 1) return undefined;
  return {
    time: bytes.toString("latin1", 0, first),
    stream,
    // Tags are separated by colons; the first says full or partial.
    partial: bytes[second + 1] === partialTag,
    text: third < 0 ? bytes.subarray(bytes.length) : bytes.subarray(third + 1),
  };
}

/** RFC 3339 with nanoseconds of a time in milliseconds; `nanos` are those below the millisecond. */
export function logTime(atMs: number, nanos = 0): string {
  return `${new Date(atMs).toISOString().slice(0, 23)}${String(nanos).padStart(6, "0")}Z`;
}
