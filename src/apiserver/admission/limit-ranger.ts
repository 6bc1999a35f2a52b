import { type JsonObject, type LimitRange, limitRanges, type PersistentVolumeClaim } from "../../api/index.js";
import { compareQuantities, parseQuantity, quantityMilliValue } from "../../api/quantity.js";
import type { AdmissionPlugin, AdmissionRequest, CacheReader } from "./admission.js";
import { metadataOf, type PodSpecLike, podSpecOf, refuse, specOf, withMetadata, withSpec } from "./objects.js";
import { podRequests } from "./pod-resources.js";

type Item = NonNullable<NonNullable<LimitRange["spec"]>["limits"]>[number];
type Container = NonNullable<PodSpecLike["containers"]>[number];
type Amounts = { readonly [resource: string]: string };

const annotation = "kubernetes.io/limit-ranger";

/** Gives containers the namespace's default requests and limits, and refuses what is outside of its bounds. */
export function limitRanger(deps: { readonly cache: CacheReader }): AdmissionPlugin {
  const itemsOf = (request: AdmissionRequest): readonly Item[] =>
    deps.cache.list(limitRanges, request.namespace).flatMap((range) => range.spec?.limits ?? []);
  return {
    name: "LimitRanger",
    handles: (request) =>
      request.group === "" &&
      request.subresource === "" &&
      (request.operation === "CREATE" || request.operation === "UPDATE") &&
      (request.resource === "pods" || request.resource === "persistentvolumeclaims"),
    admit(request) {
      const object = request.object ?? {};
      if (request.resource !== "pods" || request.operation !== "CREATE") return object;
      const defaults = itemsOf(request).filter((item) => item.type === "Container");
      return defaults.length === 0 ? object : withDefaults(object, defaults);
    },
    validate(request) {
      // What runs already is not measured again, but for claims, which may grow.
      if (request.resource === "pods" && request.operation === "UPDATE") return;
      const items = itemsOf(request);
      if (items.length === 0) return;
      const problems =
        request.resource === "pods" ? podProblems(podSpecOf(request.object), items) : claimProblems(request, items);
      if (problems.length === 0) return;
      const unique = [...new Set(problems)];
      throw refuse(request, unique.length === 1 ? (unique[0] ?? "") : `[${unique.join(", ")}]`);
    },
  };
}

function withDefaults(object: JsonObject, items: readonly Item[]): JsonObject {
  const spec = podSpecOf(object);
  const requests: Record<string, string> = {};
  const limits: Record<string, string> = {};
  for (const item of items) {
    for (const [name, value] of Object.entries(item.defaultRequest ?? {})) requests[name] ??= value;
    for (const [name, value] of Object.entries(item.default ?? {})) limits[name] ??= value;
  }
  const notes: string[] = [];
  const fill = (container: Container, kind: string): Container => {
    const has = container.resources ?? {};
    const setRequests = missing(requests, has.requests);
    const setLimits = missing(limits, has.limits);
    note(notes, Object.keys(setRequests), "request", kind, container.name);
    note(notes, Object.keys(setLimits), "limit", kind, container.name);
    if (Object.keys(setRequests).length + Object.keys(setLimits).length === 0) return container;
    return {
      ...container,
      resources: {
        ...has,
        ...merged("requests", has.requests, setRequests),
        ...merged("limits", has.limits, setLimits),
      },
    };
  };
  const containers = (spec.containers ?? []).map((container) => fill(container, "container"));
  const initContainers = spec.initContainers?.map((container) => fill(container, "init container"));
  if (notes.length === 0) return object;
  const filled = withSpec(object, { containers, ...(initContainers === undefined ? {} : { initContainers }) });
  const annotations = {
    ...metadataOf(object).annotations,
    [annotation]: `LimitRanger plugin set: ${notes.join("; ")}`,
  };
  return withMetadata(filled, { annotations });
}

function missing(defaults: Amounts, present: Amounts | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => !Object.hasOwn(present ?? {}, name)));
}

