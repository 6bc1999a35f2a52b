import { createGzip, type Gzip, gzip } from "node:zlib";
import { stringify as stringifyYaml } from "yaml";
import { type Status, StatusError, statusErrors } from "../../api/index.js";
import type { StoredList } from "../request.js";
import type { Exchange } from "./exchange.js";
import { acceptsGzip, protobufType } from "./negotiate.js";
import { itemSize, type SlabCache } from "./slabs.js";
import { drained, headerOf } from "./wire.js";

/** Upstream's threshold: smaller answers are not worth the time. */
const gzipThresholdBytes = 128 * 1024;
const gzipLevel = 1;

/** A list's writing is given up when the client takes nothing for so long. */
export type Stall = (give: () => void) => () => void;

/** Writes an answer that is complete, in one write. */
export function sendBytes(exchange: Exchange, code: number, contentType: string, bytes: Buffer): void {
  const headers = exchange.headers(contentType);
  if (bytes.length > gzipThresholdBytes && wantsGzip(exchange)) {
    headers["Content-Encoding"] = "gzip";
    headers["Vary"] = "Accept-Encoding";
    gzip(bytes, { level: gzipLevel }, (error, packed) => {
      if (exchange.response.headersSent) return;
      if (error !== null) return sendError(exchange, error);
      headers["Content-Length"] = packed.length;
      exchange.writeHead(code, headers);
      exchange.response.end(packed);
    });
    return;
  }
  headers["Content-Length"] = bytes.length;
  exchange.writeHead(code, headers);
  exchange.response.end(exchange.request.method === "HEAD" ? undefined : bytes);
}

/** Writes an object in the negotiated format; as JSON what has no protobuf form. */
export function sendObject(exchange: Exchange, code: number, object: unknown): void {
  const { contentType, bytes } = encode(exchange, object);
  sendBytes(exchange, code, contentType, bytes);
}

function encode(exchange: Exchange, object: unknown): { readonly contentType: string; readonly bytes: Buffer } {
  const { format } = exchange.accepted;
  const bytes = format === "protobuf" ? exchange.protobuf?.objects.tryEncode(object) : undefined;
  if (bytes !== undefined) return { contentType: protobufType, bytes };
  if (format === "yaml") {
    const yaml = stringifyYaml(object, { aliasDuplicateObjects: false, keepUndefined: false });
    return { contentType: "application/yaml", bytes: Buffer.from(yaml) };
  }
  const text = JSON.stringify(object, null, wantsPretty(exchange) ? 2 : undefined);
  return { contentType: "application/json", bytes: Buffer.from(`${text}\n`) };
}

const lineFeed = Buffer.from("\n");

/** Writes encoded JSON as it is, unless the client wants it in another dress. */
export function sendEncoded(exchange: Exchange, code: number, bytes: Buffer): void {
  if (exchange.accepted.format === "json" && !wantsPretty(exchange)) {
    sendBytes(exchange, code, "application/json", Buffer.concat([bytes, lineFeed]));
    return;
  }
  sendObject(exchange, code, JSON.parse(bytes.toString("utf8")));
}

export function sendText(exchange: Exchange, code: number, text: string, more: Record<string, string> = {}): void {
  const headers = exchange.headers("text/plain; charset=utf-8");
  headers["X-Content-Type-Options"] = "nosniff";
  Object.assign(headers, more);
  headers["Content-Length"] = Buffer.byteLength(text);
  exchange.writeHead(code, headers);
  exchange.response.end(exchange.request.method === "HEAD" ? undefined : text);
}

/** What the client sees of a failure: a Status. Anything that is no StatusError is a fault of ours, and says nothing more. */
export function statusOf(error: unknown): Status {
  return error instanceof StatusError
    ? error.status
    : statusErrors.internal("the server failed", { cause: error }).status;
}

export function sendError(exchange: Exchange, error: unknown): void {
  if (exchange.response.headersSent) {
    // The answer has begun: cutting it is the only way left to say that it is not whole.
    exchange.response.destroy();
    return;
  }
  const status = statusOf(error);
  const { contentType, bytes } = encode(exchange, status);
  const headers = exchange.headers(contentType);
  const retryAfter = status.details?.retryAfterSeconds;
  if (retryAfter !== undefined && retryAfter > 0) headers["Retry-After"] = retryAfter;
  if (status.code === 413 && exchange.request.httpVersionMajor === 1) headers["Connection"] = "close";
  headers["Content-Length"] = bytes.length;
  exchange.writeHead(status.code, headers);
  exchange.response.end(exchange.request.method === "HEAD" ? undefined : bytes);
}

