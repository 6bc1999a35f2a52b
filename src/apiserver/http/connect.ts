import type { UserInfo } from "../../api/index.js";
import type { ResourceRequestInfo } from "./request-info.js";
import type { PendingUpgrade } from "./upgrade.js";
import type { WireRequest, WireResponse } from "./wire.js";

/** A request that is passed on to somebody else. Already authorized. */
export interface PassedOnRequest {
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
  readonly upgrade: Omit<PendingUpgrade, "webSocket"> | undefined;
}

/** One that leads into an object: exec, attach, port-forward, log, proxy. */
export interface ConnectRequest extends PassedOnRequest {
  readonly info: ResourceRequestInfo;
}

/** One of a group-version that another server has. `path` is raw. */
export interface DelegatedRequest extends PassedOnRequest {
  readonly path: string;
}

/** Another server, which has one group-version. */
export interface Delegate {
  /** As `serve` of ConnectHandler; a TextError is answered as text. */
  serve(request: DelegatedRequest): Promise<void>;
}

/** Finds the server that has a group-version; undefined: it is this one. */
export type DelegateLookup = (group: string, version: string) => Delegate | undefined;

export interface ConnectHandler {
  handles(info: ResourceRequestInfo): boolean;
  /**
   * Resolves when all is over and both sides are closed. A StatusError thrown before anything was answered is answered; one thrown
   * later cuts the connection.
   */
  serve(request: ConnectRequest): Promise<void>;
}
