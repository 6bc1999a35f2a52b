import type { Container, Pod, ResourceRequirements } from "../../api/index.js";
import type { ContainerStatus } from "../../runtime/index.js";
import { changedResources, sameResources } from "../resize/pod-resources.js";
import { isSidecar, restartsAfter, restartsAfterProbe, specOf } from "./containers.js";
import { latest, latestIn, type PodRuntimeState } from "./runtime-state.js";

/** Verdicts of the probes on a running container, as far as the plan depends on them. */
export interface ProbeVerdict {
  /** Past its startup probe and its postStart hook. */
  readonly started: boolean;
  /** Which probe condemned it. */
  readonly failed?: "liveness" | "startup" | undefined;
}

export interface PlanInput {
  readonly pod: Pod;
  readonly state: PodRuntimeState;
  /** Of a running container, by its ID. */
  verdict(containerId: string, container: Container): ProbeVerdict;
  /** What the running container of this name is held to; undefined: what it was made with. */
  actuated(name: string): ResourceRequirements | undefined;
  /** Whether the running container was made from another definition than `container`. */
  changed(status: ContainerStatus, container: Container): boolean;
}

export interface ContainerKill {
  readonly status: ContainerStatus;
  readonly container: Container;
  /** For the event. */
  readonly message: string;
  readonly probe?: "liveness" | "startup" | undefined;
  /** Its other resources need it to start anew. */
  readonly resize?: boolean | undefined;
}

/** A running container that is to be held to what its definition says. */
export interface ContainerResize {
  readonly status: ContainerStatus;
  readonly container: Container;
  readonly from: ResourceRequirements;
}

/** What one step is to do, all of it decided from what is there: the same state gives the same plan. */
export interface PodPlan {
  /** Everything of the old sandbox is to go first. */
  readonly killPod: boolean;
  readonly createSandbox: boolean;
  readonly sandboxId: string | undefined;
  readonly attempt: number;
  readonly start: readonly Container[];
  readonly kill: readonly ContainerKill[];
  readonly resize: readonly ContainerResize[];
  /** No container runs and none is to run again: the pod is at its end. */
  readonly finished: boolean;
}

export function planPod(input: PlanInput): PodPlan {
  const { pod, state } = input;
  const newest = state.sandboxes[0];
  const attempt = newest === undefined ? 0 : newest.metadata.attempt + 1;
  if (newest?.state === "ready" && hasNetwork(pod, newest.ips)) {
    return { killPod: false, createSandbox: false, sandboxId: newest.id, attempt, ...planContainers(input, newest.id) };
  }
  const killPod = state.sandboxes.some((sandbox) => sandbox.state === "ready");
  const none = { killPod, sandboxId: undefined, attempt, start: [], kill: [], resize: [] };
  const wanted = specOf(pod).containers.filter((container) => runsAgain(pod, state, container));
  const finished = newest !== undefined && (wanted.length === 0 || initFailed(pod, state));
  return { ...none, createSandbox: !finished, finished };
}

function hasNetwork(pod: Pod, ips: readonly string[]): boolean {
  return specOf(pod).hostNetwork === true || ips.length > 0;
}

function runsAgain(pod: Pod, state: PodRuntimeState, container: Container): boolean {
  const status = latest(state, container.name);
  if (status === undefined || status.state !== "exited") return true;
  return restartsAfter(pod, container, status.exitCode);
}

function initFailed(pod: Pod, state: PodRuntimeState): boolean {
  return (specOf(pod).initContainers ?? []).some((container) => {
    const status = latest(state, container.name);
    if (isSidecar(container) || status?.state !== "exited" || status.exitCode === 0) return false;
    return !restartsAfter(pod, container, status.exitCode);
  });
}

interface ContainerPlan {
  readonly start: readonly Container[];
  readonly kill: readonly ContainerKill[];
  readonly resize: readonly ContainerResize[];
  readonly finished: boolean;
}

