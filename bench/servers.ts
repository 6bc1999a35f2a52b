import { fork } from "node:child_process";
import type { ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { pods, serviceAccounts } from "coxswain/api";
import { waitFor } from "coxswain/client";
import { type Cluster, startCluster } from "coxswain/cluster";
import { MemoryStore } from "coxswain/store";
import { type Addresses, benchPod } from "./pods.js";

const token = "bench-token";
const profileDir = process.env["BENCH_PROFILE"];

/** A server in a process of its own, so that the load does not share its core. */
export interface BenchServer extends AsyncDisposable {
  readonly port: number;
  readonly ca: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Microseconds of CPU that it has used so far. */
  cpu(): Promise<number>;
  ask<T>(question: string, argument?: unknown): Promise<T>;
}

export async function startServer(kind: "api" | "bare", count: number): Promise<BenchServer> {
  const child = fork(fileURLToPath(import.meta.url).replace(/[^/]*$/, "main.js"), ["--serve", kind, String(count)], {
    serialization: "advanced",
    execArgv: ["--expose-gc", ...(profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`])],
  });
  const ask = <T>(question: string, argument?: unknown): Promise<T> =>
    new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`the ${kind} server ended with ${code}`));
      child.once("exit", ended);
      child.once("message", (answer) => {
        child.off("exit", ended);
        resolve(answer as T);
      });
      if (question !== "") child.send({ question, argument });
    });
  const ready = await ask<Addresses>("");
  return {
    port: ready.port,
    ca: ready.ca,
    headers: { authorization: `Bearer ${token}` },
    cpu: () => ask<number>("cpu"),
    ask,
    [Symbol.asyncDispose]: async () => {
      child.kill();
    },
  };
}

interface Question {
  readonly question: string;
  readonly argument: unknown;
}

type Answers = Readonly<Record<string, (argument: unknown) => unknown>>;

/** The child's side. */
export async function serve([kind = "api", count = "0"]: readonly string[]): Promise<void> {
  const cluster = await startCluster({
    store: new MemoryStore(),
    controllers: ["serviceaccount"],
    scheduler: false,
    tokens: new Map([[token, { username: "bench", groups: ["system:masters"] }]]),
  });
  await waitFor(
    cluster.client,
    serviceAccounts,
    { namespace: "default", name: "default" },
    (account) => account !== undefined,
  );
  const before = await memoryNow();
  for (let at = 0; at < Number(count); at++) await cluster.client.create(pods, benchPod(at));
  const bare = await bareServer(cluster);
  const answers: Answers = { ...measures(before), ...apiAnswers(cluster), ...bare.answers };
  process.on("message", async (message) => {
    const { question, argument } = message as Question;
    const answer = answers[question];
    if (answer === undefined) throw new Error(`nobody answers ${question}`);
    process.send?.((await answer(argument)) ?? "done");
  });
  process.on("SIGTERM", () => process.exit(0));
  process.on("disconnect", () => process.exit(0));
  const port = kind === "bare" ? bare.port : cluster.api.https.port;
  process.send?.({ port, ca: cluster.pki.ca.certificate } satisfies Addresses);
}

/** In bytes. What is live is less than what is resident: the engine gives memory back late. */
export interface Memory {
  readonly resident: number;
  readonly live: number;
}

function measures(before: Memory): Answers {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  return {
    cpu: () => {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    /** What the pods have added. */
    memory: async (): Promise<Memory> => {
      const now = await memoryNow();
      return { resident: now.resident - before.resident, live: now.live - before.live };
    },
    "delay: start": () => {
      delay.enable();
      delay.reset();
    },
    /** The longest that anything had to wait for its turn, in milliseconds. */
    "delay: worst": () => {
      delay.disable();
      return delay.max / 1e6;
    },
  };
}

/** After everything that can go has gone. */
async function memoryNow(): Promise<Memory> {
  for (let round = 0; round < 3; round++) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { resident: rss, live: heapUsed + external };
}

function apiAnswers({ api, client }: Cluster): Answers {
  return {
    version: () => String(api.api.cache.revision),
    /** Changes each of the first `count` pods, `burst` at a time. */
    touch: async (argument) => {
      const { count, burst } = argument as { count: number; burst: number };
      // Another value each time: a patch that changes nothing is no event.
      const patch = {
        type: "merge",
        body: { metadata: { labels: { touched: `at-${process.hrtime.bigint()}` } } },
      } as const;
      for (let at = 0; at < count; at += burst) {
        const names = Array.from({ length: burst }, (_, index) => benchPod(at + index).metadata.name ?? "");
        await Promise.all(names.map((name) => client.patch(pods, { namespace: "default", name }, patch)));
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

/** The least that a server can do: says what it was told to, over the same TLS. */
async function bareServer({ pki }: Cluster): Promise<{ readonly port: number; readonly answers: Answers }> {
  const { certificate, key } = pki.apiserver;
  let bodies: Readonly<Record<string, Buffer>> = {};
  const watchers: ServerResponse[] = [];
  const server: Server = createServer({ cert: certificate, key }, (request, response) => {
    if (request.url?.includes("watch=")) {
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      watchers.push(response);
      return;
    }
    const body = bodies[request.url ?? ""] ?? Buffer.alloc(0);
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    answers: {
      bodies: (argument) => {
        bodies = argument as typeof bodies;
      },
      broadcast: async (argument) => {
        const { frame, count, burst } = argument as { frame: Buffer; count: number; burst: number };
        for (let at = 0; at < count; at += burst) {
          const frames = Buffer.concat(new Array<Buffer>(burst).fill(Buffer.from(frame)));
          for (const watcher of watchers) watcher.write(frames);
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
    },
  };
}
