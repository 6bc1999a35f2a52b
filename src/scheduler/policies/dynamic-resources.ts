import { parseDurationMs } from "../../api/duration.js";
import type { AllocationResult, Node, Pod, ResourceClaim } from "../../api/index.js";
import { canBeReserved, isReservedFor } from "../../api/pod-claims.js";
import { type Clock, sleep, timestamp } from "../../internal/clock.js";
import { type Random, systemRandom } from "../../internal/random.js";
import { uuid } from "../../internal/uuid.js";
import { allocate, type TakenDevices } from "../devices/allocator.js";
import { claimsOf, missingClaim } from "../devices/claims.js";
import { type DevicePool, devicePools, devicesOn } from "../devices/device-pools.js";
import { DeviceSelectors, SelectorError } from "../devices/device-selectors.js";
import {
  asksForExtended,
  backedResources,
  claimOfEarlier,
  type ExtendedClaim,
  extendedClaim,
  hasItself,
} from "../devices/extended-resources.js";
import { deadlineOf, hasBindingConditions, readinessOf } from "../devices/readiness.js";
import { takenDevices } from "../devices/taken-devices.js";
import {
  deallocate,
  deleteClaim,
  makeExtendedClaim,
  release,
  tellMappings,
  writeAllocation,
} from "../devices/write-allocation.js";
import type { ClusterListers } from "../framework/listers.js";
import { type Cycle, type Rejection, type SchedulingPolicy, unresolvable, type Verdict } from "../framework/policy.js";
import { scaleByMax } from "../framework/vector.js";
import { anyTerm } from "./node-selector.js";

const name = "DynamicResources";
const notHere = unresolvable("resourceclaim not available on the node");
const noDevices = unresolvable("cannot allocate all claims");
/** So many alternatives a request may have: the first one scores as much. */
const maxAlternatives = 8;

export interface DynamicResourcesArgs {
  /** How long devices may take until they are ready for a pod to be bound, such as `10m`; default 600s. */
  readonly bindingTimeout?: string;
}

/** What is the same for all nodes of a cycle. */
interface Surroundings {
  readonly claims: readonly ResourceClaim[];
  /** Extended resources that devices may stand for, with the class of each. */
  readonly extended: ReadonlyMap<string, string>;
  /** A claim for these that an earlier attempt left. */
  readonly earlier: ResourceClaim | undefined;
  readonly pools: readonly DevicePool[];
  readonly taken: TakenDevices;
}

/** What a pod would get on a node. */
interface Plan {
  /** By the uid of the claim. */
  readonly allocations: ReadonlyMap<string, AllocationResult>;
  /** For the extended resources that the node does not have itself. */
  readonly extended: { readonly claim: ExtendedClaim; readonly allocation: AllocationResult } | undefined;
  /** The claim made for these. */
  made?: ResourceClaim;
}

