import { StatusError, statusErrors, type UserInfo } from "../../api/index.js";
import { mastersGroup, type Peer } from "../authn/authenticator.js";
import { impersonate, impersonationOf } from "../authn/impersonation.js";
import type { Admit, DispatcherOptions } from "./dispatcher-options.js";
import type { Exchange } from "./exchange.js";
import type { InFlightKind } from "./in-flight.js";
import { PathService } from "./path-service.js";
import { parseRequestInfo, splitTarget } from "./request-info.js";
import { ResourceService } from "./resource-service.js";
import { sendError, sendText } from "./respond.js";
import { TooManyRequests } from "./too-many-requests.js";
import type { PendingUpgrade } from "./upgrade.js";

/** What happens to one request, from who asks to the answer. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #paths: PathService;
  readonly #resources: ResourceService;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    const admit: Admit = (exchange, kind) => this.#admit(exchange, kind);
    this.#paths = new PathService(options, admit);
    this.#resources = new ResourceService(options, admit);
  }

  /** Answers the exchange, whatever happens. */
  async serve(exchange: Exchange, peer: Peer, upgrade: PendingUpgrade | undefined): Promise<void> {
    try {
      const { path, query } = splitTarget(exchange.request.url ?? "");
      exchange.path = path;
      exchange.query = query;
      const info = parseRequestInfo(exchange.request.method ?? "", path);
      const user = await this.#authenticate(exchange, peer);
      exchange.user = user;
      if (info.type === "path") await this.#paths.serve(exchange, user);
      else await this.#resources.serve(exchange, info, user, upgrade);
    } catch (error) {
      if (exchange.ended) return;
      if (error instanceof TooManyRequests) return sendText(exchange, 429, error.message, { "Retry-After": "1" });
      if (!(error instanceof StatusError)) {
        this.#options.logger.error("request failed", { path: exchange.path, error });
      }
      sendError(exchange, error);
    }
  }

  async #authenticate(exchange: Exchange, peer: Peer): Promise<UserInfo> {
    const { headers } = exchange.request;
    let user: UserInfo | undefined;
    try {
      const result = this.#options.authenticator.authenticate({ headers, peer });
      user = (result instanceof Promise ? await result : result)?.user;
    } catch (error) {
      this.#options.logger.debug("authentication failed", { error });
    }
    if (user === undefined) throw statusErrors.unauthorized();
    const target = impersonationOf(headers);
    return target === undefined ? user : impersonate(user, target, this.#options.authorizer);
  }

  #admit(exchange: Exchange, kind: InFlightKind): void {
    const allowed = kind === "longRunning" || !exchange.user?.groups.includes(mastersGroup) ? kind : "exempt";
    if (!this.#options.inFlight.acquire(allowed)) {
      this.#options.metrics.rejected();
      throw new TooManyRequests();
    }
    exchange.kind = allowed;
  }
}
