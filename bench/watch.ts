import type { TLSSocket } from "node:tls";
import { dial, fetchOnce, requestText } from "./load.js";
import { alternate, cost, median, type Row } from "./rows.js";
import { type BenchServer, startServer } from "./servers.js";

const watchers = 1000;
const events = 200;
/** How many changes come at once, and can go out in one write. */
const burst = 10;
const path = "/api/v1/pods?watch=true";

/**
 * CPU of the server for each event that it delivers to each of 1,000 watchers over TLS, against a bare server that writes the same
 * frames, joined as well as can be, to as many sockets.
 */
export async function run(): Promise<readonly Row[]> {
  await using api = await startServer("api", events);
  await using bare = await startServer("bare", 0);
  const { body } = await fetchOnce(api, "/api/v1/namespaces/default/pods/web-000001");
  const frame = Buffer.concat([Buffer.from('{"type":"MODIFIED","object":'), body, Buffer.from("}\n")]);
  const touch = (): Promise<unknown> => api.ask("touch", { count: events, burst });
  // What the changes themselves cost, without anybody watching.
  const alone = median([await cpuOf(api, touch), await cpuOf(api, touch), await cpuOf(api, touch)]);
  using onApi = await openWatches(api, frame.length);
  using onBare = await openWatches(bare, frame.length);
  const { ours, bare: best } = await alternate(
    5,
    async () => (await onApi.delivered(touch)) - alone,
    () => onBare.delivered(() => bare.ask("broadcast", { frame, count: events, burst })),
  );
  const each = (cpu: number): number => cpu / (watchers * events);
  return [cost("watch-1000", each(ours), "us CPU/event", each(best))];
}

async function cpuOf(server: BenchServer, work: () => Promise<unknown>): Promise<number> {
  const before = await server.cpu();
  await work();
  return (await server.cpu()) - before;
}

interface Watches extends Disposable {
  /** CPU of the server until all that `work` caused has come. */
  delivered(work: () => Promise<unknown>): Promise<number>;
}

async function openWatches(server: BenchServer, frameBytes: number): Promise<Watches> {
  const sockets: TLSSocket[] = [];
  // From now on: what exists would be sent to a thousand watchers first.
  const version = await server.ask<string>("version");
  const target = watchers * events * frameBytes * 0.95;
  let bytes = 0;
  let done: () => void = () => {};
  for (let at = 0; at < watchers; at++) {
    const socket = await dial(server);
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes >= target) done();
    });
    socket.on("error", () => {});
    socket.write(requestText(server, `${path}&resourceVersion=${version}`));
    sockets.push(socket);
  }
  await quiet(sockets);
  return {
    delivered: async (work) => {
      bytes = 0;
      const all = new Promise<void>((resolve) => {
        done = resolve;
      });
      const cpu = await cpuOf(server, async () => {
        await work();
        await all;
      });
      await quiet(sockets);
      return cpu;
    },
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Resolves when nothing has come for a while. */
async function quiet(sockets: readonly TLSSocket[]): Promise<void> {
  for (let before = -1; ; ) {
    const read = sockets.reduce((sum, socket) => sum + socket.bytesRead, 0);
    if (read === before) return;
    before = read;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
