import type { UserInfo } from "../../api/index.js";
import { authorizeOrThrow } from "../authz/attributes.js";
import type { Delegate } from "./connect.js";
import type { Admit, DispatcherOptions } from "./dispatcher-options.js";
import type { Exchange } from "./exchange.js";
import type { InFlightKind } from "./in-flight.js";
import { attributesFor, streams } from "./request-attributes.js";
import { groupVersionOf, type RequestInfo, type ResourceRequestInfo } from "./request-info.js";
import type { PendingUpgrade } from "./upgrade.js";

/** Requests of the group-versions that other servers have: authorized here by what they ask for, then passed on as they are. */
export class DelegateService {
  readonly #options: DispatcherOptions;
  readonly #admit: Admit;

  constructor(options: DispatcherOptions, admit: Admit) {
    this.#options = options;
    this.#admit = admit;
  }

  /** Whose request it is; undefined: ours. */
  find(info: RequestInfo): Delegate | undefined {
    const { delegates } = this.#options;
    const place = delegates && groupVersionOf(info);
    return place && delegates?.(place.group, place.version);
  }

  async serve(
    exchange: Exchange,
    info: RequestInfo,
    delegate: Delegate,
    user: UserInfo,
    upgrade: PendingUpgrade | undefined,
  ): Promise<void> {
    const { path, query, request, response, signal } = exchange;
    const attributes = attributesFor(info, user, query);
    exchange.labels = labelsOf(info, attributes.verb);
    const kind = kindOf(info, attributes.verb, upgrade);
    if (kind === "longRunning") exchange.deadlineMs = Number.POSITIVE_INFINITY;
    await this.#admit(exchange, { kind, info, verb: attributes.verb });
    // It is the other server's from here on, for as long as it lasts.
    if (kind === "longRunning") exchange.ticket?.leave();
    await authorizeOrThrow(this.#options.authorizer, attributes, exchange.audit?.annotate);
    const { "Content-Type": _, ...headers } = exchange.headers("");
    const method = request.method ?? "";
    await delegate.serve({ method, path, query, user, request, response, headers, signal, upgrade });
    if (response.headersSent) exchange.code = response.statusCode;
  }
}

function kindOf(info: RequestInfo, verb: string, upgrade: PendingUpgrade | undefined): InFlightKind {
  const stream = info.type === "resource" && streams.has(info.subresource);
  if (verb === "watch" || stream || upgrade !== undefined) return "longRunning";
  return verb === "get" || verb === "list" ? "readOnly" : "mutating";
}

/** What a stranger makes up is not counted by name. */
const metricVerbs: ReadonlyMap<string, string> = new Map([
  ["get", "GET"],
  ["head", "GET"],
  ["list", "LIST"],
  ["watch", "WATCH"],
  ["create", "POST"],
  ["post", "POST"],
  ["update", "PUT"],
  ["put", "PUT"],
  ["patch", "PATCH"],
  ["delete", "DELETE"],
  ["deletecollection", "DELETECOLLECTION"],
]);

/** Not by resource: what is below the version only the other server knows. */
function labelsOf(info: RequestInfo, verb: string): Exchange["labels"] {
  const { group, version } = groupVersionOf(info) ?? { group: "", version: "" };
  const scope = info.type === "path" ? "" : scopeOf(info);
  return { verb: metricVerbs.get(verb) ?? "other", group, version, resource: "", subresource: "", scope };
}

function scopeOf({ name, namespace }: ResourceRequestInfo): string {
  return name !== "" ? "resource" : namespace !== "" ? "namespace" : "cluster";
}
