import type { PolicyRule } from "../../api/index.js";
import type { AuthorizationAttributes } from "./authorizer.js";

const none: readonly string[] = [];

/** Whether a rule allows what is asked. */
export function ruleAllows(rule: PolicyRule, asked: AuthorizationAttributes): boolean {
  if (!includes(rule.verbs, asked.verb)) return false;
  if (asked.path !== undefined) return pathMatches(rule.nonResourceURLs ?? none, asked.path);
  return (
    includes(rule.apiGroups ?? none, asked.group ?? "") &&
    resourceMatches(rule.resources ?? none, asked.resource ?? "", asked.subresource ?? "") &&
    nameMatches(rule.resourceNames ?? none, asked.name ?? "")
  );
}

function includes(values: readonly string[], wanted: string): boolean {
  return values.includes(wanted) || values.includes("*");
}

function resourceMatches(resources: readonly string[], resource: string, subresource: string): boolean {
  for (const candidate of resources) {
    if (candidate === "*") return true;
    if (subresource === "") {
      if (candidate === resource) return true;
      continue;
    }
    if (candidate.length === resource.length + subresource.length + 1 && candidate === `${resource}/${subresource}`) {
      return true;
    }
    if (candidate.startsWith("*/") && candidate.slice(2) === subresource) return true;
  }
  return false;
}

function nameMatches(names: readonly string[], name: string): boolean {
  return names.length === 0 || names.includes(name);
}

function pathMatches(patterns: readonly string[], path: string): boolean {
  return patterns.some(
    (pattern) =>
      pattern === "*" || pattern === path || (pattern.endsWith("*") && path.startsWith(pattern.replace(/\*+$/, ""))),
  );
}
