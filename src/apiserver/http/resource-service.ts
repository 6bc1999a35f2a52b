import {
  type ApiRequest,
  type KubeObject,
  type ResourceDescription,
  statusErrors,
  type UserInfo,
} from "../../api/index.js";
import { randomInt } from "../../internal/random.js";
import { authorizeOrThrow } from "../authz/attributes.js";
import type { ServerRequest, ServerResult, StoredList, StoredObject } from "../request.js";
import type { ConnectHandler } from "./connect.js";
import { connectOptions, queryOfOptions } from "./connect-options.js";
import type { Admit, DispatcherOptions } from "./dispatcher-options.js";
import type { Exchange } from "./exchange.js";
import type { RequestLabels } from "./metrics.js";
import { Negotiator, protobufType } from "./negotiate.js";
import { sendNotFound } from "./path-service.js";
import { ProtobufLoader } from "./protobuf.js";
import { sendProtobufList } from "./protobuf-list.js";
import type { ListShape, RepresentContext, Representer } from "./represent.js";
import type { ResourceRequestInfo } from "./request-info.js";
import { completeRequest, methodNotAllowed, routeResource, serverRequest } from "./resources.js";
import { sendEncoded, sendObject, wantsPretty } from "./respond.js";
import type { Stall } from "./send-pieces.js";
import { sendShapedList } from "./shaped-list.js";
import { SlabCache } from "./slabs.js";
import { sendList } from "./stored-list.js";
import type { PendingUpgrade } from "./upgrade.js";
import { type FrameEncoder, FrameJoiner, type FrameSink, pumpWatch } from "./watch-stream.js";
import { drained, headerOf } from "./wire.js";

/** Subresources that run or reach into a container: the permission to create is needed however they are asked for. */
const streamed: ReadonlySet<string> = new Set(["exec", "attach", "portforward"]);

/** YAML has no frames. */
const streamTypes: readonly string[] = ["application/json;stream=watch", `${protobufType};stream=watch`];

/** A watch waits for its client when so much is unsent: waiting after every write costs more than the write. */
const maxUnsentBytes = 256 * 1024;

/** Everything of the resource API: turns requests into calls of the pipeline and writes what comes back. */
export class ResourceService {
  readonly #options: DispatcherOptions;
  readonly #admit: Admit;
  readonly #negotiator = new Negotiator();
  readonly #labels = new LabelTable();
  readonly #slabs = new SlabCache();
  readonly #joiner = new FrameJoiner();
  readonly #protobuf = new ProtobufLoader();
  readonly #stall: Stall;

