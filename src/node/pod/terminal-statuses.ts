import type { ContainerState, ContainerStatus } from "../../api/index.js";

const unknown: ContainerState = {
  terminated: {
    exitCode: 137,
    reason: "ContainerStatusUnknown",
    message: "The container could not be located when the pod was terminated",
  },
};

/**
 * What containers of a pod at its end came to, as the kubelet has it: what began, and of whose end nothing is known, failed. What an
 * init container kept from beginning goes on waiting.
 */
export function settleMain(main: readonly ContainerStatus[], init: readonly ContainerStatus[]): ContainerStatus[] {
  return hasInitialized(main, init) ? main.map(settle) : [...main];
}

/** The first of them counts as begun. */
export function settleInit(init: readonly ContainerStatus[]): ContainerStatus[] {
  const lastBegun = init.findLastIndex(hasBegun);
  return init.map((status, index) => (index <= Math.max(lastBegun, 0) ? settle(status) : status));
}

function settle(status: ContainerStatus): ContainerStatus {
  return status.state?.terminated === undefined ? { ...status, state: unknown } : status;
}

function hasInitialized(main: readonly ContainerStatus[], init: readonly ContainerStatus[]): boolean {
  if (init.length === 0 || main.some(hasBegun)) return true;
  const last = init.at(-1);
  return [last?.state?.terminated, last?.lastState?.terminated].some((ended) => ended?.exitCode === 0);
}

function hasBegun({ state, lastState }: ContainerStatus): boolean {
  return state?.waiting === undefined || lastState?.terminated !== undefined;
}
