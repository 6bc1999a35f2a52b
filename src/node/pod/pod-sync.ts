import type { Pod } from "../../api/index.js";
import { podCgroupResources } from "../resize/pod-cgroups.js";
import { sameResources } from "../resize/pod-resources.js";
import { resizePod } from "../resize/resize-pod.js";
import { VolumeError } from "../volumes/volume-manager.js";
import { hashOf } from "./container-config.js";
import { ipsOf, startContainer, wordsOf } from "./container-starter.js";
import { timeOf } from "./container-statuses.js";
import { containersOf, findContainer, specOf } from "./containers.js";
import { type NodeContext, podEvent } from "./context.js";
import { podDns } from "./dns-config.js";
import { type ContainerKill, type ContainerResize, type PodPlan, planPod } from "./plan.js";
import type { PodRecord } from "./pod-record.js";
import { type PodVerdict, podStatus } from "./pod-status.js";
import { backoffKey } from "./restart-backoff.js";
import { runtimeHandler } from "./runtime-handler.js";
import { readRuntimeState, runtimeAnnotations } from "./runtime-state.js";
import { cgroupOf, sandboxConfig } from "./sandbox-config.js";
import { Deadline, endContainer } from "./termination.js";
import { terminationMessage } from "./termination-message.js";

/** More rounds than any pod needs: each starts or stops something. */
const maxRounds = 100;
/** As upstream waits after a sync that failed. */
const resizeRetryMs = 10_000;

/** One pod's way up: what the plan says is done, what came of it is reported. */
export class PodSync {
  readonly #context: NodeContext;
  readonly #record: PodRecord;
  #seen = false;
  /** Containers that this step found not to be startable yet. */
  readonly #blocked = new Set<string>();
  /** This step found that a resize cannot be done now. */
  #resizeFailed = false;

  constructor(context: NodeContext, record: PodRecord) {
    this.#context = context;
    this.#record = record;
  }

  begin(): void {
    const { pod } = this.#record;
    this.#record.startTime ??= pod.status?.startTime ?? timeOf(this.#context.clock.now());
  }

