import { createSocket, type Socket } from "node:dgram";
import type { ClockTimer } from "../../internal/clock.js";
import { endpointKey } from "./balancer.js";
import { admits, type Claim, type Frontend, type FrontendContext, sourceToKeep, type Target } from "./frontend.js";
import { KeepListening } from "./keep-listening.js";

/** Packets kept for a session whose socket is not ready yet. */
const maxPending = 16;

interface Session {
  readonly socket: Socket;
  readonly endpoint: string;
  readonly pending: Buffer[];
  connected: boolean;
  lastUsed: number;
}

/** Takes packets at one address; each client (address and port) has a session with one endpoint until it is idle. */
export class UdpFrontend implements Frontend {
  readonly #claim: Claim;
  readonly #context: FrontendContext;
  readonly #listening: KeepListening;
  #target: Target;
  #socket: Socket | undefined;
  /** In the order of last use. */
  readonly #sessions = new Map<string, Session>();
  #sweep: ClockTimer | undefined;
  #closed = false;

  constructor(claim: Claim, context: FrontendContext) {
    this.#claim = claim;
    this.#target = claim.target;
    this.#context = context;
    this.#listening = new KeepListening({
      what: `UDP ${claim.ip}:${claim.listenPort} of ${claim.target.service}`,
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

  /** A packet has no connection to finish: sessions with endpoints that are gone end now. */
  update(target: Target): void {
    this.#target = target;
    const alive = new Set(target.endpoints.map(endpointKey));
    for (const [client, session] of this.#sessions) if (!alive.has(session.endpoint)) this.#end(client, session);
  }

  close(): Promise<void> {
    return this.destroy();
  }

  async destroy(): Promise<void> {
    this.#listening.stop();
    this.#closed = true;
    this.#sweep?.cancel();
    for (const [client, session] of this.#sessions) this.#end(client, session);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined) await new Promise<void>((resolve) => socket.close(() => resolve()));
  }

  #listen(): Promise<void> {
    const socket = createSocket(this.#type());
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        socket.close();
        reject(error);
      };
      socket.once("error", fail);
      socket.bind({ address: this.#claim.ip, port: this.#claim.listenPort, exclusive: true }, () => {
        socket.removeListener("error", fail);
        socket.on("error", (error) => this.#context.logger.warn("a listener of a service failed", { error }));
        socket.on("message", (message, { address, port }) => this.#receive(message, address, port));
        if (this.#closed) socket.close();
        else this.#socket = socket;
        resolve();
      });
    });
  }

  #type(): "udp4" | "udp6" {
    return this.#claim.ip.includes(":") ? "udp6" : "udp4";
  }

  #receive(message: Buffer, address: string, port: number): void {
    // From port 0 comes what wants no answer, and none could be sent.
    if (port === 0 || !admits(this.#target, address)) return;
    const client = `${address}\n${port}`;
    const session = this.#sessions.get(client) ?? this.#begin(client, address, port);
    if (session === undefined) return;
    session.lastUsed = this.#context.clock.now();
    this.#sessions.delete(client);
    this.#sessions.set(client, session);
    if (session.connected) session.socket.send(message);
    else if (session.pending.length < maxPending) session.pending.push(message);
  }

  #begin(client: string, address: string, port: number): Session | undefined {
    const { slots, clock } = this.#context;
    const { balancer, endpoints, affinitySeconds } = this.#target;
    const endpoint = balancer.pick(endpoints, address, affinitySeconds);
    if (endpoint === undefined) return undefined;
    if (!slots.take()) {
      const [oldest] = this.#sessions;
      if (oldest === undefined) return undefined;
      this.#end(...oldest);
      if (!slots.take()) return undefined;
    }
    const socket = createSocket(this.#type());
    const session: Session = {
      socket,
      endpoint: endpointKey(endpoint),
      pending: [],
      connected: false,
      lastUsed: clock.now(),
    };
    // Refused, most likely: the next packet tries another endpoint.
    socket.on("error", () => this.#end(client, session));
    socket.on("message", (answer) => {
      session.lastUsed = clock.now();
      this.#socket?.send(answer, port, address);
    });
    const source = sourceToKeep(address, endpoint.ip);
    const connected = (error?: Error): void => {
      if (error !== undefined) {
        this.#end(client, session);
        return;
      }
      session.connected = true;
      for (const message of session.pending.splice(0)) socket.send(message);
    };
    const go = (): void => socket.connect(endpoint.port, endpoint.ip, connected);
    if (source === undefined) go();
    else socket.bind({ address: source, port: 0, exclusive: true }, go);
    this.#sessions.set(client, session);
    this.#sweepLater();
    return session;
  }

  #end(client: string, session: Session): void {
    if (this.#sessions.get(client) !== session) return;
    this.#sessions.delete(client);
    this.#context.slots.give();
    session.socket.close();
  }

  #sweepLater(): void {
    const { clock, udpIdleMs } = this.#context;
    this.#sweep ??= clock.setTimeout(() => {
      this.#sweep = undefined;
      const limit = clock.now() - udpIdleMs;
      for (const [client, session] of this.#sessions) if (session.lastUsed <= limit) this.#end(client, session);
      if (this.#sessions.size > 0) this.#sweepLater();
    }, udpIdleMs / 2);
  }
}
