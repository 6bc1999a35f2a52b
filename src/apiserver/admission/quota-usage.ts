import type { JsonObject, PersistentVolumeClaim, ResourceQuota, Service } from "../../api/index.js";
import { attributesClassesOf } from "../../api/kinds/core/attributes-classes.js";
import { qosClass } from "../../api/kinds/core/qos.js";
import { parseQuantity, Quantity } from "../../api/quantity.js";
import { metadataOf, podSpecOf, specOf } from "./objects.js";
import { podRequests } from "./pod-resources.js";

/** Amounts by the names of quota resources: `pods`, `requests.cpu`, `count/deployments.apps`. */
export type Usage = ReadonlyMap<string, Quantity>;

const one = Quantity.fromValue(1);
/** Core kinds that are also counted under their bare name. */
const bareCounts: ReadonlySet<string> = new Set([
  "configmaps",
  "persistentvolumeclaims",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "services",
]);
/** Resources of a container that can be limited by their bare names, as requests. */
const bareRequests: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"]);

/** What an object counts for. Pods that are done, and deletions, count for nothing. */
export function usageOf(group: string, resource: string, object: JsonObject): Usage {
  const usage = new Map<string, Quantity>();
  usage.set(group === "" ? `count/${resource}` : `count/${resource}.${group}`, one);
  if (group !== "") return usage;
  if (bareCounts.has(resource)) usage.set(resource, one);
  if (resource === "pods") addPod(usage, object);
  else if (resource === "services") addService(usage, object);
  else if (resource === "persistentvolumeclaims") addClaim(usage, object);
  return usage;
}

function addPod(usage: Map<string, Quantity>, object: JsonObject): void {
  if (isDone(object)) return;
  usage.set("pods", one);
  const spec = podSpecOf(object);
  for (const [name, amount] of Object.entries(podRequests(spec, "requests"))) {
    const quantity = parseQuantity(amount);
    usage.set(`requests.${name}`, quantity);
    if (bareRequests.has(name) || name.startsWith("hugepages-")) usage.set(name, quantity);
  }
  for (const [name, amount] of Object.entries(podRequests(spec, "limits"))) {
    usage.set(`limits.${name}`, parseQuantity(amount));
  }
}

export function isDone(object: JsonObject): boolean {
  const status = object["status"];
  const phase = typeof status === "object" && status !== null && "phase" in status ? status.phase : undefined;
  return phase === "Succeeded" || phase === "Failed";
}

function addService(usage: Map<string, Quantity>, object: JsonObject): void {
  const { type, ports = [], allocateLoadBalancerNodePorts } = specOf<Service>(object);
  const count = Quantity.fromValue(ports.length);
  if (type === "NodePort") usage.set("services.nodeports", count);
  if (type !== "LoadBalancer") return;
  usage.set("services.loadbalancers", one);
  const allocated =
    allocateLoadBalancerNodePorts === false ? ports.filter((port) => port.nodePort).length : ports.length;
  usage.set("services.nodeports", Quantity.fromValue(allocated));
}

function addClaim(usage: Map<string, Quantity>, object: JsonObject): void {
  const spec = specOf<PersistentVolumeClaim>(object);
  const annotated = metadataOf(object).annotations?.["volume.beta.kubernetes.io/storage-class"];
  const storageClass = annotated ?? spec.storageClassName ?? "";
  const asked = spec.resources?.requests?.["storage"];
  if (asked !== undefined) usage.set("requests.storage", parseQuantity(asked));
  if (storageClass === "") return;
  const prefix = `${storageClass}.storageclass.storage.k8s.io/`;
  usage.set(`${prefix}persistentvolumeclaims`, one);
  if (asked !== undefined) usage.set(`${prefix}requests.storage`, parseQuantity(asked));
}

/** Whether a quota is about this object: its scopes, which only pods (and, by class, claims) have. */
export function inScope(quota: ResourceQuota, resource: string, object: JsonObject): boolean {
  const scopes = (quota.spec?.scopes ?? []).map((scopeName) => ({
    scopeName,
    operator: "Exists",
    values: [] as string[],
  }));
  const all = [...scopes, ...(quota.spec?.scopeSelector?.matchExpressions ?? [])];
  return all.every(({ scopeName, operator, values = [] }) => {
    const byClass = scopeName === "VolumeAttributesClass";
    if (resource !== (byClass ? "persistentvolumeclaims" : "pods")) return false;
    const value = scopeValue(scopeName, object);
    const found = byClass
      ? attributesClassesOf(object as Partial<PersistentVolumeClaim>)
      : value === undefined
        ? []
        : [value];
    if (operator === "Exists") return found.length > 0;
    if (operator === "DoesNotExist") return found.length === 0;
    // Where there are several, one that fits is enough.
    return operator === "In"
      ? found.some((one) => values.includes(one))
      : found.length === 0 || found.some((one) => !values.includes(one));
  });
}

/** undefined: the pod is not in that scope. */
function scopeValue(scope: string, object: JsonObject): string | undefined {
  const spec = podSpecOf(object);
  const bestEffort = qosClass(spec) === "BestEffort";
  const terminating = spec.activeDeadlineSeconds !== undefined;
  switch (scope) {
    case "BestEffort":
      return bestEffort ? "" : undefined;
    case "NotBestEffort":
      return bestEffort ? undefined : "";
    case "Terminating":
      return terminating ? "" : undefined;
    case "NotTerminating":
      return terminating ? undefined : "";
    case "PriorityClass":
      return spec.priorityClassName || undefined;
    case "CrossNamespacePodAffinity":
      return crossesNamespaces(spec.affinity) ? "" : undefined;
    default:
      return undefined;
  }
}

function crossesNamespaces(affinity: ReturnType<typeof podSpecOf>["affinity"]): boolean {
  const kinds = [affinity?.podAffinity, affinity?.podAntiAffinity];
  const terms = kinds.flatMap((kind) => [
    ...(kind?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(kind?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => term.podAffinityTerm),
  ]);
  return terms.some((term) => (term.namespaces ?? []).length > 0 || term.namespaceSelector !== undefined);
}
