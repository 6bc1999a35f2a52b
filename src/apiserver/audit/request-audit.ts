import type { KubeObject, Status, UserInfo } from "../../api/index.js";
import { isJsonObject } from "../../api/json-value.js";
import { formatMicroTime } from "../../api/time.js";
import type { ListShape } from "../http/represent.js";
import type { ServerResult, StoredObject } from "../request.js";
import {
  type AuditEvent,
  type AuditLevel,
  type AuditObject,
  type AuditObjectReference,
  type AuditStage,
  auditApiVersion,
  auditLevels,
  truncatedAnnotation,
} from "./event.js";
import type { AuditAttributes, AuditDecision } from "./policy-rules.js";
import { maxRecordedBytes, recordedBody, recordedList, recordedStored, recordedValue } from "./recorded.js";

/** What is known of a request when it comes in. */
export interface AuditedRequest {
  readonly auditId: string;
  readonly receivedMs: number;
  readonly attributes: AuditAttributes;
  readonly requestUri: string;
  readonly sourceIps: readonly string[];
  readonly userAgent: string | undefined;
  /** A watch or a stream: that its answer begins is a stage of its own. */
  readonly longRunning: boolean;
}

interface Surroundings {
  now(): number;
  /** Whether those that must have it took the event. Never rejects. */
  emit(event: AuditEvent): boolean | Promise<boolean>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Longer ones are cut, as upstream. */
const maxUserAgentLength = 1024;

const closedEarly = { metadata: {}, status: "Success", message: "Connection closed early", code: 200 };

/** The events of one request in the making. */
export class RequestAudit {
  readonly #request: AuditedRequest;
  readonly #decision: AuditDecision;
  readonly #surroundings: Surroundings;
  readonly #annotations = new Map<string, string>();
  readonly #refused: boolean;
  #objectRef: Mutable<AuditObjectReference> | undefined;
  #impersonated: UserInfo | undefined;
  #requestObject: AuditObject | undefined;
  #responseObject: AuditObject | undefined;
  #status: Partial<Status> | undefined;
  #code: number | undefined;
  #panic: string | undefined;
  #served = false;
  #closed = false;

  constructor(request: AuditedRequest, decision: AuditDecision, surroundings: Surroundings) {
    this.#request = request;
    this.#decision = decision;
    this.#surroundings = surroundings;
    this.#refused = request.attributes.user === undefined;
    this.#objectRef = referenceOf(request.attributes);
  }

  /** The first stage. false: the request must not go on. One that nobody is known for is recorded with its answer alone, as upstream. */
  received(): boolean | Promise<boolean> {
    return this.#refused || this.#emit("RequestReceived");
  }