/** Finds devices for the resource claims of pods, and for their extended resources where classes of devices stand for them. */
export function dynamicResources(args: DynamicResourcesArgs = {}, random: Random = systemRandom): SchedulingPolicy {
  const timeoutMs = args.bindingTimeout === undefined ? 600_000 : parseDurationMs(args.bindingTimeout);
  const selectors = new DeviceSelectors();
  /** Allocations of pods that are being bound, by the claim's uid, until the API has them. */
  const promised = new Map<string, AllocationResult>();
  const hasClaims = (pod: Pod, { deviceClasses }: ClusterListers): boolean =>
    (pod.spec?.resourceClaims ?? []).length > 0 || backedResources(pod, deviceClasses).size > 0;
  /** Its devices will not be ready: they failed, or it has taken too long. */
  const isHopeless = (claim: ResourceClaim, nowMs: number): boolean => {
    const readiness = readinessOf(claim);
    if (readiness === "ready") return false;
    return readiness !== "waiting" || nowMs > (deadlineOf(claim, timeoutMs) ?? Number.POSITIVE_INFINITY);
  };
  const around = (pod: Pod, { snapshot: { listers }, state }: Cycle): Surroundings | Rejection => {
    const known = state.get(name) as Surroundings | undefined;
    if (known !== undefined) return known;
    const claims = claimsOf(pod, listers);
    if ("reasons" in claims) return claims;
    const extended = backedResources(pod, listers.deviceClasses);
    const found: Surroundings = {
      claims,
      extended,
      earlier: extended.size === 0 ? undefined : claimOfEarlier(pod, listers.resourceClaims),
      pools: devicePools(listers.resourceSlices.list()),
      taken: takenDevices(listers, promised),
    };
    state.set(name, found);
    return found;
  };
  const onNode = (pod: Pod, node: Node, cycle: Cycle): Plan | Rejection => {
    const plans = (cycle.state.get(`${name}/plans`) ?? new Map()) as Map<string, Plan | Rejection>;
    cycle.state.set(`${name}/plans`, plans);
    const known = plans.get(node.metadata.name) ?? planFor(pod, node, cycle);
    plans.set(node.metadata.name, known);
    return known;
  };
  const planFor = (pod: Pod, node: Node, cycle: Cycle): Plan | Rejection => {
    const surroundings = around(pod, cycle);
    if ("reasons" in surroundings) return surroundings;
    if (surroundings.earlier !== undefined) return unresolvable("cannot schedule extended resource claim");
    const nowMs = cycle.host?.clock.now();
    if (nowMs !== undefined && surroundings.claims.some((claim) => isHopeless(claim, nowMs))) return notHere;
    const context = { selectors, shareId: () => uuid(random) };
    return plan(pod, node, surroundings, cycle.snapshot.listers, context);
  };
  return {
    name,
    preEnqueue(pod) {
      return missingClaim(pod) ? unresolvable(missing(pod)) : undefined;
    },
    preFilter(pod, cycle) {
      if (!hasClaims(pod, cycle.snapshot.listers)) return { skip: true };
      const surroundings = around(pod, cycle);
      if ("reasons" in surroundings) return surroundings;
      return checked(pod, surroundings.claims, cycle.snapshot.listers, promised);
    },
    filter(pod, { node }, cycle) {
      const planned = onNode(pod, node, cycle);
      return "reasons" in planned ? planned : undefined;
    },
    postFilter(pod, _failure, cycle) {
      // Upstream's says so of every pod that it could not help, and its messages carry it.
      if (!hasClaims(pod, cycle.snapshot.listers)) return { message: "no new claims to deallocate" };
      const { host, dryRun } = cycle;
      if (host === undefined || dryRun) return { message: "still not schedulable" };
      const earlier = claimOfEarlier(pod, cycle.snapshot.listers.resourceClaims);
      if (earlier !== undefined) {
        deleteClaim(host.client, earlier).catch(() => {});
        return { message: "deletion of ResourceClaim completed" };
      }
      const claim = obstacle(pod, cycle, (one) => isHopeless(one, host.clock.now()));
      if (claim === undefined) return { message: "still not schedulable" };
      // Told by the claim's update when it has worked; else the next attempt tries again.
      deallocate(host.client, claim).catch(() => {});
      return { message: "deallocation of ResourceClaim completed" };
    },
    score(pod, { node }, cycle) {
      const planned = onNode(pod, node, cycle);
      const surroundings = around(pod, cycle);
      if ("reasons" in planned || "reasons" in surroundings) return 0;
      return surroundings.claims.reduce(
        (sum, claim) => sum + preference(claim, planned.allocations.get(claim.metadata.uid)),
        0,
      );
    },
    normalizeScore(_pod, scores) {
      const scaled = [...scores];
      scaleByMax(false)(scaled);
      return scaled;
    },
    concerns: (pod) => (pod.spec?.resourceClaims ?? []).length > 0 || asksForExtended(pod),
    reserve(pod, { node }, cycle) {
      const planned = onNode(pod, node, cycle);
      if ("reasons" in planned) return planned;
      for (const [uid, allocation] of planned.allocations) promised.set(uid, allocation);
      if (planned.extended !== undefined) promised.set(pod.metadata.uid, planned.extended.allocation);
      cycle.state.set(`${name}/planned`, planned);
      return undefined;
    },
    unreserve(pod, _node, { state, host, snapshot }) {
      const planned = state.get(`${name}/planned`) as Plan | undefined;
      if (planned === undefined) return;
      const claims = claimsOf(pod, snapshot.listers);
      if (host !== undefined && !("reasons" in claims)) {
        // The next attempt finds what is left of it.
        for (const claim of claims) if (isReservedFor(claim, pod)) release(host.client, pod, claim).catch(() => {});
      }
      for (const [uid, allocation] of planned.allocations) {
        if (promised.get(uid) === allocation) promised.delete(uid);
      }
      promised.delete(pod.metadata.uid);
      if (planned.made === undefined || host === undefined) return;
      promised.delete(planned.made.metadata.uid);
      deleteClaim(host.client, planned.made).catch(() => {});
    },
    async preBind(pod, _node, cycle, signal): Promise<Verdict> {
      const surroundings = around(pod, cycle);
      if ("reasons" in surroundings) return surroundings;
      const planned = cycle.state.get(`${name}/planned`) as Plan | undefined;
      const { host } = cycle;
      if (host === undefined) return undefined;
      const unready: ResourceClaim[] = [];
      const { extended } = planned ?? {};
      if (planned !== undefined && extended !== undefined) {
        const made = await makeExtendedClaim(host.client, pod, extended.claim, signal);
        planned.made = made;
        promised.set(made.metadata.uid, extended.allocation);
        promised.delete(pod.metadata.uid);
        const allocation = { ...extended.allocation, allocationTimestamp: timestamp(host.clock) };
        const problem = await writeAllocation(host.client, pod, made, allocation, signal);
        if (problem !== undefined) return problem;
        await tellMappings(host.client, pod, made, extended.claim, signal);
        if (hasBindingConditions(allocation)) unready.push(made);
      }
      for (const claim of surroundings.claims) {
        const found = planned?.allocations.get(claim.metadata.uid);
        const allocation = found && { ...found, allocationTimestamp: timestamp(host.clock) };
        const problem = await writeAllocation(host.client, pod, claim, allocation, signal);
        if (problem !== undefined) return problem;
      }
      for (const claim of surroundings.claims) {
        const allocation = planned?.allocations.get(claim.metadata.uid) ?? claim.status?.allocation;
        if (hasBindingConditions(allocation)) unready.push(claim);
      }
      return await ready(unready, cycle.snapshot.listers, host.clock, timeoutMs, signal);
    },
    requeueWhen: [
      { resource: "ResourceClaim" },
      { resource: "ResourceSlice", actions: ["Add", "Update"] },
      { resource: "DeviceClass", actions: ["Add", "Update"] },
      { resource: "Node", actions: ["Add", "UpdateNodeLabel"] },
      { resource: "UnscheduledPod", actions: ["UpdatePodGeneratedResourceClaim"] },
    ],
    vector: {
      key: ({ pod }, { table }) => (hasClaims(pod, table.listers) ? undefined : ""),
      compile: () => undefined,
    },
  };
}