  /** Does what can be done now. Resolves with when to look again though nothing told so. */
  async step(signal: AbortSignal): Promise<number | undefined> {
    const record = this.#record;
    const next = new Soonest();
    this.#blocked.clear();
    this.#resizeFailed = false;
    await this.refresh(signal);
    if (!(await this.#admit(signal))) return undefined;
    if (this.#pastDeadline(next)) return undefined;
    if (record.status === undefined && this.#context.volumes !== undefined) this.report();
    await this.#askHandler(signal);
    for (let round = 0; round < maxRounds; round++) {
      const plan = this.#plan();
      if (plan.finished) {
        record.terminating = true;
        this.report();
        return undefined;
      }
      this.#followResize(plan);
      const acted = await this.#act(plan, next, signal);
      if (record.dirty) await this.refresh(signal);
      this.#ensureProbes();
      if (!acted) break;
      // Where a round takes its time, what came of it is shown before the next.
      if (this.#context.volumes !== undefined) this.report();
    }
    await this.#refreshVolumes(next, signal);
    this.report();
    return next.inMs;
  }

  /** Reads the runtime again if something turned there. */
  async refresh(signal: AbortSignal): Promise<void> {
    const record = this.#record;
    if (!record.dirty) return;
    record.dirty = false;
    try {
      record.state = await readRuntimeState(this.#context.runtime, record.uid, signal);
    } catch (error) {
      record.dirty = true;
      throw error;
    }
    for (const attempts of record.state.containers.values()) {
      for (const status of attempts) {
        if (status.state !== "exited" || status.message || record.messages.has(status.id)) continue;
        record.messages.set(status.id, this.#context.volumes === undefined ? "" : await terminationMessage(status));
      }
    }
  }

  /** From now on only readiness is probed. */
  watchEnding(): void {
    this.#ensureProbes();
  }

  /** While the pod ends: nothing is started, but what is seen is reported. */
  async observe(signal: AbortSignal): Promise<void> {
    await this.refresh(signal);
    this.#ensureProbes();
    this.report();
  }

  /** The last status of all. */
  async finish(signal: AbortSignal): Promise<void> {
    await this.refresh(signal);
    this.report();
  }

  report(): void {
    const { runtimeName, probes, clock, statuses } = this.#context;
    const record = this.#record;
    if (record.gone) return;
    const status = podStatus({
      pod: record.allocated,
      actuated: (name) => record.actuated.containers.get(name),
      actuatedPod: record.allocation?.pod === undefined ? undefined : record.actuated.pod,
      resize: record.resize,
      disruption: record.verdict?.disruption ? record.verdict.message : undefined,
      state: record.state,
      runtimeName,
      waiting: record.waiting,
      messages: record.messages,
      recursiveReadOnly: record.recursiveReadOnly,
      readiness: (id, container) => {
        const { started, ready } = probes.readiness(id, container);
        return record.starting.has(id) ? { started: false, ready: false } : { started, ready };
      },
      terminal: record.terminated,
      nowMs: clock.now(),
      startTime: record.startTime ?? timeOf(clock.now()),
      hostIps: this.#context.facts().hostIps,
      previous: record.status ?? record.pod.status,
      verdict:
        record.terminating && !record.terminated && record.state.containers.size > 0 ? undefined : record.verdict,
    });
    record.status = status;
    statuses.report(record.pod, status);
  }

  /** A pod that this host never saw may be turned away. */
  async #admit(signal: AbortSignal): Promise<boolean> {
    const record = this.#record;
    if (this.#seen) return true;
    this.#seen = true;
    const isNew = record.allocation === undefined && record.state.sandboxes.length === 0;
    if (record.allocation === undefined && !isNew) this.#context.readmit(record);
    if (record.state.containers.size > 0) return true;
    const verdict = (isNew ? this.#context.admit(record) : undefined) ?? (await this.#allocateDevices(signal));
    if (verdict === undefined) return true;
    record.verdict = { ...verdict, message: `Pod was rejected: ${verdict.message}` };
    record.terminating = true;
    podEvent(this.#context, record.pod, "Warning", verdict.reason ?? "Failed", verdict.message ?? "");
    return false;
  }

  async #allocateDevices(signal: AbortSignal): Promise<PodVerdict | undefined> {
    try {
      await this.#context.devices?.allocate(this.#record.pod, signal);
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      const message = `Allocate failed due to ${wordsOf(error)}, which is unexpected`;
      return { phase: "Failed", reason: "UnexpectedAdmissionError", message };
    }
  }

  #pastDeadline(next: Soonest): boolean {
    const record = this.#record;
    const seconds = specOf(record.pod).activeDeadlineSeconds;
    if (seconds === undefined) return false;
    const left = Date.parse(record.startTime ?? "") + seconds * 1000 - this.#context.clock.now();
    if (left > 0) {
      next.add(left);
      return false;
    }
    const message = "Pod was active on the node longer than the specified deadline";
    record.verdict = { phase: "Failed", reason: "DeadlineExceeded", message };
    record.terminating = true;
    podEvent(this.#context, record.pod, "Normal", "DeadlineExceeded", message);
    return true;
  }

  #plan(): PodPlan {
    const { probes } = this.#context;
    const record = this.#record;
    return planPod({
      pod: record.allocated,
      state: record.state,
      actuated: (name) => record.actuated.containers.get(name),
      verdict: (id, container) => {
        const verdict = probes.verdict(id, container);
        return record.starting.has(id) ? { ...verdict, started: false } : verdict;
      },
      changed: (status, container) => {
        const hash = status.annotations[runtimeAnnotations.hash];
        return hash !== undefined && hash !== hashOf(container);
      },
    });
  }

  /** Whether anything was changed in the runtime. */
  async #act(plan: PodPlan, next: Soonest, signal: AbortSignal): Promise<boolean> {
    const record = this.#record;
    if (plan.killPod) {
      await this.#killPod(signal);
      return true;
    }
    if (plan.createSandbox) {
      await this.#mount(signal);
      await this.#prepareClaims(signal);
      await this.#createSandbox(plan.attempt, signal);
      return true;
    }
    const resizes = this.#resizeFailed ? [] : plan.resize;
    const resizing = resizes.length > 0 || plan.kill.some(({ resize }) => resize) || this.#podLags();
    if (plan.kill.length === 0 && plan.start.length === 0 && !resizing) return false;
    if (record.volumes === undefined) await this.#mount(signal);
    for (const kill of plan.kill) await this.#kill(kill, signal);
    if (plan.kill.length > 0) await this.refresh(signal);
    let acted = plan.kill.length > 0;
    if (resizing) acted = (await this.#resize(resizes, next, signal)) || acted;
    for (const container of plan.start) {
      const entry = findContainer(record.allocated, container.name);
      if (entry === undefined || plan.sandboxId === undefined || this.#blocked.has(container.name)) continue;
      const { started, retryInMs } = await startContainer(this.#context, record, entry, plan.sandboxId, signal);
      acted ||= started;
      if (retryInMs === undefined) continue;
      next.add(retryInMs);
      this.#blocked.add(container.name);
    }
    return acted;
  }

  async #killPod(signal: AbortSignal): Promise<void> {
    const { runtime, clock } = this.#context;
    const record = this.#record;
    podEvent(
      this.#context,
      record.pod,
      "Normal",
      "SandboxChanged",
      "Pod sandbox changed, it will be killed and re-created.",
    );
    const grace = (specOf(record.pod).terminationGracePeriodSeconds ?? 30) * 1000;
    const deadline = new Deadline(clock.now() + grace);
    const running = [...record.state.containers.values()].flat().filter(({ state }) => state === "running");
    await Promise.all(running.map((status) => endContainer(this.#context, record, status, deadline, signal)));
    for (const { id } of record.state.sandboxes) await runtime.stopPodSandbox(id, { signal });
    record.dirty = true;
  }

  /** What the pod's runtime handler can do, where that makes a difference to it. */
  async #askHandler(signal: AbortSignal): Promise<void> {
    const record = this.#record;
    const wanted = containersOf(record.pod).some(({ container }) =>
      container.volumeMounts?.some(({ recursiveReadOnly = "Disabled" }) => recursiveReadOnly !== "Disabled"),
    );
    if (!wanted || record.recursiveReadOnly) return;
    const { client, runtime } = this.#context;
    const handler = await runtimeHandler(client, record.pod, signal);
    const { handlers = [] } = await runtime.status({ signal });
    record.recursiveReadOnly = handlers.some(
      ({ name, recursiveReadOnlyMounts }) => name === (handler ?? "") && recursiveReadOnlyMounts,
    );
  }

  async #createSandbox(attempt: number, signal: AbortSignal): Promise<void> {
    const { runtime, client, network } = this.#context;
    const record = this.#record;
    const { warnings } = podDns(record.pod, { ...network, hostDns: network.hostDns() });
    for (const { reason, message } of warnings) podEvent(this.#context, record.pod, "Warning", reason, message);
    const old = record.state.sandboxes.slice(1);
    try {
      const handler = await runtimeHandler(client, record.pod, signal);
      if (specOf(record.pod).hostUsers === false) throw new Error("user namespaces are not supported by this node");
      await this.#ensureCgroup();
      const config = sandboxConfig(record.allocated, { ...this.#context, attempt });
      await runtime.runPodSandbox({ ...config, runtimeHandler: handler }, { signal });
    } catch (error) {
      signal.throwIfAborted();
      const message = `Failed to create pod sandbox: ${wordsOf(error)}`;
      podEvent(this.#context, record.pod, "Warning", "FailedCreatePodSandBox", message);
      this.report();
      throw error;
    }
    record.dirty = true;
    // The one before is kept for its containers' last state; those before that tell nothing any more.
    for (const { id } of old) await runtime.removePodSandbox(id, { signal });
    if (this.#context.volumes === undefined) return;
    await this.refresh(signal);
    this.report();
  }

  async #kill({ status, container, message, probe, resize }: ContainerKill, signal: AbortSignal): Promise<void> {
    const { clock, probes, backoff } = this.#context;
    const record = this.#record;
    const own = specOf(record.pod).terminationGracePeriodSeconds ?? 30;
    const ofProbe =
      probe === "startup" ? container.startupProbe : probe === "liveness" ? container.livenessProbe : undefined;
    const seconds = ofProbe?.terminationGracePeriodSeconds ?? own;
    probes.forgetContainer(status.id);
    const deadline = new Deadline(clock.now() + seconds * 1000);
    await endContainer(this.#context, record, status, deadline, signal, message);
    // It did not fail: with its other resources it begins anew.
    if (resize) backoff.forget(backoffKey(record.uid, container));
    record.dirty = true;
  }

  /** Whether the pod as a whole is held to something else than it was promised. */
  #podLags(): boolean {
    const { allocation, actuated, state } = this.#record;
    return !this.#resizeFailed && state.containers.size > 0 && !sameResources(allocation?.pod, actuated.pod);
  }

  /** Says that a resize is under way, or that the one that was is done. */
  #followResize({ resize, kill }: PodPlan): void {
    const record = this.#record;
    const under = resize.length > 0 || kill.some((one) => one.resize) || this.#podLags();
    if (under && record.resize.inProgress === undefined) {
      record.resize.inProgress = { generation: record.pod.metadata.generation };
    }
    if (!under && record.resize.inProgress !== undefined) this.#context.resizes.completed(record);
  }

  /** Whether anything was changed; what stands in the way is told, and tried again later. */
  async #resize(resizes: readonly ContainerResize[], next: Soonest, signal: AbortSignal): Promise<boolean> {
    const record = this.#record;
    if (this.#context.volumes !== undefined) this.report();
    try {
      // What is not on disk is not begun: an agent that comes after would not know of it.
      await this.#context.resizes.saved();
      await resizePod(this.#context, record, resizes, signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      this.#context.resizes.failed(record, wordsOf(error));
      this.#resizeFailed = true;
      next.add(resizeRetryMs);
      return false;
    }
  }

  /** The pod's control group, held to what the pod was promised. */
  async #ensureCgroup(): Promise<void> {
    const { cgroups, cgroupRoot } = this.#context;
    const pod = this.#record.allocated;
    if (cgroups === undefined || cgroupRoot === undefined) return;
    const path = cgroupOf(pod, cgroupRoot);
    try {
      await cgroups.create(path);
      await cgroups.write(path, podCgroupResources(pod));
    } catch (error) {
      const message = `unable to ensure pod container exists: failed to create container for ${path} : ${wordsOf(error)}`;
      podEvent(this.#context, pod, "Warning", "FailedCreatePodContainer", message);
      throw error;
    }
  }

  async #mount(signal: AbortSignal): Promise<void> {
    const { volumes } = this.#context;
    const record = this.#record;
    if (volumes === undefined) return;
    const { hostIps, allocatable } = this.#context.facts();
    try {
      record.volumes = await volumes.mount(
        record.allocated,
        { podIps: ipsOf(record, hostIps), hostIps, allocatable },
        signal,
      );
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof VolumeError) podEvent(this.#context, record.pod, "Warning", "FailedMount", error.message);
      throw error;
    }
  }

  /** The devices of the pod's ResourceClaims. */
  async #prepareClaims(signal: AbortSignal): Promise<void> {
    try {
      await this.#context.claims?.prepare(this.#record.pod, signal);
    } catch (error) {
      signal.throwIfAborted();
      const message = `Failed to prepare dynamic resources: ${wordsOf(error)}`;
      podEvent(this.#context, this.#record.pod, "Warning", "FailedPrepareDynamicResources", message);
      this.report();
      throw error;
    }
  }

  /** Content that changed in the API, and tokens that are due, reach running containers this way. */
  async #refreshVolumes(next: Soonest, signal: AbortSignal): Promise<void> {
    const record = this.#record;
    if (record.volumes === undefined || !hasLiveVolumes(record.pod)) return;
    try {
      await this.#mount(signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#context.logger.debug("a volume keeps its old content", { pod: record.pod.metadata.name, error });
      next.add(60_000);
    }
    next.add(record.volumes.renewAtMs - this.#context.clock.now());
  }

  #ensureProbes(): void {
    const { probes } = this.#context;
    const record = this.#record;
    const ip = ipsOf(record, this.#context.facts().hostIps)[0] ?? "";
    for (const entry of containersOf(record.pod)) {
      const status = record.state.containers.get(entry.container.name)?.[0];
      if (status?.state !== "running" || record.starting.has(status.id)) continue;
      const running = { containerId: status.id, startedAtMs: status.startedAtMs };
      probes.ensure(record.pod, entry, running, ip, record.terminating);
    }
  }
}

/** The least of several delays. */
class Soonest {
  inMs: number | undefined;

  add(delayMs: number): void {
    if (Number.isFinite(delayMs)) this.inMs = Math.min(this.inMs ?? delayMs, Math.max(0, delayMs));
  }
}

function hasLiveVolumes(pod: Pod): boolean {
  return (specOf(pod).volumes ?? []).some(({ configMap, secret, projected, downwardAPI }) =>
    Boolean(configMap ?? secret ?? projected ?? downwardAPI),
  );
}
