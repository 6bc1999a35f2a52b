import { fork } from "node:child_process";
import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import { fileURLToPath } from "node:url";
import { pods, serviceAccounts } from "coxswain/api";
import { waitFor } from "coxswain/client";
import { startCluster } from "coxswain/cluster";
import { MemoryStore } from "coxswain/store";
import { type Addresses, benchPod } from "./pods.js";

const token = "bench-token";

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
    execArgv:
      process.env["BENCH_PROFILE"] === undefined
        ? []
        : ["--cpu-prof", `--cpu-prof-dir=${process.env["BENCH_PROFILE"]}`],
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
  for (let at = 0; at < Number(count); at++) await cluster.client.create(pods, benchPod(at));
  const { certificate, key } = cluster.pki.apiserver;
  let bodies: Readonly<Record<string, Buffer>> = {};
  const watchers: ServerResponse[] = [];
  const bare = createServer({ cert: certificate, key }, (request, response) => {
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
  await new Promise<void>((resolve) => bare.listen(0, "127.0.0.1", resolve));
  const barePort = (bare.address() as { port: number }).port;
  process.on("message", async (message) => {
    const { question, argument } = message as Question;
    if (question === "cpu") {
      const { user, system } = process.cpuUsage();
      process.send?.(user + system);
    } else if (question === "version") {
      process.send?.(String(cluster.api.api.cache.revision));
    } else if (question === "bodies") {
      bodies = argument as typeof bodies;
      process.send?.("taken");
    } else if (question === "broadcast") {
      const { frame, count, burst } = argument as { frame: Buffer; count: number; burst: number };
      for (let at = 0; at < count; at += burst) {
        const frames = Buffer.concat(new Array(burst).fill(frame));
        for (const watcher of watchers) watcher.write(frames);
        await new Promise((resolve) => setImmediate(resolve));
      }
      process.send?.("sent");
    } else if (question === "touch") {
      const { count, burst } = argument as { count: number; burst: number };
      // Another value each time: a patch that changes nothing is no event.
      const label = `at-${process.hrtime.bigint()}`;
      const touch = (at: number): Promise<unknown> => {
        const patch = { type: "merge", body: { metadata: { labels: { touched: label } } } } as const;
        return cluster.client.patch(pods, { namespace: "default", name: benchPod(at).metadata.name ?? "" }, patch);
      };
      for (let at = 0; at < count; at += burst) {
        await Promise.all(Array.from({ length: burst }, (_, index) => touch(at + index)));
        await new Promise((resolve) => setImmediate(resolve));
      }
      process.send?.("touched");
    }
  });
  const port = kind === "bare" ? barePort : cluster.api.https.port;
  process.on("SIGTERM", () => process.exit(0));
  process.on("disconnect", () => process.exit(0));
  process.send?.({ port, ca: cluster.pki.ca.certificate } satisfies Addresses);
}
