import type { PolicyRule } from "../../api/index.js";

/** What of `wanted` the rules of `held` do not allow, broken down to single verbs, groups, resources and names; then joined for reading. */
export function uncoveredRules(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  const missing: PolicyRule[] = [];
  for (const rule of wanted) {
    for (const single of breakdown(rule)) {
      if (!held.some((owner) => covers(owner, single))) missing.push(single);
    }
  }
  return compact(missing);
}

function* breakdown(rule: PolicyRule): Generator<PolicyRule> {
  for (const apiGroup of rule.apiGroups ?? []) {
    for (const resource of rule.resources ?? []) {
      for (const verb of rule.verbs) {
        const single = { apiGroups: [apiGroup], resources: [resource], verbs: [verb] };
        if (!rule.resourceNames?.length) yield single;
        else for (const name of rule.resourceNames) yield { ...single, resourceNames: [name] };
      }
    }
  }
  for (const url of rule.nonResourceURLs ?? [])
    for (const verb of rule.verbs) yield { nonResourceURLs: [url], verbs: [verb] };
}

function covers(owner: PolicyRule, single: PolicyRule): boolean {
  if (!coversAll(owner.verbs, single.verbs)) return false;
  const url = single.nonResourceURLs?.[0];
  if (url !== undefined) return (owner.nonResourceURLs ?? []).some((pattern) => coversPath(pattern, url));
  if (!coversAll(owner.apiGroups ?? [], single.apiGroups ?? [])) return false;
  const resource = single.resources?.[0] ?? "";
  const resources = owner.resources ?? [];
  const slash = resource.indexOf("/");
  const covered =
    resources.includes("*") ||
    resources.includes(resource) ||
    (slash >= 0 && resources.includes(`*${resource.slice(slash)}`));
  if (!covered) return false;
  const names = owner.resourceNames ?? [];
  if (names.length === 0) return true;
  return single.resourceNames?.every((name) => names.includes(name)) === true;
}

function coversAll(owner: readonly string[], wanted: readonly string[]): boolean {
  return owner.includes("*") || wanted.every((value) => owner.includes(value));
}

function coversPath(pattern: string, path: string): boolean {
  if (pattern === path || pattern === "*") return true;
  return pattern.endsWith("*") && path.startsWith(pattern.slice(0, -1));
}

function compact(rules: readonly PolicyRule[]): readonly PolicyRule[] {
  const joined = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const { verbs, ...rest } = rule;
    const key = JSON.stringify(rest);
    const before = joined.get(key);
    joined.set(key, before === undefined ? rule : { ...rest, verbs: [...new Set([...before.verbs, ...verbs])] });
  }
  return [...joined.values()];
}

/** A rule as upstream prints it: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`. */
export function describeRule(rule: PolicyRule): string {
  const parts: string[] = [];
  const put = (name: string, values: readonly string[] | undefined): void => {
    if (values !== undefined && values.length > 0) parts.push(`${name}:${quoteAll(values)}`);
  };
  put("APIGroups", rule.apiGroups);
  put("Resources", rule.resources);
  put("NonResourceURLs", rule.nonResourceURLs);
  put("ResourceNames", rule.resourceNames);
  put("Verbs", rule.verbs);
  return `{${parts.join(", ")}}`;
}

export function quoteAll(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(" ")}]`;
}
