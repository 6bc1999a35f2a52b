import { StatusError, statusErrors, type UserInfo } from "../../api/index.js";
import { mastersGroup, type Peer } from "../authn/authenticator.js";
import { impersonate, impersonationOf } from "../authn/impersonation.js";
import { auditedUpgrade, beginAudit } from "./audit.js";
import { DelegateService } from "./delegate-service.js";
import type { Admit, DispatcherOptions, Entrant } from "./dispatcher-options.js";
import type { Exchange } from "./exchange.js";
import { acceptedForError, plainJson } from "./negotiate.js";
import { PathService } from "./path-service.js";
import { parseRequestInfo, type RequestInfo, splitTarget } from "./request-info.js";
import { ResourceService } from "./resource-service.js";
import { sendError, sendText } from "./respond.js";
import { TextError } from "./text-error.js";
import { TooManyRequests } from "./too-many-requests.js";
import type { PendingUpgrade } from "./upgrade.js";
import { headerOf } from "./wire.js";

/** What happens to one request, from who asks to the answer. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #paths: PathService;
  readonly #resources: ResourceService;
  readonly #delegates: DelegateService;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    const admit: Admit = (exchange, entrant) => this.#admit(exchange, entrant);
    this.#paths = new PathService(options, admit);
    this.#resources = new ResourceService(options, admit);
    this.#delegates = new DelegateService(options, admit);
  }

  /** Answers the exchange, whatever happens. */
  async serve(exchange: Exchange, peer: Peer, pending: PendingUpgrade | undefined): Promise<void> {
    try {
      const { path, query } = splitTarget(exchange.request.url ?? "");
      exchange.path = path;
      exchange.query = query;
      let info: RequestInfo;
      try {
        info = this.#infoOf(exchange);
      } catch (error) {
        await this.#recordUnread(exchange, peer);
        throw error;
      }
      const user = await this.#authenticate(exchange, peer, info);
      exchange.user = user;
      const upgrade = pending && exchange.audit ? auditedUpgrade(pending, exchange.audit) : pending;
      const delegate = this.#delegates.find(info);
      if (delegate !== undefined) await this.#delegates.serve(exchange, info, delegate, user, upgrade);
      else if (info.type === "path") await this.#paths.serve(exchange, info, user);
      else await this.#resources.serve(exchange, info, user, upgrade);
    } catch (error) {
      if (exchange.ended) return;
      if (error instanceof TooManyRequests) {
        return sendText(exchange, 429, error.message, { "Retry-After": String(error.retryAfterSeconds) });
      }
      if (error instanceof TextError && !exchange.response.headersSent) {
        return sendText(exchange, error.code, `${error.message}\n`);
      }
      if (!(error instanceof StatusError)) {
        exchange.audit?.panicked(error);
        this.#options.logger.error("request failed", { path: exchange.path, error });
      }
      if (exchange.accepted === plainJson) {
        exchange.accepted = acceptedForError(headerOf(exchange.request.headers, "accept"));
      }
      sendError(exchange, error);
    } finally {
      exchange.audit?.served();
    }
  }

  #infoOf({ request, path }: Exchange): RequestInfo {
    const { delegates } = this.#options;
    const isDeep = delegates && ((group: string, version: string) => delegates(group, version) !== undefined);
    return parseRequestInfo(request.method ?? "", path, isDeep);
  }

  /** A target that cannot be read is recorded too, of nobody, before it is refused. */
  async #recordUnread(exchange: Exchange, peer: Peer): Promise<void> {
    const { audit } = this.#options;
    const verb = (exchange.request.method ?? "").toLowerCase();
    const info: RequestInfo = { type: "path", verb, path: exchange.path };
    if (audit !== undefined) await beginAudit(audit, exchange, info, { user: undefined, address: peer.address });
  }

  async #authenticate(exchange: Exchange, peer: Peer, info: RequestInfo): Promise<UserInfo> {
    const { headers, rawHeaders } = exchange.request;
    let user: UserInfo | undefined;
    try {
      const result = this.#options.authenticator.authenticate({ headers, rawHeaders, peer, path: exchange.path });
      user = (result instanceof Promise ? await result : result)?.user;
    } catch (error) {
      this.#options.logger.debug("authentication failed", { error });
    }
    const { audit } = this.#options;
    if (audit !== undefined) await beginAudit(audit, exchange, info, { user, address: peer.address });
    if (user === undefined) throw statusErrors.unauthorized();
    const target = impersonationOf({ headers, rawHeaders });
    if (target === undefined) return user;
    const other = await impersonate(user, target, this.#options.authorizer);
    exchange.audit?.impersonated(other);
    return other;
  }

  #admit(exchange: Exchange, { kind, info, verb }: Entrant): void | Promise<void> {
    const { flowControl, inFlight } = this.#options;
    const { user, path, query } = exchange;
    // Its client is gone, and what it took here nobody would give back.
    if (exchange.ended) throw new TooManyRequests();
    const exempt = flowControl === undefined && user?.groups.includes(mastersGroup) && kind !== "longRunning";
    const counted = exempt ? "exempt" : kind;
    // Streams take no seat; a watch takes one until it begins.
    if (flowControl === undefined || user === undefined || (kind === "longRunning" && verb !== "watch")) {
      if (inFlight.acquire(counted)) exchange.kind = counted;
      else this.#refuse(1);
      return;
    }
    const timeLeftMs = exchange.deadlineMs - exchange.startMs;
    const ticket = flowControl.admit({ user, info, verb, path, query, timeLeftMs });
    exchange.ticket = ticket;
    const enter = (admitted: boolean): void => {
      // Its client went while it waited, which took its ticket: there is nobody to answer.
      if (!admitted || exchange.ended) this.#refuse(ticket.retryAfterSeconds);
      inFlight.acquire(counted);
      exchange.kind = counted;
    };
    if (ticket.admitted instanceof Promise) return ticket.admitted.then(enter);
    enter(ticket.admitted);
  }

  #refuse(retryAfterSeconds: number): never {
    this.#options.metrics.rejected();
    throw new TooManyRequests(retryAfterSeconds);
  }
}
