import type { AllocationResult, Node, Pod, ResourceClaim } from "../../api/index.js";
import { canBeReserved, isReservedFor } from "../../api/pod-claims.js";
import { allocate } from "../devices/allocator.js";
import { claimsOf, missingClaim } from "../devices/claims.js";
import { devicePools, devicesOn } from "../devices/device-pools.js";
import { DeviceSelectors, SelectorError } from "../devices/device-selectors.js";
import { writeAllocation } from "../devices/write-allocation.js";
import type { ClusterListers } from "../framework/listers.js";
import { type Cycle, type Rejection, type SchedulingPolicy, unresolvable, type Verdict } from "../framework/policy.js";
import { anyTerm } from "./node-selector.js";

const name = "DynamicResources";
const notHere = { reasons: ["resourceclaim not available on the node"] };
const noDevices = { reasons: ["cannot allocate all claims"] };

/** What is the same for all nodes of a cycle. */
interface Surroundings {
  readonly claims: readonly ResourceClaim[];
  readonly pools: ReturnType<typeof devicePools>;
  readonly taken: ReadonlySet<string>;
}

/** Finds devices for the resource claims of pods, and reserves them. Does not allocate for extended resources. */
export function dynamicResources(): SchedulingPolicy {
  const selectors = new DeviceSelectors();
  /** Allocations of pods that are being bound, by the claim's uid, until the API has them. */
  const promised = new Map<string, AllocationResult>();
  const hasClaims = (pod: Pod): boolean => (pod.spec?.resourceClaims ?? []).length > 0;
  const around = (pod: Pod, { snapshot: { listers }, state }: Cycle): Surroundings | Rejection => {
    const known = state.get(name) as Surroundings | undefined;
    if (known !== undefined) return known;
    const claims = claimsOf(pod, listers);
    if ("reasons" in claims) return claims;
    const found = {
      claims,
      pools: devicePools(listers.resourceSlices.list()),
      taken: takenDevices(listers, promised),
    };
    state.set(name, found);
    return found;
  };
  const onNode = (pod: Pod, node: Node, cycle: Cycle): ReadonlyMap<string, AllocationResult> | Rejection => {
    const surroundings = around(pod, cycle);
    return "reasons" in surroundings ? surroundings : plan(node, surroundings, cycle.snapshot.listers, selectors);
  };
  return {
    name,
    preEnqueue(pod) {
      return hasClaims(pod) && missingClaim(pod) ? unresolvable(missing(pod)) : undefined;
    },
    preFilter(pod, cycle) {
      if (!hasClaims(pod)) return { skip: true };
      const surroundings = around(pod, cycle);
      if ("reasons" in surroundings) return surroundings;
      return checked(pod, surroundings.claims, cycle.snapshot.listers, promised);
    },
    filter(pod, { node }, cycle) {
      const planned = onNode(pod, node, cycle);
      return "reasons" in planned ? planned : undefined;
    },
    // Upstream's says so of every pod that it could not help, and its messages carry it.
    postFilter: (pod) => ({ message: hasClaims(pod) ? "still not schedulable" : "no new claims to deallocate" }),
    concerns: hasClaims,
    reserve(pod, { node }, cycle) {
      const planned = onNode(pod, node, cycle);
      if ("reasons" in planned) return planned;
      for (const [uid, allocation] of planned) promised.set(uid, allocation);
      cycle.state.set(`${name}/planned`, planned);
      return undefined;
    },
    unreserve(_pod, _node, { state }) {
      const planned = state.get(`${name}/planned`) as ReadonlyMap<string, AllocationResult> | undefined;
      for (const [uid, allocation] of planned ?? []) if (promised.get(uid) === allocation) promised.delete(uid);
    },
    async preBind(pod, _node, cycle, signal): Promise<Verdict> {
      const surroundings = around(pod, cycle);
      if ("reasons" in surroundings) return surroundings;
      const planned = cycle.state.get(`${name}/planned`) as ReadonlyMap<string, AllocationResult> | undefined;
      for (const claim of surroundings.claims) {
        const allocation = planned?.get(claim.metadata.uid);
        const problem = await writeAllocation(cycle.host?.client, pod, claim, allocation, signal);
        if (problem !== undefined) return problem;
      }
      return undefined;
    },
    requeueWhen: [
      { resource: "ResourceClaim" },
      { resource: "ResourceSlice", actions: ["Add", "Update"] },
      { resource: "DeviceClass", actions: ["Add", "Update"] },
      { resource: "Node", actions: ["Add", "UpdateNodeLabel"] },
      { resource: "UnscheduledPod", actions: ["UpdatePodGeneratedResourceClaim"] },
    ],
    vector: { key: ({ pod }) => (hasClaims(pod) ? undefined : ""), compile: () => undefined },
  };
}