/** The earlier the alternatives are that were chosen for the claim, the better. */
function preference({ spec }: ResourceClaim, allocation: AllocationResult | undefined): number {
  const chosen = new Set((allocation?.devices?.results ?? []).map(({ request }) => request));
  let score = 0;
  for (const { name: request, firstAvailable = [] } of spec.devices?.requests ?? []) {
    firstAvailable.forEach((alternative, index) => {
      if (chosen.has(`${request}/${alternative.name}`)) score += maxAlternatives - index;
    });
  }
  return score;
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

/** A claim that nobody else uses, whose allocation keeps the pod from some nodes or from all. */
function obstacle(
  pod: Pod,
  { snapshot }: Cycle,
  isHopeless: (claim: ResourceClaim) => boolean,
): ResourceClaim | undefined {
  const claims = claimsOf(pod, snapshot.listers);
  if ("reasons" in claims) return undefined;
  return claims.find((claim) => {
    const { allocation, reservedFor = [] } = claim.status ?? {};
    if (allocation === undefined || reservedFor.length > (isReservedFor(claim, pod) ? 1 : 0)) return false;
    const { nodeSelector } = allocation;
    if (nodeSelector === undefined) return isHopeless(claim);
    const suits = anyTerm(nodeSelector.nodeSelectorTerms);
    return isHopeless(claim) || snapshot.nodes.some(({ node }) => !suits(node));
  });
}

/** Resolves when all devices that have to be are ready for a pod. */
async function ready(
  claims: readonly ResourceClaim[],
  listers: ClusterListers,
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Verdict> {
  const began = clock.now();
  for (const { metadata } of claims) {
    for (;;) {
      const claim = listers.resourceClaims.get(`${metadata.namespace}/${metadata.name}`);
      if (claim?.metadata.uid !== metadata.uid) return `resourceclaim ${JSON.stringify(metadata.name)} not found`;
      // What has just been written may not be seen here yet.
      const readiness = claim.status?.allocation === undefined ? "waiting" : readinessOf(claim);
      if (readiness === "ready") break;
      if (readiness !== "waiting") return `claim ${metadata.name} binding failed: ${readiness.failed}`;
      if (clock.now() >= (deadlineOf(claim, timeoutMs) ?? began + timeoutMs)) return "device binding timeout";
      await sleep(clock, 100, signal);
      if (signal.aborted) return "the scheduler is stopping";
    }
  }
  return undefined;
}

/** The new allocations for the claims that have none, and for extended resources that the node has none of. */
function plan(
  pod: Pod,
  node: Node,
  { claims, extended, pools, taken }: Surroundings,
  listers: ClusterListers,
  context: { readonly selectors: DeviceSelectors; readonly shareId: () => string },
): Plan | Rejection {
  const open: ResourceClaim[] = [];
  for (const claim of claims) {
    const { allocation } = claim.status ?? {};
    if (allocation === undefined) open.push(claim);
    else if (allocation.nodeSelector !== undefined && !anyTerm(allocation.nodeSelector.nodeSelectorTerms)(node)) {
      return notHere;
    }
  }
  const lacking = new Map([...extended].filter(([resource]) => !hasItself(node, resource)));
  const claim = lacking.size === 0 ? undefined : extendedClaim(pod, lacking);
  if (claim !== undefined) {
    const { uid, namespace } = pod.metadata;
    const metadata = { name: "", namespace: namespace ?? "", uid, resourceVersion: "", creationTimestamp: "" };
    const { requests } = claim;
    open.push({ apiVersion: "resource.k8s.io/v1", kind: "ResourceClaim", metadata, spec: { devices: { requests } } });
  }
  if (open.length === 0) return { allocations: new Map(), extended: undefined };
  const devices = devicesOn(node, pools);
  const classes = (className: string): ReturnType<typeof listers.deviceClasses.get> =>
    listers.deviceClasses.get(className);
  try {
    const results = allocate(open, { ...context, devices, classes, taken, nodeName: node.metadata.name });
    if (results === undefined) return noDevices;
    const allocations = new Map(results.map((result, index) => [open[index]?.metadata.uid ?? "", result]));
    const allocation = allocations.get(pod.metadata.uid);
    allocations.delete(pod.metadata.uid);
    return {
      allocations,
      extended: claim === undefined || allocation === undefined ? undefined : { claim, allocation },
    };
  } catch (error) {
    if (error instanceof SelectorError) return unresolvable(error.message);
    throw error;
  }
}
