import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import type { Http2ServerRequest } from "node:http2";

/** A request of either protocol: HTTP/1.1, or HTTP/2 through Node's compatibility layer. */
export type WireRequest = IncomingMessage | Http2ServerRequest;

/** The part of a response that both protocols have in common. */
export interface WireResponse {
  readonly headersSent: boolean;
  /** Of the answer, once it is sent. */
  readonly statusCode: number;
  readonly writableEnded: boolean;
  /** Bytes written and not yet sent. */
  readonly writableLength: number;
  writeHead(code: number, headers: OutgoingHttpHeaders): unknown;
  flushHeaders(): void;
  /** false: wait for `drain` before writing more. */
  write(chunk: Uint8Array | string): boolean;
  end(chunk?: Uint8Array | string): unknown;
  destroy(error?: Error): unknown;
  on(event: "drain" | "close", listener: () => void): unknown;
  off(event: "drain" | "close", listener: () => void): unknown;
}

export type WireHeaders = IncomingHttpHeaders;

/** The first value of a header; Node joins most repeated headers itself. */
export function headerOf(headers: WireHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Resolves when the response takes more (true), or when it is closed or the deadline passed (false). */
export function drained(response: WireResponse, stalled: (give: () => void) => () => void): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (value: boolean): void => {
      response.off("drain", onDrain);
      response.off("close", onClose);
      cancel();
      resolve(value);
    };
    const onDrain = (): void => settle(true);
    const onClose = (): void => settle(false);
    const cancel = stalled(onClose);
    response.on("drain", onDrain);
    response.on("close", onClose);
  });
}
