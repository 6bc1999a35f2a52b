import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { UserInfo } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import type { Target } from "../proxy/dial.js";
import { dialError } from "../proxy/dial-errors.js";
import type { Backends } from "./backends.js";
import type { RemoteService } from "./remote-services.js";
import { remoteUserHeaders } from "./remote-user.js";

export interface FetchRequest {
  readonly path: string;
  readonly user: UserInfo;
  readonly accept: string;
  readonly etag?: string | undefined;
  readonly signal: AbortSignal;
}

export interface FetchAnswer {
  /** Who answered, with the path. */
  readonly url: string;
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/**
 * Asks a server behind this one for what it serves. Rejects when there is no whole answer in time, with the URL in the message; an answer
 * with any code is one.
 */
export type BackendFetch = (remote: RemoteService, request: FetchRequest) => Promise<FetchAnswer>;

export interface BackendFetchOptions {
  readonly backends: Pick<Backends, "locate" | "dial">;
  readonly clock: Clock;
  /** Default 5 s. */
  readonly timeoutMs?: number;
  /** Default 16 MiB: OpenAPI documents are large. */
  readonly limitBytes?: number;
}

const defaultTimeoutMs = 5_000;
const defaultLimitBytes = 16 * 1024 * 1024;

export function backendFetch(options: BackendFetchOptions): BackendFetch {
  const { backends, clock, timeoutMs = defaultTimeoutMs } = options;
  return async (remote, request) => {
    const target = await backends.locate(remote);
    const url = urlOf(target, request.path);
    const abort = new AbortController();
    const onAbort = (): void => abort.abort(request.signal.reason);
    request.signal.addEventListener("abort", onAbort, { once: true });
    if (request.signal.aborted) onAbort();
    const late = new Error("context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    const timer = clock.setTimeout(() => abort.abort(late), timeoutMs);
    let socket: Duplex | undefined;
    try {
      socket = await backends.dial(remote)(target, abort.signal);
      const limitBytes = options.limitBytes ?? defaultLimitBytes;
      return { url, ...(await get(socket, target, request, abort.signal, limitBytes)) };
    } catch (cause) {
      const why = abort.signal.aborted ? abort.signal.reason : cause;
      const text = why instanceof Error ? why.message : String(why);
      throw new Error(`failing or missing response from ${url}: Get "${url}": ${text}`, { cause });
    } finally {
      timer.cancel();
      request.signal.removeEventListener("abort", onAbort);
      socket?.destroy();
    }
  };
}

function urlOf({ host, port }: Target, path: string): string {
  return `https://${host.includes(":") ? `[${host}]` : host}:${port}${path}`;
}

function get(
  socket: Duplex,
  target: Target,
  request: FetchRequest,
  signal: AbortSignal,
  limitBytes: number,
): Promise<Omit<FetchAnswer, "url">> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      createConnection: () => socket,
      path: request.path,
      headers: headersOf(request, target),
      signal,
    });
    outgoing.on("error", (error) => reject(dialError(error, target)));
    outgoing.on("upgrade", (_, upgraded) => {
      upgraded.destroy();
      reject(new Error("the backend switched protocols without being asked"));
    });
    outgoing.on("response", (answer) => collect(answer, limitBytes).then(resolve, reject));
    outgoing.end();
  });
}

function headersOf({ user, accept, etag }: FetchRequest, { host, port }: Target): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {
    Host: `${host.includes(":") ? `[${host}]` : host}:${port}`,
    Accept: accept,
    Connection: "close",
  };
  if (etag !== undefined) headers["If-None-Match"] = etag;
  for (const [name, value] of Object.entries(remoteUserHeaders(user))) {
    headers[name] = typeof value === "string" ? value : [...value];
  }
  return headers;
}

function collect(answer: IncomingMessage, limitBytes: number): Promise<Omit<FetchAnswer, "url">> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    answer.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limitBytes) answer.destroy(new Error("the answer is too large"));
      else chunks.push(chunk);
    });
    answer.on("error", reject);
    answer.on("close", () => reject(new Error("unexpected EOF")));
    answer.on("end", () =>
      resolve({ code: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks, size) }),
    );
  });
}
