import { gzip } from "node:zlib";
import { type Status, StatusError, statusErrors } from "../../api/index.js";
import type { Exchange } from "./exchange.js";
import { acceptsGzip, protobufType } from "./negotiate.js";
import { headerOf } from "./wire.js";
import { yamlText } from "./yaml-text.js";

/** Upstream's threshold: smaller answers are not worth the time. */
export const gzipThresholdBytes: number = 128 * 1024;
export const gzipLevel: number = 1;

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
    return { contentType: "application/yaml", bytes: Buffer.from(yamlText(object)) };
  }
  const text = JSON.stringify(object, null, wantsPretty(exchange) ? 2 : undefined);
  return { contentType: "application/json", bytes: Buffer.from(`${text}\n`) };
}

/** Writes encoded JSON as it is, unless the client wants it in another dress. */
export function sendEncoded(exchange: Exchange, code: number, line: Buffer): void {
  if (exchange.accepted.format === "json" && !wantsPretty(exchange)) {
    sendBytes(exchange, code, "application/json", line);
    return;
  }
  sendObject(exchange, code, JSON.parse(line.toString("utf8")));
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
  exchange.audit?.answeredStatus(status);
  const { contentType, bytes } = encode(exchange, status);
  const headers = exchange.headers(contentType);
  const retryAfter = status.details?.retryAfterSeconds;
  if (retryAfter !== undefined && retryAfter > 0) headers["Retry-After"] = retryAfter;
  if (status.code === 413 && exchange.request.httpVersionMajor === 1) headers["Connection"] = "close";
  headers["Content-Length"] = bytes.length;
  exchange.writeHead(status.code ?? 500, headers);
  exchange.response.end(exchange.request.method === "HEAD" ? undefined : bytes);
}

export function wantsGzip(exchange: Exchange): boolean {
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