function missing({ metadata }: Pod): string {
  return `pod "${metadata.namespace}/${metadata.name}": ResourceClaim not created yet`;
}

/** What stands in the way on every node. */
function checked(
  pod: Pod,
  claims: readonly ResourceClaim[],
  listers: ClusterListers,
  promised: ReadonlyMap<string, AllocationResult>,
): Verdict {
  for (const claim of claims) {
    const { allocation } = claim.status ?? {};
    if (allocation !== undefined) {
      if (!isReservedFor(claim, pod) && !canBeReserved(claim)) return "resourceclaim in use";
      continue;
    }
    if (promised.has(claim.metadata.uid)) return "resourceclaim is being allocated for another pod";
    for (const { name: request, exactly, firstAvailable = [] } of claim.spec.devices?.requests ?? []) {
      for (const { deviceClassName } of exactly === undefined ? firstAvailable : [exactly]) {
        if (listers.deviceClasses.get(deviceClassName) !== undefined) continue;
        return unresolvable(`request ${request}: device class ${deviceClassName} does not exist`);
      }
    }
  }
  return undefined;
}

/** The new allocations for the claims that have none, by uid. */
function plan(
  node: Node,
  { claims, pools, taken }: Surroundings,
  listers: ClusterListers,
  selectors: DeviceSelectors,
): ReadonlyMap<string, AllocationResult> | Rejection {
  const open: ResourceClaim[] = [];
  for (const claim of claims) {
    const { allocation } = claim.status ?? {};
    if (allocation === undefined) open.push(claim);
    else if (allocation.nodeSelector !== undefined && !anyTerm(allocation.nodeSelector.nodeSelectorTerms)(node)) {
      return notHere;
    }
  }
  if (open.length === 0) return new Map();
  const devices = devicesOn(node, pools);
  const classes = (className: string): ReturnType<typeof listers.deviceClasses.get> =>
    listers.deviceClasses.get(className);
  try {
    const results = allocate(open, { devices, classes, selectors, taken });
    if (results === undefined) return noDevices;
    return new Map(results.map((result, index) => [open[index]?.metadata.uid ?? "", result]));
  } catch (error) {
    if (error instanceof SelectorError) return unresolvable(error.message);
    throw error;
  }
}

/** By `driver/pool/device`. What was promised and has reached the API is forgotten here. */
function takenDevices(listers: ClusterListers, promised: Map<string, AllocationResult>): ReadonlySet<string> {
  const taken = new Set<string>();
  const take = ({ devices }: AllocationResult): void => {
    for (const { driver, pool, device, adminAccess } of devices?.results ?? []) {
      if (adminAccess !== true) taken.add(`${driver}/${pool}/${device}`);
    }
  };
  for (const { metadata, status } of listers.resourceClaims.list()) {
    if (status?.allocation === undefined) continue;
    take(status.allocation);
    promised.delete(metadata.uid);
  }
  for (const allocation of promised.values()) take(allocation);
  return taken;
}
