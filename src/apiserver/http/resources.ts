import { DecodeError } from "../../api/decode/decode-error.js";
import { summarize } from "../../api/decode/go-errors.js";
import {
  type ApiRequest,
  type Decoded,
  type PatchType,
  type RequestOptions,
  type ResourceDescription,
  StatusError,
  statusErrors,
  type UserInfo,
  type Verb,
} from "../../api/index.js";
import type { ServerRequest } from "../request.js";
import { checkWriteOptions } from "../write-options.js";
import { type BodyDecoder, objectTypeOf, readBody } from "./body.js";
import type { Exchange } from "./exchange.js";
import { patchTypeOf, protobufType } from "./negotiate.js";
import { decodeProtobuf } from "./protobuf.js";
import { parseDeleteParameters, parseRequestOptions, wantsWatch } from "./query.js";
import type { ResourceRequestInfo } from "./request-info.js";
import { headerOf } from "./wire.js";

/** The resources that are served; asked for each request, so that custom resources come and go. */
export interface ResourceLookup {
  lookup(group: string, version: string, resource: string): ResourceDescription | undefined;
  all(): readonly ResourceDescription[];
}

/** The 405 of a path that exists, for another method. */
export function methodNotAllowed(): StatusError {
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: "the server does not allow this method on the requested resource",
    reason: "MethodNotAllowed",
    details: {},
    code: 405,
  });
}

/**
 * Turns path, method and query into a call of the API, without its body. Throws 404 and 405 for what the resource does not
 * have, 400 for parameters that do not parse.
 */
export function routeResource(info: ResourceRequestInfo, description: ResourceDescription, query: string): ApiRequest {
  const { group, version, resource, subresource, name } = info;
  const inNamespace = description.namespaced && info.namespace !== "";
  if (!description.namespaced && info.namespace !== "" && !(resource === "namespaces" && group === "")) {
    throw statusErrors.pathNotFound();
  }
  if (description.namespaced && !inNamespace && name !== "") throw statusErrors.pathNotFound();
  let verb = info.verb;
  let options = parseRequestOptions(query);
  const namespace = inNamespace ? info.namespace : undefined;
  if (verb === "watch") {
    if (subresource !== "") throw statusErrors.pathNotFound();
    if (name !== "") options = { ...options, fieldSelector: selectorOf(name, options.fieldSelector) };
  } else if (verb === "list" && wantsWatch(query)) {
    verb = "watch";
  }
  if (!allowed(description, subresource, verb)) throw methodNotAllowed();
  if (verb === "watch") return { group, version, resource, namespace, verb, options };
  if (description.namespaced && !inNamespace && verb !== "list") throw methodNotAllowed();
  if (name === "" && (verb === "update" || verb === "patch")) throw methodNotAllowed();
  if (name !== "" && subresource === "" && verb === "create") throw methodNotAllowed();
  // One shape for all: every request passes here.
  return {
    group,
    version,
    resource,
    namespace,
    verb: verb as Verb,
    name: name === "" ? undefined : name,
    subresource: subresource === "" ? undefined : subresource,
    options,
  };
}

/** The old path of watching one object says its name; a selector beside it may say the same. */
function selectorOf(name: string, fieldSelector = ""): string {
  const byName = `metadata.name=${name}`;
  if (fieldSelector === "") return byName;
  const terms = fieldSelector.split(",");
  if (terms.includes(byName) || terms.includes(`metadata.name==${name}`)) return fieldSelector;
  throw statusErrors.badRequest("fieldSelector metadata.name doesn't match requested name");
}

function allowed(description: ResourceDescription, subresource: string, verb: string): verb is Verb {
  if (subresource === "") return (description.verbs as readonly string[]).includes(verb);
  const known = description.subresources.get(subresource);
  if (known === undefined) throw statusErrors.pathNotFound();
  return (known.verbs as readonly string[]).includes(verb);
}

const nobody: UserInfo = { username: "", groups: [] };

/**
 * A call as the pipeline takes it. Written out, and the same shape for all: spreading costs more than the rest of a read, and
 * many shapes would slow down everything that reads them.
 */
export function serverRequest(exchange: Exchange, call: ApiRequest, more: RequestBody = {}): ServerRequest {
  return {
    group: call.group,
    version: call.version,
    resource: call.resource,
    namespace: call.namespace,
    verb: call.verb,
    name: call.name,
    subresource: call.subresource,
    options: more.options ?? call.options,
    patchType: more.patchType,
    body: more.body,
    decoded: more.decoded,
    // Reads are over soon: watching their clients would cost more.
    signal: call.verb === "get" || call.verb === "list" ? undefined : exchange.signal,
    user: exchange.user ?? nobody,
    userAgent: headerOf(exchange.request.headers, "user-agent"),
    warn: exchange.warn,
    annotate: exchange.audit?.annotate,
  };
}

type RequestBody = Partial<Pick<ServerRequest, "options" | "patchType" | "body" | "decoded">>;

export interface BodyOptions {
  readonly limitBytes: number;
  readonly decode: BodyDecoder;
  /** What kind the body of a create or update should be, for messages. */
  readonly kind: string;
}