/** Streams a list from the bytes of its items, no faster than the client takes them. */
export async function sendList(exchange: Exchange, list: StoredList, slabs: SlabCache, stall: Stall): Promise<void> {
  const head = Buffer.from(
    `{"kind":${JSON.stringify(list.kind)},"apiVersion":${JSON.stringify(list.apiVersion)},"metadata":${JSON.stringify(list.metadata)},"items":[`,
  );
  const tail = Buffer.from("]}\n");
  const size = sizeOf(list, head.length + tail.length);
  await sendPieces(exchange, "application/json", size, bytesOf(head, list, slabs, tail), stall);
}

/** Writes an answer piece by piece, no faster than the client takes it. `size` is of all pieces together. */
export async function sendPieces(
  exchange: Exchange,
  contentType: string,
  size: number,
  source: Generator<Buffer>,
  stall: Stall,
): Promise<void> {
  const headers = exchange.headers(contentType);
  const pack = size > gzipThresholdBytes && wantsGzip(exchange);
  if (pack) {
    headers["Content-Encoding"] = "gzip";
    headers["Vary"] = "Accept-Encoding";
  } else {
    headers["Content-Length"] = size;
  }
  exchange.writeHead(200, headers);
  const { response } = exchange;
  if (exchange.request.method === "HEAD") return void response.end();
  if (!pack && size <= 64 * 1024) {
    response.end(Buffer.concat([...source], size));
    return;
  }
  if (pack) return sendPacked(exchange, source, stall);
  for (const piece of source) {
    if (!response.write(piece) && !(await drained(response, stall))) return void response.destroy();
  }
  response.end();
}

function sizeOf(list: StoredList, around: number): number {
  let size = around + Math.max(0, list.items.length - 1);
  for (const item of list.items) size += itemSize(item, list.bare === true);
  return size;
}

const comma = Buffer.from(",");

function* pieces(list: StoredList, slabs: SlabCache): Generator<Buffer> {
  for (let at = 0; at < list.items.length; ) {
    if (at > 0) yield comma;
    const slab = slabs.next(list.items, at, list.bare);
    yield slab.bytes;
    at = slab.end;
  }
}

function* bytesOf(head: Buffer, list: StoredList, slabs: SlabCache, tail: Buffer): Generator<Buffer> {
  yield head;
  yield* pieces(list, slabs);
  yield tail;
}

/** Packs on the thread pool, with back-pressure on both sides. */
function sendPacked(exchange: Exchange, source: Generator<Buffer>, stall: Stall): Promise<void> {
  const { response } = exchange;
  const packer = createGzip({ level: gzipLevel });
  return new Promise((resolve) => {
    const finish = (): void => {
      packer.destroy();
      resolve();
    };
    const cut = (): void => {
      response.destroy();
      finish();
    };
    response.on("close", finish);
    packer.on("error", cut);
    packer.on("end", () => {
      response.end();
      finish();
    });
    packer.on("data", (chunk: Buffer) => {
      if (response.write(chunk)) return;
      packer.pause();
      void drained(response, stall).then((more) => (more ? packer.resume() : cut()));
    });
    feed(packer, source);
  });
}

function feed(packer: Gzip, source: Generator<Buffer>): void {
  for (;;) {
    const { value, done } = source.next();
    if (done) return void packer.end();
    if (!packer.write(value)) {
      packer.once("drain", () => feed(packer, source));
      return;
    }
  }
}

function wantsGzip(exchange: Exchange): boolean {
  return acceptsGzip(headerOf(exchange.request.headers, "accept-encoding"));
}

/** Asked for, or a person at a terminal or a browser; programs get it dense. */
export function wantsPretty(exchange: Exchange): boolean {
  if (exchange.query.includes("pretty=")) {
    const value = new URLSearchParams(exchange.query).get("pretty");
    if (value) return /^(1|t|T|true|True|TRUE)$/.test(value);
  }
  if (exchange.accepted.pretty === true) return true;
  const agent = headerOf(exchange.request.headers, "user-agent");
  return agent !== undefined && /^(curl|Wget|Mozilla\/5\.0)/.test(agent);
}

/** The answer to a request whose time is over. */
export function statusTimeout(): StatusError {
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: "Timeout: request did not complete within the allotted timeout",
    reason: "Timeout",
    details: {},
    code: 504,
  });
}
