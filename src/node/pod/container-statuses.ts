import type { Container, ContainerState, ContainerStatus, Pod } from "../../api/index.js";
import type { ContainerStatus as RuntimeContainerStatus } from "../../runtime/index.js";
import { type ContainerRole, type PodContainer, specOf } from "./containers.js";
import type { PodRuntimeState } from "./runtime-state.js";

export interface Waiting {
  readonly reason: string;
  readonly message?: string;
}

/** What the probes say of a running container. */
export interface Readiness {
  readonly started: boolean;
  readonly ready: boolean;
}

export interface ContainerStatusInput {
  readonly pod: Pod;
  readonly state: PodRuntimeState;
  /** Prefix of container IDs. */
  readonly runtimeName: string;
  /** Why a container does not run, by name. */
  readonly waiting: ReadonlyMap<string, Waiting>;
  /** Termination messages by container ID, where they do not come from the runtime. */
  readonly messages: ReadonlyMap<string, string>;
  readiness(containerId: string, container: Container): Readiness;
  /** The pod is at its end: what has not ended never will. */
  readonly terminal: boolean;
}

export function containerStatus(input: ContainerStatusInput, { role, container }: PodContainer): ContainerStatus {
  const { pod, state } = input;
  const attempts = state.containers.get(container.name) ?? [];
  const [latest, previous] = attempts;
  const old = oldStatus(pod, role, container.name);
  if (latest === undefined) return neverSeen(input, role, container, old);
  const now = stateOf(input, role, container, latest);
  const before = now.waiting !== undefined && latest.state === "exited" ? latest : previous;
  const lastState = before?.state === "exited" ? { terminated: terminatedOf(input, before) } : (old?.lastState ?? {});
  const { ready, started } = readinessOf(input, role, container, latest, now);
  return {
    name: container.name,
    state: now,
    lastState,
    ready,
    restartCount: restartCountOf(latest),
    image: latest.image,
    imageID: latest.imageRef,
    containerID: containerIdOf(input, latest),
    ...(role === "ephemeral" ? {} : { started }),
    ...resourcesOf(container),
    ...volumeMountsOf(container),
  };
}

/** Counted in the attempt, so that a restarted agent goes on counting. */
function restartCountOf(status: RuntimeContainerStatus): number {
  return status.metadata.attempt;
}

export function oldStatus(pod: Pod, role: ContainerRole, name: string): ContainerStatus | undefined {
  const { containerStatuses, initContainerStatuses, ephemeralContainerStatuses } = pod.status ?? {};
  const list =
    role === "main" ? containerStatuses : role === "ephemeral" ? ephemeralContainerStatuses : initContainerStatuses;
  return list?.find((status) => status.name === name);
}

function neverSeen(
  input: ContainerStatusInput,
  role: ContainerRole,
  container: Container,
  old: ContainerStatus | undefined,
): ContainerStatus {
  const waiting = input.waiting.get(container.name) ?? defaultWaiting(input.pod, role);
  const lost = old?.containerID !== undefined && old.state?.terminated === undefined;
  const unknown = {
    terminated: {
      exitCode: 137,
      reason: "ContainerStatusUnknown",
      message: lost
        ? "The container could not be located when the pod was deleted.  The container used to be Running"
        : "The container could not be located when the pod was terminated",
    },
  };
  const ended = old?.state?.terminated === undefined ? undefined : { terminated: old.state.terminated };
  const now: ContainerState =
    ended !== undefined && input.terminal ? ended : input.terminal && role !== "ephemeral" ? unknown : { waiting };
  return {
    name: container.name,
    state: now,
    lastState: ended !== undefined && !input.terminal ? ended : (old?.lastState ?? {}),
    ready: false,
    restartCount: old?.restartCount ?? 0,
    image: container.image ?? "",
    imageID: old?.imageID ?? "",
    ...(ended !== undefined && old?.containerID !== undefined ? { containerID: old.containerID } : {}),
    ...(role === "ephemeral" ? {} : { started: false }),
    ...volumeMountsOf(container),
  };
}

function defaultWaiting(pod: Pod, role: ContainerRole): Waiting {
  const initializes = role !== "ephemeral" && (specOf(pod).initContainers ?? []).length > 0;
  return { reason: initializes ? "PodInitializing" : "ContainerCreating" };
}

function stateOf(
  input: ContainerStatusInput,
  role: ContainerRole,
  container: Container,
  latest: RuntimeContainerStatus,
): ContainerState {
  if (latest.state === "running") return { running: { startedAt: timeOf(latest.startedAtMs) } };
  const waiting = input.terminal ? undefined : input.waiting.get(container.name);
  if (waiting !== undefined) return { waiting };
  if (latest.state === "exited") return { terminated: terminatedOf(input, latest) };
  if (input.terminal) {
    const message = "The container could not be located when the pod was terminated";
    return { terminated: { exitCode: 137, reason: "ContainerStatusUnknown", message } };
  }
  return { waiting: defaultWaiting(input.pod, role) };
}

function terminatedOf(
  input: ContainerStatusInput,
  status: RuntimeContainerStatus,
): NonNullable<ContainerState["terminated"]> {
  const message = status.message || input.messages.get(status.id);
  return {
    exitCode: status.exitCode,
    reason: status.reason ?? (status.exitCode === 0 ? "Completed" : "Error"),
    ...(message ? { message } : {}),
    ...(status.startedAtMs === 0 ? {} : { startedAt: timeOf(status.startedAtMs) }),
    finishedAt: timeOf(status.finishedAtMs),
    containerID: containerIdOf(input, status),
  };
}

function readinessOf(
  input: ContainerStatusInput,
  role: ContainerRole,
  container: Container,
  latest: RuntimeContainerStatus,
  now: ContainerState,
): Readiness {
  if (role === "init") return { ready: now.terminated?.exitCode === 0, started: now.running !== undefined };
  if (role === "ephemeral" || now.running === undefined) return { ready: false, started: false };
  return input.readiness(latest.id, container);
}

function containerIdOf(input: ContainerStatusInput, status: RuntimeContainerStatus): string {
  return `${input.runtimeName}://${status.id}`;
}

function resourcesOf(container: Container): Pick<ContainerStatus, "allocatedResources" | "resources"> {
  const { resources } = container;
  if (resources === undefined || (resources.requests === undefined && resources.limits === undefined)) return {};
  return {
    resources,
    ...(resources.requests === undefined ? {} : { allocatedResources: resources.requests }),
  };
}

function volumeMountsOf(container: Container): Pick<ContainerStatus, "volumeMounts"> {
  const mounts = container.volumeMounts ?? [];
  if (mounts.length === 0) return {};
  return {
    volumeMounts: mounts.map(({ name, mountPath, readOnly }) => ({
      name,
      mountPath,
      ...(readOnly ? { readOnly, recursiveReadOnly: "Disabled" } : {}),
    })),
  };
}

/** metav1.Time of a time in milliseconds. */
export function timeOf(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}