/** Reads the body of a write and gives the request as the pipeline takes it. */
export async function completeRequest(
  exchange: Exchange,
  call: ApiRequest,
  { limitBytes, decode, kind }: BodyOptions,
): Promise<ServerRequest> {
  const { request } = exchange;
  const options = call.options ?? {};
  switch (call.verb) {
    case "create":
    case "update": {
      checkWriteOptions(call);
      const type = objectTypeOf(headerOf(request.headers, "content-type"), exchange.protobuf?.resource === true);
      const bytes = await readBody(request, limitBytes);
      const decoded = explained(
        () => decodeObject(exchange, bytes, type, decode),
        (why) => unrecognized(kind, type, why, bytes),
      );
      const body = decoded.value;
      if (exchange.audit !== undefined)
        exchange.audit.sent(body, type === "application/json" ? unambiguous(decoded, bytes) : undefined);
      return serverRequest(exchange, call, { options: withManager(options, exchange), body, decoded });
    }
    case "patch": {
      const patchType = patchTypeOf(headerOf(request.headers, "content-type"));
      checkWriteOptions({ ...call, patchType });
      const bytes = await readBody(request, limitBytes);
      const decoded = explained(
        () => decode(bytes, patchType === "apply" ? "application/yaml" : "application/json"),
        (why) => patchProblem(patchType, options, why),
      );
      exchange.audit?.sentPatch(decoded.value, patchType === "apply" ? undefined : unambiguous(decoded, bytes));
      const managed = withManager(options, exchange);
      return serverRequest(exchange, call, { options: managed, patchType, body: decoded.value, decoded });
    }
    case "delete":
    case "deletecollection": {
      const bytes = await readBody(request, limitBytes);
      const body = bytes.length > 0 ? deleteOptionsOf(exchange, bytes, decode) : parseDeleteParameters(exchange.query);
      if (bytes.length > 0) exchange.audit?.sent({ kind: "DeleteOptions", apiVersion: "v1", ...(body ?? {}) });
      return serverRequest(exchange, call, { body: body ?? undefined });
    }
    default:
      return serverRequest(exchange, call);
  }
}

/** Of a name that comes twice the last value counts here; who reads a record of the bytes may see the first. */
function unambiguous({ duplicates }: Decoded, bytes: Buffer): Buffer | undefined {
  return duplicates.length === 0 ? bytes : undefined;
}

/** A body that cannot be read is told of in the words of what it should have been. */
function explained(decode: () => Decoded, words: (why: string) => string): Decoded {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof StatusError) || !(error.cause instanceof DecodeError) || error.code !== 400) throw error;
    throw statusErrors.badRequest(words(error.cause.message), { cause: error.cause });
  }
}

function unrecognized(kind: string, type: string, why: string, bytes: Buffer): string {
  const how = type === "application/json" ? `couldn't get version/kind; json parse error: ${why}` : why;
  return `the object provided is unrecognized (must be of type ${kind}): ${how} (${summarize(bytes)})`;
}

function patchProblem(type: PatchType, options: RequestOptions, why: string): string {
  if (type === "apply") return `error decoding YAML: ${why}`;
  return type === "strategic" || options.fieldValidation === "Ignore" ? why : `error decoding patch: ${why}`;
}

function decodeObject(exchange: Exchange, bytes: Buffer, type: string, decode: BodyDecoder): Decoded {
  const { protobuf } = exchange;
  if (type !== protobufType || protobuf === undefined) return decode(bytes, type);
  return { value: decodeProtobuf(protobuf.objects.codec, bytes, protobuf.expected), duplicates: [] };
}

/** Options may be protobuf for every resource. */
function deleteOptionsOf(exchange: Exchange, bytes: Buffer, decode: BodyDecoder): unknown {
  const { protobuf } = exchange;
  const type = objectTypeOf(headerOf(exchange.request.headers, "content-type"), protobuf !== undefined);
  if (type !== protobufType || protobuf === undefined) return decode(bytes, type).value;
  return decodeProtobuf(protobuf.objects.codec, bytes, { apiVersion: "v1", kind: "DeleteOptions" });
}

const unprintable = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;
const maxManagerBytes = 128;

/** Headers come as the bytes that they are: most names are ASCII, and others UTF-8. */
function managerOf(agent: string): string {
  const [name = ""] = agent.split("/", 1);
  let manager = "";
  let size = 0;
  for (const character of Buffer.from(name, "latin1").toString("utf8").replace(unprintable, "")) {
    size += Buffer.byteLength(character);
    if (size > maxManagerBytes) break;
    manager += character;
  }
  return manager;
}

/** Who writes a field is known by the agent's name when nothing else is said: what comes before the first slash. */
function withManager(options: RequestOptions, exchange: Exchange): RequestOptions {
  if (options.fieldManager !== undefined && options.fieldManager !== "") return options;
  const manager = managerOf(headerOf(exchange.request.headers, "user-agent") ?? "");
  return manager === "" ? options : { ...options, fieldManager: manager };
}
