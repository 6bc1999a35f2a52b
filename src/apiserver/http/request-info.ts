import { type StatusError, statusErrors } from "../../api/index.js";

/** A request by its method and path, before anything is looked up: what authorization and routing go by. */
export type RequestInfo = ResourceRequestInfo | PathRequestInfo;

export interface ResourceRequestInfo {
  readonly type: "resource";
  /** `watch` only for the deprecated `/watch/` paths; a list with watch=true is still `list` here. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly name: string;
  readonly subresource: string;
  /** What follows the subresource, raw and with its leading slash; empty when nothing does. Only proxies have it, and what others serve. */
  readonly rest: string;
}

export interface PathRequestInfo {
  readonly type: "path";
  /** The method in lower case. */
  readonly verb: string;
  readonly path: string;
}

const verbs: ReadonlyMap<string, string> = new Map([
  ["GET", "get"],
  ["HEAD", "get"],
  ["POST", "create"],
  ["PUT", "update"],
  ["PATCH", "patch"],
  ["DELETE", "delete"],
]);

/** What of `/namespaces/NAME/X` belongs to the namespace itself and is not a resource in it. */
const namespaceSubresources: ReadonlySet<string> = new Set(["status", "finalize"]);

/** Splits a request target at the first `?`. Both parts stay raw. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const mark = target.indexOf("?");
  return mark < 0 ? { path: target, query: "" } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

/**
 * Reads method and raw path. Each segment is decoded by itself and once, and the path is never normalised: what would change its meaning
 * when normalised (dot segments, empty segments, encoded slashes) is not found, so that nothing is authorized as one path
 * and served as another. `isDeep` says of which group-versions paths may go on below a subresource. Throws StatusError.
 */
export function parseRequestInfo(
  method: string,
  path: string,
  isDeep: (group: string, version: string) => boolean = () => false,
): RequestInfo {
  if (!path.startsWith("/")) throw statusErrors.badRequest("the request target must be an absolute path");
  const raw = path.split("/");
  raw.shift();
  const endsInSlash = raw.length > 1 && raw[raw.length - 1] === "";
  if (endsInSlash) raw.pop();
  const prefixLength = raw[0] === "api" ? 2 : raw[0] === "apis" ? 3 : Number.POSITIVE_INFINITY;
  if (raw.length <= prefixLength) {
    for (const segment of raw) if (raw.length > 1 || segment !== "") decodeSegment(segment);
    return { type: "path", verb: method.toLowerCase(), path };
  }
  const info = parseResourcePath(method, raw, prefixLength, isDeep);
  // To who is behind the proxy a folder is not a file, nor is no path the root.
  return info.subresource === "proxy" && endsInSlash ? { ...info, rest: `${info.rest}/` } : info;
}

/** The group-version that a request is for: of a resource, or of its list of resources (`/apis/GROUP/VERSION`). */
export function groupVersionOf(info: RequestInfo): { readonly group: string; readonly version: string } | undefined {
  if (info.type === "resource") return info;
  const match = /^\/apis\/([^/]+)\/([^/]+)\/?$/.exec(info.path);
  return match === null ? undefined : { group: decodeSegment(match[1]), version: decodeSegment(match[2]) };
}

function parseResourcePath(
  method: string,
  raw: readonly string[],
  prefixLength: number,
  isDeep: (group: string, version: string) => boolean,
): ResourceRequestInfo {
  const group = prefixLength === 2 ? "" : decodeSegment(raw[1]);
  const version = decodeSegment(raw[prefixLength - 1]);
  let verb = verbs.get(method) ?? method.toLowerCase();
  let at = prefixLength;
  if (raw[at] === "watch" && raw.length > at + 1) {
    verb = "watch";
    at++;
  }
  let namespace = "";
  if (raw[at] === "namespaces" && raw.length > at + 1) {
    namespace = decodeSegment(raw[at + 1]);
    if (raw.length > at + 2 && !namespaceSubresources.has(raw[at + 2] ?? "")) at += 2;
  }
  const resource = decodeSegment(raw[at]);
  const name = raw.length > at + 1 ? decodeSegment(raw[at + 1]) : "";
  const subresource = raw.length > at + 2 ? decodeSegment(raw[at + 2]) : "";
  let rest = "";
  if (raw.length > at + 3) {
    if (subresource !== "proxy" && !isDeep(group, version)) throw statusErrors.pathNotFound();
    for (const segment of raw.slice(at + 3)) rejectDots(segment);
    rest = `/${raw.slice(at + 3).join("/")}`;
  }
  if (name === "" && verb === "get") verb = "list";
  if (name === "" && verb === "delete") verb = "deletecollection";
  return { type: "resource", verb, group, version, namespace, resource, name, subresource, rest };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const controls = /[\u0000-\u001f\u007f]/;

function decodeSegment(raw: string | undefined): string {
  if (raw === undefined || raw === "") throw statusErrors.pathNotFound();
  const segment = raw.includes("%") ? decodeOnce(raw) : raw;
  if (segment === "." || segment === ".." || segment.includes("/") || controls.test(segment)) {
    throw statusErrors.pathNotFound();
  }
  return segment;
}

/** What a proxied backend gets stays raw, but must not climb out of the path that was authorized. */
function rejectDots(raw: string): void {
  const segment = raw.includes("%") ? decodeOnce(raw) : raw;
  if (segment === "." || segment === ".." || /(^|[/\\])\.\.?([/\\]|$)/.test(segment)) {
    throw statusErrors.pathNotFound();
  }
}

function decodeOnce(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch (cause) {
    throw invalidEscape(raw, cause);
  }
}

function invalidEscape(raw: string, cause: unknown): StatusError {
  return statusErrors.badRequest(`invalid URL escape in ${JSON.stringify(raw)}`, { cause });
}
