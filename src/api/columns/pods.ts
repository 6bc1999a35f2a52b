import type { PrinterColumn, RowCondition } from "../description.js";
import type { ContainerStateTerminated, ContainerStatus, Pod } from "../gen/types.js";
import { isJsonObject } from "../kinds/strategy.js";
import type { JsonObject } from "../object.js";
import { ageColumn, columns, name, orNone, text, wide } from "./column.js";
import { age } from "./human-duration.js";

/** The reason that a deleted pod's status carries when its node is gone. */
const nodeLost = "NodeLost";

interface Summary {
  readonly status: string;
  readonly ready: number;
  readonly total: number;
  readonly restarts: number;
  /** When the newest container that was restarted had ended. */
  readonly lastRestart: string | undefined;
}

export function summarizePod(pod: Pod): Summary {
  const sidecars = new Set(
    (pod.spec?.initContainers ?? [])
      .filter((container) => container.restartPolicy === "Always")
      .map((container) => container.name),
  );
  const init = pod.status?.initContainerStatuses ?? [];
  const main = pod.status?.containerStatuses ?? [];
  const blocked = init.findIndex((status) => !isPastInit(status, sidecars));
  // What comes behind the init container that blocks has not started: it neither counts as ready nor as restarted.
  const reached = blocked < 0 ? init : init.slice(0, blocked + 1);
  const readySidecars = reached.filter((status) => isStartedSidecar(status, sidecars) && status.ready).length;
  const total = (pod.spec?.containers ?? []).length + sidecars.size;
  const initializing = blocked >= 0 && !hasCondition(pod, "Initialized");
  const counted = initializing ? reached : [...reached.filter((status) => sidecars.has(status.name)), ...main];
  const readyMain = initializing ? [] : main.filter(isReadyAndRunning);
  return {
    status: statusOf(pod, blocked, initializing, readyMain.length > 0),
    ready: readySidecars + readyMain.length,
    total,
    restarts: counted.reduce((sum, status) => sum + status.restartCount, 0),
    lastRestart: newest(counted.map((status) => status.lastState?.terminated?.finishedAt)),
  };
}

function statusOf(pod: Pod, blocked: number, initializing: boolean, running: boolean): string {
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (pod.status?.reason === nodeLost) return "Unknown";
    const phase = pod.status?.phase;
    if (phase !== "Succeeded" && phase !== "Failed") return "Terminating";
  }
  const initReason = blocked < 0 ? undefined : initStatus(pod, blocked);
  if (initializing && initReason !== undefined) return initReason;
  const reason = firstContainerReason(pod) ?? initReason ?? podReason(pod);
  if (reason !== "Completed" || !running) return reason;
  return hasCondition(pod, "Ready") ? "Running" : "NotReady";
}

/** What the pod says of itself, before its containers are looked at. */
function podReason(pod: Pod): string {
  const gated = pod.status?.conditions?.some(
    (condition) => condition.type === "PodScheduled" && condition.reason === "SchedulingGated",
  );
  if (gated) return "SchedulingGated";
  return pod.status?.reason || pod.status?.phase || "";
}

function initStatus(pod: Pod, index: number): string {
  const state = pod.status?.initContainerStatuses?.[index]?.state;
  if (state?.terminated !== undefined) return `Init:${endReason(state.terminated)}`;
  const waiting = state?.waiting?.reason ?? "";
  if (waiting !== "" && waiting !== "PodInitializing") return `Init:${waiting}`;
  return `Init:${index}/${pod.spec?.initContainers?.length ?? 0}`;
}

/** The first container that is not simply running decides. */
function firstContainerReason(pod: Pod): string | undefined {
  for (const { state } of pod.status?.containerStatuses ?? []) {
    if (state?.waiting?.reason) return state.waiting.reason;
    if (state?.terminated !== undefined) return endReason(state.terminated);
  }
  return undefined;
}

function endReason(ended: ContainerStateTerminated): string {
  if (ended.reason) return ended.reason;
  return ended.signal ? `Signal:${ended.signal}` : `ExitCode:${ended.exitCode}`;
}

function isPastInit(status: ContainerStatus, sidecars: ReadonlySet<string>): boolean {
  return status.state?.terminated?.exitCode === 0 || isStartedSidecar(status, sidecars);
}

function isStartedSidecar(status: ContainerStatus, sidecars: ReadonlySet<string>): boolean {
  return status.state?.terminated?.exitCode !== 0 && sidecars.has(status.name) && status.started === true;
}

function isReadyAndRunning({ ready, state }: ContainerStatus): boolean {
  return ready && state?.running !== undefined && !state.waiting?.reason && state.terminated === undefined;
}

function hasCondition(pod: Pod, type: string): boolean {
  return (pod.status?.conditions ?? []).some((condition) => condition.type === type && condition.status === "True");
}

function newest(times: readonly (string | undefined)[]): string | undefined {
  let latest: string | undefined;
  for (const time of times) {
    if (time !== undefined && (latest === undefined || Date.parse(time) > Date.parse(latest))) latest = time;
  }
  return latest;
}

function restartsText(pod: Pod, nowMs: number): string {
  const { restarts, lastRestart } = summarizePod(pod);
  return restarts === 0 || lastRestart === undefined ? `${restarts}` : `${restarts} (${age(lastRestart, nowMs)} ago)`;
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return "<none>";
  return `${gates.filter((gate) => hasCondition(pod, gate.conditionType)).length}/${gates.length}`;
}

const succeeded: readonly RowCondition[] = [
  { type: "Completed", status: "True", reason: "Succeeded", message: "The pod has completed successfully." },
];
const failed: readonly RowCondition[] = [
  { type: "Completed", status: "True", reason: "Failed", message: "The pod failed." },
];

/** By this clients that print may leave out pods that are done. */
export function podRowConditions({ status }: JsonObject): readonly RowCondition[] {
  const phase = isJsonObject(status) ? status["phase"] : undefined;
  return phase === "Succeeded" ? succeeded : phase === "Failed" ? failed : [];
}

export const podColumns: readonly PrinterColumn[] = columns<Pod>(
  name,
  text("Ready", "How many of the pod's containers are ready.", (pod) => {
    const { ready, total } = summarizePod(pod);
    return `${ready}/${total}`;
  }),
  text("Status", "What the pod and its containers are doing.", (pod) => summarizePod(pod).status),
  text("Restarts", "How often its containers were restarted, and when last.", restartsText),
  ageColumn,
  wide("IP", "The pod's first address.", (pod) => orNone(pod.status?.podIPs?.[0]?.ip)),
  wide("Node", "The node that the pod is bound to.", (pod) => orNone(pod.spec?.nodeName)),
  wide("Nominated Node", "The node where room is being made for the pod.", (pod) =>
    orNone(pod.status?.nominatedNodeName),
  ),
  wide("Readiness Gates", "How many of the pod's readiness gates are true.", readinessGates),
);
