import { isStatusError, type JsonObject, type ResourceQuota, resourceQuotas } from "../../api/index.js";
import { parseQuantity, Quantity } from "../../api/quantity.js";
import type { AdmissionPlugin, AdmissionRequest, CacheReader } from "./admission.js";
import { podSpecOf, refuse } from "./objects.js";
import { inScope, type Usage, usageOf } from "./quota-usage.js";

/** Another writer may have taken from the same quota in between: tried again on its newer state. */
const maxAttempts = 10;

export interface ResourceQuotaDeps {
  readonly cache: CacheReader;
  /** Writes a quota's status; rejects with Conflict when the quota has changed since. Gives back the new one. */
  readonly updateStatus: (quota: ResourceQuota) => Promise<ResourceQuota>;
  /** Reads one from the store. */
  readonly live: (namespace: string, name: string) => Promise<ResourceQuota | undefined>;
}

/**
 * Refuses what would use more of a namespace than its quotas allow, and writes down what it lets in before it is made, so
 * that many at once cannot take the same room. What was written down and then not made is given back by the quota controller.
 */
export function resourceQuota(deps: ResourceQuotaDeps): AdmissionPlugin {
  return {
    name: "ResourceQuota",
    handles: (request) =>
      request.namespace !== "" &&
      request.subresource === "" &&
      (request.operation === "CREATE" ||
        (request.operation === "UPDATE" && growing.has(request.resource) && request.group === "")),
    async validate(request) {
      const object = request.object ?? {};
      const quotas = deps.cache
        .list(resourceQuotas, request.namespace)
        .filter((quota) => inScope(quota, request.resource, object));
      if (quotas.length === 0) return;
      const touched = quotas
        .map((quota) => ({ quota, delta: deltaOf(quota, request, object) }))
        .filter(({ quota, delta }) => limited(quota, delta).length > 0 || mustSay(quota, request).length > 0);
      for (const { quota } of touched) confirmSaid(quota, request);
      for (const { quota, delta } of touched) await take(deps, request, quota, delta);
    },
  };
}

/** Kinds whose use can grow by an update. */
const growing: ReadonlySet<string> = new Set(["persistentvolumeclaims", "services", "pods"]);

function deltaOf(quota: ResourceQuota, request: AdmissionRequest, object: JsonObject): Usage {
  const usage = usageOf(request.group, request.resource, object);
  // What comes into a scope by an update is new there.
  if (request.oldObject === undefined || !inScope(quota, request.resource, request.oldObject)) return usage;
  const before = usageOf(request.group, request.resource, request.oldObject);
  const delta = new Map<string, Quantity>();
  for (const [name, amount] of usage) {
    const difference = amount.sub(before.get(name) ?? Quantity.zero);
    if (!difference.isZero) delta.set(name, difference);
  }
  return delta;
}

function limited(quota: ResourceQuota, delta: Usage): readonly string[] {
  const hard = quota.status?.hard ?? {};
  return [...delta.keys()].filter((name) => Object.hasOwn(hard, name)).sort();
}

async function take(
  deps: ResourceQuotaDeps,
  request: AdmissionRequest,
  quota: ResourceQuota,
  delta: Usage,
): Promise<void> {
  let current: ResourceQuota | undefined = quota;
  for (let attempt = 0; attempt < maxAttempts && current !== undefined; attempt++) {
    const next = charged(request, current, delta);
    if (next === undefined || request.dryRun) return;
    try {
      await deps.updateStatus(next);
      return;
    } catch (error) {
      if (!isStatusError(error, "Conflict")) throw error;
      current = await deps.live(request.namespace, quota.metadata.name ?? "");
    }
  }
  if (current !== undefined) throw refuse(request, `quota ${quota.metadata.name} could not be updated`);
}

/** The quota with the delta taken; undefined when nothing changes. Throws 403 when it is too much. */
function charged(request: AdmissionRequest, quota: ResourceQuota, delta: Usage): ResourceQuota | undefined {
  const names = limited(quota, delta);
  if (names.length === 0) return undefined;
  const hard = quota.status?.hard ?? {};
  const used: Record<string, string> = { ...quota.status?.used };
  const exceeded: string[] = [];
  for (const name of names) {
    const asked = delta.get(name) ?? Quantity.zero;
    const total = parseQuantity(used[name] ?? "0").add(asked);
    if (asked.sign > 0 && total.compare(parseQuantity(hard[name] ?? "0")) > 0) exceeded.push(name);
    used[name] = total.toString();
  }
  if (exceeded.length === 0) return { ...quota, status: { ...quota.status, hard, used } };
  const list = (of: (name: string) => string): string => exceeded.map((name) => `${name}=${of(name)}`).join(",");
  throw refuse(
    request,
    `exceeded quota: ${quota.metadata.name}, requested: ${list((name) => `${delta.get(name)}`)}, used: ${list((name) => quota.status?.used?.[name] ?? "0")}, limited: ${list((name) => hard[name] ?? "0")}`,
  );
}

/** What every container must state where a quota limits it: what is not stated cannot be counted. */
const stated: ReadonlyMap<string, readonly ["requests" | "limits", string]> = new Map([
  ["cpu", ["requests", "cpu"]],
  ["memory", ["requests", "memory"]],
  ["requests.cpu", ["requests", "cpu"]],
  ["requests.memory", ["requests", "memory"]],
  ["limits.cpu", ["limits", "cpu"]],
  ["limits.memory", ["limits", "memory"]],
]);

function mustSay(quota: ResourceQuota, request: AdmissionRequest): readonly string[] {
  if (request.resource !== "pods" || request.group !== "" || request.operation !== "CREATE") return [];
  return Object.keys(quota.status?.hard ?? {}).filter((name) => stated.has(name));
}

function confirmSaid(quota: ResourceQuota, request: AdmissionRequest): void {
  const spec = podSpecOf(request.object);
  const problems: string[] = [];
  for (const name of [...mustSay(quota, request)].sort()) {
    const [kind, resource] = stated.get(name) ?? ["requests", name];
    if (Object.hasOwn(spec.resources?.[kind] ?? {}, resource)) continue;
    const silent = [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
      .filter((container) => !Object.hasOwn(container.resources?.[kind] ?? {}, resource))
      .map((container) => container.name);
    if (silent.length > 0) problems.push(`${name} for: ${silent.sort().join(",")}`);
  }
  if (problems.length > 0)
    throw refuse(request, `failed quota: ${quota.metadata.name}: must specify ${problems.join("; ")}`);
}
