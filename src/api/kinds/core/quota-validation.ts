import { type FieldError, invalid, required } from "../../field-error.js";
import type { ResourceQuota } from "../../gen/types.js";
import { type Errors, immutableMessage } from "../checks.js";
import { type Dictionary, entriesOf, type Loose } from "../loose.js";
import { checkQuotaResourceName, checkResourceQuantity, isQuotaResource } from "./resource-names.js";

type QuotaSpec = NonNullable<Loose<ResourceQuota>["spec"]>;

/** What a quota with a scope can limit: pods alone, or pods and what they ask for. Other scopes limit anything. */
const podCount: ReadonlySet<string> = new Set(["pods"]);
const podCompute: ReadonlySet<string> = new Set([
  "pods",
  "cpu",
  "memory",
  "limits.cpu",
  "limits.memory",
  "requests.cpu",
  "requests.memory",
]);
const scopes: ReadonlyMap<string, ReadonlySet<string> | undefined> = new Map([
  ["Terminating", podCompute],
  ["NotTerminating", podCompute],
  ["BestEffort", podCount],
  ["NotBestEffort", podCompute],
  ["PriorityClass", podCompute],
  ["CrossNamespacePodAffinity", podCompute],
  ["VolumeAttributesClass", undefined],
]);
/** Scopes that a pod has or has not: there is nothing to compare. */
const onlyExists = ["BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"];
const contrary = [
  ["BestEffort", "NotBestEffort"],
  ["Terminating", "NotTerminating"],
] as const;

export function validateResourceQuota(quota: Loose<ResourceQuota>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = quota.spec ?? {};
  checkAmounts(errors, "spec.hard", spec.hard);
  checkScopes(errors, "spec.scopes", spec);
  checkScopeSelector(errors, "spec.scopeSelector.matchExpressions", spec);
  return errors;
}

function checkAmounts(errors: Errors, path: string, amounts: Dictionary | undefined): void {
  for (const [name, value] of entriesOf(amounts)) {
    checkQuotaResourceName(errors, `${path}[${name}]`, name);
    checkResourceQuantity(errors, `${path}[${name}]`, name, value);
  }
}

/** The resources that a quota with this scope cannot limit. */
function misfits(spec: QuotaSpec, scope: string): readonly string[] {
  const fitting = scopes.get(scope);
  if (fitting === undefined) return [];
  return entriesOf(spec.hard).flatMap(([name]) => (isQuotaResource(name) && !fitting.has(name) ? [name] : []));
}

function checkScopes(errors: Errors, path: string, spec: QuotaSpec): void {
  const given = spec.scopes ?? [];
  for (const scope of given) {
    if (!scopes.has(scope)) errors.push(invalid(path, given, "unsupported scope"));
    for (const _ of misfits(spec, scope)) errors.push(invalid(path, given, "unsupported scope applied to resource"));
  }
  for (const [a, b] of contrary) {
    if (given.includes(a) && given.includes(b)) errors.push(invalid(path, given, "conflicting scopes"));
  }
}

function checkScopeSelector(errors: Errors, path: string, spec: QuotaSpec): void {
  const seen = new Set<string>();
  for (const { scopeName = "", operator = "", values = [] } of spec.scopeSelector?.matchExpressions ?? []) {
    if (!scopes.has(scopeName)) errors.push(invalid(`${path}.scopeName`, scopeName, "unsupported scope"));
    for (const _ of misfits(spec, scopeName)) {
      errors.push(invalid(path, spec.scopeSelector, "unsupported scope applied to resource"));
    }
    if (onlyExists.includes(scopeName) && operator !== "Exists") {
      const why =
        "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
      errors.push(invalid(`${path}.operator`, operator, why));
    }
    if (operator === "In" || operator === "NotIn") {
      const why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
      if (values.length === 0) errors.push(required(`${path}.values`, why));
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
      if (values.length > 0) errors.push(invalid(`${path}.values`, values, why));
    } else {
      errors.push(invalid(`${path}.operator`, operator, "not a valid selector operator"));
    }
    seen.add(scopeName);
  }
  for (const [a, b] of contrary) {
    if (seen.has(a) && seen.has(b)) errors.push(invalid(path, spec.scopes ?? null, "conflicting scopes"));
  }
}

export function validateResourceQuotaUpdate(
  quota: Loose<ResourceQuota>,
  old: Loose<ResourceQuota>,
): readonly FieldError[] {
  const now = new Set(quota.spec?.scopes);
  const then = new Set(old.spec?.scopes);
  if (now.size === then.size && [...now].every((scope) => then.has(scope))) return [];
  return [invalid("spec.scopes", quota.spec?.scopes ?? null, immutableMessage)];
}

export function validateResourceQuotaStatus(quota: Loose<ResourceQuota>): readonly FieldError[] {
  const errors: Errors = [];
  checkAmounts(errors, "status.hard", quota.status?.hard);
  checkAmounts(errors, "status.used", quota.status?.used);
  return errors;
}
