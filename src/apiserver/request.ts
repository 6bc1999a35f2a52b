import type { Decoded } from "../api/decode/decode-error.js";
import type {
  ApiRequest,
  JsonObject,
  KubeList,
  KubeObject,
  Labels,
  Status,
  UserInfo,
  WatchEventType,
} from "../api/index.js";

/** A request as it enters the one pipeline, from a socket or from within the process, with who asks. */
export interface ServerRequest extends ApiRequest {
  readonly user: UserInfo;
  readonly userAgent?: string | undefined;
  /** What was odd about the text of the body, for strict validation; absent for what never was text. */
  readonly decoded?: Pick<Decoded, "duplicates" | "order"> | undefined;
  /** Receives what the server wants to say beside the answer (the `Warning` headers). */
  readonly warn?: ((text: string) => void) | undefined;
  /** Receives the annotations of the request's audit event; those with `Request` are for events that tell what was sent. Absent: nobody records it. */
  readonly annotate?: ((key: string, value: string, level?: "Metadata" | "Request") => void) | undefined;
}

/**
 * One version of an object as the server holds it: its encoded JSON, with resourceVersion, at the requested API version.
 * The decoded form is shared and nobody changes it.
 */
export interface StoredObject {
  readonly key: string;
  readonly revision: number;
  /** May have to be made: whoever needs only its length asks `size`. */
  readonly bytes: Buffer;
  /** Of `bytes`. */
  readonly size: number;
  /** Writes `bytes` from `start` on, at most behind the head, into `target` at `offset`. Gives the offset behind them. */
  writeTo(target: Buffer, offset: number, start?: number): number;
  /** `bytes` and a line feed: how an object by itself is sent. */
  readonly line: Buffer;
  /** How many of `bytes`, behind the opening brace, say kind and apiVersion; absent: it is not known, or none. */
  readonly headSize?: number;
  readonly object: KubeObject;
  /** `object` for a look at it, not kept where it had to be made: for who looks at many. */
  readonly glimpse: KubeObject;
  /** Those of `object`, had without making it. */
  readonly labels: Labels | undefined;
}

export type ServerResult =
  /** `code` is 200, 201 (created) or 202 (deletion goes on). */
  | { readonly type: "stored"; readonly code: number; readonly stored: StoredObject }
  | { readonly type: "object"; readonly code: number; readonly object: KubeObject | Status }
  | { readonly type: "list"; readonly list: StoredList };

export interface StoredList {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: KubeList["metadata"];
  readonly items: readonly StoredObject[];
  /** On the wire its items do not say kind and apiVersion: those of built-in kinds, of which the list says enough. */
  readonly bare?: boolean;
}

/** One event of a watch. Events are shared between watchers, and so is the frame. */
export interface StoredEvent {
  readonly type: WatchEventType;
  readonly stored: StoredObject;
  /** `{"type":"ADDED","object":{...}}` with a line feed, as it goes over the wire; made once. */
  readonly frame: Buffer;
}

/** The pipeline: what the HTTP layer and in-process clients call. Every failure is a StatusError. */
export interface RequestHandler {
  handle(request: ServerRequest): Promise<ServerResult>;
  /**
   * Resolves once the watch is sure to start (authorized, its resourceVersion still there); it then ends when the request's
   * signal aborts or its timeoutSeconds are over, and throws StatusError (410, or 429 for one that fell behind) otherwise.
   */
  watch(request: ServerRequest): Promise<AsyncIterable<readonly StoredEvent[]>>;
  /**
   * Asks admission about a request that leads into an object (exec, attach, port-forward, proxy), which is already authorized. Gives the options
   * to go on with. Absent: all are admitted.
   */
  admitConnect?(request: ServerRequest, options: JsonObject): Promise<JsonObject>;
}
