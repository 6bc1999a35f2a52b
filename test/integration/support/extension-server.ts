import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { ClusterPki } from "../../../src/apiserver/pki/cluster-pki.js";

export const group = "wardle.example.com";
export const version = "v1alpha1";

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly body: string;
  /** Who the client's certificate says it is; undefined when nobody trusted signed it. */
  readonly client: string | undefined;
}

interface Flunder {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly resourceVersion: string };
}

/** An API server of a stranger, behind the one under test: one resource in memory, and some ways to misbehave. */
export class ExtensionServer {
  readonly asked: Asked[] = [];
  readonly sockets: Set<Duplex> = new Set<Duplex>();
  /** Set to answer otherwise; true when it did. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** What an upgrade is answered with. */
  onUpgrade: (request: IncomingMessage, socket: Duplex) => void = echo;
  aggregatedDiscovery = true;
  readonly #server: Server;
  readonly #objects = new Map<string, Flunder>();
  readonly #watchers = new Set<ServerResponse>();
  #revision = 1;

  constructor(pki: ClusterPki, serving: { readonly certificate: string; readonly key: string }) {
    this.#server = createServer(
      {
        cert: serving.certificate,
        key: serving.key,
        ca: pki.frontProxyCa.certificate,
        requestCert: true,
        rejectUnauthorized: false,
      },
      (request, response) => this.#receive(request, response),
    );
    this.#server.on("connection", (socket: Duplex) => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
    });
    this.#server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
      this.#record(request, "");
      socket.on("error", () => socket.destroy());
      this.onUpgrade(request, socket);
    });
  }

  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** The last request whose path ends so. */
  last(end: string): Asked | undefined {
    return this.asked.filter(({ url }) => url.split("?")[0]?.endsWith(end)).at(-1);
  }

  #record(request: IncomingMessage, body: string): void {
    const socket = request.socket as TLSSocket;
    this.asked.push({
      method: request.method ?? "",
      url: request.url ?? "",
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      body,
      client: socket.authorized ? String(socket.getPeerCertificate().subject.CN) : undefined,
    });
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    if (this.intercept?.(request, response) === true) return void this.#record(request, "");
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      this.#record(request, body);
      this.#answer(request, response, body);
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse, body: string): void {
    const url = new URL(request.url ?? "", "https://x");
    const base = `/apis/${group}/${version}`;
    if (url.pathname === "/apis") return void this.#discovery(request, response);
    if (url.pathname === base) return void send(response, 200, resourceList());
    if (url.pathname === "/openapi/v3") return void send(response, 200, openApiIndex());
    if (url.pathname === `/openapi/v3${base}`) return void send(response, 200, openApiV3());
    if (url.pathname === "/openapi/v2") return void send(response, 200, openApiV2());
    const [, namespace, name] = /\/namespaces\/([^/]+)\/flunders(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    const all = url.pathname === `${base}/flunders`;
    if (namespace === undefined && !all) return void send(response, 404, status(404, "NotFound", "not found"));
    if (request.method === "POST") return void this.#create(response, namespace ?? "", body);
    if (request.method === "DELETE") return void this.#delete(response, `${namespace}/${name}`);
    if (url.searchParams.get("watch") === "true") return void this.#watch(response);
    if (name === undefined) return void this.#list(request, response, namespace);
    const found = this.#objects.get(`${namespace}/${name}`);
    if (found === undefined) {
      return void send(response, 404, status(404, "NotFound", `flunders.${group} "${name}" not found`));
    }
    send(response, 200, found);
  }

  #discovery(request: IncomingMessage, response: ServerResponse): void {
    const accept = request.headers.accept ?? "";
    if (!this.aggregatedDiscovery || !accept.includes("as=APIGroupDiscoveryList")) {
      return void send(response, 200, { kind: "APIGroupList", apiVersion: "v1", groups: [] });
    }
    const etag = '"one"';
    if (request.headers["if-none-match"] === etag) return void response.writeHead(304, { ETag: etag }).end();
    response.setHeader("ETag", etag);
    send(response, 200, aggregated(), "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  }

  #create(response: ServerResponse, namespace: string, body: string): void {
    const given = JSON.parse(body) as Flunder;
    const made = { uid: randomUUID(), creationTimestamp: "2026-01-01T00:00:00Z" };
    const metadata = { ...made, ...given.metadata, namespace, resourceVersion: String(++this.#revision) };
    const object = { ...given, metadata };
    this.#objects.set(`${namespace}/${metadata.name}`, object);
    this.#tell("ADDED", object);
    send(response, 201, object);
  }

  #delete(response: ServerResponse, key: string): void {
    const found = this.#objects.get(key);
    this.#objects.delete(key);
    if (found !== undefined) this.#tell("DELETED", found);
    send(response, 200, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" });
  }

  #list(request: IncomingMessage, response: ServerResponse, namespace: string | undefined): void {
    const items = [...this.#objects.values()].filter(
      ({ metadata }) => namespace === undefined || metadata.namespace === namespace,
    );
    if (request.headers.accept?.includes("as=Table") === true) {
      return void send(response, 200, table(items, String(this.#revision)));
    }
    const metadata = { resourceVersion: String(this.#revision) };
    send(response, 200, { kind: "FlunderList", apiVersion: `${group}/${version}`, metadata, items });
  }

  #watch(response: ServerResponse): void {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.flushHeaders();
    this.#watchers.add(response);
    response.on("close", () => this.#watchers.delete(response));
  }

  #tell(type: string, object: Flunder): void {
    for (const watcher of this.#watchers) watcher.write(`${JSON.stringify({ type, object })}\n`);
  }
}

function echo(_: IncomingMessage, socket: Duplex): void {
  socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
  socket.pipe(socket);
}

function send(response: ServerResponse, code: number, body: unknown, type = "application/json"): void {
  response.writeHead(code, { "Content-Type": type });
  response.end(JSON.stringify(body));
}

function status(code: number, reason: string, message: string): object {
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
}

const verbs = ["create", "delete", "get", "list", "watch"];

function resourceList(): object {
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: `${group}/${version}`,
    resources: [
      { name: "flunders", singularName: "flunder", namespaced: true, kind: "Flunder", verbs, shortNames: ["fl"] },
      { name: "flunders/status", singularName: "", namespaced: true, kind: "Flunder", verbs: ["get"] },
    ],
  };
}

function aggregated(): object {
  const responseKind = { group, version, kind: "Flunder" };
  const resource = {
    resource: "flunders",
    responseKind,
    scope: "Namespaced",
    singularResource: "flunder",
    verbs,
    shortNames: ["fl"],
    subresources: [{ subresource: "status", responseKind, verbs: ["get"] }],
  };
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: "apidiscovery.k8s.io/v2",
    metadata: {},
    items: [{ metadata: { name: group }, versions: [{ version, resources: [resource], freshness: "Current" }] }],
  };
}

function table(items: readonly Flunder[], resourceVersion: string): object {
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: { resourceVersion },
    columnDefinitions: [{ name: "Name", type: "string", format: "name", description: "", priority: 0 }],
    rows: items.map((object) => ({ cells: [object.metadata.name], object })),
  };
}

const flunder = {
  type: "object",
  description: "A thing that is flundered.",
  properties: {
    apiVersion: { type: "string" },
    kind: { type: "string" },
    spec: {
      type: "object",
      description: "How it is to be flundered.",
      properties: { reference: { type: "string", description: "What it refers to." } },
    },
  },
  "x-kubernetes-group-version-kind": [{ group, version, kind: "Flunder" }],
};
const definition = "com.example.wardle.v1alpha1.Flunder";

function openApiIndex(): object {
  const path = `apis/${group}/${version}`;
  return {
    paths: { [path]: { serverRelativeURL: `/openapi/v3/${path}?hash=F1` }, version: { serverRelativeURL: "/x" } },
  };
}

function openApiV3(): object {
  const path = `/apis/${group}/${version}/namespaces/{namespace}/flunders`;
  const action = {
    "x-kubernetes-group-version-kind": { group, version, kind: "Flunder" },
    "x-kubernetes-action": "post",
  };
  return {
    openapi: "3.0.0",
    info: { title: "wardle", version: "1" },
    paths: { [path]: { post: { ...action, responses: {} } } },
    components: { schemas: { [definition]: flunder } },
  };
}

function openApiV2(): object {
  const path = `/apis/${group}/${version}/namespaces/{namespace}/flunders`;
  const reference = { $ref: `#/definitions/${definition}` };
  const get = { operationId: "listFlunders", responses: { 200: { description: "OK", schema: reference } } };
  return {
    swagger: "2.0",
    info: { title: "wardle", version: "1" },
    paths: { [path]: { get }, "/version/": { get: { responses: {} } } },
    definitions: { [definition]: flunder, "io.example.Unused": { type: "object" } },
  };
}
