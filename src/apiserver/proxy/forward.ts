import { setMaxListeners } from "node:events";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { type Duplex, pipeline, type Readable, type Writable } from "node:stream";
import { pipeline as pipe } from "node:stream/promises";
import { statusErrors } from "../../api/index.js";
import type { PassedOnRequest } from "../http/connect.js";
import type { WireResponse } from "../http/wire.js";
import type { Dial, Target } from "./dial.js";

/** Hop-by-hop, and what is between the client and us alone. */
const notPassedOn: ReadonlySet<string> = new Set([
  "host",
  "authorization",
  "proxy-authorization",
  "proxy-authenticate",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "connection",
  "upgrade",
  "http2-settings",
]);
const tokenProtocol = /^\s*base64url\.bearer\.authorization\.k8s\.io\./;

export interface ForwardOptions {
  readonly dial: Dial;
  readonly target: Target;
  /** Path and query, as the backend gets them. */
  readonly path: string;
  readonly method?: string;
  /** Sent along; nothing that the client sent under these names is. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** What to throw when there is no answer of the backend. Absent: InternalError. */
  readonly unreachable?: (cause: unknown) => Error;
  /** What to answer instead of the backend's answer: other headers, of which undefined ones are left out, or another body. */
  readonly rewrite?: (answer: IncomingMessage) => Promise<RewrittenAnswer>;
  /** Turns the backend's answer into a StatusError to throw instead of passing it on; undefined passes it on. */
  readonly check?: (answer: IncomingMessage) => Promise<void>;
  /** Called for an answer that passed, for where to put its body in place of the response. */
  readonly into?: () => Promise<Writable>;
}

export interface RewrittenAnswer {
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Made of the answer's. Absent: the same. */
  readonly body?: Readable | undefined;
}

/**
 * Passes a request on and its answer back, following no redirects. An upgrade that the backend accepts becomes a tunnel of bytes; one
 * that it does not is answered as the backend did. Resolves when both sides are done; whatever ends one side ends the other.
 */
export async function forward(connect: PassedOnRequest, options: ForwardOptions): Promise<void> {
  const abort = new AbortController();
  const onAbort = (): void => abort.abort();
  connect.signal.addEventListener("abort", onAbort, { once: true });
  let backend: Duplex | undefined;
  try {
    if (connect.signal.aborted) return;
    backend = await dialOrThrow(options, abort.signal);
    const outgoing = send(connect, options, backend);
    await exchange(connect, options, outgoing);
  } finally {
    connect.signal.removeEventListener("abort", onAbort);
    backend?.destroy();
  }
}

async function dialOrThrow({ dial, target, unreachable }: ForwardOptions, signal: AbortSignal): Promise<Duplex> {
  try {
    return await dial(target, signal);
  } catch (cause) {
    if (unreachable !== undefined) throw unreachable(cause);
    const message = cause instanceof Error ? cause.message : String(cause);
    if (message === "address not allowed") throw statusErrors.badRequest(message);
    throw statusErrors.internal(`error dialing backend: ${message}`, { cause });
  }
}

function send(connect: PassedOnRequest, options: ForwardOptions, backend: Duplex): ClientRequest {
  const { target, path, method } = options;
  const headers = passedOn(connect, options.headers);
  headers["Host"] ??= hostAndPort(target);
  if (connect.upgrade !== undefined) {
    headers["Connection"] = "Upgrade";
    headers["Upgrade"] = String(connect.request.headers["upgrade"] ?? "");
  } else {
    headers["Connection"] = "close";
  }
  const body = connect.upgrade === undefined && options.method === undefined ? bodyOf(connect) : "none";
  const withBody = body !== "none";
  // Said also for methods that mostly have none: a body without an end would be read as the next request.
  if (body === "streamed") headers["Transfer-Encoding"] = "chunked";
  if (!withBody) delete headers["content-length"];
  // Without an agent: with one, even `false`, Node would make a connection of its own.
  const outgoing = httpRequest({
    createConnection: () => backend,
    method: method ?? connect.method,
    path,
    headers,
  });
  if (withBody) pipeline(connect.request, outgoing, () => {});
  else outgoing.end();
  return outgoing;
}

/** Whether the request has a body, and a length that says how long it is. */
function bodyOf({ request }: PassedOnRequest): "none" | "sized" | "streamed" {
  if (request.headers["content-length"] !== undefined) return "sized";
  const streamed = "stream" in request ? !request.stream.endAfterHeaders : "transfer-encoding" in request.headers;
  return streamed ? "streamed" : "none";
}

