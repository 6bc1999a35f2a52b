import type { UserInfo } from "../../api/index.js";
import { authorizeOrThrow } from "../authz/attributes.js";
import type { Admit, DispatcherOptions } from "./dispatcher-options.js";
import type { Exchange } from "./exchange.js";
import { answerHealth, healthPath } from "./health.js";
import type { PathRequestInfo } from "./request-info.js";
import { methodNotAllowed } from "./resources.js";
import { sendBytes, sendText } from "./respond.js";
import { headerOf } from "./wire.js";

/** Everything outside of resources: health, metrics, the list of paths, and the routes that were handed in. */
export class PathService {
  readonly #options: DispatcherOptions;
  readonly #admit: Admit;

  constructor(options: DispatcherOptions, admit: Admit) {
    this.#options = options;
    this.#admit = admit;
  }

  async serve(exchange: Exchange, info: PathRequestInfo, user: UserInfo): Promise<void> {
    const options = this.#options;
    const { path, query } = exchange;
    const method = exchange.request.method ?? "";
    const health = healthPath(path);
    exchange.labels = { ...exchange.labels, verb: method === "HEAD" ? "GET" : method };
    const kind = health === undefined ? "readOnly" : "exempt";
    await this.#admit(exchange, { kind, info, verb: info.verb });
    const attributes = { user, verb: method.toLowerCase(), path };
    await authorizeOrThrow(options.authorizer, attributes, exchange.audit?.annotate);
    if (method !== "GET" && method !== "HEAD") throw methodNotAllowed();
    if (health !== undefined) {
      const answer = await answerHealth(options.checks, health.endpoint, health.check, query);
      return answer === undefined ? sendNotFound(exchange) : sendText(exchange, answer.code, answer.text);
    }
    if (path === "/metrics") {
      const text = options.metrics.text(options.inFlight, options.startMs);
      const more = [
        options.flowControl?.metrics() ?? "",
        options.audit?.metricsText() ?? "",
        ...options.moreMetrics.map((write) => write()),
      ].join("");
      return sendBytes(exchange, 200, "text/plain; version=0.0.4; charset=utf-8", Buffer.from(text + more));
    }
    if (path === "/" || path === "/index.html") {
      const text = JSON.stringify({ paths: this.#paths() }, null, 2);
      return sendBytes(exchange, 200, "application/json", Buffer.from(text));
    }
    await this.#serveRoute(exchange, user, method);
  }

  async #serveRoute(exchange: Exchange, user: UserInfo, method: string): Promise<void> {
    const { path, query } = exchange;
    const { headers } = exchange.request;
    for (const route of this.#options.routes) {
      const answer = await route.handle({ method, path, query, headers, user });
      if (answer === undefined) continue;
      exchange.extraHeaders = answer.headers;
      const etag = answer.headers?.["ETag"];
      if (etag !== undefined && matchesETag(headerOf(headers, "if-none-match"), etag)) {
        exchange.writeHead(304, exchange.headers(answer.contentType));
        exchange.response.end();
        return;
      }
      const body = typeof answer.body === "string" ? Buffer.from(answer.body) : answer.body;
      return sendBytes(exchange, answer.code, answer.contentType, body);
    }
    sendNotFound(exchange);
  }

  #paths(): readonly string[] {
    const paths = new Set(["/healthz", "/livez", "/readyz", "/metrics"]);
    for (const check of this.#options.checks) {
      for (const endpoint of check.endpoints ?? ["healthz", "livez", "readyz"]) paths.add(`/${endpoint}/${check.name}`);
    }
    for (const route of this.#options.routes) for (const path of route.paths ?? []) paths.add(path);
    return [...paths].sort();
  }
}

/** What upstream says about paths that it knows nothing of. */
export function sendNotFound(exchange: Exchange): void {
  sendText(exchange, 404, "404 page not found\n");
}

function matchesETag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header === "*" || header.split(",").some((candidate) => candidate.trim().replace(/^W\//, "") === etag);
}
