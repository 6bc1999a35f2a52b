import {
  type GroupVersionResource,
  type JsonObject,
  type LabelSelector,
  type Labels,
  type NamedRuleWithOperations,
  type Namespace,
  namespaces,
  type Selector,
  statusErrors,
} from "../../api/index.js";
import { selectorFromLabelSelector } from "../../api/labels.js";
import type { AdmissionRequest, CacheReader } from "./admission.js";
import { metadataOf } from "./objects.js";

/** The resource, with its kind, as whose a request is seen. */
export interface MatchedResource extends GroupVersionResource {
  readonly kind: string;
}

export interface MatchCriteria {
  readonly rules: readonly NamedRuleWithOperations[];
  /** Whether every resource matches, without rules. */
  readonly everyResource: boolean;
  readonly excluded: readonly NamedRuleWithOperations[];
  /** Whether requests for the same objects through other groups and versions match too. */
  readonly equivalent: boolean;
  readonly namespaceSelector: Selector;
  readonly objectSelector: Selector;
}

export interface MatchDeps {
  readonly cache: CacheReader;
  /** The same objects' resources in other groups and versions. Absent: none. */
  readonly equivalents?:
    | ((resource: GroupVersionResource, subresource: string) => readonly MatchedResource[])
    | undefined;
  /** Looks in the store where the cache may be behind: another server may just have made it. */
  readonly liveNamespace?: ((name: string) => Promise<Namespace | undefined>) | undefined;
}

/** What a configuration says, with its selectors compiled once. */
export function matchCriteria(from: {
  readonly rules?: readonly NamedRuleWithOperations[] | undefined;
  readonly everyResource?: boolean | undefined;
  readonly excluded?: readonly NamedRuleWithOperations[] | undefined;
  readonly matchPolicy?: string | undefined;
  readonly namespaceSelector?: LabelSelector | undefined;
  readonly objectSelector?: LabelSelector | undefined;
}): MatchCriteria {
  return {
    rules: from.rules ?? [],
    everyResource: from.everyResource === true,
    excluded: from.excluded ?? [],
    equivalent: from.matchPolicy !== "Exact",
    namespaceSelector: selectorFromLabelSelector(from.namespaceSelector ?? {}),
    objectSelector: selectorFromLabelSelector(from.objectSelector ?? {}),
  };
}

/**
 * As which resource a request matches; undefined when it does not. A resource that the rules name outright comes before one that only shares its
 * objects. Errors: NotFound for a namespace that is not there.
 */
export async function matchRequest(
  criteria: MatchCriteria,
  request: AdmissionRequest,
  deps: MatchDeps,
): Promise<MatchedResource | undefined> {
  if (!objectsMatch(criteria.objectSelector, request)) return undefined;
  if (matchRules(criteria.excluded, criteria.equivalent, request, deps) !== undefined) return undefined;
  const matched = criteria.everyResource
    ? ownResource(request)
    : matchRules(criteria.rules, criteria.equivalent, request, deps);
  if (matched === undefined) return undefined;
  return (await namespaceMatches(criteria.namespaceSelector, request, deps)) ? matched : undefined;
}

function matchRules(
  rules: readonly NamedRuleWithOperations[],
  equivalent: boolean,
  request: AdmissionRequest,
  deps: MatchDeps,
): MatchedResource | undefined {
  if (rules.length === 0) return undefined;
  if (rules.some((rule) => ruleMatches(rule, request, request))) return ownResource(request);
  if (!equivalent || deps.equivalents === undefined) return undefined;
  const others = deps.equivalents(request, request.subresource);
  for (const rule of rules) for (const other of others) if (ruleMatches(rule, request, other)) return other;
  return undefined;
}

export function ownResource({ group, version, resource, kind }: AdmissionRequest): MatchedResource {
  return { group, version, resource, kind };
}

function ruleMatches(rule: NamedRuleWithOperations, request: AdmissionRequest, as: GroupVersionResource): boolean {
  const { scope, resourceNames = [] } = rule;
  const namespaced = request.namespace !== "" && !isNamespace(request);
  if (scope === "Namespaced" && !namespaced) return false;
  if (scope === "Cluster" && namespaced) return false;
  return (
    has(rule.operations, request.operation) &&
    has(rule.apiGroups, as.group) &&
    has(rule.apiVersions, as.version) &&
    (rule.resources ?? []).some((pattern) => resourceMatches(pattern, as.resource, request.subresource)) &&
    (resourceNames.length === 0 || resourceNames.includes(request.name))
  );
}

function has(values: readonly string[] | undefined, value: string): boolean {
  return values !== undefined && (values.includes("*") || values.includes(value));
}

function resourceMatches(pattern: string, resource: string, subresource: string): boolean {
  if (pattern === "*/*") return true;
  const [wanted = "", wantedSub = ""] = pattern.split("/");
  return (wanted === "*" || wanted === resource) && (wantedSub === "*" || wantedSub === subresource);
}

/** A namespace that is written is matched by its own labels; what is in none, by every selector. */
async function namespaceMatches(selector: Selector, request: AdmissionRequest, deps: MatchDeps): Promise<boolean> {
  if (selector.empty) return true;
  const own = isNamespace(request);
  if (request.namespace === "" && !own) return true;
  if (own && request.subresource === "" && (request.operation === "CREATE" || request.operation === "UPDATE")) {
    return selector.matches(labelsOf(request.object));
  }
  const found = await namespaceOf(request.namespace, deps);
  return selector.matches(found.metadata.labels ?? {});
}

/** Errors: NotFound. */
export async function namespaceOf(name: string, { cache, liveNamespace }: MatchDeps): Promise<Namespace> {
  const found = cache.get(namespaces, { name }) ?? (await liveNamespace?.(name));
  if (found === undefined) throw statusErrors.notFound({ group: "", resource: "namespaces" }, name);
  return found;
}

export function isNamespace(request: AdmissionRequest): boolean {
  return request.resource === "namespaces" && request.group === "";
}

function objectsMatch(selector: Selector, request: AdmissionRequest): boolean {
  if (selector.empty) return true;
  return [request.object, request.oldObject].some(
    (object) => object !== undefined && selector.matches(labelsOf(object)),
  );
}

function labelsOf(object: JsonObject | undefined): Labels {
  return metadataOf(object).labels ?? {};
}
