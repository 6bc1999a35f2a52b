import type { UserInfo } from "../../api/index.js";
import type { RequestAudit } from "../audit/request-audit.js";
import type { FlowTicket } from "../flowcontrol/flow-control.js";
import type { InFlightKind } from "./in-flight.js";
import type { RequestLabels } from "./metrics.js";
import { type Accepted, plainJson } from "./negotiate.js";
import type { RequestProtobuf } from "./protobuf.js";
import type { RequestInfo } from "./request-info.js";
import { formatWarning } from "./warning.js";
import type { WireRequest, WireResponse } from "./wire.js";

const unknownLabels: RequestLabels = { verb: "", group: "", version: "", resource: "", subresource: "", scope: "" };

/** One request with its answer, on its way through the server. */
export class Exchange {
  readonly request: WireRequest;
  readonly response: WireResponse;
  readonly auditId: string;
  readonly startMs: number;
  path = "";
  query = "";
  info: RequestInfo | undefined;
  user: UserInfo | undefined;
  accepted: Accepted = plainJson;
  /** Present when the body or the answer may be protobuf. */
  protobuf: RequestProtobuf | undefined;
  /** For metrics: what it was, once known. */
  labels: RequestLabels = unknownLabels;
  code = 0;
  /** What it was counted as; undefined before it was let in. */
  kind: InFlightKind | undefined;
  /** Its place in flow control; undefined before it has one, and for what takes none. */
  ticket: FlowTicket | undefined;
  /** What is recorded of it; undefined: nothing is. */
  audit: RequestAudit | undefined;
  /** Headers of the route that answers. */
  extraHeaders: Readonly<Record<string, string>> | undefined;
  /** Past this it is answered with 504; Infinity for watches and streams. */
  deadlineMs: number;
  #warnings: string[] | undefined;
  #abort: AbortController | undefined;
  #ended = false;

  constructor(request: WireRequest, response: WireResponse, auditId: string, startMs: number, deadlineMs: number) {
    this.request = request;
    this.response = response;
    this.auditId = auditId;
    this.startMs = startMs;
    this.deadlineMs = deadlineMs;
  }

  /** Aborts when the client goes away, or the time is over. Made when it is first asked for: most reads end before. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#ended) this.#abort.abort();
    return this.#abort.signal;
  }

  /** Ends the work for this exchange. */
  abort(reason?: unknown): void {
    this.#ended = true;
    this.#abort?.abort(reason);
  }

  get ended(): boolean {
    return this.#ended;
  }

  readonly warn = (text: string): void => {
    this.#warnings ??= [];
    const warning = formatWarning(text);
    if (this.#warnings.length < 64 && !this.#warnings.includes(warning)) this.#warnings.push(warning);
  };

  /** The headers that every answer has. */
  headers(contentType: string): Record<string, string | number | string[]> {
    const headers: Record<string, string | number | string[]> = {
      "Audit-Id": this.auditId,
      "Cache-Control": "no-cache, private",
      "Content-Type": contentType,
    };
    if (this.ticket !== undefined) {
      headers["X-Kubernetes-PF-FlowSchema-UID"] = this.ticket.schemaUid;
      headers["X-Kubernetes-PF-PriorityLevel-UID"] = this.ticket.levelUid;
    }
    if (this.extraHeaders !== undefined) Object.assign(headers, this.extraHeaders);
    if (this.#warnings !== undefined) headers["Warning"] = this.#warnings;
    return headers;
  }

  writeHead(code: number, headers: Record<string, string | number | string[]>): void {
    this.code = code;
    this.response.writeHead(code, headers);
  }
}