  /** Adds an annotation, from `level` on. The first value of a key stays, as upstream. */
  readonly annotate = (key: string, value: string, level: AuditLevel = "Metadata"): void => {
    if (this.#records(level) && !this.#annotations.has(key)) this.#annotations.set(key, value);
  };

  /** Whom the request goes on as. */
  impersonated(user: UserInfo): void {
    this.#impersonated = user;
  }

  /** What was sent: `bytes` where it was JSON of one meaning. An object says what the path did not of what it is about. */
  sent(value: unknown, bytes?: Buffer): void {
    this.#refer(value);
    if (this.#records("Request")) this.#requestObject = this.#kept(recordedBody(value, bytes, this.#decision));
  }

  /** What was sent, where it is a patch: it is about the object of the path, whatever it says. */
  sentPatch(value: unknown, bytes?: Buffer): void {
    if (!this.#records("Request")) return;
    this.#requestObject = this.#kept(recordedBody(value, bytes, { omitManagedFields: false }));
  }

  /** The Status that is answered. */
  answeredStatus(status: Status): void {
    this.#status = status;
    if (this.#objectRef !== undefined) this.answeredValue(status);
  }

  /** What the pipeline answers, as it is. */
  answered(result: ServerResult): void {
    if (result.type === "object" && isStatus(result.object)) this.answeredStatus(result.object);
    else if (this.#records("RequestResponse")) this.#responseObject = this.#kept(this.#recorded(result));
  }

  #recorded(result: ServerResult): AuditObject | undefined {
    if (result.type === "list") return recordedList(result.list, this.#decision);
    if (result.type === "stored") return recordedStored(result.stored, this.#decision);
    return recordedValue(result.object, this.#decision);
  }

  /** What is answered instead of the object itself, such as a Table. */
  answeredValue(value: unknown): void {
    if (this.#records("RequestResponse")) this.#responseObject = this.#kept(recordedValue(value, this.#decision));
  }

  /** The same of a list, where it is not too large to be put together for it. */
  answeredShape({ envelope, field, element }: ListShape, items: readonly StoredObject[]): void {
    if (!this.#records("RequestResponse")) return;
    let size = 0;
    for (const item of items) size += item.size;
    if (size > maxRecordedBytes) this.#kept(undefined);
    else this.answeredValue({ ...envelope, [field]: items.map((item) => element(item)) });
  }

  /** The head of the answer goes out; 101 where the connection is given to another protocol. */
  started(code: number): void {
    if (this.#code !== undefined) return;
    this.#code = code;
    if (this.#request.longRunning || this.#refused) void this.#emit("ResponseStarted");
  }

  /** The server failed. */
  panicked(error: unknown): void {
    this.#panic ??= error instanceof Error ? error.message : String(error);
  }

  /** The server has done all that it does for the request. */
  served(): void {
    this.#served = true;
    this.#complete();
  }

  /** The answer is sent, or the client is gone. */
  closed(): void {
    this.#closed = true;
    this.#complete();
  }

  #complete(): void {
    if (!this.#served || !this.#closed || this.#refused) return;
    if (this.#code === undefined && this.#request.longRunning && this.#panic === undefined) {
      void this.#emit("ResponseStarted");
    }
    void this.#emit(this.#panic === undefined ? "ResponseComplete" : "Panic");
  }

  #records(level: AuditLevel): boolean {
    return auditLevels.indexOf(this.#decision.level) >= auditLevels.indexOf(level);
  }

  #kept(object: AuditObject | undefined): AuditObject | undefined {
    if (object === undefined) this.annotate(truncatedAnnotation, "true");
    return object;
  }

  #refer(value: unknown): void {
    const metadata = isJsonObject(value) ? value["metadata"] : undefined;
    if (!isJsonObject(metadata) || this.#objectRef === undefined) return;
    for (const field of ["namespace", "name", "uid", "resourceVersion"] as const) {
      const given = metadata[field];
      if (typeof given === "string" && given !== "" && !this.#objectRef[field]) this.#objectRef[field] = given;
    }
  }

  #emit(stage: AuditStage): boolean | Promise<boolean> {
    return this.#decision.omitStages.includes(stage) || this.#surroundings.emit(this.#event(stage));
  }

  #event(stage: AuditStage): AuditEvent {
    const { auditId, attributes, requestUri, sourceIps, userAgent, receivedMs } = this.#request;
    const received = formatMicroTime(receivedMs);
    const first = stage === "RequestReceived";
    const event: Mutable<AuditEvent> = {
      kind: "Event",
      apiVersion: auditApiVersion,
      level: this.#decision.level,
      auditID: auditId,
      stage,
      requestURI: requestUri,
      verb: attributes.verb,
      user: userOf(attributes.user),
      requestReceivedTimestamp: received,
      stageTimestamp: first ? received : formatMicroTime(this.#surroundings.now()),
    };
    if (this.#impersonated !== undefined) event.impersonatedUser = userOf(this.#impersonated) as UserInfo;
    if (sourceIps.length > 0) event.sourceIPs = sourceIps;
    if (userAgent) event.userAgent = cutAgent(userAgent);
    if (this.#objectRef !== undefined) event.objectRef = { ...this.#objectRef };
    if (!first) event.responseStatus = this.#responseStatus();
    if (this.#requestObject !== undefined) event.requestObject = this.#requestObject;
    if (this.#responseObject !== undefined) event.responseObject = this.#responseObject;
    if (this.#annotations.size > 0) event.annotations = Object.fromEntries([...this.#annotations].sort(byKey));
    return event;
  }

  #responseStatus(): NonNullable<AuditEvent["responseStatus"]> {
    if (this.#panic !== undefined) {
      const message = `APIServer panic'd: ${this.#panic}`;
      return { metadata: {}, status: "Failure", message, reason: "InternalError", code: 500 };
    }
    if (this.#code === undefined) return closedEarly;
    const { status, message, reason, details } = this.#status ?? {};
    return {
      metadata: {},
      ...(status === undefined ? {} : { status }),
      ...(message ? { message } : {}),
      ...(reason ? { reason } : {}),
      ...(details === undefined ? {} : { details }),
      code: this.#code,
    };
  }
}

function isStatus(object: KubeObject | Status): object is Status {
  return object.kind === "Status";
}

function byKey([left]: readonly [string, string], [right]: readonly [string, string]): number {
  return left < right ? -1 : 1;
}

/** What is empty is left out, as Go does. */
function referenceOf(attributes: AuditAttributes): AuditObjectReference | undefined {
  if (attributes.path !== undefined) return undefined;
  const { resource, namespace, name, group, version, subresource } = attributes;
  return {
    ...(resource ? { resource } : {}),
    ...(namespace ? { namespace } : {}),
    ...(name ? { name } : {}),
    ...(group ? { apiGroup: group } : {}),
    ...(version ? { apiVersion: version } : {}),
    ...(subresource ? { subresource } : {}),
  };
}

function userOf(user: UserInfo | undefined): Partial<UserInfo> {
  if (user === undefined) return {};
  const { username, uid, groups, extra = {} } = user;
  return {
    ...(username === "" ? {} : { username }),
    ...(uid ? { uid } : {}),
    ...(groups.length === 0 ? {} : { groups }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

function cutAgent(agent: string): string {
  return agent.length > maxUserAgentLength ? `${agent.slice(0, maxUserAgentLength)}...TRUNCATED` : agent;
}
