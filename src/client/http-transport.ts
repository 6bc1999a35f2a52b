import type { Dispatcher } from "undici";
import {
  type ApiRequest,
  type DiscoveredResource,
  type GroupVersion,
  type KubeList,
  type KubeObject,
  type Status,
  StatusError,
  type StatusReason,
  statusErrors,
  type Transport,
  type UserInfo,
  type WatchEvent,
} from "../api/index.js";
import { type Clock, realClock, sleep } from "../internal/clock.js";
import type { CredentialSource, Credentials } from "./credentials.js";
import { parseResourceList } from "./discovery-document.js";
import { type HttpCall, httpCall } from "./request-path.js";
import { WatchDecoder } from "./watch-decoder.js";

export interface HttpTransportOptions {
  /** `https://host:port`, with a path where the API is below one. */
  readonly server: string;
  /** PEM. Absent: the public authorities that Node knows. */
  readonly ca?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
  /** Trust whoever answers. */
  readonly insecure?: boolean | undefined;
  /** The name to expect in the server's certificate. */
  readonly tlsServerName?: string | undefined;
  /** A bearer token; called for every request, so that one which is renewed is picked up. */
  readonly token?: (() => string | undefined | Promise<string | undefined>) | undefined;
  /** Renewed while the client works; what they have comes before `token`, `clientCertificate` and `clientKey`. */
  readonly credentials?: CredentialSource | undefined;
  readonly basicAuth?: { readonly username: string; readonly password: string } | undefined;
  readonly impersonate?:
    | (Pick<UserInfo, "uid" | "extra"> & { readonly user: string; readonly groups?: readonly string[] })
    | undefined;
  readonly userAgent?: string | undefined;
  /** Connections for all but watches, which get one each. Default 32. */
  readonly maxConnections?: number | undefined;
  /** How often one request is sent again because the server said to (429, 503 with Retry-After). Default 10. */
  readonly maxRetries?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** Longest wait that a server may ask for. */
const maxRetryAfterSeconds = 30;

/**
 * The API over HTTP(S), of this server or of upstream's. It opens no connection before the first request. Dispose it
 * to close them; requests and watches under way are then cut.
 */
export class HttpTransport implements Transport, AsyncDisposable {
  readonly #options: HttpTransportOptions;
  readonly #clock: Clock;
  readonly #origin: string;
  readonly #prefix: string;
  #agents: Promise<Agents> | undefined;
  /** The certificate that the agents show. */
  #shown: string | undefined;
  /** Of certificates that were shown before: what is under way goes on. */
  readonly #retired = new Set<Promise<Agents>>();

  constructor(options: HttpTransportOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    const url = new URL(options.server);
    this.#origin = url.origin;
    this.#prefix = url.pathname.replace(/\/+$/, "");
  }

  async request(request: ApiRequest): Promise<KubeObject | KubeList | Status> {
    const { body } = await this.#send(httpCall(request), request.signal, "short");
    return withItemKinds((await readJson(body, request.signal)) as KubeObject | KubeList | Status);
  }

