import type { ServerResponse } from "node:http";
import type { LogRecord } from "../../runtime/index.js";
import { findContainer } from "../pod/containers.js";
import type { PodRecord } from "../pod/pod-record.js";
import type { NodeServerContext } from "./context.js";
import { readLogFile } from "./log-reader.js";

export interface LogQuery {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines: number | undefined;
  readonly sinceMs: number | undefined;
  readonly limitBytes: number;
  readonly stream: "stdout" | "stderr" | undefined;
}

/** Reads the query of a log request as the API server passes it on; throws with what is wrong. */
export function parseLogQuery(query: URLSearchParams, nowMs: number): LogQuery {
  const number = (name: string, least: number): number | undefined => {
    const text = query.get(name);
    if (text === null || text === "") return undefined;
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) throw new Error(`${name}: Invalid value: ${JSON.stringify(text)}`);
    return value;
  };
  const flag = (name: string): boolean => ["true", "1", ""].includes(query.get(name) ?? "false");
  const sinceSeconds = number("sinceSeconds", 1);
  const sinceTime = query.get("sinceTime");
  const stream = query.get("stream");
  return {
    follow: flag("follow"),
    previous: flag("previous"),
    timestamps: flag("timestamps"),
    tailLines: number("tailLines", 0),
    sinceMs: sinceSeconds === undefined ? (sinceTime ? Date.parse(sinceTime) : undefined) : nowMs - sinceSeconds * 1000,
    limitBytes: number("limitBytes", 1) ?? Number.POSITIVE_INFINITY,
    stream: stream === "Stdout" ? "stdout" : stream === "Stderr" ? "stderr" : undefined,
  };
}

/** Writes a container's log; headers are sent with the first of it. */
export async function sendContainerLog(
  context: NodeServerContext,
  record: PodRecord,
  name: string,
  query: LogQuery,
  response: ServerResponse,
): Promise<void> {
  const signal = signalOf(response);
  const fail = (code: number, text: string): void => {
    response.writeHead(code, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
  };
  const podName = record.pod.metadata.name;
  if (findContainer(record.pod, name) === undefined) {
    return fail(404, `container "${name}" not found in pod "${podName}"`);
  }
  const attempts = record.state.containers.get(name) ?? [];
  const [newest, before] = attempts;
  // A container that waits to be restarted still has the log of its last run.
  const chosen = query.previous ? (newest?.state === "exited" && before === undefined ? undefined : before) : newest;
  if (chosen === undefined || chosen.state === "created") {
    if (query.previous) return fail(400, `previous terminated container "${name}" in pod "${podName}" not found`);
    const reason = record.waiting.get(name)?.reason ?? "ContainerCreating";
    return fail(400, `container "${name}" in pod "${podName}" is waiting to start: ${reason}`);
  }
  const running = (): boolean =>
    record.state.containers.get(name)?.some(({ id, state }) => id === chosen.id && state === "running") ?? false;
  const { runtime } = context;
  const records =
    runtime.readLog !== undefined
      ? tail(runtime.readLog(chosen.id, { follow: query.follow, signal }), query)
      : readLogFile(chosen.logPath ?? "", { follow: query.follow, tailLines: query.tailLines, signal, running });
  response.writeHead(200, { "content-type": "text/plain", "transfer-encoding": "chunked" });
  response.flushHeaders();
  let left = query.limitBytes;
  let begins = true;
  for await (const line of records) {
    if (signal.aborted) break;
    if (query.stream !== undefined && line.stream !== query.stream) continue;
    if (query.sinceMs !== undefined && Date.parse(line.time) < query.sinceMs) continue;
    const text = Buffer.concat([
      Buffer.from(query.timestamps && begins ? `${line.time} ` : ""),
      line.text,
      Buffer.from(line.partial ? "" : "\n"),
    ]);
    begins = !line.partial;
    const piece = text.subarray(0, left);
    left -= piece.length;
    if (!response.write(piece)) await drained(response, signal);
    if (left <= 0) break;
  }
  response.end();
}

async function* tail(records: AsyncIterable<LogRecord>, { tailLines, follow }: LogQuery): AsyncGenerator<LogRecord> {
  if (tailLines === undefined || follow) return yield* records;
  const kept: LogRecord[] = [];
  for await (const record of records) {
    kept.push(record);
    if (kept.length > tailLines) kept.shift();
  }
  yield* kept;
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      response.off("drain", go);
      signal.removeEventListener("abort", go);
      resolve();
    };
    response.on("drain", go);
    signal.addEventListener("abort", go, { once: true });
  });
}

/** Aborts when the client has gone. */
export function signalOf(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  return gone.signal;
}
