import type { ContainerStatus, Pod } from "../../api/index.js";
import { isSidecar, restartsAfter, specOf } from "./containers.js";

export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";

export function isTerminalPhase(phase: string | undefined): phase is "Succeeded" | "Failed" {
  return phase === "Succeeded" || phase === "Failed";
}

/** The summary of all containers, by the rules of the pod's life cycle as documented. */
export function podPhase(
  pod: Pod,
  main: readonly ContainerStatus[],
  init: readonly ContainerStatus[],
  terminal: boolean,
): PodPhase {
  const { pending, failed, lost } = countInit(pod, init, main);
  if (lost) return "Failed";
  const count = countMain(pod, main);
  if (pending && !terminal) return "Pending";
  if (count.waiting > 0 && !terminal) return "Pending";
  if (count.running > 0 && count.unknown === 0) return "Running";
  if (count.stopped > 0 && count.unknown === 0) {
    const allSucceeded = count.stopped === count.succeeded;
    if (terminal) return allSucceeded && !failed && !pending ? "Succeeded" : "Failed";
    if (count.restarting > 0) return "Running";
    return allSucceeded ? "Succeeded" : "Failed";
  }
  return terminal ? "Failed" : "Pending";
}

function countInit(
  pod: Pod,
  init: readonly ContainerStatus[],
  main: readonly ContainerStatus[],
): { readonly pending: boolean; readonly failed: boolean; readonly lost: boolean } {
  // With a main container under way initialization is past, whatever became of sidecars since.
  const initialized = main.some(
    ({ state, lastState }) => state?.running !== undefined || state?.terminated !== undefined || lastState?.terminated,
  );
  let pending = false;
  let failed = false;
  /** One that failed does not run again. */
  let lost = false;
  for (const container of specOf(pod).initContainers ?? []) {
    const status = init.find(({ name }) => name === container.name);
    if (isSidecar(container)) {
      if (!initialized && status?.started !== true) pending = true;
      continue;
    }
    const ended = status?.state?.terminated ?? (status?.state?.waiting ? status.lastState?.terminated : undefined);
    if (ended === undefined) pending = pending || !initialized;
    else if (ended.exitCode !== 0) {
      failed = true;
      const again = restartsAfter(pod, container, ended.exitCode);
      if (!again) lost = true;
      if (status?.state?.waiting !== undefined || again) pending = true;
    }
  }
  return { pending, failed, lost };
}

interface MainCount {
  waiting: number;
  running: number;
  stopped: number;
  /** Of those that stopped, those that are to run again. */
  restarting: number;
  succeeded: number;
  unknown: number;
}

function countMain(pod: Pod, main: readonly ContainerStatus[]): MainCount {
  const count = { waiting: 0, running: 0, stopped: 0, restarting: 0, succeeded: 0, unknown: 0 };
  const { containers } = specOf(pod);
  for (const { name, state, lastState } of main) {
    const ended = state?.terminated ?? lastState?.terminated;
    if (state?.running !== undefined) count.running++;
    else if (ended !== undefined) {
      const container = containers.find((one) => one.name === name);
      count.stopped++;
      if (container !== undefined && restartsAfter(pod, container, ended.exitCode)) count.restarting++;
      if (state?.terminated?.exitCode === 0) count.succeeded++;
    } else if (state?.waiting !== undefined) count.waiting++;
    else count.unknown++;
  }
  return count;
}
