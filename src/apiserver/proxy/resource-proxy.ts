import type { IncomingMessage } from "node:http";
import {
  type EndpointSlice,
  endpointSlices,
  type Pod,
  pods,
  type Service,
  services,
  statusErrors,
} from "../../api/index.js";
import { type Random, randomInt } from "../../internal/random.js";
import type { CacheReader } from "../admission/admission.js";
import type { ConnectHandler, ConnectRequest } from "../http/connect.js";
import type { Dial, Target } from "./dial.js";
import { forward, hostAndPort, type RewrittenAnswer } from "./forward.js";
import { forwardedFor } from "./forwarded-for.js";
import { type ConnectNode, nodeTarget } from "./nodes.js";
import { type PagePlace, rewritePage, rewriteUrl } from "./rewrite-links.js";

/** Said by a backend, it would let any page read what the API server has. */
const crossOrigin: Readonly<Record<string, undefined>> = {
  "access-control-allow-credentials": undefined,
  "access-control-allow-headers": undefined,
  "access-control-allow-methods": undefined,
  "access-control-allow-origin": undefined,
};

export interface ResourceProxyOptions {
  readonly cache: CacheReader;
  readonly dial: Dial;
  readonly connectNode: ConnectNode;
  readonly random: Random;
}

/** The `proxy` subresource of pods, services and nodes: any request, to where the object is. */
export function resourceProxy(options: ResourceProxyOptions): ConnectHandler {
  return {
    handles: (info) =>
      info.group === "" &&
      info.subresource === "proxy" &&
      (info.resource === "pods" || info.resource === "services" || info.resource === "nodes"),
    async serve(connect) {
      const target = targetOf(connect, options);
      const { rest } = connect.info;
      const query = connect.query === "" ? "" : `?${connect.query}`;
      if (rest === "" && connect.upgrade === undefined && (connect.method === "GET" || connect.method === "HEAD")) {
        // Relative links of the page behind it would lead beside it.
        connect.response.writeHead(301, { ...connect.headers, Location: `${pathOf(connect)}/${query}` });
        connect.response.end();
        return;
      }
      await forward(connect, {
        dial: options.dial,
        target,
        path: `${rest === "" ? "/" : rest}${query}`,
        headers: passedHeaders(connect),
        rewrite: (answer) => rewriteAnswer(connect, target, answer),
        unreachable,
      });
    },
  };
}

/** The path of the request as the client wrote it. */
function pathOf({ request }: ConnectRequest): string {
  return (request.url ?? "").split("?", 1)[0] ?? "";
}

function hostOf({ request: { headers } }: ConnectRequest): string {
  return headers.host ?? String(headers[":authority"] ?? "");
}

/** What tells the backend as whom, from where and under which path it is seen. */
function passedHeaders(connect: ConnectRequest): Record<string, string> {
  const host = hostOf(connect);
  return {
    "X-Forwarded-Uri": pathOf(connect),
    "X-Forwarded-For": forwardedFor(connect),
    ...(host === "" ? {} : { Host: host }),
  };
}

/** Answers are for readers who see the backend below the path of the request: so must their links be, and no other origin's business. */
async function rewriteAnswer(
  connect: ConnectRequest,
  target: Target,
  answer: IncomingMessage,
): Promise<RewrittenAnswer> {
  const path = pathOf(connect);
  const { rest } = connect.info;
  const prefix = path.endsWith(rest) ? path.slice(0, path.length - rest.length) : path;
  const place: PagePlace = { prefix, hosts: [hostAndPort(target), hostOf(connect)] };
  const { location, "content-type": type = "", "content-encoding": encoding = "" } = answer.headers;
  if (location) return { headers: { ...crossOrigin, location: rewriteUrl(location, place) } };
  const hasBody = connect.method !== "HEAD" && answer.statusCode !== 204 && answer.statusCode !== 304;
  if (!hasBody || type.split(";", 1)[0]?.trim() !== "text/html") return { headers: crossOrigin };
  const body = await rewritePage(answer, encoding, place);
  return body === undefined
    ? { headers: crossOrigin }
    : { headers: { ...crossOrigin, "content-length": undefined }, body };
}

function unreachable(cause: unknown): Error {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (message === "address not allowed") return statusErrors.badRequest(message);
  return statusErrors.serviceUnavailable(`error trying to reach service: ${message}`, { cause });
}

