import type {
  Container,
  ContainerExtendedResourceRequest,
  DeviceClass,
  DeviceRequest,
  Node,
  Pod,
  ResourceClaim,
} from "../../api/index.js";
import { isExtendedResource } from "../../api/kinds/core/resource-names.js";
import type { ObjectLister } from "../framework/listers.js";
import { amountOf } from "../framework/resources.js";

/** By this name every class can be asked for without being configured. */
const implicitPrefix = "deviceclass.resource.kubernetes.io/";
/** Marks claims that were made for the extended resources of a pod. */
export const extendedClaimAnnotation = "resource.kubernetes.io/extended-resource-claim";

/** Whether devices of a class may stand behind the resource. */
export function mayBeBacked(resource: string): boolean {
  return resource.includes("/") && (resource.startsWith(implicitPrefix) || isExtendedResource(resource));
}

/** The class whose devices stand behind the resource: of several the newest, then the first by name. */
export function classBehind(resource: string, classes: ObjectLister<DeviceClass>): string | undefined {
  if (!mayBeBacked(resource)) return undefined;
  if (resource.startsWith(implicitPrefix)) {
    const name = resource.slice(implicitPrefix.length);
    if (classes.get(name) !== undefined) return name;
  }
  let found: DeviceClass | undefined;
  for (const one of classes.list()) {
    if (one.spec.extendedResourceName !== resource) continue;
    const [made, foundMade] = [one.metadata.creationTimestamp ?? "", found?.metadata.creationTimestamp ?? ""];
    if (found === undefined || made > foundMade || (made === foundMade && one.metadata.name < found.metadata.name)) {
      found = one;
    }
  }
  return found?.metadata.name;
}

/** Whether the pod asks for anything that devices might stand for, if there are classes for it. */
export function asksForExtended(pod: Pod): boolean {
  return requestedNames(pod).some(mayBeBacked);
}

/** What the pod asks for that devices stand for, with the class of each. */
export function backedResources(pod: Pod, classes: ObjectLister<DeviceClass>): ReadonlyMap<string, string> {
  const backed = new Map<string, string>();
  if (classes.size === 0) return backed;
  for (const resource of requestedNames(pod)) {
    const className = classBehind(resource, classes);
    if (className !== undefined) backed.set(resource, className);
  }
  return backed;
}

/** Whether the node has the resource by itself, as with a device plugin. */
export function hasItself({ status }: Node, resource: string): boolean {
  const { allocatable = {} } = status ?? {};
  return Object.hasOwn(allocatable, resource) && amountOf(resource, allocatable[resource] ?? "0") > 0;
}

function requestedNames({ spec }: Pod): readonly string[] {
  const names = new Set<string>();
  for (const containers of [spec?.initContainers, spec?.containers]) {
    for (const { resources } of containers ?? []) {
      for (const [name, amount] of Object.entries(resources?.requests ?? {})) {
        if (name.includes("/") && amountOf(name, amount) > 0) names.add(name);
      }
    }
  }
  return [...names];
}

/** A claim for devices in place of extended resources, and which container gets what of it. */
export interface ExtendedClaim {
  readonly requests: readonly DeviceRequest[];
  readonly mappings: readonly ContainerExtendedResourceRequest[];
}

/**
 * What the pod's containers need of these resources, by name with the class behind each: a request for each container that stays,
 * whose devices init containers before it may use, and one more for what the neediest of these lacks.
 */
export function extendedClaim({ spec }: Pod, resources: ReadonlyMap<string, string>): ExtendedClaim {
  const init = spec?.initContainers ?? [];
  const containers = [...init, ...(spec?.containers ?? [])];
  const passes = (index: number): boolean => index < init.length && containers[index]?.restartPolicy !== "Always";
  const requests: DeviceRequest[] = [];
  const mappings: ContainerExtendedResourceRequest[] = [];
  for (const [resource, className] of [...resources].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const staying = new Map<number, DeviceRequest>();
    const passing: { index: number; needs: number; reused: readonly string[]; lacks: number }[] = [];
    containers.forEach((container, index) => {
      const needs = amountIn(container, resource);
      if (needs > 0 && !passes(index)) {
        const request = requestOf(container, index, resource, className, needs);
        staying.set(index, request);
        mappings.push({ containerName: container.name, resourceName: resource, requestName: request.name });
      }
    });
    containers.forEach((container, index) => {
      const needs = amountIn(container, resource);
      if (needs === 0 || !passes(index)) return;
      let lacks = needs;
      const reused: string[] = [];
      for (const [position, { name, exactly }] of staying) {
        if (position < index || lacks <= 0) continue;
        reused.push(name);
        lacks -= exactly?.count ?? 0;
      }
      passing.push({ index, needs, reused, lacks: Math.max(0, lacks) });
    });
    const neediest = passing.reduce<(typeof passing)[number] | undefined>(
      (most, one) => (one.lacks > (most?.lacks ?? 0) ? one : most),
      undefined,
    );
    const container = containers[neediest?.index ?? -1];
    const extra =
      neediest === undefined || container === undefined
        ? undefined
        : requestOf(container, neediest.index, resource, className, neediest.lacks);
    if (extra !== undefined) requests.push(extra);
    requests.push(...staying.values());
    for (const { index, reused, lacks } of passing) {
      const names = lacks > 0 && extra !== undefined ? [...reused, extra.name] : reused;
      const containerName = containers[index]?.name ?? "";
      for (const requestName of names) mappings.push({ containerName, resourceName: resource, requestName });
    }
  }
  requests.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { requests, mappings };
}

function requestOf(
  container: Container,
  index: number,
  resource: string,
  deviceClassName: string,
  count: number,
): DeviceRequest {
  const position = Object.keys(container.resources?.requests ?? {})
    .sort()
    .indexOf(resource);
  return {
    name: `container-${index}-request-${position}`,
    exactly: { deviceClassName, allocationMode: "ExactCount", count },
  };
}

function amountIn({ resources }: Container, resource: string): number {
  const requests = resources?.requests ?? {};
  return Object.hasOwn(requests, resource) ? amountOf(resource, requests[resource] ?? "0") : 0;
}

/** The claim that an earlier attempt made for the pod's extended resources. */
export function claimOfEarlier(pod: Pod, claims: ObjectLister<ResourceClaim>): ResourceClaim | undefined {
  const { namespace = "", uid } = pod.metadata;
  for (const claim of claims.list(namespace)) {
    const { annotations = {}, ownerReferences = [] } = claim.metadata;
    if (annotations[extendedClaimAnnotation] !== "true") continue;
    if (ownerReferences.some((owner) => owner.controller === true && owner.uid === uid)) return claim;
  }
  return undefined;
}
