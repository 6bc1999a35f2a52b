import type { ContainerStatus, Pod, PodCondition, PodStatus, ResourceRequirements } from "../../api/index.js";
import { type ContainerStatusInput, containerStatus, timeOf } from "./container-statuses.js";
import { containersOf, isSidecar, type PodContainer, specOf } from "./containers.js";
import { isTerminalPhase, type PodPhase, podPhase } from "./phase.js";
import { podIps } from "./pod-addresses.js";
import type { ResizeState } from "./pod-record.js";
import { settleInit, settleMain } from "./terminal-statuses.js";

/** The reason of a DisruptionTarget condition that a node sets; others have other reasons. */
export const terminationByKubelet = "TerminationByKubelet";

/** A reason of the node's own for the pod's end: rejected, evicted, past its deadline. */
export interface PodVerdict {
  readonly phase: "Failed" | "Succeeded";
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  /** The node ends the pod for its own sake, and says so in a condition. */
  readonly disruption?: boolean | undefined;
}

export interface PodStatusInput extends ContainerStatusInput {
  readonly nowMs: number;
  readonly startTime: string;
  readonly hostIps: readonly string[];
  /** What was last reported, for the times of transition. */
  readonly previous: PodStatus | undefined;
  readonly verdict?: PodVerdict | undefined;
  readonly resize?: ResizeState | undefined;
  /** Why the node ends the pod for its own sake. */
  readonly disruption?: string | undefined;
  /** What the pod as a whole is held to. */
  readonly actuatedPod?: ResourceRequirements | undefined;
}

/** The status of a pod as the node sees it, from scratch. */
export function podStatus(input: PodStatusInput): PodStatus {
  const { pod, verdict } = input;
  const spec = specOf(pod);
  const all = containersOf(pod);
  const statusesOf = (list: (container: PodContainer) => boolean): ContainerStatus[] =>
    all.filter(list).map((container) => containerStatus(input, container));
  const seenMain = statusesOf(({ role }) => role === "main");
  const seenInit =
    (spec.initContainers ?? []).length === 0 ? [] : statusesOf(({ role }) => role === "init" || role === "sidecar");
  const main = input.terminal ? settleMain(seenMain, seenInit) : seenMain;
  const init = input.terminal ? settleInit(seenInit) : seenInit;
  const ephemeral = (spec.ephemeralContainers ?? []).length === 0 ? [] : statusesOf(({ role }) => role === "ephemeral");
  const phase = verdict?.phase ?? keptPhase(input.previous?.phase) ?? settledPhase(input, main, init);
  const ips = ipsOf(input);
  const { previous } = input;
  const reason = verdict?.reason ?? (isTerminalPhase(previous?.phase) ? previous?.reason : undefined);
  const message = verdict?.message ?? (isTerminalPhase(previous?.phase) ? previous?.message : undefined);
  const rejected = verdict !== undefined && input.state.containers.size === 0;
  return {
    phase,
    conditions: conditionsOf(input, phase, main, init),
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    ...(input.hostIps[0] === undefined ? {} : { hostIP: input.hostIps[0] }),
    ...(input.hostIps[0] === undefined ? {} : { hostIPs: input.hostIps.map((ip) => ({ ip })) }),
    ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    startTime: input.startTime,
    // A pod that was turned away never had containers.
    ...(rejected ? {} : { containerStatuses: main }),
    ...(init.length === 0 || rejected ? {} : { initContainerStatuses: init }),
    ...(ephemeral.length === 0 ? {} : { ephemeralContainerStatuses: ephemeral }),
    ...(spec.resources?.requests === undefined ? {} : { allocatedResources: spec.resources.requests }),
    ...(input.actuatedPod === undefined ? {} : { resources: input.actuatedPod }),
    ...(pod.status?.qosClass === undefined ? {} : { qosClass: pod.status.qosClass }),
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
  };
}

/** A pod is not at its end while a sidecar still runs, whatever its main containers came to. */
function settledPhase(
  input: PodStatusInput,
  main: readonly ContainerStatus[],
  init: readonly ContainerStatus[],
): PodPhase {
  const phase = podPhase(input.pod, main, init, input.terminal);
  if (!isTerminalPhase(phase) || input.terminal) return phase;
  return [...main, ...init].some(({ state }) => state?.running !== undefined) ? "Running" : phase;
}

/** A terminal phase is final. */
function keptPhase(phase: string | undefined): PodPhase | undefined {
  return isTerminalPhase(phase) ? phase : undefined;
}

function ipsOf(input: PodStatusInput): readonly string[] {
  const ips = podIps(input.pod, input.state.sandboxes[0]?.ips ?? [], input.hostIps);
  if (ips.length > 0) return ips;
  // A pod that ended keeps the address it had.
  return isTerminalPhase(input.previous?.phase) || input.terminal
    ? (input.previous?.podIPs ?? []).map(({ ip }) => ip)
    : [];
}

