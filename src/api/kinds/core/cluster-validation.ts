import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { LimitRange, LimitRangeItem, Namespace, Node, ResourceQuota, Taint } from "../../gen/types.js";
import { validateLabelValue } from "../../names.js";
import { compareQuantities, tryParseQuantity } from "../../quantity.js";
import { checkImmutable, checkQualifiedName, type Errors } from "../checks.js";
import { semanticallyEqual } from "../equality.js";
import { checkCidr, cidrFamily } from "../ip.js";
import { entriesOf, type Loose, ownValue } from "../loose.js";
import { checkFinalizerName } from "../object-meta.js";
import { checkQuantity, checkResourceQuantity, isStandardResource } from "./resources-validation.js";

export function validateNamespace(namespace: Loose<Namespace>): readonly FieldError[] {
  const errors: Errors = [];
  namespace.spec?.finalizers?.forEach((finalizer) => {
    checkQualifiedName(errors, "spec.finalizers", finalizer);
    checkFinalizerName(errors, "spec.finalizers", finalizer);
  });
  return errors;
}

export function validateNamespaceStatus(namespace: Loose<Namespace>): readonly FieldError[] {
  const phase = namespace.status?.phase ?? "";
  if (namespace.metadata?.deletionTimestamp === undefined) {
    if (phase === "Active") return [];
    return [invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")];
  }
  if (phase === "Terminating") return [];
  return [invalid("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")];
}

const effects = ["NoExecute", "NoSchedule", "PreferNoSchedule"];

export function validateNode(node: Loose<Node>): readonly FieldError[] {
  const errors: Errors = [];
  checkTaints(errors, "spec.taints", node.spec?.taints ?? []);
  const ranges = node.spec?.podCIDRs ?? [];
  ranges.forEach((range, index) => {
    checkCidr(errors, `spec.podCIDRs[${index}]`, range);
  });
  if (ranges.length > 2 || (ranges.length === 2 && cidrFamily(ranges[0] ?? "") === cidrFamily(ranges[1] ?? ""))) {
    errors.push(invalid("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family"));
  }
  for (const field of ["capacity", "allocatable"] as const) {
    for (const [name, value] of entriesOf(node.status?.[field])) {
      checkQualifiedName(errors, `status.${field}[${name}]`, name);
      checkResourceQuantity(errors, `status.${field}[${name}]`, name, value);
    }
  }
  return errors;
}

function checkTaints(errors: Errors, path: string, taints: readonly Loose<Taint>[]): void {
  const seen = new Set<string>();
  taints.forEach((taint, index) => {
    const at = `${path}[${index}]`;
    const { key = "", value = "", effect = "" } = taint;
    checkQualifiedName(errors, `${at}.key`, key);
    const messages = validateLabelValue(value);
    if (messages.length > 0) errors.push(invalid(`${at}.value`, value, messages.join(";")));
    if (effect === "") errors.push(required(`${at}.effect`));
    else if (!effects.includes(effect)) errors.push(notSupported(`${at}.effect`, effect, effects));
    const pair = `${key}:${effect}`;
    if (seen.has(pair)) {
      errors.push({
        ...duplicate(at, taint),
        message: `Duplicate value: ${JSON.stringify(taint)}: taints must be unique by key and effect pair`,
      });
    }
    seen.add(pair);
  });
}

export function validateNodeUpdate(node: Loose<Node>, old: Loose<Node>): readonly FieldError[] {
  const errors: Errors = [];
  const before = old.spec?.podCIDRs ?? [];
  if (before.length > 0) {
    const now = node.spec?.podCIDRs ?? [];
    if (now.length !== before.length) {
      errors.push(forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'));
    } else if (!semanticallyEqual(now, before)) {
      errors.push(forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'));
    }
  }
  if (old.spec?.providerID && old.spec.providerID !== node.spec?.providerID) {
    errors.push(forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid'));
  }
  const {
    taints: _t,
    unschedulable: _u,
    podCIDR: _c,
    podCIDRs: _cs,
    providerID: _p,
    configSource: _s,
    ...rest
  } = node.spec ?? {};
  const {
    taints: _t2,
    unschedulable: _u2,
    podCIDR: _c2,
    podCIDRs: _cs2,
    providerID: _p2,
    configSource: _s2,
    ...was
  } = old.spec ?? {};
  if (!semanticallyEqual(rest, was)) {
    errors.push(
      forbidden(
        "",
        "node updates may only change labels, taints, or capacity (or configSource, if the DynamicKubeletConfig feature gate is enabled)",
      ),
    );
  }
  return errors;
}

const scopes = [
  "BestEffort",
  "CrossNamespacePodAffinity",
  "NotBestEffort",
  "NotTerminating",
  "PriorityClass",
  "Terminating",
  "VolumeAttributesClass",
];

const podCompute = ["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"];
const claimResources = ["persistentvolumeclaims", "requests.storage"];
const countedResources = [
  ...["configmaps", "ephemeral-storage", "limits.ephemeral-storage", "pods", "replicationcontrollers"],
  ...[
    "requests.ephemeral-storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
  ],
  ...podCompute,
  ...claimResources,
];

/** The well-known resources of which there is nothing within a scope. */
function outOfScope(scope: string, hard: Loose<ResourceQuota["spec"]>): readonly string[] {
  if (!scopes.includes(scope)) return [];
  const counted =
    scope === "BestEffort" ? ["pods"] : scope === "VolumeAttributesClass" ? claimResources : ["pods", ...podCompute];
  const names = entriesOf(hard?.hard).map(([name]) => name);
  return names.filter((name) => countedResources.includes(name) && !counted.includes(name));
}

export function validateResourceQuota(quota: Loose<ResourceQuota>): readonly FieldError[] {
  const errors: Errors = [];
  for (const [name, value] of entriesOf(quota.spec?.hard)) {
    const path = `spec.hard[${name}]`;
    checkQualifiedName(errors, path, name);
    if (!name.includes("/") && !isStandardResource(name)) {
      errors.push(invalid(path, name, "must be a standard resource for quota"));
    }
    checkResourceQuantity(errors, path, name, value);
  }
  const seen = new Set<string>();
  quota.spec?.scopes?.forEach((scope) => {
    if (!scopes.includes(scope)) errors.push(invalid("spec.scopes", quota.spec?.scopes, "unsupported scope"));
    for (const _ of outOfScope(scope, quota.spec)) {
      errors.push(invalid("spec.scopes", quota.spec?.scopes, "unsupported scope applied to resource"));
    }
    seen.add(scope);
  });
  for (const [a, b] of [
    ["BestEffort", "NotBestEffort"],
    ["Terminating", "NotTerminating"],
  ] as const) {
    if (seen.has(a) && seen.has(b)) errors.push(invalid("spec.scopes", quota.spec?.scopes, "conflicting scopes"));
  }
  quota.spec?.scopeSelector?.matchExpressions?.forEach((requirement) => {
    const path = "spec.scopeSelector.matchExpressions";
    const { scopeName = "", operator = "", values = [] } = requirement;
    if (!scopes.includes(scopeName)) errors.push(invalid(`${path}.scopeName`, scopeName, "unsupported scope"));
    for (const _ of outOfScope(scopeName, quota.spec)) {
      errors.push(invalid(path, quota.spec?.scopeSelector, "unsupported scope applied to resource"));
    }
    const exists = operator === "Exists" || operator === "DoesNotExist";
    if (operator !== "In" && operator !== "NotIn" && !exists) {
      errors.push(invalid(`${path}.operator`, operator, "not a valid selector operator"));
    } else if (!exists && values.length === 0) {
      const why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
      errors.push(required(`${path}.values`, why));
    } else if (exists && values.length > 0) {
      const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
      errors.push(invalid(`${path}.values`, values, why));
    }
  });
  return errors;
}

export function validateResourceQuotaUpdate(
  quota: Loose<ResourceQuota>,
  old: Loose<ResourceQuota>,
): readonly FieldError[] {
  const errors: Errors = [];
  const sorted = (list: readonly string[] | undefined): readonly string[] => [...new Set(list)].sort();
  checkImmutable(errors, "spec.scopes", sorted(quota.spec?.scopes), sorted(old.spec?.scopes));
  return errors;
}

const limitTypes = ["Container", "PersistentVolumeClaim", "Pod"];
const limitFields = ["min", "max", "default", "defaultRequest", "maxLimitRequestRatio"] as const;

export function validateLimitRange(range: Loose<LimitRange>): readonly FieldError[] {
  const errors: Errors = [];
  const types = new Set<string>();
  range.spec?.limits?.forEach((item, index) => {
    const at = `spec.limits[${index}]`;
    const type = item.type ?? "";
    if (!type.includes("/") && !limitTypes.includes(type)) {
      errors.push(invalid(`${at}.type`, type, "must be a standard limit type or fully qualified"));
    }
    if (types.has(type)) errors.push(duplicate(`${at}.type`, type));
    types.add(type);
    checkLimitItem(errors, at, item);
  });
  return errors;
}

function checkLimitItem(errors: Errors, path: string, item: Loose<LimitRangeItem>): void {
  const names = new Set<string>();
  for (const field of limitFields) {
    for (const [name, value] of entriesOf(item[field])) {
      names.add(name);
      checkQualifiedName(errors, `${path}.${field}[${name}]`, name);
      checkQuantity(errors, `${path}.${field}[${name}]`, value);
    }
  }
  if (item.type === "Pod") {
    for (const field of ["default", "defaultRequest"] as const) {
      if (Object.keys(item[field] ?? {}).length === 0) continue;
      errors.push(forbidden(`${path}.${field}`, "may not be specified when `type` is 'Pod'"));
    }
  }
  if (item.type === "PersistentVolumeClaim") {
    const [min, max] = [ownValue(item.min, "storage"), ownValue(item.max, "storage")];
    if (min === undefined && max === undefined) {
      errors.push(
        required(`${path}.limits`, "either minimum or maximum storage value is required, but neither was provided"),
      );
    }
  }
  for (const name of names) checkLimitOrder(errors, path, item, name);
}

/** min <= defaultRequest <= default <= max. */
function checkLimitOrder(errors: Errors, path: string, item: Loose<LimitRangeItem>, name: string): void {
  const value = (field: (typeof limitFields)[number]): string | undefined => {
    const text = ownValue(item[field], name);
    return tryParseQuantity(text) === undefined ? undefined : text;
  };
  const ordered = [
    ["min", "max", "min", (low: string, high: string) => `min value ${low} is greater than max value ${high}`],
    [
      "min",
      "defaultRequest",
      "defaultRequest",
      (low: string, high: string) => `min value ${low} is greater than default request value ${high}`,
    ],
    [
      "defaultRequest",
      "max",
      "defaultRequest",
      (low: string, high: string) => `default request value ${low} is greater than max value ${high}`,
    ],
    [
      "defaultRequest",
      "default",
      "defaultRequest",
      (low: string, high: string) => `default request value ${low} is greater than default limit value ${high}`,
    ],
    [
      "min",
      "default",
      "default",
      (low: string, high: string) => `min value ${low} is greater than default value ${high}`,
    ],
    [
      "default",
      "max",
      "default",
      (low: string, high: string) => `default value ${low} is greater than max value ${high}`,
    ],
  ] as const;
  for (const [lower, upper, at, message] of ordered) {
    const low = value(lower);
    const high = value(upper);
    if (low === undefined || high === undefined || compareQuantities(low, high) <= 0) continue;
    errors.push(invalid(`${path}.${at}[${name}]`, at === upper ? high : low, message(low, high)));
  }
  const ratio = value("maxLimitRequestRatio");
  if (ratio !== undefined && compareQuantities(ratio, "1") < 0) {
    errors.push(invalid(`${path}.maxLimitRequestRatio[${name}]`, ratio, `ratio ${ratio} is less than 1`));
  }
}