interface Asked {
  readonly scheme: string;
  readonly name: string;
  readonly port: string;
}

/** `name`, `name:port` or `scheme:name:port`. */
export function splitProxyName(text: string): Asked | undefined {
  const parts = text.split(":");
  const [first = "", second = "", third = ""] = parts;
  if (parts.length === 1) return { scheme: "", name: first, port: "" };
  if (parts.length === 2) return { scheme: "", name: first, port: second };
  if (parts.length === 3 && (first === "" || first === "http" || first === "https"))
    return { scheme: first, name: second, port: third };
  return undefined;
}

function targetOf(connect: ConnectRequest, options: ResourceProxyOptions): Target {
  const { resource, namespace } = connect.info;
  const asked = splitProxyName(connect.info.name);
  if (asked === undefined || asked.name === "") {
    throw statusErrors.badRequest(`invalid ${resource.slice(0, -1)} request ${JSON.stringify(connect.info.name)}`);
  }
  const tls = asked.scheme === "https" ? { tls: { serverName: "", authenticate: false } } : {};
  if (resource === "nodes") return { ...nodeProxyTarget(asked, options) };
  if (resource === "pods") {
    const pod = options.cache.get(pods, { namespace, name: asked.name });
    if (pod === undefined) throw statusErrors.notFound({ group: "", resource }, asked.name);
    return { ...podTarget(pod, asked), ...tls };
  }
  const service = options.cache.get(services, { namespace, name: asked.name });
  if (service === undefined) throw statusErrors.notFound({ group: "", resource }, asked.name);
  return { ...serviceTarget(service, asked, options), ...tls };
}

function nodeProxyTarget(asked: Asked, { cache, connectNode }: ResourceProxyOptions): Target {
  const target = nodeTarget(cache, asked.name, connectNode);
  if (asked.port === "" || Number(asked.port) === target.port) return target;
  // Another port of a node is not its agent: it never sees our certificate.
  const tls = asked.scheme === "https" ? { tls: { serverName: "", authenticate: false } } : {};
  return { host: target.host, port: numberOf(asked.port), ...tls };
}

function podTarget(pod: Pod, asked: Asked): Target {
  const host = pod.status?.podIP ?? "";
  if (host === "") throw statusErrors.badRequest("address not allowed");
  const first = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? [])[0]?.containerPort;
  const usual = asked.scheme === "https" ? 443 : 80;
  return { host, port: asked.port === "" ? (first ?? usual) : numberOf(asked.port) };
}

/** One of the ready endpoints behind a port of a Service. Throws StatusError: ServiceUnavailable. */
export function serviceTarget(
  service: Service,
  asked: Asked,
  { cache, random }: Pick<ResourceProxyOptions, "cache" | "random">,
): Target {
  const { name = "", namespace = "" } = service.metadata;
  const ports = service.spec?.ports ?? [];
  const single = ports.length === 1 ? ports[0] : undefined;
  const port =
    asked.port === "" ? single : ports.find((one) => one.name === asked.port || String(one.port) === asked.port);
  if (port === undefined) {
    throw statusErrors.serviceUnavailable(
      `no service port ${JSON.stringify(asked.port)} found for service ${JSON.stringify(name)}`,
    );
  }
  const slices = cache
    .list(endpointSlices, namespace)
    .filter((slice) => slice.metadata.labels?.["kubernetes.io/service-name"] === name);
  const ready = slices.flatMap((slice) => readyAddresses(slice, port.name ?? ""));
  const chosen = ready[randomInt(random, ready.length)];
  if (chosen === undefined) {
    throw statusErrors.serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  }
  return chosen;
}

function readyAddresses(slice: EndpointSlice, portName: string): readonly Target[] {
  const port = (slice.ports ?? []).find((one) => (one.name ?? "") === portName)?.port;
  if (port === undefined) return [];
  return (slice.endpoints ?? [])
    .filter((endpoint) => endpoint.conditions?.ready !== false)
    .flatMap((endpoint) => endpoint.addresses.map((host) => ({ host, port })));
}

function numberOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535)
    throw statusErrors.badRequest(`invalid port ${JSON.stringify(text)}`);
  return port;
}
