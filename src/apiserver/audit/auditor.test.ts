import { describe, expect, it } from "vitest";
import type { Status } from "../../api/index.js";
import { silentLogger } from "../../internal/logger.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { Auditor } from "./auditor.js";
import type { AuditDelivery } from "./backend.js";
import type { AuditEvent } from "./event.js";
import { makeAttributes } from "./fixture.js";
import type { AuditPolicy } from "./policy.js";
import type { AuditAttributes } from "./policy-rules.js";
import type { RequestAudit } from "./request-audit.js";

const notFound: Status = {
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message: "not there",
  reason: "NotFound",
  code: 404,
};

interface Rig {
  readonly auditor: Auditor;
  readonly events: AuditEvent[];
  begin(attributes?: Partial<AuditAttributes>, longRunning?: boolean): RequestAudit;
}

function rig(policy: AuditPolicy, delivery: Partial<AuditDelivery> = {}): Rig {
  const clock = new VirtualClock();
  const events: AuditEvent[] = [];
  const backend = { write: (batch: readonly AuditEvent[]) => void events.push(...batch) };
  const auditor = new Auditor(
    { policy, backends: [{ backend, mode: "blocking", ...delivery }] },
    { clock, logger: silentLogger },
  );
  const begin = (attributes: Partial<AuditAttributes> = {}, longRunning = false): RequestAudit => {
    const audit = auditor.begin({
      auditId: "id-1",
      receivedMs: clock.now(),
      attributes: makeAttributes(attributes),
      requestUri: "/x",
      sourceIps: [],
      userAgent: "a".repeat(1025),
      longRunning,
    });
    if (audit === undefined) throw new Error("nothing is recorded");
    return audit;
  };
  return { auditor, events, begin };
}

const finish = (audit: RequestAudit): void => {
  audit.served();
  audit.closed();
};
const everything = { rules: [{ level: "RequestResponse" as const }] };
const stages = ({ events }: Rig): readonly string[] => events.map(({ stage }) => stage);

describe("the stages of a request", () => {
  it("are its begin and its end", () => {
    const one = rig(everything);
    const audit = one.begin();
    expect(audit.received()).toBe(true);
    audit.started(200);
    audit.served();
    expect(stages(one)).toEqual(["RequestReceived"]);
    audit.closed();
    expect(stages(one)).toEqual(["RequestReceived", "ResponseComplete"]);
    expect(one.events[0]).not.toHaveProperty("responseStatus");
    expect(one.events[1]).toMatchObject({ responseStatus: { metadata: {}, code: 200 }, auditID: "id-1" });
    expect(one.events[0]?.userAgent).toBe(`${"a".repeat(1024)}...TRUNCATED`);
  });

  it("are three of a watch", () => {
    const one = rig(everything);
    const audit = one.begin({ verb: "watch" }, true);
    void audit.received();
    audit.started(200);
    expect(stages(one)).toEqual(["RequestReceived", "ResponseStarted"]);
    finish(audit);
    expect(stages(one)).toEqual(["RequestReceived", "ResponseStarted", "ResponseComplete"]);
  });

  it("are less where the policy says so", () => {
    const one = rig({ ...everything, omitStages: ["RequestReceived"] });
    const audit = one.begin();
    expect(audit.received()).toBe(true);
    finish(audit);
    expect(stages(one)).toEqual(["ResponseComplete"]);
  });

  it("say that a client went before there was an answer", () => {
    const one = rig(everything);
    const audit = one.begin({ verb: "watch" }, true);
    finish(audit);
    expect(stages(one)).toEqual(["ResponseStarted", "ResponseComplete"]);
    expect(one.events[1]?.responseStatus).toEqual({
      metadata: {},
      status: "Success",
      message: "Connection closed early",
      code: 200,
    });
  });

  it("end in Panic where the server failed", () => {
    const one = rig(everything);
    const audit = one.begin();
    audit.panicked(new TypeError("x is undefined"));
    audit.started(500);
    finish(audit);
    expect(one.events.at(-1)).toMatchObject({
      stage: "Panic",
      responseStatus: { code: 500, reason: "InternalError", message: "APIServer panic'd: x is undefined" },
    });
  });

  it("is one where nobody knows who asks", () => {
    const one = rig(everything);
    const audit = one.begin({ user: undefined });
    expect(audit.received()).toBe(true);
    audit.answeredStatus({ ...notFound, reason: "Unauthorized", code: 401 });
    audit.started(401);
    finish(audit);
    expect(stages(one)).toEqual(["ResponseStarted"]);
    expect(one.events[0]).toMatchObject({ user: {}, responseStatus: { reason: "Unauthorized", code: 401 } });
  });
});

