import type { UserInfo } from "../../api/index.js";
import type { ResourceRequestInfo } from "./request-info.js";
import type { PendingUpgrade } from "./upgrade.js";
import type { WireRequest, WireResponse } from "./wire.js";

/** A request that is passed on to somebody else: exec, attach, port-forward, log, proxy. Already authorized. */
export interface ConnectRequest {
  readonly info: ResourceRequestInfo;
  readonly method: string;
  /** Raw. */
  readonly query: string;
  readonly user: UserInfo;
  readonly request: WireRequest;
  readonly response: WireResponse;
  /** Of every answer of this server. */
  readonly headers: Readonly<Record<string, string | number | string[]>>;
  /** Aborts when the client goes away or the server ends. */
  readonly signal: AbortSignal;
  /** Set when the client asked for another protocol. Until it is taken, `response` works. */
  readonly upgrade: Pick<PendingUpgrade, "protocol" | "take"> | undefined;
}

export interface ConnectHandler {
  handles(info: ResourceRequestInfo): boolean;
  /**
   * Resolves when all is over and both sides are closed. A StatusError thrown before anything was answered is answered; one thrown
   * later cuts the connection.
   */
  serve(request: ConnectRequest): Promise<void>;
}
