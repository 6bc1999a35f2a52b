import { request as httpsRequest, type RequestOptions } from "node:https";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { KubeObject, ResourceDescription } from "../../../src/api/index.js";
import { statusErrors } from "../../../src/api/index.js";
import { bearerAuthenticator, staticTokenAuthenticator } from "../../../src/apiserver/authn/bearer.js";
import { certificateAuthenticator } from "../../../src/apiserver/authn/certificates.js";
import { unionAuthenticator, withAnonymous } from "../../../src/apiserver/authn/union.js";
import type { Authorizer } from "../../../src/apiserver/authz/authorizer.js";
import { createHttpServer } from "../../../src/apiserver/http/server.js";
import type { HttpServer, HttpServerOptions } from "../../../src/apiserver/http/server-options.js";
import { type ClusterPki, createClusterPki } from "../../../src/apiserver/pki/cluster-pki.js";
import type { RequestHandler, ServerRequest, StoredEvent, StoredObject } from "../../../src/apiserver/request.js";
import { ConvertedObject } from "../../../src/apiserver/watchcache/stored-object.js";
import { AsyncQueue } from "../../../src/internal/async-queue.js";
import { realClock } from "../../../src/internal/clock.js";

function description(group: string, resource: string, kind: string, namespaced: boolean): ResourceDescription {
  return {
    group,
    version: "v1",
    resource,
    kind,
    namespaced,
    singular: kind.toLowerCase(),
    listKind: `${kind}List`,
    shortNames: [],
    categories: [],
    verbs: ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
    schema: { type: "object" },
    subresources: new Map([
      ["status", { name: "status", kind, group, version: "v1", verbs: ["get", "update", "patch"] }],
    ]),
    storage: { path: resource, version: "v1", group },
    columns: [],
    selectableFields: new Map(),
    strategy: {},
  } as unknown as ResourceDescription;
}

export function stored(name: string, revision: number, padding = 0): StoredObject {
  const object = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "default",
      resourceVersion: String(revision),
      annotations: { pad: "x".repeat(padding) },
    },
  };
  return new ConvertedObject({ key: `default/${name}`, revision }, object);
}

export function added(object: StoredObject): StoredEvent {
  const frame = Buffer.from(`{"type":"ADDED","object":${object.bytes.toString()}}\n`);
  return { type: "ADDED", stored: object, frame };
}

/** A handler whose answers the test sets, and that keeps what it was asked. */
export class FakeHandler implements RequestHandler {
  readonly requests: ServerRequest[] = [];
  readonly watches: AsyncQueue<readonly StoredEvent[]>[] = [];
  items: StoredObject[] = [];
  onHandle: ((request: ServerRequest) => Promise<void>) | undefined;
  watchArrived: (() => void) | undefined;

  async handle(request: ServerRequest): ReturnType<RequestHandler["handle"]> {
    this.requests.push(request);
    await this.onHandle?.(request);
    if (request.name === "panic") throw new TypeError("secret detail");
    if (request.name === "missing") throw statusErrors.notFound(request, "missing");
    if (request.name === "busy") throw statusErrors.tooManyRequests("later", 7);
    request.warn?.('use "v2"\nnow');
    if (request.verb === "list") {
      return {
        type: "list",
        list: { apiVersion: "v1", kind: "PodList", metadata: { resourceVersion: "9" }, items: this.items },
      };
    }
    if (request.verb === "get") return { type: "stored", code: 200, stored: stored(request.name ?? "", 5) };
    return { type: "object", code: 201, object: (request.body ?? { kind: "Status" }) as KubeObject };
  }

  async watch(request: ServerRequest): Promise<AsyncIterable<readonly StoredEvent[]>> {
    this.requests.push(request);
    const queue = new AsyncQueue<readonly StoredEvent[]>(100);
    request.signal?.addEventListener("abort", () => queue.end());
    this.watches.push(queue);
    this.watchArrived?.();
    return queue;
  }

  nextWatch(): Promise<void> {
    return new Promise((resolve) => {
      this.watchArrived = resolve;
    });
  }
}

const allowKnown: Authorizer = {
  name: "test",
  authorize: ({ user, path }) =>
    user.username !== "system:anonymous" || path === "/healthz" || path === "/readyz"
      ? { decision: "allow" }
      : { decision: "noOpinion" },
};

const resources = [
  description("", "pods", "Pod", true),
  description("", "nodes", "Node", false),
  description("", "namespaces", "Namespace", false),
  description("example.com", "widgets", "Widget", true),
];

/** Options of a server for whoever has a certificate, or `good` as token. */
export function optionsFor(
  pki: ClusterPki,
  fake: FakeHandler,
  more: Partial<HttpServerOptions> = {},
): HttpServerOptions {
  const clock = realClock;
  const tokens = [staticTokenAuthenticator(new Map([["good", { username: "jane", groups: ["dev"] }]]))];
  return {
    host: "127.0.0.1",
    port: 0,
    tls: { certificate: pki.apiserver.certificate, key: pki.apiserver.key, clientCas: [pki.ca.certificate] },
    handler: fake,
    resources: {
      lookup: (group, version, resource) =>
        resources.find((one) => one.group === group && one.version === version && one.resource === resource),
      all: () => resources,
    },
    authenticator: withAnonymous(
      unionAuthenticator([
        certificateAuthenticator({ authorities: [pki.ca.certificate], clock }),
        bearerAuthenticator({ tokens, audiences: ["api"], clock }),
      ]),
    ),
    authorizer: allowKnown,
    ...more,
  };
}

export interface Answer {
  readonly code: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
  json(): Record<string, unknown>;
}

/** A server over TLS in front of a handler whose answers the test sets. */
export class ApiHttp {
  readonly pki: ClusterPki;
  readonly handler: FakeHandler = new FakeHandler();
  readonly server: HttpServer;

  private constructor(pki: ClusterPki) {
    this.pki = pki;
    this.server = createHttpServer(optionsFor(pki, this.handler));
  }

  static async start(): Promise<ApiHttp> {
    const api = new ApiHttp(await createClusterPki({ clock: realClock }));
    await api.server.listen();
    return api;
  }

  call(path: string, options: RequestOptions & { body?: string | Buffer; to?: HttpServer } = {}): Promise<Answer> {
    const { body, to = this.server, headers, ...rest } = options;
    return new Promise((resolve, reject) => {
      const request = httpsRequest(
        {
          host: "127.0.0.1",
          port: to.port,
          path,
          ca: this.pki.ca.certificate,
          headers: { Authorization: "Bearer good", Connection: "close", ...headers },
          ...rest,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            const whole = Buffer.concat(chunks);
            resolve({
              code: response.statusCode ?? 0,
              headers: response.headers,
              body: whole,
              json: () => JSON.parse(whole.toString()),
            });
          });
        },
      );
      request.on("error", reject);
      request.end(body);
    });
  }

  /** Sends bytes as they are, so that no client library tidies the path up. */
  raw(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket: TLSSocket = connectTls(
        { host: "127.0.0.1", port: this.server.port, ca: this.pki.ca.certificate, ALPNProtocols: ["http/1.1"] },
        () => socket.write(text),
      );
      let answer = "";
      socket.on("data", (chunk) => {
        answer += chunk.toString();
      });
      socket.on("close", () => resolve(answer));
      socket.on("error", reject);
    });
  }
}
