import { connect, createServer, type Server, type Socket } from "node:net";
import type { ClockTimer } from "../../internal/clock.js";
import type { ProxyEndpoint } from "../proxy.js";
import { endpointKey } from "./balancer.js";
import { admits, type Claim, type Frontend, type FrontendContext, sourceToKeep, type Target } from "./frontend.js";
import { KeepListening } from "./keep-listening.js";

/** Accepts connections at one address and passes each on to an endpoint, both directions closing on their own. */
export class TcpFrontend implements Frontend {
  readonly #claim: Claim;
  readonly #context: FrontendContext;
  readonly #listening: KeepListening;
  #target: Target;
  #server: Server | undefined;
  #closing: Promise<void> | undefined;
  #drain: ClockTimer | undefined;
  #closed = false;
  readonly #sockets = new Set<Socket>();

  constructor(claim: Claim, context: FrontendContext) {
    this.#claim = claim;
    this.#target = claim.target;
    this.#context = context;
    this.#listening = new KeepListening({
      what: `TCP ${claim.ip}:${claim.listenPort} of ${claim.target.service}`,
      attempt: () => this.#listen(),
      clock: context.clock,
      logger: context.logger,
    });
  }

  get problem(): string | undefined {
    return this.#listening.problem;
  }

  open(): Promise<void> {
    return this.#listening.start();
  }

  update(target: Target): void {
    this.#target = target;
  }

  close(): Promise<void> {
    this.#listening.stop();
    this.#closed = true;
    const server = this.#server;
    if (server === undefined) return Promise.resolve();
    this.#closing ??= new Promise<void>((resolve) => {
      server.close(() => {
        this.#drain?.cancel();
        resolve();
      });
      this.#drain = this.#context.clock.setTimeout(() => this.#cut(), this.#context.drainMs);
    });
    return this.#closing;
  }

  async destroy(): Promise<void> {
    const closed = this.close();
    this.#cut();
    await closed;
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #listen(): Promise<void> {
    // Paused, so that nothing is read before there is somewhere to write it.
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) =>
      this.#accept(socket),
    );
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: this.#claim.ip, port: this.#claim.listenPort, exclusive: true }, () => {
        server.removeListener("error", reject);
        server.on("error", (error) => this.#context.logger.warn("a listener of a service failed", { error }));
        if (this.#closed) server.close();
        else this.#server = server;
        resolve();
      });
    });
  }

  #accept(client: Socket): void {
    const { slots, logger } = this.#context;
    const source = client.remoteAddress;
    client.on("error", () => {});
    if (source === undefined || !admits(this.#target, source)) {
      client.destroy();
      return;
    }
    if (!slots.take()) {
      logger.warn("too many connections through the proxy; refusing one", { max: slots.max });
      client.resetAndDestroy();
      return;
    }
    this.#sockets.add(client);
    client.once("close", () => {
      this.#sockets.delete(client);
      slots.give();
    });
    client.setKeepAlive(true);
    this.#connect(client, source, new Set());
  }

  /** Tries endpoints one after the other until one accepts. */
  #connect(client: Socket, source: string, tried: Set<string>): void {
    const { endpoints, affinitySeconds, balancer } = this.#target;
    const endpoint = balancer.pick(endpoints, source, affinitySeconds, tried);
    if (endpoint === undefined) {
      client.resetAndDestroy();
      return;
    }
    const next = (): void => {
      tried.add(endpointKey(endpoint));
      if (!client.destroyed) this.#connect(client, source, tried);
    };
    this.#dial(client, endpoint, sourceToKeep(source, endpoint.ip), next);
  }

  #dial(client: Socket, endpoint: ProxyEndpoint, localAddress: string | undefined, next: () => void): void {
    const { clock, connectTimeoutMs } = this.#context;
    const { ip: host, port } = endpoint;
    const server = connect({
      host,
      port,
      allowHalfOpen: true,
      noDelay: true,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    const timer = clock.setTimeout(() => server.destroy(new Error("connect timeout")), connectTimeoutMs);
    const abandon = (): void => {
      server.destroy();
    };
    client.once("close", abandon);
    const failed = (error: Error): void => {
      timer.cancel();
      client.removeListener("close", abandon);
      server.destroy();
      const code = "code" in error ? error.code : undefined;
      // The client's address has no port left, or is none of ours: rather answer than keep it.
      const source = localAddress !== undefined && (code === "EADDRINUSE" || code === "EADDRNOTAVAIL");
      if (source) this.#dial(client, endpoint, undefined, next);
      else next();
    };
    server.once("error", failed);
    server.once("connect", () => {
      timer.cancel();
      server.removeListener("error", failed);
      server.setKeepAlive(true);
      this.#join(client, server);
    });
  }

  /** An end goes through as an end, and a reset as a reset. */
  #join(client: Socket, server: Socket): void {
    this.#sockets.add(server);
    server.once("close", () => this.#sockets.delete(server));
    couple(client, server);
    couple(server, client);
    client.pipe(server);
    server.pipe(client);
    if (client.destroyed) server.destroy();
  }
}

function couple(from: Socket, to: Socket): void {
  from.on("error", () => to.resetAndDestroy());
  from.once("close", () => {
    // After an orderly end what is still on its way gets there; otherwise there is nothing left to wait for.
    if (!from.readableEnded && !to.destroyed) to.destroy();
    else if (!to.writableFinished) to.end();
  });
}
