import { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { LocalPortForward } from "../../runtime/index.js";
import { SpdySession, type SpdyStream } from "./spdy/session.js";
import { channelWriter } from "./websocket-command.js";

export const portForwardProtocol = "portforward.k8s.io";
export const tunnelProtocol = "SPDY/3.1+portforward.k8s.io";

/** How long one of a connection's two streams waits for the other. */
const pairMs = 30_000;

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
  readonly timer: NodeJS.Timeout;
}

/** Port-forward over SPDY: for each connection the client opens an error and a data stream with the same request ID. */
export async function spdyPortForward(connection: Duplex, forward: LocalPortForward): Promise<void> {
  const pairs = new Map<string, Pair>();
  const stop = new AbortController();
  const session = new SpdySession(connection, {
    onStream(stream) {
      const type = stream.headers.get("streamtype");
      const port = Number(stream.headers.get("port"));
      if ((type !== "data" && type !== "error") || !Number.isInteger(port) || port < 1 || port > 65535) {
        throw new Error("a port-forward stream needs its type and port");
      }
      // Old clients send no ID: there the streams come in pairs, the error stream first.
      const id = stream.headers.get("requestid") ?? String(type === "error" ? stream.id : stream.id - 2);
      const pair: Pair = pairs.get(id) ?? { timer: setTimeout(() => drop(id), pairMs) };
      pairs.set(id, pair);
      pair[type] = stream;
      if (pair.data === undefined || pair.error === undefined) return;
      clearTimeout(pair.timer);
      pairs.delete(id);
      void carry(forward, port, pair.data, pair.error, stop.signal);
    },
  });
  const drop = (id: string): void => {
    const pair = pairs.get(id);
    pairs.delete(id);
    pair?.data?.destroy();
    pair?.error?.destroy();
  };
  await session.closed;
  stop.abort();
  for (const { timer } of pairs.values()) clearTimeout(timer);
}

async function carry(
  forward: LocalPortForward,
  port: number,
  data: SpdyStream,
  error: SpdyStream,
  signal: AbortSignal,
): Promise<void> {
  error.resume();
  try {
    const inside = await forward.connect(port, signal);
    await join(data, inside);
    error.end();
  } catch (problem) {
    error.end(`an error occurred forwarding ${port}: ${problem instanceof Error ? problem.message : String(problem)}`);
    data.end();
    data.resume();
  }
}

/** Copies both ways; each side's end is passed on by itself. Resolves when both have ended. */
function join(outside: Duplex, inside: Duplex): Promise<void> {
  return new Promise((resolve) => {
    let open = 2;
    const over = (): void => {
      if (--open === 0) resolve();
    };
    outside.once("close", () => {
      inside.destroy();
      over();
    });
    inside.once("close", () => {
      outside.end();
      over();
    });
    outside.on("error", () => inside.destroy());
    inside.on("error", () => outside.destroy());
    outside.pipe(inside);
    inside.pipe(outside);
    inside.once("end", () => {
      // What the pod closed will not be read by anybody: the client's stream is done too.
      if (outside.readableEnded) inside.destroy();
    });
  });
}

/** A WebSocket whose messages are the bytes of another protocol, as a stream. */
export function tunnel(socket: WebSocket): Duplex {
  const duplex = new Duplex({
    read: () => socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (socket.readyState !== socket.OPEN) return done();
      socket.send(chunk, () => done());
    },
    final(done) {
      socket.close(1000);
      done();
    },
    destroy(error, done) {
      socket.terminate();
      done(error);
    },
  });
  socket.on("message", (message) => {
    const data = Array.isArray(message) ? Buffer.concat(message) : Buffer.from(message as Buffer);
    if (!duplex.push(data)) socket.pause();
  });
  socket.on("close", () => {
    if (!duplex.readableEnded) duplex.push(null);
    duplex.destroy();
  });
  socket.on("error", () => duplex.destroy());
  return duplex;
}

/** Port-forward over WebSocket channels: two for each port, data and error, each beginning with the port's number. */
export async function webSocketPortForward(
  socket: WebSocket,
  forward: LocalPortForward,
  ports: readonly number[],
): Promise<void> {
  const connections = new Map<number, Duplex>();
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const stop = new AbortController();
  socket.on("error", () => socket.terminate());
  socket.on("message", (message) => {
    const data = Array.isArray(message) ? Buffer.concat(message) : Buffer.from(message as Buffer);
    connections.get(data[0] ?? -1)?.write(data.subarray(1));
  });
  for (const [index, port] of ports.entries()) {
    const [output, errors] = [channelWriter(socket, index * 2), channelWriter(socket, index * 2 + 1)];
    const number = Buffer.from([port & 0xff, port >> 8]);
    output.write(number);
    errors.write(number);
    forward.connect(port, stop.signal).then(
      (inside) => {
        inside.on("error", () => {});
        inside.pipe(output);
        connections.set(index * 2, inside);
      },
      (error: unknown) => errors.write(Buffer.from(String(error))),
    );
  }
  await closed;
  stop.abort();
  for (const inside of connections.values()) inside.destroy();
}