  constructor(options: DispatcherOptions, admit: Admit) {
    this.#options = options;
    this.#admit = admit;
    this.#stall = (give) => {
      const timer = options.clock.setTimeout(give, options.stallTimeoutMs);
      return () => timer.cancel();
    };
  }

  async serve(
    exchange: Exchange,
    info: ResourceRequestInfo,
    user: UserInfo,
    upgrade: PendingUpgrade | undefined,
  ): Promise<void> {
    const { resources, connect } = this.#options;
    const description = resources.lookup(info.group, info.version, info.resource);
    if (description === undefined) return this.#serveUnknown(exchange, info, user);
    const passedOn = info.subresource === "" ? undefined : connect.find((each) => each.handles(info));
    exchange.labels = this.#labels.of(info, description, passedOn === undefined ? info.verb : "connect");
    if (passedOn !== undefined) return this.#serveConnect(exchange, info, user, passedOn, upgrade);
    if (exchange.request.method === "HEAD" && description.custom !== true) throw methodNotAllowed();
    const call = routeResource(info, description, exchange.query);
    if (call.verb !== info.verb) exchange.labels = this.#labels.of(info, description, call.verb);
    const protobuf = this.#protobuf.forRequest(exchange, description, call.subresource);
    exchange.protobuf = protobuf instanceof Promise ? await protobuf : protobuf;
    const accept = headerOf(exchange.request.headers, "accept");
    exchange.accepted = this.#negotiator.accept(accept, {
      protobuf: exchange.protobuf?.resource,
      tables: hasTable(description, call),
    });
    if (call.verb === "watch") return this.#serveWatch(exchange, info, call, description, upgrade);
    const { bodyLimitBytes, decode, handler } = this.#options;
    const reads = call.verb === "get" || call.verb === "list";
    const waiting = this.#admit(exchange, { kind: reads ? "readOnly" : "mutating", info, verb: call.verb });
    if (waiting !== undefined) await waiting;
    const kind = (call.subresource && description.subresources.get(call.subresource)?.kind) || description.kind;
    const request = reads
      ? serverRequest(exchange, call)
      : await completeRequest(exchange, call, { limitBytes: bodyLimitBytes, decode, kind });
    const result = await handler.handle(request);
    if (exchange.ended || exchange.response.headersSent) return;
    const answered = this.#answer(exchange, result, description);
    if (answered !== undefined) await answered;
  }

  async #serveUnknown(exchange: Exchange, info: ResourceRequestInfo, user: UserInfo): Promise<void> {
    const kind = info.verb === "get" || info.verb === "list" ? "readOnly" : "mutating";
    await this.#admit(exchange, { kind, info, verb: info.verb });
    await authorizeOrThrow(this.#options.authorizer, attributesFor(info, user), exchange.audit?.annotate);
    const served = this.#options.resources
      .all()
      .some((one) => one.group === info.group && one.version === info.version && one.custom !== true);
    if (served) throw statusErrors.pathNotFound();
    sendNotFound(exchange);
  }

  #answer(exchange: Exchange, result: ServerResult, description: ResourceDescription): void | Promise<void> {
    const { accepted } = exchange;
    const representer = accepted.as === undefined ? undefined : this.#options.representer;
    if (result.type === "list") return this.#answerList(exchange, result.list, description, representer);
    if (representer !== undefined) {
      const object = result.type === "stored" ? result.stored.object : result.object;
      // A Status stays what it is, whatever dress was asked for.
      const dressed = isStatus(object) ? object : representer.object(object, this.#context(exchange, description));
      if (dressed === object) exchange.audit?.answered(result);
      else exchange.audit?.answeredValue(dressed);
      return sendObject(exchange, result.code, dressed);
    }
    exchange.audit?.answered(result);
    if (result.type === "stored" && accepted.format !== "protobuf") {
      sendEncoded(exchange, result.code, result.stored.line);
    } else if (result.type === "stored") sendObject(exchange, result.code, result.stored.object);
    else sendObject(exchange, result.code, result.object);
  }

  #answerList(
    exchange: Exchange,
    list: StoredList,
    description: ResourceDescription,
    representer: Representer | undefined,
  ): void | Promise<void> {
    const { accepted, protobuf } = exchange;
    if (representer !== undefined) {
      const shape = representer.list(list, this.#context(exchange, description));
      exchange.audit?.answeredShape(shape, list.items);
      return sendShapedList(exchange, shape, list.items, this.#stall);
    }
    exchange.audit?.answered({ type: "list", list });
    if (accepted.format === "json" && !wantsPretty(exchange)) {
      return sendList(exchange, list, this.#slabs, this.#stall);
    }
    if (accepted.format === "protobuf" && protobuf !== undefined) {
      return sendProtobufList(exchange, list, protobuf.objects, this.#stall);
    }
    return sendShapedList(exchange, plainShape(list), list.items, this.#stall);
  }

  #context(exchange: Exchange, description: ResourceDescription): RepresentContext {
    return { accepted: exchange.accepted, description, query: exchange.query, nowMs: this.#options.clock.now() };
  }

  async #serveWatch(
    exchange: Exchange,
    info: ResourceRequestInfo,
    call: ApiRequest,
    description: ResourceDescription,
    upgrade: PendingUpgrade | undefined,
  ): Promise<void> {
    const { handler, metrics } = this.#options;
    if (exchange.accepted.format === "yaml") throw statusErrors.notAcceptable(streamTypes);
    exchange.deadlineMs = Number.POSITIVE_INFINITY;
    await this.#admit(exchange, { kind: "longRunning", info, verb: "watch" });
    const events = await handler.watch(this.#watchRequest(exchange, call));
    if (exchange.ended) return;
    if (upgrade?.protocol === "websocket") exchange.accepted = { ...exchange.accepted, format: "json" };
    const represent = this.#eventRepresenter(exchange, description);
    const { contentType, joiner, encode } = this.#framing(exchange);
    metrics.watchStarted(call.resource);
    exchange.ticket?.leave();
    try {
      if (upgrade?.protocol === "websocket") {
        const sink = await upgrade.webSocket(this.#stall);
        await pumpWatch(events, sink, { joiner, represent, encode });
        sink.close();
        return;
      }
      exchange.writeHead(200, exchange.headers(contentType));
      exchange.response.flushHeaders();
      await pumpWatch(events, this.#sink(exchange), { joiner, represent, encode });
      exchange.response.end();
    } finally {
      metrics.watchEnded(call.resource);
    }
  }

  #framing({ accepted, protobuf }: Exchange): {
    readonly contentType: string;
    readonly joiner: FrameJoiner;
    readonly encode?: FrameEncoder;
  } {
    if (accepted.format !== "protobuf" || protobuf === undefined) {
      return { contentType: "application/json", joiner: this.#joiner };
    }
    const { objects } = protobuf;
    const encode: FrameEncoder = (type, object) => objects.encodeFrame(type, object);
    return { contentType: `${protobufType};stream=watch`, joiner: objects.joiner, encode };
  }

  /** Every watch ends some time, at a random one, so that clients of a restarted server do not come back all at once. */
  #watchRequest(exchange: Exchange, call: ApiRequest): ServerRequest {
    const { minWatchTimeoutSeconds, random } = this.#options;
    const timeoutSeconds =
      call.options?.timeoutSeconds || minWatchTimeoutSeconds + randomInt(random, minWatchTimeoutSeconds + 1);
    return serverRequest(exchange, call, { options: { ...call.options, timeoutSeconds } });
  }

  #eventRepresenter(
    exchange: Exchange,
    description: ResourceDescription,
  ): ((object: KubeObject, first: boolean) => unknown) | undefined {
    const { representer } = this.#options;
    if (representer === undefined || exchange.accepted.as === undefined) return undefined;
    const context = this.#context(exchange, description);
    const { clock } = this.#options;
    return (object, first) => representer.event(object, first, { ...context, nowMs: clock.now() });
  }

  #sink(exchange: Exchange): FrameSink {
    const { response } = exchange;
    return {
      single: false,
      send: (frames) => {
        if (exchange.ended) return false;
        if (response.write(frames) || response.writableLength < maxUnsentBytes) return true;
        return drained(response, this.#stall).then((more) => {
          if (!more) response.destroy();
          return more;
        });
      },
    };
  }

  /** Gives the query to go on with: admission may change what is asked for. */
  async #admitConnect(exchange: Exchange, info: ResourceRequestInfo, user: UserInfo): Promise<string> {
    const { query, warn, signal } = exchange;
    const annotate = exchange.audit?.annotate;
    const { handler } = this.#options;
    const options = handler.admitConnect === undefined ? undefined : connectOptions(info, query);
    if (handler.admitConnect === undefined || options === undefined) return query;
    const { group, version, resource, subresource, namespace, name } = info;
    const place = namespace === "" ? { name } : { namespace, name };
    const request = {
      verb: "create",
      group,
      version,
      resource,
      subresource,
      ...place,
      user,
      warn,
      signal,
      annotate,
    } as const;
    const admitted = await handler.admitConnect(request, options);
    return admitted === options ? query : queryOfOptions(info, admitted, query);
  }

  async #serveConnect(
    exchange: Exchange,
    info: ResourceRequestInfo,
    user: UserInfo,
    handler: ConnectHandler,
    upgrade: PendingUpgrade | undefined,
  ): Promise<void> {
    const attributes = attributesFor(info, user);
    await authorizeOrThrow(this.#options.authorizer, attributes, exchange.audit?.annotate);
    if (streamed.has(info.subresource) && info.verb === "get") {
      await authorizeOrThrow(this.#options.authorizer, { ...attributes, verb: "create" });
    }
    exchange.deadlineMs = Number.POSITIVE_INFINITY;
    await this.#admit(exchange, { kind: "longRunning", info, verb: attributes.verb });
    const { "Content-Type": _, ...headers } = exchange.headers("");
    const query = await this.#admitConnect(exchange, info, user);
    const { request, response, signal } = exchange;
    const method = request.method ?? "";
    await handler.serve({ info, method, query, user, request, response, headers, signal, upgrade });
  }
}

function attributesFor(info: ResourceRequestInfo, user: UserInfo): Parameters<typeof authorizeOrThrow>[1] {
  const { verb, group, version, resource, subresource, namespace, name } = info;
  return { user, verb, group, version, resource, subresource, namespace, name };
}

/** A list as JSON has it, of objects. */
function plainShape({ kind, apiVersion, metadata, bare }: StoredList): ListShape {
  const element = ({ object }: StoredObject): unknown =>
    bare ? { ...object, kind: undefined, apiVersion: undefined } : object;
  return { envelope: { kind, apiVersion, metadata }, field: "items", element };
}

function isStatus(object: { readonly kind: string }): object is Exclude<typeof object, KubeObject> {
  return object.kind === "Status";
}

const metricVerbs: ReadonlyMap<string, string> = new Map([
  ["create", "POST"],
  ["update", "PUT"],
]);

/** The labels of requests, one object for all requests that are alike. */
class LabelTable {
  readonly #byResource = new WeakMap<ResourceDescription, Map<string, RequestLabels>>();

  of(info: ResourceRequestInfo, description: ResourceDescription, verb: string): RequestLabels {
    let known = this.#byResource.get(description);
    if (known === undefined) {
      known = new Map();
      this.#byResource.set(description, known);
    }
    const scope = info.name !== "" ? "resource" : info.namespace !== "" ? "namespace" : "cluster";
    const { group, version, resource } = info;
    // What a stranger makes up is not counted by name.
    const subresource = description.subresources.has(info.subresource) ? info.subresource : "";
    const key = `${verb} ${subresource} ${scope}`;
    let labels = known.get(key);
    if (labels === undefined) {
      labels = { verb: metricVerbs.get(verb) ?? verb.toUpperCase(), group, version, resource, subresource, scope };
      known.set(key, labels);
    }
    return labels;
  }
}

/** What is only created, a review or a binding, is no object that could be shown in one; nor are lists that are streamed. */
function hasTable({ verbs, subresources }: ResourceDescription, { verb, subresource, options }: ApiRequest): boolean {
  if (verb === "watch" && options?.sendInitialEvents === true && options.allowWatchBookmarks === true) return false;
  const possible = (subresource && subresources.get(subresource)?.verbs) || verbs;
  return possible.includes("get") || !possible.includes("create");
}
