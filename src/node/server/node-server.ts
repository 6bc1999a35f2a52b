import { createReadStream } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import type { Duplex } from "node:stream";
import type { ProcessStream } from "../../runtime/index.js";
import { findContainer } from "../pod/containers.js";
import type { PodRecord } from "../pod/pod-record.js";
import { kubeletVersion } from "../registration/node-object.js";
import { NodeAuth } from "./auth.js";
import { parseLogQuery, sendContainerLog, signalOf } from "./container-logs.js";
import type { NodeServerContext } from "./context.js";
import { agentMetrics, cadvisorMetrics, resourceMetrics } from "./metrics.js";
import type { RunningNodeServer } from "./options.js";
import { CpuRates, statsSummary } from "./stats.js";
import { parseWants, refuse, upgradeCommand, upgradePortForward } from "./upgrade.js";

/** Serves the node's API: logs, exec, attach, port-forward, statistics. */
export async function startNodeServer(context: NodeServerContext): Promise<RunningNodeServer> {
  const handler = new NodeHandler(context);
  const { tls } = context;
  const server: Server =
    tls === undefined
      ? createHttpServer()
      : createHttpsServer({
          key: tls.key,
          cert: tls.cert,
          minVersion: "TLSv1.2",
          ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: false }),
        });
  // A log may be followed for days.
  server.requestTimeout = 0;
  const sockets = new Set<Duplex>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("request", (request, response) => void handler.serve(request, response));
  server.on("upgrade", (request, socket, head) => void handler.upgrade(request, socket, head));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(context.port, context.address, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return {
    server,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** What a path names: `/<verb>/<namespace>/<pod>[/<uid>]/<container>`. */
interface PodPath {
  readonly verb: string;
  readonly record: PodRecord | undefined;
  readonly container: string;
}

class NodeHandler {
  readonly #context: NodeServerContext;
  readonly #auth: NodeAuth;
  readonly #rates = new CpuRates();

  constructor(context: NodeServerContext) {
    this.#context = context;
    const { client, clock, nodeName } = context;
    this.#auth = new NodeAuth({ server: context, client, clock, nodeName });
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { path, query } = parseUrl(request);
      const open = this.#context.anonymousHealth && path === "/healthz";
      const verdict = open ? ({ allowed: true } as const) : await this.#auth.check(request, path);
      if (!verdict.allowed) return text(response, verdict.code, verdict.message);
      await this.#route(request, response, path, query);
    } catch (error) {
      this.#context.logger.warn("a request to the node failed", { url: request.url, error });
      if (response.headersSent) response.destroy();
      else text(response, 500, error instanceof Error ? error.message : String(error));
    }
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on("error", () => socket.destroy());
    try {
      const { path, query } = parseUrl(request);
      const verdict = await this.#auth.check(request, path);
      if (!verdict.allowed) {
        const reason = verdict.code === 401 ? "Unauthorized" : "Forbidden";
        return refuse(socket, verdict.code, reason, verdict.message);
      }
      await this.#upgrade({ request, socket, head }, path, query);
    } catch (error) {
      this.#context.logger.warn("a stream to the node failed", { url: request.url, error });
      refuse(socket, 500, "Internal Server Error", error instanceof Error ? error.message : String(error));
    }
  }

  async #route(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    query: URLSearchParams,
  ): Promise<void> {
    const context = this.#context;
    if (path === "/healthz" || path.startsWith("/healthz/")) return text(response, 200, "ok");
    if (path === "/pods" || path === "/runningpods" || path === "/runningpods/") {
      const items = context.records().map(({ pod, status }) => (status === undefined ? pod : { ...pod, status }));
      return json(response, { kind: "PodList", apiVersion: "v1", metadata: {}, items });
    }
    if (path === "/stats/summary" || path === "/stats/" || path === "/stats")
      return json(response, await statsSummary(context, this.#rates));
    if (path === "/metrics" || path === "/metrics/probes") return prometheus(response, agentMetrics(context));
    if (path === "/metrics/resource") return prometheus(response, await resourceMetrics(context));
    if (path === "/metrics/cadvisor") return prometheus(response, await cadvisorMetrics(context));
    if (path === "/configz") return json(response, { kubeletconfig: { version: kubeletVersion } });
    if (path === "/logs" || path.startsWith("/logs/")) return this.#logFile(response, path.slice("/logs".length));
    const { verb, record, container } = this.#find(path);
    if (verb === "containerLogs") {
      if (record === undefined) return text(response, 404, `pod does not exist`);
      let asked: ReturnType<typeof parseLogQuery>;
      try {
        asked = parseLogQuery(query, context.clock.now());
      } catch (error) {
        return text(response, 400, error instanceof Error ? error.message : String(error));
      }
      return sendContainerLog(context, record, container, asked, response);
    }
    if (verb === "run" && request.method === "POST") return this.#run(response, record, container, query);
    if (["exec", "attach", "portForward"].includes(verb)) return text(response, 400, "Upgrade request required");
    text(response, 404, "404 page not found");
  }

  async #upgrade(
    upgrade: { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer },
    path: string,
    query: URLSearchParams,
  ): Promise<void> {
    const { runtime } = this.#context;
    const { verb, record, container } = this.#find(path);
    if (!["exec", "attach", "portForward"].includes(verb))
      return refuse(upgrade.socket, 404, "Not Found", "404 page not found");
    if (record === undefined) return refuse(upgrade.socket, 404, "Not Found", "pod does not exist");
    if (verb === "portForward") {
      const sandbox = record.state.sandboxes.find(({ state }) => state === "ready");
      if (sandbox === undefined) return refuse(upgrade.socket, 404, "Not Found", "the pod has no running sandbox");
      const ports = query
        .getAll("port")
        .concat(query.getAll("ports"))
        .flatMap((list) => list.split(","))
        .map(Number);
      const wanted = ports.filter((port) => Number.isInteger(port) && port > 0 && port < 65536);
      return upgradePortForward(upgrade, await runtime.portForward(sandbox.id, wanted), wanted);
    }
    const running = record.state.containers.get(container)?.[0];
    if (running?.state !== "running")
      return refuse(upgrade.socket, 404, "Not Found", `container not found ("${container}")`);
    const wants = parseWants(query);
    const containerTty = findContainer(record.pod, container)?.container.tty ?? false;
    return upgradeCommand(this.#context, upgrade, wants, (options) =>
      verb === "exec"
        ? runtime.exec(running.id, { ...options, command: wants.command ?? [] })
        : runtime.attach(running.id, { ...options, tty: containerTty }).then(withoutExitCode),
    );
  }

  #find(path: string): PodPath {
    const [, verb = "", namespace = "", name = "", ...rest] = path.split("/").map(decodeURIComponent);
    const record = this.#context
      .records()
      .find(({ pod }) => pod.metadata.name === name && (pod.metadata.namespace ?? "") === namespace);
    // The UID may stand between the pod and the container; it then has to be the pod's.
    const [first = "", second] = rest;
    const uid = verb === "portForward" ? first : second === undefined ? "" : first;
    const container = verb === "portForward" ? "" : (second ?? first);
    return { verb, record: uid === "" || record?.uid === uid ? record : undefined, container };
  }

  async #run(
    response: ServerResponse,
    record: PodRecord | undefined,
    container: string,
    query: URLSearchParams,
  ): Promise<void> {
    const running = record?.state.containers.get(container)?.[0];
    if (running?.state !== "running") return text(response, 404, `container not found ("${container}")`);
    const command = (query.get("cmd") ?? "").split(" ").filter((word) => word !== "");
    const result = await this.#context.runtime.execSync(running.id, command, 0, { signal: signalOf(response) });
    response.writeHead(200, { "content-type": "text/plain" });
    response.end(Buffer.concat([result.stdout, result.stderr]));
  }

  async #logFile(response: ServerResponse, path: string): Promise<void> {
    const { logRoot } = this.#context;
    const root = logRoot === undefined ? undefined : await realpath(logRoot).catch(() => undefined);
    if (root === undefined) return text(response, 404, "404 page not found");
    const file = await realpath(join(root, normalize(`/${decodeURIComponent(path)}`))).catch(() => undefined);
    // A link within may lead anywhere: what counts is where it ends.
    if (file === undefined || (file !== root && !file.startsWith(`${root}/`)))
      return text(response, 404, "404 page not found");
    const found = await stat(file);
    if (found.isDirectory()) return text(response, 200, (await readdir(file)).sort().join("\n"));
    response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
    createReadStream(file)
      .on("error", () => response.destroy())
      .pipe(response);
  }
}

/** The path as it was sent: nothing in it is resolved, so that what is authorised is what is served. */
function parseUrl(request: IncomingMessage): { readonly path: string; readonly query: URLSearchParams } {
  const [path = "/", query = ""] = (request.url ?? "/").split(/\?(.*)/s);
  return { path, query: new URLSearchParams(query) };
}

function text(response: ServerResponse, code: number, body: string): void {
  response
    .writeHead(code, { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" })
    .end(body);
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function prometheus(response: ServerResponse, body: string): void {
  response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(body);
}

/** Who attaches sees the end of the container, not how it ended: that is the pod's status, as clients expect. */
function withoutExitCode(stream: ProcessStream): ProcessStream {
  return stream.kind === "url" ? stream : { ...stream, exit: stream.exit.then(() => ({ exitCode: 0 })) };
}