describe("what a level records", () => {
  const pod = {
    kind: "Pod",
    metadata: {
      name: "web",
      uid: "u",
      namespace: "other",
      resourceVersion: "7",
      creationTimestamp: "2026-01-01T00:00:00Z",
    },
  };
  it.each([
    ["Metadata", false, false],
    ["Request", true, false],
    ["RequestResponse", true, true],
  ] as const)("%s", (level, request, response) => {
    const one = rig({ rules: [{ level }] });
    const audit = one.begin({ verb: "create" });
    audit.annotate("patch", "p", "Request");
    audit.sent(pod);
    audit.answered({ type: "object", code: 201, object: { apiVersion: "v1", ...pod } });
    audit.started(201);
    finish(audit);
    const [event] = one.events;
    expect(event?.objectRef).toEqual({
      resource: "pods",
      namespace: "default",
      name: "web",
      uid: "u",
      apiVersion: "v1",
      resourceVersion: "7",
    });
    expect(event?.requestObject?.toJSON()).toEqual(request ? pod : undefined);
    expect(event?.responseObject?.toJSON()).toEqual(response ? { apiVersion: "v1", ...pod } : undefined);
    expect(event?.annotations).toEqual(request ? { patch: "p" } : undefined);
  });

  it("keeps a Status whole, at every level", () => {
    const one = rig({ rules: [{ level: "Metadata" }] });
    const audit = one.begin();
    audit.answered({ type: "object", code: 404, object: notFound });
    audit.started(404);
    finish(audit);
    const { kind: _, apiVersion: __, ...status } = notFound;
    expect(one.events[0]?.responseStatus).toEqual(status);
    expect(one.events[0]).not.toHaveProperty("responseObject");
  });

  it("says that an object is missing because it is too large", () => {
    const one = rig(everything);
    const audit = one.begin();
    audit.sentPatch({ data: "x".repeat(4 * 1024 * 1024) });
    finish(audit);
    expect(one.events[0]).toMatchObject({ annotations: { "audit.k8s.io/truncated": "true" } });
    expect(one.events[0]).not.toHaveProperty("requestObject");
  });

  it("has annotations in order, the first value of each", () => {
    const one = rig(everything);
    const audit = one.begin();
    for (const [key, value] of [
      ["b", "1"],
      ["a", "2"],
      ["b", "3"],
      ["__proto__", "4"],
    ] as const)
      audit.annotate(key, value);
    finish(audit);
    expect(JSON.stringify(one.events[0]?.annotations)).toBe('{"__proto__":"4","a":"2","b":"1"}');
  });

  it("counts", () => {
    const one = rig({ rules: [{ level: "Metadata", verbs: ["get"] }] });
    finish(one.begin());
    expect(() => one.begin({ verb: "list" })).toThrow("nothing is recorded");
    const text = one.auditor.metricsText();
    for (const line of [
      'level_total{level="Metadata"} 1',
      'level_total{level="None"} 1',
      "event_total 1",
      "requests_rejected_total 0",
    ])
      expect(text).toContain(`apiserver_audit_${line}\n`);
  });
});

describe("a backend that fails", () => {
  const failing = {
    name: "mine",
    write: (): Promise<void> => Promise.reject(new Error("disk full")),
  };
  const throwing = {
    write: (): void => {
      throw new Error("no");
    },
  };

  it.each([
    ["blocking", failing, true, "mine"],
    ["blocking-strict", failing, false, "mine"],
    ["blocking-strict", throwing, false, "custom"],
    ["batch", failing, true, "mine"],
  ] as const)("in mode %s lets go on: %#", async (mode, backend, expected, plugin) => {
    const one = rig(everything, { backend, mode });
    expect(await one.begin().received()).toBe(expected);
    await one.auditor[Symbol.asyncDispose]();
    expect(one.auditor.metricsText()).toContain(`apiserver_audit_error_total{plugin="${plugin}"} 1\n`);
  });
});

describe("truncation", () => {
  it("takes the objects out of an event that is too large, and loses it where that does not help", () => {
    const one = rig(everything, { truncate: { maxEventSize: 2000 } });
    const audit = one.begin();
    audit.sent({ data: "x".repeat(3000) });
    finish(audit);
    expect(one.events[0]).toMatchObject({ annotations: { "audit.k8s.io/truncated": "true" } });
    const tight = rig(everything, { truncate: { maxEventSize: 100 } });
    finish(tight.begin());
    expect(tight.events).toEqual([]);
    expect(tight.auditor.metricsText()).toContain('apiserver_audit_error_total{plugin="truncate"} 1\n');
  });
});