function planContainers(input: PlanInput, sandboxId: string): ContainerPlan {
  const { pod, state } = input;
  const spec = specOf(pod);
  const init = planInit(input, sandboxId);
  const ephemeral = (spec.ephemeralContainers ?? []).filter(({ name }) => latest(state, name) === undefined);
  if (init.failed) return { start: [], kill: [], resize: [], finished: true };
  const start: Container[] = [...(ephemeral as readonly Container[]), ...init.start];
  const kill = [...init.kill];
  const resize = [...init.resize];
  if (!init.done) return { start, kill, resize, finished: false };
  let alive = 0;
  for (const container of spec.containers) {
    const status = latestIn(state, sandboxId, container.name);
    if (status?.state === "running") {
      const doomed = verdictOf(input, status, container);
      if (doomed === undefined) {
        resize.push(...resizeOf(input, status, container));
        alive++;
        continue;
      }
      kill.push(doomed);
      // A container condemned by a probe comes back as one that failed would.
      if (doomed.probe === undefined || restartsAfterProbe(pod, container)) {
        start.push(container);
        alive++;
      }
    } else if (status === undefined || status.state === "created" || status.state === "unknown") {
      if (status === undefined && !runsAgain(pod, state, container)) continue;
      start.push(container);
      alive++;
    } else if (restartsAfter(pod, container, status.exitCode)) {
      start.push(container);
      alive++;
    }
  }
  if (alive === 0 && kill.length === 0) return { start: [], kill: [], resize: [], finished: true };
  return { start, kill, resize, finished: false };
}

interface InitPlan {
  readonly start: Container[];
  readonly kill: ContainerKill[];
  readonly resize: ContainerResize[];
  readonly done: boolean;
  readonly failed: boolean;
}

/** One init container after the other; a sidecar only needs to have started before the next one's turn. */
function planInit(input: PlanInput, sandboxId: string): InitPlan {
  const { pod, state } = input;
  const spec = specOf(pod);
  const list = spec.initContainers ?? [];
  const plan: InitPlan = { start: [], kill: [], resize: [], done: true, failed: false };
  // Once a main container exists, initialization is history; only sidecars still matter.
  const initialized = spec.containers.some(({ name }) => latestIn(state, sandboxId, name) !== undefined);
  for (const [index, container] of list.entries()) {
    const status = latestIn(state, sandboxId, container.name);
    const passed =
      initialized || list.slice(index + 1).some(({ name }) => latestIn(state, sandboxId, name) !== undefined);
    if (!isSidecar(container)) {
      if (initialized || (status?.state === "exited" && status.exitCode === 0)) continue;
      if (status?.state === "running") {
        plan.resize.push(...resizeOf(input, status, container));
        return { ...plan, done: false };
      }
      if (status?.state === "exited" && !restartsAfter(pod, container, status.exitCode)) {
        return { ...plan, done: false, failed: true };
      }
      plan.start.push(container);
      return { ...plan, done: false };
    }
    if (status?.state === "running") {
      const doomed = verdictOf(input, status, container);
      if (doomed !== undefined) {
        plan.kill.push(doomed);
        plan.start.push(container);
      } else plan.resize.push(...resizeOf(input, status, container));
      if (passed || (doomed === undefined && input.verdict(status.id, container).started)) continue;
      return { ...plan, done: false };
    }
    plan.start.push(container);
    if (!passed) return { ...plan, done: false };
  }
  return plan;
}

function verdictOf(input: PlanInput, status: ContainerStatus, container: Container): ContainerKill | undefined {
  const { name } = container;
  if (input.changed(status, container)) {
    return { status, container, message: `Container ${name} definition changed, will be restarted` };
  }
  const { failed } = input.verdict(status.id, container);
  if (failed === undefined && needsRestart(container, input.actuated(name))) {
    return { status, container, resize: true, message: `Container ${name} resize requires restart` };
  }
  if (failed === undefined) return undefined;
  return { status, container, probe: failed, message: `Container ${name} failed ${failed} probe, will be restarted` };
}

function needsRestart({ resizePolicy = [], resources }: Container, from: ResourceRequirements | undefined): boolean {
  if (from === undefined || sameResources(from, resources)) return false;
  const changed = changedResources(from, resources);
  return resizePolicy.some(
    ({ resourceName, restartPolicy }) => restartPolicy === "RestartContainer" && changed.has(resourceName),
  );
}

function resizeOf(input: PlanInput, status: ContainerStatus, container: Container): ContainerResize[] {
  const from = input.actuated(container.name);
  return from === undefined || sameResources(from, container.resources) ? [] : [{ status, container, from }];
}
