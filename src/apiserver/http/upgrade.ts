import { type IncomingMessage, ServerResponse } from "node:http";
import { type Duplex, pipeline, Transform, type Writable } from "node:stream";
import { createWebSocketStream, type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import type { Stall } from "./send-pieces.js";
import type { FrameSink } from "./watch-stream.js";

/** An upgrade that a client asked for. `take` hands the bare connection over; from then on nothing else answers on it. */
export interface PendingUpgrade {
  /** What the client wants to speak, in lower case. */
  readonly protocol: string;
  take(): { readonly socket: Duplex; readonly head: Buffer };
  /** Makes a WebSocket of it, and gives the way to send to it. */
  webSocket(stall: Stall): Promise<FrameSink & { close(): void }>;
  /** Makes a WebSocket of it that carries bytes: as they are, or as text in base64 where the client offers that alone. */
  byteStream(): Promise<Writable>;
}

/** A client that falls behind by so much is waited for. */
const highWaterBytes = 256 * 1024;

/** What carries bytes: `binary` as they are, `base64.binary` as text. Nothing is `binary` as well. */
const byteProtocols = ["binary.k8s.io", "base64.binary.k8s.io"];

/** The subprotocol that carries a bearer token: it is for us, and must not be chosen as what to speak. */
export const tokenProtocolPrefix = "base64url.bearer.authorization.k8s.io.";

/** The plain answer to a request that asks for an upgrade; it works until the upgrade is taken. */
export function responseFor(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  // A TLS socket or a plain one: both are what a response writes to, though their common type is only a Duplex.
  response.assignSocket(socket as Parameters<ServerResponse["assignSocket"]>[0]);
  response.on("finish", () => socket.end());
  return response;
}

export function pendingUpgrade(
  server: WebSocketServer,
  request: IncomingMessage,
  response: ServerResponse,
  socket: Duplex,
  head: Buffer,
): PendingUpgrade {
  const take = (): { socket: Duplex; head: Buffer } => {
    response.detachSocket(socket as Parameters<ServerResponse["detachSocket"]>[0]);
    return { socket, head };
  };
  return {
    protocol: (request.headers.upgrade ?? "").toLowerCase(),
    take,
    webSocket: (stall) =>
      new Promise((resolve) => {
        take();
        stripTokenProtocol(request);
        server.handleUpgrade(request, socket, head, (webSocket) => resolve(sinkOf(webSocket, socket, stall)));
      }),
    byteStream: () =>
      new Promise((resolve) => {
        take();
        stripTokenProtocol(request);
        byteServer.handleUpgrade(request, socket, head, (webSocket) => resolve(bytesOf(webSocket)));
      }),
  };
}

/** Takes the token out of the offered subprotocols, so that it is neither answered nor passed on. */
export function stripTokenProtocol(request: IncomingMessage): void {
  const offered = request.headers["sec-websocket-protocol"];
  if (offered === undefined) return;
  const rest = offered.split(",").filter((protocol) => !protocol.trim().startsWith(tokenProtocolPrefix));
  if (rest.length > 0) request.headers["sec-websocket-protocol"] = rest.join(",");
  else delete request.headers["sec-websocket-protocol"];
}

export function webSocketServer(options: ServerOptions = {}): WebSocketServer {
  return new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    // Who watches or reads a log has nothing to say.
    maxPayload: 4096,
    ...options,
  });
}

const byteServer = webSocketServer({
  handleProtocols: (offered) => byteProtocols.find((protocol) => offered.has(protocol)) ?? false,
});

function bytesOf(webSocket: WebSocket): Writable {
  const messages = createWebSocketStream(webSocket, { decodeStrings: false });
  messages.on("error", () => webSocket.terminate());
  messages.resume();
  if (webSocket.protocol !== "base64.binary.k8s.io") return messages;
  const encoder = new Transform({
    readableObjectMode: true,
    transform: (chunk: Buffer, _, done) => done(null, chunk.toString("base64")),
  });
  pipeline(encoder, messages, () => {});
  return encoder;
}

function sinkOf(webSocket: WebSocket, socket: Duplex, stall: Stall): FrameSink & { close(): void } {
  webSocket.on("error", () => webSocket.terminate());
  return {
    single: true,
    send(frame) {
      if (webSocket.readyState !== webSocket.OPEN) return false;
      webSocket.send(frame, { binary: false });
      if (webSocket.bufferedAmount < highWaterBytes) return true;
      return drainedSocket(socket, stall).then((more) => {
        if (!more) webSocket.terminate();
        return more;
      });
    },
    close: () => webSocket.close(1000),
  };
}

function drainedSocket(socket: Duplex, stall: Stall): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (value: boolean): void => {
      socket.off("drain", onDrain);
      socket.off("close", onClose);
      cancel();
      resolve(value);
    };
    const onDrain = (): void => settle(true);
    const onClose = (): void => settle(false);
    const cancel = stall(onClose);
    socket.on("drain", onDrain);
    socket.on("close", onClose);
  });
}