/** As upstream: set as soon as the pod is to end, before it has. */
function disruptionOf({ disruption }: PodStatusInput): [string, Verdict][] {
  if (disruption === undefined) return [];
  return [["DisruptionTarget", { status: true, reason: terminationByKubelet, message: disruption }]];
}

/** Where a resize stands; there is no condition when there is none. */
function resizeConditions({ resize = {} }: PodStatusInput): [string, Verdict][] {
  const { pending, inProgress } = resize;
  const rows: [string, Verdict][] = [];
  if (pending !== undefined) rows.push(["PodResizePending", { status: true, ...pending }]);
  if (inProgress !== undefined) rows.push(["PodResizeInProgress", { status: true, ...inProgress }]);
  return rows;
}

interface Verdict {
  readonly status: boolean;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  /** Of the pod that it is about; absent: the newest. */
  readonly generation?: number | undefined;
}

function conditionsOf(
  input: PodStatusInput,
  phase: PodPhase,
  main: readonly ContainerStatus[],
  init: readonly ContainerStatus[],
): PodCondition[] {
  const { pod, state } = input;
  const sandboxReady = state.sandboxes[0]?.state === "ready";
  const containersReady = containersReadyOf(pod, phase, main, init);
  const own: [string, Verdict][] = [
    ["PodReadyToStartContainers", { status: sandboxReady }],
    ["Initialized", initializedOf(pod, phase, main, init)],
    ["Ready", readyOf(input, phase, containersReady)],
    ["ContainersReady", containersReady],
    ["PodScheduled", { status: true }],
    ...resizeConditions(input),
    ...disruptionOf(input),
  ];
  const previous = input.previous?.conditions ?? [];
  const names = new Set([...own.map(([type]) => type), "PodResizePending", "PodResizeInProgress"]);
  const others = (pod.status?.conditions ?? []).filter(({ type }) => !names.has(type));
  const now = timeOf(input.nowMs);
  return [...own.map(([type, verdict]) => condition(input, type, verdict, previous, now)), ...others];
}

function condition(
  input: PodStatusInput,
  type: string,
  { status: is, reason, message, generation = input.pod.metadata.generation }: Verdict,
  previous: readonly PodCondition[],
  now: string,
): PodCondition {
  const status = is ? "True" : "False";
  const old = previous.find((other) => other.type === type);
  const since = old?.status === status ? old.lastTransitionTime : undefined;
  return {
    type,
    status,
    lastTransitionTime: since ?? now,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}

function containersReadyOf(
  pod: Pod,
  phase: PodPhase,
  main: readonly ContainerStatus[],
  init: readonly ContainerStatus[],
): Verdict {
  if (phase === "Succeeded") return { status: false, reason: "PodCompleted" };
  if (phase === "Failed") return { status: false, reason: "PodFailed" };
  const sidecars = new Set((specOf(pod).initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  const counted = [...init.filter(({ name }) => sidecars.has(name)), ...main];
  const unready = counted.filter(({ ready }) => !ready).map(({ name }) => name);
  if (unready.length === 0) return { status: true };
  const message = `containers with unready status: [${unready.join(" ")}]`;
  return { status: false, reason: "ContainersNotReady", message };
}

function readyOf(input: PodStatusInput, phase: PodPhase, containersReady: Verdict): Verdict {
  if (!containersReady.status || isTerminalPhase(phase)) return containersReady;
  const problems: string[] = [];
  for (const { conditionType } of specOf(input.pod).readinessGates ?? []) {
    const gate = input.pod.status?.conditions?.find(({ type }) => type === conditionType);
    if (gate === undefined) {
      problems.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    } else if (gate.status !== "True") {
      problems.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`);
    }
  }
  if (problems.length === 0) return { status: true };
  return { status: false, reason: "ReadinessGatesNotReady", message: problems.join(", ") };
}

function initializedOf(
  pod: Pod,
  phase: PodPhase,
  main: readonly ContainerStatus[],
  init: readonly ContainerStatus[],
): Verdict {
  if (phase === "Succeeded") return { status: true, reason: "PodCompleted" };
  const underWay = main.some(({ state, lastState }) => state?.running || state?.terminated || lastState?.terminated);
  const sidecars = new Set((specOf(pod).initContainers ?? []).filter(isSidecar).map(({ name }) => name));
  const incomplete = init
    .filter(({ name, ready, started }) => (sidecars.has(name) ? !started && !underWay : !ready && !underWay))
    .map(({ name }) => name);
  if (incomplete.length === 0) return { status: true };
  const message = `containers with incomplete status: [${incomplete.join(" ")}]`;
  return { status: false, reason: "ContainersNotInitialized", message };
}
