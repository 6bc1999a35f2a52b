import { type AuditEvent, auditApiVersion } from "./event.js";
import type { AuditAttributes } from "./policy-rules.js";

export function makeAttributes(more: Partial<AuditAttributes> = {}): AuditAttributes {
  const place = more.path === undefined ? { group: "", version: "v1", resource: "pods", namespace: "default" } : {};
  return { user: { username: "jane", groups: ["dev"] }, verb: "get", ...place, ...more };
}

export function makeEvent(more: Partial<AuditEvent> = {}): AuditEvent {
  return {
    kind: "Event",
    apiVersion: auditApiVersion,
    level: "Metadata",
    auditID: "id-1",
    stage: "ResponseComplete",
    requestURI: "/api/v1/namespaces/default/pods",
    verb: "list",
    user: { username: "jane", groups: ["dev", "system:authenticated"] },
    sourceIPs: ["192.0.2.7"],
    userAgent: "kubectl/v1.36.0",
    objectRef: { resource: "pods", namespace: "default", apiVersion: "v1" },
    responseStatus: { metadata: {}, code: 200 },
    requestReceivedTimestamp: "2026-01-01T00:00:00.120000Z",
    stageTimestamp: "2026-01-01T00:00:01.000000Z",
    ...more,
  };
}
