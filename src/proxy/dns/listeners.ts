import { createSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import type { Clock, ClockTimer } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";

/** Answers a message; undefined: not at all. Must not reject. */
export type MessageHandler = (message: Buffer, protocol: "udp" | "tcp") => Promise<Buffer | undefined>;

export interface ListenOptions {
  readonly address: string;
  /** 0: any that is free for both protocols. */
  readonly port: number;
  readonly handler: MessageHandler;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where UDP and TCP are served; disposed, both are closed with all that is connected. */
export interface Listening extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
}

const maxConnections = 256;
const idleMs = 10_000;
/** Answers that the system has not taken yet; beyond it, packets are lost as on any full line. */
const maxSendQueueBytes = 4 * 1024 * 1024;
/** Packets whose answers wait for somebody else. */
const maxPending = 4096;
const portAttempts = 10;

/** Serves both protocols on one port. Rejects, with nothing left open, where that is not to be had. */
export async function listen(options: ListenOptions): Promise<Listening> {
  for (let attempt = 1; ; attempt++) {
    const tcp = await listenTcp(options);
    try {
      const udp = await listenUdp({ ...options, port: tcp.port });
      return {
        address: options.address,
        port: tcp.port,
        async [Symbol.asyncDispose]() {
          await Promise.all([udp.close(), tcp.close()]);
        },
      };
    } catch (error) {
      await tcp.close();
      if (options.port !== 0 || attempt === portAttempts) throw error;
    }
  }
}

interface Opened {
  readonly port: number;
  close(): Promise<void>;
}

function listenUdp({ address, port, handler, logger }: ListenOptions): Promise<Opened> {
  const socket = createSocket({ type: address.includes(":") ? "udp6" : "udp4", recvBufferSize: 1024 * 1024 });
  let pending = 0;
  let closed = false;
  socket.on("message", (message, { address: client, port: clientPort }) => {
    // Nobody can be answered at port 0, which only a forged packet comes from.
    if (pending >= maxPending || clientPort === 0) return;
    pending++;
    void handler(message, "udp").then((answer) => {
      pending--;
      if (answer === undefined || closed || socket.getSendQueueSize() > maxSendQueueBytes) return;
      socket.send(answer, clientPort, client, (error) => {
        if (error !== null) logger.debug("an answer could not be sent", { client, error });
      });
    });
  });
  return new Promise((resolve, reject) => {
    socket.once("error", (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeAllListeners("error");
      socket.on("error", (error) => logger.warn("a listener of the name server failed", { error }));
      const close = (): Promise<void> => {
        closed = true;
        return new Promise((done) => socket.close(() => done()));
      };
      resolve({ port: socket.address().port, close });
    });
  });
}

function listenTcp({ address, port, handler, clock, logger }: ListenOptions): Promise<Opened> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true, highWaterMark: 16_384 }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    void serve(socket, handler, clock);
  });
  server.maxConnections = maxConnections;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: address, port, exclusive: true }, () => {
      server.removeListener("error", reject);
      server.on("error", (error) => logger.warn("a listener of the name server failed", { error }));
      resolve({ port: portOf(server), close: () => closeServer(server, sockets) });
    });
  });
}

function closeServer(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const socket of sockets) socket.destroy();
  return closed;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** One message after the other, each answered before the next is looked at, so that a connection holds two at most. */
async function serve(socket: Socket, handler: MessageHandler, clock: Clock): Promise<void> {
  socket.on("error", () => {});
  let timer: ClockTimer | undefined;
  const wait = (): void => {
    timer?.cancel();
    timer = clock.setTimeout(() => socket.destroy(), idleMs);
  };
  wait();
  try {
    let received: Buffer = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      received = Buffer.concat([received, chunk]);
      for (let message = takeMessage(received); message !== undefined; message = takeMessage(received)) {
        received = received.subarray(message.length + 2);
        const answer = await handler(message, "tcp");
        wait();
        // Who sends no DNS is not listened to any longer.
        if (answer === undefined) return;
        if (!(await send(socket, answer))) return;
      }
    }
  } catch {
    // The client went away.
  } finally {
    timer?.cancel();
    socket.end();
    socket.destroySoon();
  }
}

function takeMessage(received: Buffer): Buffer | undefined {
  if (received.length < 2) return undefined;
  const end = received.readUInt16BE(0) + 2;
  return received.length < end ? undefined : received.subarray(2, end);
}

/** Resolves when the socket can take more; false when it never will. */
function send(socket: Socket, answer: Buffer): Promise<boolean> {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(answer.length);
  if (socket.destroyed) return Promise.resolve(false);
  if (socket.write(Buffer.concat([length, answer]))) return Promise.resolve(true);
  return new Promise((resolve) => {
    const settle = (): void => {
      socket.off("drain", settle);
      socket.off("close", settle);
      resolve(!socket.destroyed);
    };
    socket.once("drain", settle);
    socket.once("close", settle);
  });
}
