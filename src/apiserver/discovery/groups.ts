import { apiVersionOf, type ResourceDescription } from "../../api/index.js";
import { builtinPriority, customPriority, type Priority } from "./priorities.js";

/** What is served, as discovery sees it. */
export interface ServedGroup {
  /** Empty for the core group. */
  readonly name: string;
  /** The preferred one first. */
  readonly versions: readonly ServedVersion[];
}

export interface ServedVersion {
  readonly version: string;
  /** Ordered by plural. */
  readonly resources: readonly ServedResource[];
  /** Not all resources could be learned: of a server behind this one that does not answer. */
  readonly stale: boolean;
  /** Its versionPriority: more comes first. */
  readonly priority: number;
}

export interface ServedResource {
  readonly resource: string;
  readonly kind: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Of the version that is stored; absent for what is not. */
  readonly storedAs?: string;
  /** Ordered by name. */
  readonly subresources: readonly ServedSubresource[];
}

export interface ServedSubresource {
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly verbs: readonly string[];
}

/** Versions of a group that other servers behind this one serve, by APIServices. */
export interface ExtraGroup {
  readonly name: string;
  /** The greatest groupPriorityMinimum of its APIServices; more comes first. */
  readonly priority: number;
  readonly versions: readonly ServedVersion[];
}

/** All groups in the order of discovery: by priority, then by name. The core group is the first. */
export function servedGroups(
  descriptions: Iterable<ResourceDescription>,
  extras: readonly ExtraGroup[] = [],
): readonly ServedGroup[] {
  const versions = new Map<string, Map<string, ServedResource[]>>();
  for (const description of descriptions) {
    const group = versions.get(description.group) ?? new Map<string, ServedResource[]>();
    versions.set(description.group, group);
    const resources = group.get(description.version) ?? [];
    group.set(description.version, resources);
    resources.push(servedResource(description));
  }
  const own = [...versions].map(([name, group]) => ({
    name,
    priority: Math.max(...[...group.keys()].map((version) => priorityOf(name, version).group)),
    versions: [...group].map(([version, resources]) => ({
      version,
      priority: priorityOf(name, version).version,
      resources: resources.sort((a, b) => compareText(a.resource, b.resource)),
      stale: false,
    })),
  }));
  return merge([...extras, ...own])
    .sort((a, b) => b.priority - a.priority || compareText(a.name, b.name))
    .map(({ name, versions: list }) => ({
      name,
      versions: [...list].sort((a, b) => b.priority - a.priority || compareVersions(a.version, b.version)),
    }));
}

function priorityOf(group: string, version: string): Priority {
  return builtinPriority(group, version) ?? customPriority;
}

/** A group may be served here at one version and behind an APIService at another; of one version the first counts, which is that of the APIService. */
function merge(groups: readonly ExtraGroup[]): ExtraGroup[] {
  const byName = new Map<string, ExtraGroup>();
  for (const group of groups) {
    const known = byName.get(group.name);
    const here = known?.versions ?? [];
    const versions = [...here, ...group.versions.filter((more) => !here.some((own) => own.version === more.version))];
    byName.set(group.name, { ...group, priority: Math.max(group.priority, known?.priority ?? 0), versions });
  }
  return [...byName.values()];
}

/** What clients are told that they can do while a definition goes. */
const lastVerbs: readonly string[] = ["delete", "deletecollection", "get", "list", "watch"];

/** Upstream sorts those of built-in resources only. */
function verbsOf({ verbs, custom, terminating }: ResourceDescription): readonly string[] {
  if (custom !== true) return [...verbs].sort();
  return terminating === true ? verbs.filter((verb) => lastVerbs.includes(verb)) : verbs;
}

function servedResource(description: ResourceDescription): ServedResource {
  const { resource, kind, singular, namespaced, shortNames, categories, storage } = description;
  const subresources = [...description.subresources.values()].map((subresource) => ({
    name: subresource.name,
    group: subresource.group,
    version: subresource.version,
    kind: subresource.kind,
    // `connect` says how it is served; clients see the verbs that are authorized.
    verbs: subresource.verbs.filter((verb) => verb !== "connect").sort(),
  }));
  return {
    resource,
    kind,
    singular,
    namespaced,
    verbs: verbsOf(description),
    shortNames,
    categories,
    // What cannot be watched is not kept: reviews, bindings, component statuses.
    ...(description.verbs.includes("watch") ? { storedAs: `${storage.group}/${storage.version}/${kind}` } : {}),
    subresources: description.custom === true ? subresources : subresources.sort((a, b) => compareText(a.name, b.name)),
  };
}

export function groupVersionOf(group: ServedGroup, version: ServedVersion): string {
  return apiVersionOf({ group: group.name, version: version.version });
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const stages = ["alpha", "beta", ""];

/** The better first: v2, v1, v1beta2, v1beta1, v1alpha1, then everything that is no such version, by name. */
export function compareVersions(a: string, b: string): number {
  const left = parseVersion(a);
  const right = parseVersion(b);
  if (left === undefined || right === undefined) {
    return left === right ? compareText(a, b) : left === undefined ? 1 : -1;
  }
  for (let i = 0; i < left.length; i++) {
    const difference = (right[i] ?? 0) - (left[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function parseVersion(version: string): readonly number[] | undefined {
  const match = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(version);
  if (match === null) return undefined;
  const [, major = "0", stage = "", minor = "0"] = match;
  return [stages.indexOf(stage), Number(major), Number(minor)];
}
