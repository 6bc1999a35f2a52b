import type { ContainerStatus, Pod } from "../../api/index.js";
import { isSidecar, specOf } from "./containers.js";

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
  const { restartPolicy } = specOf(pod);
  const { pending, failed } = countInit(pod, init, main);
  if (failed && restartPolicy === "Never") return "Failed";
  const count = countMain(main);
  if (pending && !terminal) return "Pending";
  if (count.waiting > 0 && !terminal) return "Pending";
  if (count.running > 0 && count.unknown === 0) return "Running";
  if (count.stopped > 0 && count.unknown === 0) {
    const allSucceeded = count.stopped === count.succeeded;
    if (terminal) return allSucceeded && !failed && !pending ? "Succeeded" : "Failed";
    if (restartPolicy === "Always") return "Running";
    if (allSucceeded) return "Succeeded";
    return restartPolicy === "Never" ? "Failed" : "Running";
  }
  return terminal ? "Failed" : "Pending";
}

function countInit(
  pod: Pod,
  init: readonly ContainerStatus[],
  main: readonly ContainerStatus[],
): { readonly pending: boolean; readonly failed: boolean } {
  // With a main container under way initialization is past, whatever became of sidecars since.
  const initialized = main.some(
    ({ state, lastState }) => state?.running !== undefined || state?.terminated !== undefined || lastState?.terminated,
  );
  let pending = false;
  let failed = false;
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
      if (status?.state?.waiting !== undefined || specOf(pod).restartPolicy !== "Never") pending = true;
    }
  }
  return { pending, failed };
}

function countMain(main: readonly ContainerStatus[]): {
  waiting: number;
  running: number;
  stopped: number;
  succeeded: number;
  unknown: number;
} {
  const count = { waiting: 0, running: 0, stopped: 0, succeeded: 0, unknown: 0 };
  for (const { state, lastState } of main) {
    if (state?.running !== undefined) count.running++;
    else if (state?.terminated !== undefined) {
      count.stopped++;
      if (state.terminated.exitCode === 0) count.succeeded++;
    } else if (lastState?.terminated !== undefined) count.stopped++;
    else if (state?.waiting !== undefined) count.waiting++;
    else count.unknown++;
  }
  return count;
}