function merged(key: string, present: Amounts | undefined, added: Amounts): Record<string, Amounts> {
  return Object.keys(added).length === 0 ? {} : { [key]: { ...present, ...added } };
}

function note(notes: string[], names: readonly string[], what: string, kind: string, container: string): void {
  if (names.length > 0) notes.push(`${[...names].sort().join(", ")} ${what} for ${kind} ${container}`);
}

function podProblems(spec: PodSpecLike, items: readonly Item[]): readonly string[] {
  const problems: string[] = [];
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  for (const item of items) {
    if (item.type === "Container") {
      for (const container of containers)
        check(item, container.resources?.requests, container.resources?.limits, problems);
    } else if (item.type === "Pod") {
      check(item, podRequests(spec, "requests"), podRequests(spec, "limits"), problems);
    }
  }
  return problems;
}

function claimProblems(request: AdmissionRequest, items: readonly Item[]): readonly string[] {
  const problems: string[] = [];
  const { requests = {} } = specOf<PersistentVolumeClaim>(request.object).resources ?? {};
  for (const { type, min = {}, max = {} } of items) {
    if (type !== "PersistentVolumeClaim") continue;
    // What a claim is limited to is what it asks for.
    check({ type, min }, requests, {}, problems);
    for (const [name, most] of Object.entries(max)) {
      const say = `maximum ${name} usage per ${type} is ${most}`;
      const asked = own(requests, name);
      if (asked === undefined) problems.push(`${say}.  No request is specified`);
      else if (compareQuantities(asked, most) > 0) problems.push(`${say}, but request is ${asked}`);
    }
  }
  return problems;
}

function check(item: Item, requests: Amounts = {}, limits: Amounts = {}, problems: string[]): void {
  for (const [name, least] of Object.entries(item.min ?? {})) {
    const say = `minimum ${name} usage per ${item.type} is ${least}`;
    const request = own(requests, name);
    const limit = own(limits, name);
    if (request === undefined) problems.push(`${say}.  No request is specified`);
    else if (compareQuantities(request, least) < 0) problems.push(`${say}, but request is ${request}`);
    if (limit !== undefined && compareQuantities(limit, least) < 0) problems.push(`${say}, but limit is ${limit}`);
  }
  for (const [name, most] of Object.entries(item.max ?? {})) {
    const say = `maximum ${name} usage per ${item.type} is ${most}`;
    const request = own(requests, name);
    const limit = own(limits, name);
    if (limit === undefined) problems.push(`${say}.  No limit is specified`);
    else if (compareQuantities(limit, most) > 0) problems.push(`${say}, but limit is ${limit}`);
    if (request !== undefined && compareQuantities(request, most) > 0)
      problems.push(`${say}, but request is ${request}`);
  }
  for (const [name, ratio] of Object.entries(item.maxLimitRequestRatio ?? {}))
    checkRatio(item, name, ratio, requests, limits, problems);
}

function checkRatio(
  item: Item,
  name: string,
  ratio: string,
  requests: Amounts,
  limits: Amounts,
  problems: string[],
): void {
  const request = own(requests, name);
  const limit = own(limits, name);
  const say = `${name} max limit to request ratio per ${item.type} is ${ratio}`;
  if (request === undefined || quantityMilliValue(request) === 0) {
    problems.push(`${say}, but no request is specified or request is 0`);
  } else if (limit === undefined || quantityMilliValue(limit) === 0) {
    problems.push(`${say}, but no limit is specified or limit is 0`);
  } else {
    const actual = quantityMilliValue(limit) / quantityMilliValue(request);
    if (actual > quantityMilliValue(ratio) / 1000) problems.push(`${say}, but provided ratio is ${actual.toFixed(6)}`);
  }
}

function own(amounts: Amounts, name: string): string | undefined {
  if (!Object.hasOwn(amounts, name)) return undefined;
  const value = amounts[name];
  return value === undefined ? undefined : parseQuantity(value).toString();
}
