import type { Status, UserInfo } from "../../api/index.js";

/** How much of a request is recorded: nothing, who asked for what, also what was sent, also what was answered. */
export type AuditLevel = "None" | "Metadata" | "Request" | "RequestResponse";

/** `Panic` stands for `ResponseComplete` where the server itself failed. `ResponseStarted` is of watches and streams alone. */
export type AuditStage = "RequestReceived" | "ResponseStarted" | "ResponseComplete" | "Panic";

export const auditLevels: readonly AuditLevel[] = ["None", "Metadata", "Request", "RequestResponse"];
export const auditStages: readonly AuditStage[] = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];

export const auditApiVersion = "audit.k8s.io/v1";

/** An object as it went over the wire, or would have as JSON. */
export interface AuditObject {
  /** JSON without line breaks. Shared: nobody changes it. */
  readonly json: Buffer;
  /** The object itself; also what JSON.stringify of an event writes. */
  toJSON(): unknown;
}

export interface AuditObjectReference {
  readonly resource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly apiGroup?: string;
  readonly apiVersion?: string;
  readonly resourceVersion?: string;
  readonly subresource?: string;
}

/** One stage of one request, as `audit.k8s.io/v1` has it. Nobody changes an event once it is made. */
export interface AuditEvent {
  readonly kind: "Event";
  readonly apiVersion: typeof auditApiVersion;
  readonly level: AuditLevel;
  /** The same in all events of a request, and in the `Audit-Id` header of its answer. */
  readonly auditID: string;
  readonly stage: AuditStage;
  /** As the client sent it. */
  readonly requestURI: string;
  /** For paths the method in lower case. */
  readonly verb: string;
  /** Who asked; the empty user where nobody knows. */
  readonly user: Partial<UserInfo>;
  readonly impersonatedUser?: UserInfo;
  /** Those that the headers of proxies name, the client's own connection last. All but the last are the client's word. */
  readonly sourceIPs?: readonly string[];
  readonly userAgent?: string;
  /** Absent for paths outside of resources. */
  readonly objectRef?: AuditObjectReference;
  /** Of the answer: its code, and of an error the whole Status. */
  readonly responseStatus?: Omit<Status, "kind" | "apiVersion" | "status"> & { readonly status?: string };
  /** From level Request on. A patch is recorded as it was sent. */
  readonly requestObject?: AuditObject;
  /** From level RequestResponse on. */
  readonly responseObject?: AuditObject;
  /** RFC 3339 with microseconds. */
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Says that an event lost its objects because they were too large. */
export const truncatedAnnotation = "audit.k8s.io/truncated";

/** An event as one line of JSON, without the line feed, its fields in upstream's order. */
export function encodeEvent(event: AuditEvent): string {
  const { requestObject, responseObject, requestReceivedTimestamp, stageTimestamp, annotations, ...head } = event;
  let text = JSON.stringify(head).slice(0, -1);
  if (requestObject !== undefined) text += `,"requestObject":${requestObject.json.toString("utf8")}`;
  if (responseObject !== undefined) text += `,"responseObject":${responseObject.json.toString("utf8")}`;
  return `${text},${JSON.stringify({ requestReceivedTimestamp, stageTimestamp, annotations }).slice(1)}`;
}

/** About how long `encodeEvent` is in bytes, without doing it. */
export function eventSize(event: AuditEvent): number {
  const { requestObject, responseObject, annotations = {}, requestURI, userAgent = "", user } = event;
  let size = 700 + requestURI.length + userAgent.length + (requestObject?.json.length ?? 0);
  size += responseObject?.json.length ?? 0;
  for (const group of user.groups ?? []) size += group.length + 3;
  for (const key in annotations) size += key.length + (annotations[key] ?? "").length + 6;
  return size;
}

const quote = (text: string): string => JSON.stringify(text);
const quoteAll = (texts: readonly string[]): string => texts.map(quote).join(",");

/** An event as upstream's format `legacy` has it: one line of text. */
export function legacyLine(event: AuditEvent): string {
  const { user, impersonatedUser: as } = event;
  const groups = user.username && user.groups?.length ? quoteAll(user.groups) : "<none>";
  const fields = [
    ["id", event.auditID],
    ["stage", event.stage],
    ["ip", event.sourceIPs?.[0] ?? "<unknown>"],
    ["method", event.verb],
    ["user", user.username || "<none>"],
    ["groups", groups],
    ["as", as === undefined ? "<self>" : as.username],
    ["asgroups", as === undefined ? "<lookup>" : quoteAll(as.groups)],
    ["user-agent", event.userAgent ?? ""],
    ["namespace", event.objectRef?.namespace || "<none>"],
    ["uri", event.requestURI],
    ["response", event.responseStatus === undefined ? "<deferred>" : String(event.responseStatus.code ?? 0)],
  ];
  // Go prints as many digits of the fraction as there are.
  const time = event.requestReceivedTimestamp.replace(/\.?0+Z$/, "Z");
  return `${time} AUDIT: ${fields.map(([name, value]) => `${name}=${quote(value ?? "")}`).join(" ")}`;
}
