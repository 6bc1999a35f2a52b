import type { PolicyRule } from "../../../api/index.js";

const sets: ReadonlyMap<string, readonly string[]> = new Map([
  ["READ", ["get", "list", "watch"]],
  ["WRITE", ["create", "update", "patch", "delete", "deletecollection"]],
  ["READWRITE", ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"]],
  ["READUPDATE", ["get", "list", "watch", "update", "patch"]],
]);

const groups: ReadonlyMap<string, string> = new Map([
  ["core", ""],
  ["admissionregistration", "admissionregistration.k8s.io"],
  ["apiregistration", "apiregistration.k8s.io"],
  ["authentication", "authentication.k8s.io"],
  ["authorization", "authorization.k8s.io"],
  ["certificates", "certificates.k8s.io"],
  ["coordination", "coordination.k8s.io"],
  ["discovery", "discovery.k8s.io"],
  ["events", "events.k8s.io"],
  ["internal", "internal.apiserver.k8s.io"],
  ["metrics", "metrics.k8s.io"],
  ["custommetrics", "custom.metrics.k8s.io"],
  ["externalmetrics", "external.metrics.k8s.io"],
  ["networking", "networking.k8s.io"],
  ["node", "node.k8s.io"],
  ["rbac", "rbac.authorization.k8s.io"],
  ["resource", "resource.k8s.io"],
  ["storage", "storage.k8s.io"],
  ["storagemigration", "storagemigration.k8s.io"],
]);

/**
 * Reads the short form that the bootstrap tables are written in: `VERBS GROUPS:RESOURCES [#NAMES]` or `VERBS /PATHS`,
 * each a list with commas; groups without their domain, and READ, WRITE, READWRITE, READUPDATE for the usual verbs.
 */
export function parseRule(text: string): PolicyRule {
  const [verbText = "", target = "", names] = text.split(" ");
  const verbs = sets.get(verbText) ?? verbText.split(",");
  if (target.startsWith("/") || target === "path:*") {
    return { nonResourceURLs: target === "path:*" ? ["*"] : target.split(","), verbs };
  }
  const colon = target.indexOf(":");
  const apiGroups = target
    .slice(0, colon)
    .split(",")
    .map((group) => groups.get(group) ?? group);
  return {
    apiGroups,
    ...(names === undefined ? {} : { resourceNames: names.slice(1).split(",") }),
    resources: target.slice(colon + 1).split(","),
    verbs,
  };
}

/** What everybody who tells of events needs. */
export const eventsRule = "create,update,patch core,events:events";
