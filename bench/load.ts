import { connect, type TLSSocket } from "node:tls";
import { cost, median, type Row, rate } from "./rows.js";
import type { BenchServer } from "./servers.js";

/** Opens a TLS connection to a bench server. */
export function dial(server: BenchServer): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { host: "127.0.0.1", port: server.port, ca: server.ca, servername: "localhost", ALPNProtocols: ["http/1.1"] },
      () => resolve(socket),
    );
    socket.once("error", reject);
    socket.setNoDelay(true);
  });
}

export function requestText(server: BenchServer, path: string): string {
  const headers = Object.entries({ accept: "application/json", ...server.headers });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${lines.join("")}\r\n`;
}

/** The whole answer to one request on a connection of its own: headers and body. */
export async function fetchOnce(
  server: BenchServer,
  path: string,
): Promise<{ readonly size: number; readonly body: Buffer }> {
  const socket = await dial(server);
  // The answer is over when the connection is, however it ends.
  socket.on("error", () => {});
  const chunks: Buffer[] = [];
  socket.write(requestText(server, path).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
  await new Promise<void>((resolve) => socket.on("data", (chunk: Buffer) => chunks.push(chunk)).on("close", resolve));
  const answer = Buffer.concat(chunks);
  const split = answer.indexOf("\r\n\r\n") + 4;
  if (!answer.subarray(0, 20).includes(" 200 ")) throw new Error(`GET ${path}: ${answer.toString().slice(0, 500)}`);
  const chunked = /transfer-encoding: chunked/i.test(answer.subarray(0, split).toString());
  return { size: answer.length, body: chunked ? unchunk(answer.subarray(split)) : answer.subarray(split) };
}

function unchunk(data: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < data.length; ) {
    const end = data.indexOf("\r\n", at);
    const size = Number.parseInt(data.subarray(at, end).toString(), 16);
    if (size === 0) break;
    parts.push(data.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
  return Buffer.concat(parts);
}

export interface Pace {
  readonly perSecond: number;
  /** Microseconds of the server's CPU for each request. */
  readonly cpu: number;
}

interface Load {
  readonly path: string;
  readonly connections: number;
  /** How many requests are under way at once on each connection, so that the server and not the load is what is measured. */
  readonly depth: number;
  readonly ms: number;
}

/** Requests over kept-alive connections for `ms`. */
export async function throughput(server: BenchServer, load: Load): Promise<Pace> {
  const { connections, path, depth } = load;
  const sockets = await Promise.all(Array.from({ length: connections }, () => dial(server)));
  const cpu = await server.cpu();
  const began = performance.now();
  const until = began + load.ms;
  const text = requestText(server, path);
  const counts = await Promise.all(sockets.map((socket) => requestLoop(socket, text, depth, until)));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const pace = {
    perSecond: (total * 1000) / (performance.now() - began),
    cpu: ((await server.cpu()) - cpu) / total,
  };
  for (const socket of sockets) socket.destroy();
  return pace;
}

/** Keeps `depth` requests under way until the time is over, then waits for the last answers. Gives how many were answered. */
async function requestLoop(socket: TLSSocket, text: string, depth: number, until: number): Promise<number> {
  // All answers are of one size, which the first one tells: from then on bytes are counted and nothing is parsed.
  const size = await firstAnswer(socket, text);
  const texts = Array.from({ length: depth + 1 }, (_, count) => text.repeat(count));
  return new Promise((resolve, reject) => {
    let sent = depth;
    let bytes = 0;
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      const answered = Math.floor(bytes / size);
      if (performance.now() < until) {
        const more = depth - (sent - answered);
        if (more === 0) return;
        sent += more;
        socket.write(texts[more] ?? "");
      } else if (answered === sent) {
        if (bytes === sent * size) resolve(sent + 1);
        else reject(new Error("the answers were not all of one size"));
      }
    });
    socket.write(texts[depth] ?? "");
  });
}

/** The bytes of one whole answer, head and body. */
function firstAnswer(socket: TLSSocket, text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let head = "";
    let size = Number.POSITIVE_INFINITY;
    let bytes = 0;
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (size === Number.POSITIVE_INFINITY) {
        head += chunk.toString("latin1");
        const split = head.indexOf("\r\n\r\n");
        const length = /content-length: (\d+)/i.exec(head.slice(0, split))?.[1];
        if (split >= 0 && length === undefined) reject(new Error("an answer without its length"));
        if (split >= 0) size = split + 4 + Number(length);
      }
      if (bytes < size) return;
      socket.off("data", take);
      socket.off("error", reject);
      resolve(size);
    };
    socket.on("data", take);
    socket.once("error", reject);
    socket.write(text);
  });
}

/** Both servers under the same load, in turn: how fast, and at what cost. */
export async function comparedPace(
  name: string,
  unit: string,
  api: BenchServer,
  bare: BenchServer,
  load: Load,
): Promise<readonly Row[]> {
  // Until the compiler has seen enough of both.
  for (const server of [bare, api]) await throughput(server, { ...load, ms: 2 * load.ms });
  const paces: { readonly api: Pace[]; readonly bare: Pace[] } = { api: [], bare: [] };
  for (let round = 0; round < 5; round++) {
    paces.bare.push(await throughput(bare, load));
    paces.api.push(await throughput(api, load));
  }
  const middle = (list: readonly Pace[], of: (pace: Pace) => number): number => median(list.map(of));
  const speed = (pace: Pace): number => pace.perSecond;
  const cpu = (pace: Pace): number => pace.cpu;
  return [
    rate(name, middle(paces.api, speed), unit, middle(paces.bare, speed)),
    cost(`${name}: CPU`, middle(paces.api, cpu), "us", middle(paces.bare, cpu)),
  ];
}
