import type { TLSSocket } from "node:tls";
import { dial, fetchOnce, requestText } from "./load.js";
import { cost, type Row } from "./rows.js";
import { type BenchServer, startServer } from "./servers.js";

const watchers = 1000;
const events = 200;
const path = "/api/v1/pods?watch=true";

/**
 * CPU of the server for each event that it delivers to each of 1,000 watchers over TLS, against a bare server that writes the same
 * frame to as many sockets.
 */
export async function run(): Promise<readonly Row[]> {
  await using api = await startServer("api", events);
  await using bare = await startServer("bare", 0);
  const { body } = await fetchOnce(api, "/api/v1/namespaces/default/pods/web-000001");
  const frame = Buffer.concat([Buffer.from('{"type":"MODIFIED","object":'), body, Buffer.from("}\n")]);
  // What the changes themselves cost, without anybody watching.
  const alone = await cpuOf(api, () => api.ask("touch", { from: 0, to: events }));
  const ours = await delivered(api, frame.length, () => api.ask("touch", { from: 0, to: events }));
  const best = await delivered(bare, frame.length, () => bare.ask("broadcast", { frame, count: events }));
  const each = (cpu: number): number => cpu / (watchers * events);
  return [cost("watch-1000", each(ours - alone), "us CPU/event", each(best))];
}

async function cpuOf(server: BenchServer, work: () => Promise<unknown>): Promise<number> {
  const before = await server.cpu();
  await work();
  return (await server.cpu()) - before;
}

async function delivered(server: BenchServer, frameBytes: number, work: () => Promise<unknown>): Promise<number> {
  const sockets: TLSSocket[] = [];
  // From now on: what exists would be sent to a thousand watchers first.
  const version = await server.ask<string>("version");
  let bytes = 0;
  const target = watchers * events * frameBytes * 0.95;
  let done: () => void = () => {};
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  let counting = false;
  for (let at = 0; at < watchers; at++) {
    const socket = await dial(server);
    socket.on("data", (chunk: Buffer) => {
      if (!counting) return;
      bytes += chunk.length;
      if (bytes >= target) done();
    });
    socket.on("error", () => {});
    socket.write(requestText(server, `${path}&resourceVersion=${version}`));
    sockets.push(socket);
  }
  // The initial state must be out of the way before anything is counted.
  await quiet(sockets);
  counting = true;
  const cpu = await cpuOf(server, async () => {
    await work();
    await all;
  });
  for (const socket of sockets) socket.destroy();
  return cpu;
}

async function quiet(sockets: readonly TLSSocket[]): Promise<void> {
  for (let before = -1; ; ) {
    const read = sockets.reduce((sum, socket) => sum + socket.bytesRead, 0);
    if (read === before) return;
    before = read;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
