import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { realClock } from "../../internal/clock.js";
import { silentLogger } from "../../internal/logger.js";
import { systemRandom } from "../../internal/random.js";
import { decodeBody, defaultBodyLimitBytes } from "./body.js";
import { Dispatcher } from "./dispatcher.js";
import { Exchange } from "./exchange.js";
import { defaultInFlightLimits, InFlight, unlimited } from "./in-flight.js";
import { ServerMetrics } from "./metrics.js";
import { PeerTable } from "./peers.js";
import { Pipelines } from "./pipelines.js";
import { sendError, statusTimeout } from "./respond.js";
import { defaultVersion, versionRoute } from "./routes.js";
import type { HttpServer, HttpServerOptions, TlsMaterial } from "./server-options.js";
import { type PendingUpgrade, pendingUpgrade, responseFor, webSocketServer } from "./upgrade.js";
import { headerOf, type WireRequest, type WireResponse } from "./wire.js";

/** As upstream's server has them. */
const readHeaderTimeoutMs = 32_000;
const idleTimeoutMs = 90_000;
const requestTimeoutMs = 60_000;
const maxHeaderBytes = 128 * 1024;
const maxConcurrentStreams = 250;

/** Makes the server. Nothing listens before `listen`. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  return new ApiHttpServer(options);
}

class ApiHttpServer implements HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server | Http2SecureServer;
  readonly #dispatcher: Dispatcher;
  readonly #inFlight: InFlight;
  readonly #metrics = new ServerMetrics();
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #peers = new PeerTable();
  readonly #pipelines = new Pipelines();
  readonly #webSockets = webSocketServer();
  readonly #timeoutMs: number;
  #address: { readonly host: string; readonly port: number } | undefined;
  #shuttingDown = false;
  #closed: Promise<void> | undefined;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const clock = options.clock ?? realClock;
    this.#timeoutMs = options.requestTimeoutMs ?? requestTimeoutMs;
    const { flowControl, inFlight = defaultInFlightLimits } = options;
    const limits = flowControl === undefined ? inFlight : unlimited;
    this.#inFlight = new InFlight(limits, clock, (exchange) => this.#timeout(exchange));
    this.#dispatcher = new Dispatcher({
      handler: options.handler,
      resources: options.resources,
      authenticator: options.authenticator,
      authorizer: options.authorizer,
      routes: [versionRoute(options.version ?? defaultVersion), ...(options.routes ?? [])],
      connect: options.connect ?? [],
      delegates: options.delegates,
      representer: options.representer,
      checks: this.#checks(),
      decode: options.decode ?? decodeBody,
      bodyLimitBytes: options.bodyLimitBytes ?? defaultBodyLimitBytes,
      stallTimeoutMs: options.stallTimeoutMs ?? 30_000,
      minWatchTimeoutSeconds: options.minWatchTimeoutSeconds ?? 1800,
      inFlight: this.#inFlight,
      flowControl,
      audit: options.audit,
      moreMetrics: options.moreMetrics ?? [],
      metrics: this.#metrics,
      clock,
      random: options.random ?? systemRandom,
      logger: options.logger ?? silentLogger,
      startMs: clock.now(),
    });
    this.#server = options.tls === undefined ? this.#plainServer() : this.#secureServer(options.tls);
    this.#server.on("connection", (socket: Socket) => this.#track(socket));
    this.#server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
  }

  get port(): number {
    return this.#bound().port;
  }

  get url(): string {
    const { host, port } = this.#bound();
    return `${this.#options.tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  async listen(): Promise<void> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    const address = this.#server.address() as AddressInfo;
    this.#address = { host: address.address, port: address.port };
    const logger = this.#options.logger ?? silentLogger;
    this.#server.on("error", (error: Error) => logger.error("server error", { error }));
  }

  setTls(tls: TlsMaterial): void {
    if ("setSecureContext" in this.#server) {
      this.#server.setSecureContext({ cert: tls.certificate, key: tls.key, ca: [...tls.clientCas] });
    }
  }

  close(graceMs = 5_000): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(graceMs: number): Promise<void> {
    this.#shuttingDown = true;
    const ended = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions) session.close();
    this.#inFlight.abortLongRunning();
    const clock = this.#options.clock ?? realClock;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimeout(resolve, graceMs);
      void this.#inFlight.idle().then(() => {
        timer.cancel();
        // A turn for the last answers to leave their buffers.
        setImmediate(resolve);
      });
    });
    this.#inFlight.stop();
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    this.#webSockets.close();
    if (this.#address !== undefined) await ended;
  }

  #plainServer(): Server {
    if (!isLoopback(this.#options.host)) {
      throw new Error("plain HTTP is served on loopback addresses only");
    }
    const server = createServer(
      { ...http1Options, requestTimeout: 0 },
      (request: IncomingMessage, response: ServerResponse) => this.#serveInTurn(request, response),
    );
    server.on("clientError", refuse);
    return server;
  }

  #secureServer(tls: TlsMaterial): Http2SecureServer {
    const server = createSecureServer({
      ...http1Options,
      allowHTTP1: true,
      minVersion: "TLSv1.2",
      handshakeTimeout: 10_000,
      cert: tls.certificate,
      key: tls.key,
      ca: [...tls.clientCas],
      requestCert: true,
      // Who has no certificate, or a bad one, is for authentication to say.
      rejectUnauthorized: false,
      maxSessionRejectedStreams: 100,
      maxSessionInvalidFrames: 100,
      maxSessionMemory: 16,
      settings: { maxConcurrentStreams, maxHeaderListSize: maxHeaderBytes, enablePush: false },
    });
    // Node reads these of a server's properties, but sets none of them from the options of one that also speaks HTTP/2.
    Object.assign(server, http1Options);
    server.on("request", (request, response) => this.#serveInTurn(request, response as unknown as WireResponse));
    server.on("session", (session) => this.#trackSession(session));
    server.on("clientError", refuse);
    server.on("tlsClientError", (_, socket) => socket.destroy());
    server.on("sessionError", () => {});
    return server;
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => this.#sockets.delete(socket));
    if (this.#shuttingDown) socket.destroy();
  }

  #trackSession(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    // Opening and cancelling streams without end is stopped by nghttp2 itself (a test shows it).
    let open = 0;
    session.on("stream", (stream) => {
      open++;
      stream.on("close", () => open--);
    });
    session.on("error", () => {});
    session.on("close", () => this.#sessions.delete(session));
    session.setTimeout(idleTimeoutMs, () => {
      if (open === 0) session.close();
    });
  }

  #serveInTurn(request: WireRequest, response: WireResponse): void {
    const serve = (): void => this.#serve(request, response, undefined);
    if (request.httpVersionMajor === 1) this.#pipelines.run(request.socket, response, serve);
    else serve();
  }

  #serve(request: WireRequest, response: WireResponse, upgrade: PendingUpgrade | undefined, socket?: Duplex): void {
    const startMs = (this.#options.clock ?? realClock).now();
    const exchange = new Exchange(request, response, auditIdOf(request), startMs, startMs + this.#timeoutMs);
    this.#inFlight.add(exchange);
    const ended = (): void => this.#end(exchange);
    if (socket === undefined) response.on("close", ended);
    else socket.on("close", ended);
    if (this.#shuttingDown && request.httpVersionMajor === 1) exchange.extraHeaders = { Connection: "close" };
    void this.#dispatcher.serve(exchange, this.#peers.of(request), upgrade);
  }

  #end(exchange: Exchange): void {
    exchange.abort();
    exchange.audit?.closed();
    exchange.ticket?.leave();
    this.#inFlight.remove(exchange);
    if (exchange.kind !== undefined) this.#inFlight.release(exchange.kind);
    const seconds = ((this.#options.clock ?? realClock).now() - exchange.startMs) / 1000;
    if (exchange.labels.verb !== "") this.#metrics.record(exchange.labels, exchange.code, seconds);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const response = responseFor(request, socket);
    const upgrade = pendingUpgrade(this.#webSockets, request, response, socket, head);
    this.#serve(request, response, upgrade, socket);
  }

  #timeout(exchange: Exchange): void {
    this.#metrics.timedOut();
    if (exchange.response.headersSent) exchange.response.destroy();
    else sendError(exchange, statusTimeout());
    exchange.abort();
  }

  #checks(): NonNullable<HttpServerOptions["checks"]> {
    return [
      { name: "ping", check: () => undefined },
      ...(this.#options.checks ?? []),
      {
        name: "shutdown",
        endpoints: ["readyz"],
        check: () => (this.#shuttingDown ? "process is shutting down" : undefined),
      },
    ];
  }

  #bound(): { readonly host: string; readonly port: number } {
    if (this.#address === undefined) throw new Error("the server does not listen yet");
    return this.#address;
  }
}

/** The client's own, cut to what goes into a header of ours, so that it can tell which records are of its request. */
function auditIdOf(request: WireRequest): string {
  return headerOf(request.headers, "audit-id")?.slice(0, 64) || randomUUID();
}

const http1Options = {
  maxHeaderSize: maxHeaderBytes,
  headersTimeout: readHeaderTimeoutMs,
  // A watch lasts as long as it lasts; bodies are bounded by the request's own deadline.
  requestTimeout: 0,
  keepAliveTimeout: idleTimeoutMs,
  connectionsCheckingInterval: 5_000,
} as const;

function refuse(error: Error, socket: Duplex): void {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const status =
    code === "HPE_HEADER_OVERFLOW"
      ? "431 Request Header Fields Too Large"
      : code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "408 Request Timeout"
        : "400 Bad Request";
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** Whether a host is this machine and nothing else, without looking it up. */
export function isLoopback(host: string): boolean {
  return host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
