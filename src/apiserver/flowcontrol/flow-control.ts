import type { UserInfo } from "../../api/index.js";
import type { RequestInfo } from "../http/request-info.js";

/** What a request is classified by. */
export interface FlowRequest {
  readonly user: UserInfo;
  readonly info: RequestInfo;
  /** Of the API; `watch` also where a list is asked for with watch=true. */
  readonly verb: string;
  /** Raw. */
  readonly path: string;
  readonly query: string;
  /** How long the request may last, from now; Infinity for watches. */
  readonly timeLeftMs: number;
}

/** A request's place in flow control, from when it was classified until `leave`. */
export interface FlowTicket {
  /** Of the FlowSchema it matched; empty while there is no such object. */
  readonly schemaUid: string;
  /** Of its PriorityLevelConfiguration; empty while there is no such object. */
  readonly levelUid: string;
  /** Whether it may go on. A promise while it waits in a queue; it never rejects. */
  readonly admitted: boolean | Promise<boolean>;
  /** For one that may not: when to come back, in seconds. */
  readonly retryAfterSeconds: number;
  /** Gives the seats back, or takes the request out of its queue: then it is not admitted. Idempotent. */
  leave(): void;
}

/**
 * API Priority and Fairness: which requests go on, which wait and which are refused. Every ticket must be left, whatever became of it.
 */
export interface FlowControl {
  admit(request: FlowRequest): FlowTicket;
  /** The figures in Prometheus' text format, each line ended. */
  metrics(): string;
}