function passedOn(connect: PassedOnRequest, more: ForwardOptions["headers"] = {}): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(connect.request.headers)) {
    if (value === undefined || name.startsWith(":") || notPassedOn.has(name)) continue;
    if (name.startsWith("impersonate-") || name.startsWith("x-remote-")) continue;
    headers[name] = value;
  }
  for (const [name, value] of Object.entries(more)) {
    delete headers[name.toLowerCase()];
    headers[name] = typeof value === "string" ? value : [...value];
  }
  const protocols = headers["sec-websocket-protocol"];
  if (typeof protocols === "string") {
    const rest = protocols.split(",").filter((protocol) => !tokenProtocol.test(protocol));
    if (rest.length > 0) headers["sec-websocket-protocol"] = rest.join(",");
    else delete headers["sec-websocket-protocol"];
  }
  return headers;
}

function exchange(connect: PassedOnRequest, options: ForwardOptions, outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      outgoing.destroy();
      resolve();
    };
    connect.signal.addEventListener("abort", onAbort, { once: true });
    outgoing.on("error", (cause) => {
      if (connect.response.headersSent || connect.signal.aborted) return resolve();
      reject(
        options.unreachable?.(cause) ?? statusErrors.internal(`error proxying to backend: ${cause.message}`, { cause }),
      );
    });
    outgoing.on("response", (answer) => {
      respond(connect, options, answer).then(resolve, reject);
    });
    outgoing.on("upgrade", (answer: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (connect.upgrade === undefined) {
        socket.destroy();
        reject(statusErrors.internal("the backend switched protocols without being asked"));
        return;
      }
      tunnel(connect.upgrade, answer, socket, head).then(resolve, reject);
    });
  });
}

async function respond(connect: PassedOnRequest, options: ForwardOptions, answer: IncomingMessage): Promise<void> {
  await options.check?.(answer);
  if (options.into !== undefined) {
    await pipe(answer, await options.into()).catch(() => {});
    return;
  }
  const headers: Record<string, string | number | string[]> = {};
  for (const [name, value] of Object.entries(connect.headers)) headers[name.toLowerCase()] = value;
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined && !notPassedOn.has(name) && name !== "audit-id") headers[name] = value;
  }
  const rewritten = await options.rewrite?.(answer);
  for (const [name, value] of Object.entries(rewritten?.headers ?? {})) {
    if (value === undefined) delete headers[name];
    else headers[name] = value;
  }
  const { response } = connect;
  response.writeHead(answer.statusCode ?? 502, headers);
  response.flushHeaders();
  await passBody(response, rewritten?.body ?? answer);
}

async function passBody(response: WireResponse, answer: Readable): Promise<void> {
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      answer.destroy();
      resolve();
    };
    response.on("close", finish);
    answer.on("data", (chunk: Buffer) => {
      if (!response.write(chunk)) answer.pause();
    });
    response.on("drain", () => answer.resume());
    answer.on("end", () => {
      response.end();
      finish();
    });
    // Cut short: the client must see that it is not whole.
    answer.on("error", () => {
      response.destroy();
      finish();
    });
  });
}

function tunnel(
  upgrade: NonNullable<PassedOnRequest["upgrade"]>,
  answer: IncomingMessage,
  backend: Duplex,
  head: Buffer,
): Promise<void> {
  const { socket: client, head: clientHead } = upgrade.take();
  let text = `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage ?? "Switching Protocols"}\r\n`;
  for (let at = 0; at + 1 < answer.rawHeaders.length; at += 2) {
    text += `${answer.rawHeaders[at]}: ${answer.rawHeaders[at + 1]}\r\n`;
  }
  client.write(`${text}\r\n`, "latin1");
  if (head.length > 0) client.write(head);
  if (clientHead.length > 0) backend.write(clientHead);
  return new Promise((resolve) => {
    let ended = 0;
    const end = (error?: Error | null): void => {
      ended++;
      // A side that broke takes the other with it; one that ended lets the other say its last words.
      if (error || ended === 2) {
        client.destroy();
        backend.destroy();
        resolve();
      }
    };
    client.on("close", () => end(new Error("closed")));
    backend.on("close", () => {
      client.end();
      end();
    });
    // Two pipelines listen to the same two sockets: more listeners than Node thinks can be meant.
    setMaxListeners(0, client, backend);
    pipeline(client, backend, end);
    pipeline(backend, client, end);
  });
}

/** `host:port`, as in the Host header. */
export function hostAndPort({ host, port }: Pick<Target, "host" | "port">): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
