import type { IncomingMessage } from "node:http";
import { invalid } from "../../api/field-error.js";
import { type FieldError, type Pod, pods, StatusError, statusErrors } from "../../api/index.js";
import type { CacheReader } from "../admission/admission.js";
import type { ConnectHandler, ConnectRequest } from "../http/connect.js";
import { containerOf } from "./containers.js";
import type { Dial } from "./dial.js";
import { forward } from "./forward.js";
import { type ConnectNode, nodeTarget } from "./nodes.js";

export interface PodStreamOptions {
  readonly cache: CacheReader;
  readonly dial: Dial;
  readonly connectNode: ConnectNode;
}

const subresources: ReadonlySet<string> = new Set(["log", "exec", "attach", "portforward"]);

/** log, exec, attach and port-forward of pods, passed on to the agent of the pod's node under the kubelet's own paths. */
export function podStreams(options: PodStreamOptions): ConnectHandler {
  return {
    handles: (info) => info.group === "" && info.resource === "pods" && subresources.has(info.subresource),
    async serve(connect) {
      const { namespace, name } = connect.info;
      const pod = options.cache.get(pods, { namespace, name });
      if (pod === undefined) throw statusErrors.notFound({ group: "", resource: "pods" }, name);
      const query = new URLSearchParams(connect.query);
      if (connect.info.subresource === "log") return serveLog(connect, options, pod, query);
      if (connect.method !== "GET" && connect.method !== "POST") {
        throw statusErrors.methodNotAllowed({ group: "", resource: "pods" }, connect.method.toLowerCase());
      }
      const path = streamPath(connect.info.subresource, pod, query);
      const nodeName = pod.spec?.nodeName ?? "";
      if (nodeName === "") throw statusErrors.badRequest(`pod ${name} does not have a host assigned`);
      const target = nodeTarget(options.cache, nodeName, options.connectNode);
      await forward(connect, { dial: options.dial, target, path });
    },
  };
}

function streamPath(subresource: string, pod: Pod, query: URLSearchParams): string {
  const at = `${segment(pod.metadata.namespace)}/${segment(pod.metadata.name)}`;
  if (subresource === "portforward") {
    const ports = query.getAll("ports").flatMap((text) => text.split(","));
    for (const port of ports) checkPort(port);
    const parameters = new URLSearchParams();
    for (const port of ports) parameters.append("port", port);
    return withQuery(`/portForward/${at}`, parameters);
  }
  const container = containerOf(pod, query.get("container") ?? "");
  const parameters = new URLSearchParams();
  for (const [asked, passed] of streamFlags) if (flag(query, asked)) parameters.append(passed, "1");
  if (subresource === "exec") for (const word of query.getAll("command")) parameters.append("command", word);
  return withQuery(`/${subresource}/${at}/${segment(container)}`, parameters);
}

/** What the API calls a stream, and what the kubelet does. */
const streamFlags: readonly (readonly [string, string])[] = [
  ["stdin", "input"],
  ["stdout", "output"],
  ["stderr", "error"],
  ["tty", "tty"],
];

async function serveLog(
  connect: ConnectRequest,
  options: PodStreamOptions,
  pod: Pod,
  query: URLSearchParams,
): Promise<void> {
  if (connect.method !== "GET") {
    throw statusErrors.methodNotAllowed({ group: "", resource: "pods" }, connect.method.toLowerCase());
  }
  const parameters = logParameters(pod, query);
  const container = containerOf(pod, query.get("container") ?? "");
  const nodeName = pod.spec?.nodeName ?? "";
  if (nodeName === "") {
    // Nothing runs yet, so nothing was said.
    if (connect.upgrade?.protocol === "websocket") {
      (await connect.upgrade.byteStream()).end();
      return;
    }
    connect.response.writeHead(200, { ...connect.headers, "Content-Type": "text/plain" });
    connect.response.end();
    return;
  }
  const at = `${segment(pod.metadata.namespace)}/${segment(pod.metadata.name)}/${segment(container)}`;
  const target = nodeTarget(options.cache, nodeName, options.connectNode);
  const path = withQuery(`/containerLogs/${at}`, parameters);
  const log = { dial: options.dial, target, path, method: "GET", check: checkLogAnswer };
  const { upgrade } = connect;
  if (upgrade?.protocol !== "websocket") return forward(connect, log);
  // The agent gives plain bytes; what becomes messages of them is here.
  await forward({ ...connect, upgrade: undefined }, { ...log, into: () => upgrade.byteStream() });
}

function logParameters(pod: Pod, query: URLSearchParams): URLSearchParams {
  const parameters = new URLSearchParams();
  const errors: FieldError[] = [];
  for (const name of ["follow", "previous", "timestamps"]) if (flag(query, name)) parameters.set(name, "true");
  for (const [name, least] of [
    ["sinceSeconds", 1],
    ["tailLines", 0],
    ["limitBytes", 1],
  ] as const) {
    const text = query.get(name);
    if (text === null) continue;
    if (!/^[+-]?\d+$/.test(text)) {
      throw statusErrors.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    }
    const value = Number(text);
    const detail = least === 0 ? "must be greater than or equal to 0" : "must be greater than 0";
    if (value < least) errors.push(invalid(name, value, detail));
    parameters.set(name, text);
  }
  const since = query.get("sinceTime");
  if (since !== null) parameters.set("sinceTime", since);
  if (since !== null && query.has("sinceSeconds")) {
    errors.push({
      path: "sinceSeconds",
      reason: "FieldValueForbidden",
      message: "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
    });
  }
  const stream = query.get("stream");
  if (stream !== null && stream !== "All") parameters.set("stream", stream);
  if (errors.length > 0) throw statusErrors.invalid("", "PodLogOptions", pod.metadata.name ?? "", errors);
  return parameters;
}

/** What the kubelet says of a log that it cannot give becomes the API's own words. */
async function checkLogAnswer(answer: IncomingMessage): Promise<void> {
  const code = answer.statusCode ?? 500;
  if (code >= 200 && code < 300) return;
  const text = (await readSome(answer, 2048)).trim();
  if (code === 400) throw statusErrors.badRequest(text);
  if (code === 500) throw statusErrors.internal(text);
  throw new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: code === 404 ? `the server could not find the requested resource ( pods/log )` : text,
    reason: code === 404 ? "NotFound" : code === 403 ? "Forbidden" : code === 401 ? "Unauthorized" : "",
    details: { kind: "pods/log", causes: [{ reason: "UnexpectedServerResponse", message: text }] },
    code,
  });
}

async function readSome(answer: IncomingMessage, limitBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= limitBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, limitBytes).toString("utf8");
}

function checkPort(text: string): void {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) {
    throw statusErrors.badRequest(`invalid port ${JSON.stringify(text)}`);
  }
}

function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== "0" && value.toLowerCase() !== "false";
}

function segment(text: string | undefined): string {
  return encodeURIComponent(text ?? "");
}

function withQuery(path: string, parameters: URLSearchParams): string {
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}
