import { coreEventOf } from "../describe/convert-events.js";
import type { PrinterColumn } from "../description.js";
import type {
  ComponentStatus,
  ConfigMap,
  CoreEvent,
  Lease,
  Namespace,
  Node,
  ResourceQuota,
  RuntimeClass,
  Secret,
  ServiceAccount,
} from "../gen/types.js";
import type { JsonObject } from "../object.js";
import { ageColumn, columns, name, orNone, text, wide } from "./column.js";
import { age } from "./human-duration.js";

const rolePrefix = "node-role.kubernetes.io/";

function nodeStatus(node: Node): string {
  const ready = node.status?.conditions?.find((condition) => condition.type === "Ready");
  const status = ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady";
  return node.spec?.unschedulable ? `${status},SchedulingDisabled` : status;
}

function nodeRoles(node: Node): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) roles.add(key.slice(rolePrefix.length));
    else if (key === "kubernetes.io/role" && value !== "") roles.add(value);
  }
  return orNone([...roles].sort().join(","));
}

function nodeAddress(node: Node, type: string): string {
  return orNone(node.status?.addresses?.find((address) => address.type === type)?.address);
}

const orUnknown = (value: string | undefined): string => value || "<unknown>";

export const nodeColumns: readonly PrinterColumn[] = columns<Node>(
  name,
  text("Status", "Whether the node is ready, and takes pods.", nodeStatus),
  text("Roles", "What the node's labels say it is for.", nodeRoles),
  ageColumn,
  text("Version", "The version of its kubelet.", (node) => node.status?.nodeInfo?.kubeletVersion ?? ""),
  wide("Internal-IP", "Its address within the cluster.", (node) => nodeAddress(node, "InternalIP")),
  wide("External-IP", "Its address outside.", (node) => nodeAddress(node, "ExternalIP")),
  wide("OS-Image", "Its operating system.", (node) => orUnknown(node.status?.nodeInfo?.osImage)),
  wide("Kernel-Version", "Its kernel.", (node) => orUnknown(node.status?.nodeInfo?.kernelVersion)),
  wide("Container-Runtime", "What runs its containers.", (node) =>
    orUnknown(node.status?.nodeInfo?.containerRuntimeVersion),
  ),
);

export const namespaceColumns: readonly PrinterColumn[] = columns<Namespace>(
  name,
  text("Status", "Whether the namespace is in use or being removed.", (namespace) => namespace.status?.phase ?? ""),
  ageColumn,
);

const size = (...maps: readonly (object | undefined)[]): number =>
  maps.reduce((sum, map) => sum + Object.keys(map ?? {}).length, 0);

export const configMapColumns: readonly PrinterColumn[] = columns<ConfigMap>(
  name,
  text("Data", "How many entries it has.", (map) => size(map.data, map.binaryData)),
  ageColumn,
);

export const secretColumns: readonly PrinterColumn[] = columns<Secret>(
  name,
  text("Type", "What the secret is for.", (secret) => secret.type ?? ""),
  text("Data", "How many entries it has.", (secret) => size(secret.data)),
  ageColumn,
);

export const serviceAccountColumns: readonly PrinterColumn[] = columns<ServiceAccount>(
  name,
  text("Secrets", "How many secrets its pods may use.", (account) => account.secrets?.length ?? 0),
  ageColumn,
);

export const componentStatusColumns: readonly PrinterColumn[] = columns<ComponentStatus>(
  name,
  text("Status", "Whether the component is healthy.", (component) => {
    const status = component.conditions?.find((condition) => condition.type === "Healthy")?.status;
    return status === undefined ? "Unknown" : status === "True" ? "Healthy" : "Unhealthy";
  }),
  text("Message", "What it says.", (c) => c.conditions?.find(({ type }) => type === "Healthy")?.message ?? ""),
  text("Error", "What is wrong with it.", (c) => c.conditions?.find(({ type }) => type === "Healthy")?.error ?? ""),
);

function quotaText(quota: ResourceQuota, limits: boolean): string {
  const used = new Map(Object.entries(quota.status?.used ?? {}));
  return Object.entries(quota.status?.hard ?? {})
    .filter(([resource]) => resource.startsWith("limits.") === limits)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([resource, hard]) => `${resource}: ${used.get(resource) ?? "0"}/${hard}`)
    .join(", ");
}

export const resourceQuotaColumns: readonly PrinterColumn[] = columns<ResourceQuota>(
  name,
  text("Request", "What is used and allowed, but for limits.", (quota) => quotaText(quota, false)),
  text("Limit", "What is used and allowed of limits.", (quota) => quotaText(quota, true)),
  ageColumn,
);

export const leaseColumns: readonly PrinterColumn[] = columns<Lease>(
  name,
  text("Holder", "Who holds the lease.", (lease) => lease.spec?.holderIdentity ?? ""),
  ageColumn,
);

export const runtimeClassColumns: readonly PrinterColumn[] = columns<RuntimeClass>(
  name,
  text("Handler", "The runtime's name for the class.", (runtimeClass) => runtimeClass.handler),
  ageColumn,
);

const firstSeen = (event: CoreEvent): string | undefined => event.firstTimestamp ?? event.eventTime ?? undefined;

const lastSeen = (event: CoreEvent): string | undefined =>
  event.series === undefined ? (event.lastTimestamp ?? firstSeen(event)) : event.series.lastObservedTime;

function eventSource(event: CoreEvent): string {
  const component = event.source?.component || event.reportingComponent || "";
  const host = event.source?.host || event.reportingInstance;
  return host ? `${component}, ${host}` : component;
}

export const coreEventColumns: readonly PrinterColumn[] = columns<CoreEvent>(
  text("Last Seen", "The time since it happened last.", (event, nowMs) => age(lastSeen(event), nowMs)),
  text("Type", "Normal or Warning.", (event) => event.type ?? ""),
  text("Reason", "Why, in one word.", (event) => event.reason ?? ""),
  text("Object", "What it is about.", ({ involvedObject }) =>
    involvedObject.name
      ? `${(involvedObject.kind ?? "").toLowerCase()}/${involvedObject.name}`
      : (involvedObject.kind ?? "").toLowerCase(),
  ),
  wide("Subobject", "The part of the object.", (event) => event.involvedObject.fieldPath ?? ""),
  wide("Source", "Who says so.", eventSource),
  text("Message", "What happened.", (event) => (event.message ?? "").trim()),
  wide("First Seen", "The time since it happened first.", (event, nowMs) => age(firstSeen(event), nowMs)),
  wide("Count", "How often it happened.", (event) =>
    event.series === undefined ? event.count || 1 : (event.series.count ?? 0),
  ),
  { ...name, priority: 1 },
);

/** The same cells: an event of events.k8s.io is the same event under other names. */
export const eventColumns: readonly PrinterColumn[] = coreEventColumns.map((column) => ({
  ...column,
  cell: (object: JsonObject, nowMs: number) => column.cell(coreEventOf(object), nowMs),
}));
