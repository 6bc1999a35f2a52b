import { type Container, compareQuantities, type Pod, type ResourceRequirements } from "../../api/index.js";
import { containersOf, specOf } from "../pod/containers.js";

type Amounts = { readonly [name: string]: string } | undefined;

/** The part of a pod that a resize changes. */
export interface PodResources {
  /** Of the pod as a whole. */
  readonly pod?: ResourceRequirements | undefined;
  /** By the names of its containers; those that want nothing have an empty one. */
  readonly containers: ReadonlyMap<string, ResourceRequirements>;
}

export const noResources: ResourceRequirements = {};

/** What the pod asks for; ephemeral containers can ask for nothing. */
export function resourcesIn(pod: Pod): PodResources {
  const containers = containersOf(pod).filter(({ role }) => role !== "ephemeral");
  return {
    pod: specOf(pod).resources,
    containers: new Map(containers.map(({ container }) => [container.name, container.resources ?? noResources])),
  };
}

/** The pod as if it asked for these resources; itself where it does. */
export function withResources(pod: Pod, resources: PodResources | undefined): Pod {
  const { spec } = pod;
  if (resources === undefined || spec === undefined) return pod;
  const given = (container: Container): Container => {
    const own = resources.containers.get(container.name);
    return own === undefined || sameResources(own, container.resources) ? container : { ...container, resources: own };
  };
  const containers = spec.containers.map(given);
  const initContainers = spec.initContainers?.map(given);
  const samePod = sameResources(resources.pod, spec.resources);
  const same = (list: readonly Container[] | undefined, old: readonly Container[] | undefined): boolean =>
    (list ?? []).every((container, index) => container === old?.[index]);
  if (samePod && same(containers, spec.containers) && same(initContainers, spec.initContainers)) return pod;
  const { resources: ofPod, ...rest } = spec;
  const kept = samePod ? ofPod : resources.pod;
  return {
    ...pod,
    spec: {
      ...rest,
      containers,
      ...(initContainers === undefined ? {} : { initContainers }),
      ...(kept === undefined ? {} : { resources: kept }),
    },
  };
}

/** The names of what one has more or less of than the other, requested or allowed. */
export function changedResources(
  from: ResourceRequirements | undefined,
  to: ResourceRequirements | undefined,
): ReadonlySet<string> {
  const lists = [
    [from?.requests, to?.requests],
    [from?.limits, to?.limits],
  ] as const;
  const changed = lists.flatMap(([a = {}, b = {}]) =>
    [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => !sameAmount(own(a, name), own(b, name))),
  );
  return new Set(changed);
}

/** Whether both are the same amounts, however they are written. */
export function sameResources(a: ResourceRequirements | undefined, b: ResourceRequirements | undefined): boolean {
  return a === b || changedResources(a, b).size === 0;
}

function sameAmounts(a: Amounts, b: Amounts): boolean {
  return changedResources({ requests: a ?? {} }, { requests: b ?? {} }).size === 0;
}

function sameAmount(a: string | undefined, b: string | undefined): boolean {
  return a === undefined || b === undefined ? a === b : compareQuantities(a, b) === 0;
}

function own(amounts: NonNullable<Amounts>, name: string): string | undefined {
  return Object.hasOwn(amounts, name) ? amounts[name] : undefined;
}

/**
 * What an earlier agent had promised, and what it had applied, as far as the pod's status tells: for a pod that runs here already and
 * of which there is no record.
 */
export function resourcesInStatus(pod: Pod): { readonly allocated: PodResources; readonly actuated: PodResources } {
  const wanted = resourcesIn(pod);
  const { containerStatuses = [], initContainerStatuses = [], resources } = pod.status ?? {};
  const allocated = new Map(wanted.containers);
  const actuated = new Map<string, ResourceRequirements>();
  for (const status of [...initContainerStatuses, ...containerStatuses]) {
    const { name, allocatedResources, resources: actual } = status;
    const asked = wanted.containers.get(name);
    if (asked === undefined || actual === undefined) continue;
    if (status.state?.running !== undefined) actuated.set(name, actual);
    if (allocatedResources === undefined || sameAmounts(allocatedResources, asked.requests)) continue;
    allocated.set(name, { ...asked, requests: allocatedResources, ...(actual.limits && { limits: actual.limits }) });
  }
  return {
    allocated: { pod: wanted.pod, containers: allocated },
    actuated: { pod: resources ?? wanted.pod, containers: actuated },
  };
}
