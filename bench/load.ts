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
  const headers = Object.entries(server.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n${headers.join("")}\r\n`;
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

/** Requests over `connections` kept-alive connections, one request at a time on each, for `ms`. */
export async function throughput(server: BenchServer, path: string, connections: number, ms: number): Promise<Pace> {
  const cpu = await server.cpu();
  const text = requestText(server, path);
  const until = performance.now() + ms;
  const began = performance.now();
  const counts = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = await dial(server);
      const count = await requestLoop(socket, text, until);
      socket.destroy();
      return count;
    }),
  );
  const total = counts.reduce((sum, count) => sum + count, 0);
  return { perSecond: (total * 1000) / (performance.now() - began), cpu: ((await server.cpu()) - cpu) / total };
}

/** Sends a request as soon as the answer to the last one has come in full, which its content-length or last chunk tells. */
function requestLoop(socket: TLSSocket, text: string, until: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    let left = -1;
    let chunked = false;
    let head = "";
    const next = (): void => {
      if (performance.now() >= until) {
        resolve(count);
        return;
      }
      left = -1;
      head = "";
      socket.write(text);
    };
    socket.on("error", reject);
    socket.on("data", (chunk: Buffer) => {
      let body = chunk;
      if (left < 0) {
        head += chunk.toString("latin1");
        const split = head.indexOf("\r\n\r\n");
        if (split < 0) return;
        chunked = /transfer-encoding: chunked/i.test(head.slice(0, split));
        left = chunked ? Number.MAX_SAFE_INTEGER : Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        body = chunk.subarray(chunk.length - (head.length - split - 4));
      }
      left -= body.length;
      const ended = chunked ? body.subarray(-5).toString("latin1") === "0\r\n\r\n" : left <= 0;
      if (!ended) return;
      count++;
      next();
    });
    next();
  });
}

/** Both servers under the same load, in turn: how fast, and at what cost. */
export async function comparedPace(
  name: string,
  unit: string,
  api: BenchServer,
  bare: BenchServer,
  load: { readonly path: string; readonly connections: number; readonly ms: number },
): Promise<readonly Row[]> {
  // Until the compiler has seen enough of both.
  for (const server of [bare, api]) await throughput(server, load.path, load.connections, 2 * load.ms);
  const paces: { readonly api: Pace[]; readonly bare: Pace[] } = { api: [], bare: [] };
  for (let round = 0; round < 5; round++) {
    paces.bare.push(await throughput(bare, load.path, load.connections, load.ms));
    paces.api.push(await throughput(api, load.path, load.connections, load.ms));
  }
  const middle = (list: readonly Pace[], of: (pace: Pace) => number): number => median(list.map(of));
  const speed = (pace: Pace): number => pace.perSecond;
  const cpu = (pace: Pace): number => pace.cpu;
  return [
    rate(name, middle(paces.api, speed), unit, middle(paces.bare, speed)),
    cost(`${name}: CPU`, middle(paces.api, cpu), "us", middle(paces.bare, cpu)),
  ];
}