  async *watch(request: ApiRequest): AsyncGenerator<readonly WatchEvent[]> {
    const { signal } = request;
    let body: Dispatcher.ResponseData["body"];
    try {
      ({ body } = await this.#send(httpCall(request), signal, "watch"));
    } catch (error) {
      if (signal?.aborted) return;
      throw error;
    }
    const decoder = new WatchDecoder();
    try {
      for await (const chunk of body) {
        const { events, error } = decoder.push(chunk as Buffer);
        if (events.length > 0) yield events;
        if (error !== undefined) throw error;
      }
    } catch (error) {
      if (signal?.aborted) return;
      throw error instanceof StatusError
        ? error
        : statusErrors.serviceUnavailable("the watch was cut", { cause: error });
    } finally {
      body.destroy();
    }
  }

  async discover(groupVersion: GroupVersion, signal?: AbortSignal): Promise<readonly DiscoveredResource[]> {
    const { group, version } = groupVersion;
    const path = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
    return parseResourceList(await this.getPath(path, signal === undefined ? {} : { signal }), groupVersion);
  }

  /** A path of the server that is no resource: `/version`, `/openapi/v3`, `/api`. Gives back the text. */
  async getPath(
    path: string,
    options: { readonly accept?: string; readonly signal?: AbortSignal } = {},
  ): Promise<string> {
    const call: HttpCall = { method: "GET", path, body: undefined, contentType: undefined };
    const { body } = await this.#send(call, options.signal, "short", options.accept);
    return body.text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const made of [this.#agents, ...this.#retired]) {
      const agents = await made;
      await Promise.all([agents?.short.destroy(), agents?.watch.destroy()]);
    }
  }

  async #send(
    call: HttpCall,
    signal: AbortSignal | undefined,
    kind: keyof Agents,
    accept = "application/json",
  ): Promise<Dispatcher.ResponseData> {
    const { maxRetries = 10 } = this.#options;
    let renewed = false;
    for (let tries = 0; ; tries++) {
      const credentials = await this.#options.credentials?.current();
      const response = await this.#dispatch(call, signal, kind, accept, credentials);
      if (response.statusCode < 300) return response;
      const error = await errorOf(response);
      if (response.statusCode === 401 && credentials !== undefined) {
        this.#options.credentials?.refused(credentials);
        // Once: who is still not known with new ones will not be with the next.
        if (!renewed) {
          renewed = true;
          continue;
        }
      }
      const seconds = retryAfter(response);
      const again = (response.statusCode === 429 || response.statusCode === 503) && seconds !== undefined;
      if (!again || tries >= maxRetries) throw error;
      await sleep(this.#clock, seconds * 1000, signal);
      signal?.throwIfAborted();
    }
  }

  async #dispatch(
    call: HttpCall,
    signal: AbortSignal | undefined,
    kind: keyof Agents,
    accept: string,
    credentials: Credentials | undefined,
  ): Promise<Dispatcher.ResponseData> {
    signal?.throwIfAborted();
    const agents = await this.#agentsFor(credentials);
    try {
      return await agents[kind].request({
        origin: this.#origin,
        method: call.method,
        path: `${this.#prefix}${call.path}`,
        headers: await this.#headers(call, accept, credentials),
        body: call.body ?? null,
        signal: signal ?? null,
      });
    } catch (cause) {
      signal?.throwIfAborted();
      const why =
        cause instanceof Error ? cause.message || ("code" in cause ? String(cause.code) : cause.name) : String(cause);
      throw statusErrors.serviceUnavailable(`cannot reach ${this.#origin}: ${why}`, { cause });
    }
  }

  #agentsFor({ clientCertificate, clientKey }: Credentials = {}): Promise<Agents> {
    const before = this.#agents;
    if (before !== undefined && this.#shown === clientCertificate) return before;
    if (before !== undefined) this.#retire(before);
    this.#shown = clientCertificate;
    const own = clientCertificate === undefined ? {} : { clientCertificate, clientKey };
    this.#agents = makeAgents({ ...this.#options, ...own });
    return this.#agents;
  }

  #retire(made: Promise<Agents>): void {
    this.#retired.add(made);
    const closed = made.then(({ short, watch }) => Promise.all([short.close(), watch.close()]));
    // Whatever is left of it goes with the transport.
    closed.then(() => this.#retired.delete(made)).catch(() => {});
  }

  async #headers(
    call: HttpCall,
    accept: string,
    credentials: Credentials | undefined,
  ): Promise<Record<string, string | string[]>> {
    const { token, basicAuth, impersonate, userAgent = "coxswain" } = this.#options;
    const headers: Record<string, string | string[]> = { accept, "user-agent": userAgent };
    if (call.contentType !== undefined) headers["content-type"] = call.contentType;
    const bearer = credentials?.token ?? (await token?.());
    if (bearer) headers["authorization"] = `Bearer ${bearer}`;
    else if (basicAuth !== undefined) {
      const { username, password } = basicAuth;
      headers["authorization"] = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    }
    if (impersonate !== undefined) {
      headers["impersonate-user"] = impersonate.user;
      if (impersonate.groups !== undefined) headers["impersonate-group"] = [...impersonate.groups];
      if (impersonate.uid !== undefined) headers["impersonate-uid"] = impersonate.uid;
      for (const [key, values] of Object.entries(impersonate.extra ?? {})) {
        headers[`impersonate-extra-${encodeURIComponent(key)}`] = [...values];
      }
    }
    return headers;
  }
}

