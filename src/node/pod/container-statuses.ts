import {
  type Container,
  type ContainerState,
  type ContainerStatus,
  type LinuxContainerUser,
  type Pod,
  quantityMilliValue,
  quantityValue,
  type ResourceRequirements,
} from "../../api/index.js";
import type {
  ContainerResources,
  ContainerUser,
  ContainerStatus as RuntimeContainerStatus,
} from "../../runtime/index.js";
import { cpuPeriodUs, cpuQuotaUs, cpuShares } from "./cgroup-units.js";
import { recursiveReadOnly } from "./container-config.js";
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
  /** With the resources that it was promised. */
  readonly pod: Pod;
  readonly state: PodRuntimeState;
  /** What a running container is held to, as last applied; undefined: not known. */
  actuated(name: string): ResourceRequirements | undefined;
  /** Prefix of container IDs. */
  readonly runtimeName: string;
  /** Why a container does not run, by name. */
  readonly waiting: ReadonlyMap<string, Waiting>;
  /** Termination messages by container ID, where they do not come from the runtime. */
  readonly messages: ReadonlyMap<string, string>;
  readiness(containerId: string, container: Container): Readiness;
  /** Whether the pod's runtime handler can make mounts read-only with all that is below them. */
  readonly recursiveReadOnly: boolean;
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
    ...resourcesOf(input, container, latest),
    ...volumeMountsOf(container, input.recursiveReadOnly),
    ...(latest.user === undefined ? {} : { user: { linux: userOf(latest.user) } }),
  };
}

function userOf({ uid, gid, supplementalGroups }: ContainerUser): LinuxContainerUser {
  return { uid, gid, ...(supplementalGroups.length === 0 ? {} : { supplementalGroups }) };
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

const vanished: NonNullable<ContainerState["terminated"]> = {
  exitCode: 137,
  reason: "ContainerStatusUnknown",
  message: "The container could not be located when the pod was deleted.  The container used to be Running",
};

function neverSeen(
  input: ContainerStatusInput,
  role: ContainerRole,
  container: Container,
  old: ContainerStatus | undefined,
): ContainerStatus {
  const waiting = input.waiting.get(container.name) ?? defaultWaiting(input.pod, role);
  const ended = old?.state?.terminated === undefined ? undefined : { terminated: old.state.terminated };
  const now: ContainerState = ended !== undefined && input.terminal ? ended : { waiting };
  const lost = old?.state?.running === undefined ? undefined : { terminated: vanished };
  return {
    name: container.name,
    state: now,
    lastState: lost ?? (ended !== undefined && !input.terminal ? ended : (old?.lastState ?? {})),
    ready: false,
    restartCount: old?.restartCount ?? 0,
    image: container.image ?? "",
    imageID: old?.imageID ?? "",
    ...(ended !== undefined && old?.containerID !== undefined ? { containerID: old.containerID } : {}),
    ...(role === "ephemeral" ? {} : { started: false }),
    ...volumeMountsOf(container, input.recursiveReadOnly),
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
    // As upstream, one that could not be started says 1970.
    startedAt: timeOf(status.startedAtMs),
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

/** What a container was promised and, while it runs, what it is held to: the runtime's word, or what was last told it. */
function resourcesOf(
  input: ContainerStatusInput,
  { name, resources = {} }: Container,
  latest: RuntimeContainerStatus,
): Pick<ContainerStatus, "allocatedResources" | "resources"> {
  const actual = latest.state === "running" ? measured(input.actuated(name) ?? resources, latest.resources) : resources;
  return {
    resources: actual,
    ...(resources.requests === undefined ? {} : { allocatedResources: resources.requests }),
  };
}

/** The amounts as they were told the runtime, unless it says others. */
function measured(told: ResourceRequirements, found: ContainerResources | undefined): ResourceRequirements {
  const {
    cpuShares: shares = 0,
    cpuQuotaUs: quota = 0,
    cpuPeriodUs: period = cpuPeriodUs,
    memoryLimitBytes: bytes = 0,
  } = found ?? {};
  const { cpu, memory } = told.limits ?? {};
  const limits: Record<string, string> = {};
  if (cpu !== undefined && quota > 0 && period > 0) {
    const foundUs = (quota * cpuPeriodUs) / period;
    if (foundUs !== cpuQuotaUs(quantityMilliValue(cpu))) limits.cpu = `${Math.ceil((foundUs * 1000) / cpuPeriodUs)}m`;
  }
  if (memory !== undefined && bytes > 0 && bytes !== quantityValue(memory)) limits.memory = String(bytes);
  const request = told.requests?.cpu;
  const requests: Record<string, string> = {};
  if (request !== undefined && shares > 0 && shares !== cpuShares(quantityMilliValue(request))) {
    requests.cpu = `${Math.ceil((shares * 1000) / 1024)}m`;
  }
  return {
    ...told,
    ...(told.limits === undefined ? {} : { limits: { ...told.limits, ...limits } }),
    ...(told.requests === undefined ? {} : { requests: { ...told.requests, ...requests } }),
  };
}

function volumeMountsOf(container: Container, supported: boolean): Pick<ContainerStatus, "volumeMounts"> {
  const mounts = container.volumeMounts ?? [];
  if (mounts.length === 0) return {};
  return {
    volumeMounts: mounts.map((mount) => {
      const { name, mountPath, readOnly } = mount;
      if (!readOnly) return { name, mountPath };
      const recursive = recursiveReadOnly(mount, supported) ? "Enabled" : "Disabled";
      return { name, mountPath, readOnly, recursiveReadOnly: recursive };
    }),
  };
}

/** metav1.Time of a time in milliseconds. */
export function timeOf(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}
