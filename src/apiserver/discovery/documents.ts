import { createHash } from "node:crypto";
import {
  groupVersionOf,
  type ServedGroup,
  type ServedResource,
  type ServedSubresource,
  type ServedVersion,
} from "./groups.js";

// The documents of legacy discovery, in the field order and with the omissions of upstream: clients keep them on disk by
// their bytes. `apiVersion` is absent from those of the core group, which are older than it.

/** `/api` */
export function apiVersionsDocument(versions: readonly string[], serverAddress: string): object {
  return {
    kind: "APIVersions",
    versions,
    serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress }],
  };
}

/** `/apis` */
export function groupListDocument(groups: readonly ServedGroup[]): object {
  return { kind: "APIGroupList", apiVersion: "v1", groups: groups.filter(({ name }) => name !== "").map(groupFields) };
}

/** `/apis/GROUP` */
export function groupDocument(group: ServedGroup): object {
  return { kind: "APIGroup", apiVersion: "v1", ...groupFields(group) };
}

function groupFields(group: ServedGroup): object {
  const versions = group.versions.map((version) => ({
    groupVersion: groupVersionOf(group, version),
    version: version.version,
  }));
  return { name: group.name, versions, preferredVersion: versions[0] };
}

/** `/api/v1`, `/apis/GROUP/VERSION` */
export function resourceListDocument(group: ServedGroup, version: ServedVersion): object {
  const resources = version.resources.flatMap((resource) => [
    resourceFields(resource),
    ...resource.subresources.map((subresource) =>
      subresourceFields(group.name, version.version, resource, subresource),
    ),
  ]);
  return {
    kind: "APIResourceList",
    ...(group.name === "" ? {} : { apiVersion: "v1" }),
    groupVersion: groupVersionOf(group, version),
    resources,
  };
}

function resourceFields(resource: ServedResource): object {
  const { shortNames, categories, storedAs } = resource;
  return {
    name: resource.resource,
    singularName: resource.singular,
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs: resource.verbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(storedAs === undefined ? {} : { storageVersionHash: storageVersionHash(storedAs) }),
  };
}

function subresourceFields(
  group: string,
  version: string,
  { resource, namespaced }: ServedResource,
  subresource: ServedSubresource,
): object {
  const foreign = subresource.group !== group || subresource.version !== version;
  return {
    name: `${resource}/${subresource.name}`,
    singularName: "",
    namespaced,
    ...(foreign ? { group: subresource.group, version: subresource.version } : {}),
    kind: subresource.kind,
    verbs: subresource.verbs,
  };
}

/** Equal for resources that share a stored form: the first 8 bytes of the SHA-256 of `group/version/kind`. */
export function storageVersionHash(storedAs: string): string {
  return createHash("sha256").update(storedAs).digest().subarray(0, 8).toString("base64");
}

export type AggregatedVersion = "v2" | "v2beta1";

/** All groups with all resources in one document; `/api` has the core group alone, `/apis` the others. */
export function aggregatedDocument(groups: readonly ServedGroup[], version: AggregatedVersion): object {
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: group.name === "" ? {} : { name: group.name },
      versions: group.versions.map((served) => ({
        version: served.version,
        resources: served.resources.map((resource) => aggregatedResource(group.name, served.version, resource)),
        freshness: served.stale ? "Stale" : "Current",
      })),
    })),
  };
}

function aggregatedResource(group: string, version: string, resource: ServedResource): object {
  const { shortNames, categories } = resource;
  const subresources = resource.subresources.map((subresource) => {
    const foreign = subresource.group !== group || subresource.version !== version;
    return {
      subresource: subresource.name,
      responseKind: {
        group: foreign ? subresource.group : "",
        version: foreign ? subresource.version : "",
        kind: subresource.kind,
      },
      verbs: subresource.verbs,
    };
  });
  return {
    resource: resource.resource,
    // Empty means the group and version around it.
    responseKind: { group: "", version: "", kind: resource.kind },
    scope: resource.namespaced ? "Namespaced" : "Cluster",
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  };
}