interface Agents {
  readonly short: Dispatcher;
  readonly watch: Dispatcher;
}

/** undici is loaded with the first request, so that importing this costs those in one process nothing. */
async function makeAgents(options: HttpTransportOptions): Promise<Agents> {
  const { Agent } = await import("undici");
  const connect = {
    timeout: 10_000,
    keepAlive: true,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(options.clientCertificate === undefined ? {} : { cert: options.clientCertificate }),
    ...(options.clientKey === undefined ? {} : { key: options.clientKey }),
    ...(options.insecure === true ? { rejectUnauthorized: false } : {}),
    ...(options.tlsServerName === undefined ? {} : { servername: options.tlsServerName }),
  };
  // Redirects are not followed: a server that sends one could be sending credentials elsewhere.
  const common = { connect, pipelining: 1, keepAliveTimeout: 30_000, maxHeaderSize: 64 * 1024 };
  return {
    short: new Agent({
      ...common,
      connections: options.maxConnections ?? 32,
      headersTimeout: 90_000,
      bodyTimeout: 90_000,
    }),
    // A watch may have nothing to say for as long as it lasts; TCP keep-alive notices a dead peer.
    watch: new Agent({ ...common, connections: null, headersTimeout: 90_000, bodyTimeout: 0 }),
  };
}

async function readJson(body: Dispatcher.ResponseData["body"], signal: AbortSignal | undefined): Promise<unknown> {
  try {
    return await body.json();
  } catch (cause) {
    signal?.throwIfAborted();
    throw statusErrors.serviceUnavailable("the answer was cut or is no JSON", { cause });
  }
}

/** The items of a list of a built-in kind do not say what they are: the list does. */
function withItemKinds<T extends KubeObject | KubeList | Status>(answer: T): T {
  if (!("items" in answer) || !Array.isArray(answer.items) || !answer.kind.endsWith("List")) return answer;
  const { apiVersion } = answer;
  const kind = answer.kind.slice(0, -"List".length);
  const items: readonly object[] = answer.items;
  return { ...answer, items: items.map((item) => ("kind" in item ? item : { kind, apiVersion, ...item })) };
}

function retryAfter({ headers }: Dispatcher.ResponseData): number | undefined {
  const text = headers["retry-after"];
  if (typeof text !== "string" || !/^[0-9]+$/.test(text)) return undefined;
  return Math.min(maxRetryAfterSeconds, Number(text));
}

const reasons: ReadonlyMap<number, StatusReason> = new Map<number, StatusReason>([
  [400, "BadRequest"],
  [401, "Unauthorized"],
  [403, "Forbidden"],
  [404, "NotFound"],
  [405, "MethodNotAllowed"],
  [406, "NotAcceptable"],
  [409, "Conflict"],
  [410, "Gone"],
  [413, "RequestEntityTooLarge"],
  [415, "UnsupportedMediaType"],
  [422, "Invalid"],
  [429, "TooManyRequests"],
  [500, "InternalError"],
  [503, "ServiceUnavailable"],
  [504, "Timeout"],
]);

/** The Status that the server sent; one made from the code where something between sent no Status. */
async function errorOf({ statusCode, body }: Dispatcher.ResponseData): Promise<StatusError> {
  const text = await body.text().catch(() => "");
  try {
    const status = JSON.parse(text) as Partial<Status> | null;
    if (status?.kind === "Status") return new StatusError({ ...(status as Status), code: status.code ?? statusCode });
  } catch {
    // Not ours to judge: the text becomes the message.
  }
  const reason = reasons.get(statusCode) ?? "";
  const message = text.slice(0, 1024) || `the server answered ${statusCode}`;
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    code: statusCode,
  });
}
