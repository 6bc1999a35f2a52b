import { rm } from "node:fs/promises";
import { isStatusError, type Pod, pods } from "../../api/index.js";
import { type ClockTimer, sleep } from "../../internal/clock.js";
import type { ContainerEvent } from "../../runtime/index.js";
import type { Eviction } from "../eviction/eviction-manager.js";
import { specOf } from "./containers.js";
import { type NodeContext, podEvent } from "./context.js";
import { isTerminalPhase } from "./phase.js";
import { PodRecord } from "./pod-record.js";
import { PodSync } from "./pod-sync.js";
import { cgroupOf, podLogDir } from "./sandbox-config.js";
import { deepEqual } from "./status-writer.js";
import { Deadline, endContainers } from "./termination.js";

const firstRetryMs = 500;
const maxRetryMs = 30_000;

/**
 * Brings one pod on this host to what the API wants, again and again: whatever happens only says "look again". One step at a
 * time; a pod at rest has no timer and no promise.
 */
export class PodWorker {
  readonly record: PodRecord;
  readonly #context: NodeContext;
  readonly #sync: PodSync;
  #running: Promise<void> | undefined;
  #again = false;
  #wake: (() => void) | undefined;
  #step: AbortController | undefined;
  #timer: ClockTimer | undefined;
  #deadline: Deadline | undefined;
  #failures = 0;
  #deleted = false;
  #tornDown = false;
  readonly #ended: (() => void)[] = [];

  constructor(context: NodeContext, pod: Pod) {
    this.#context = context;
    this.record = new PodRecord(pod);
    this.#sync = new PodSync(context, this.record);
  }

  /** A newer version from the API. */
  update(pod: Pod): void {
    const old = this.record.pod;
    this.record.pod = pod;
    this.#context.statuses.observe(pod);
    if (old.metadata.generation !== pod.metadata.generation || old.spec !== pod.spec) {
      this.#context.resizes.changed(this.record);
    }
    if (!matters(old, pod)) return;
    this.#hasten();
    this.kick();
  }

  /** The API no longer has it. */
  remove(): void {
    this.record.gone = true;
    this.#hasten();
    this.kick();
  }

  /** Something turned in the runtime; what this worker did itself is no news. */
  runtimeEvent({ type, containerId }: ContainerEvent): void {
    const { record } = this;
    for (const attempts of record.state.containers.values()) {
      const known = attempts.find(({ id }) => id === containerId);
      if (known === undefined) continue;
      if (type === "created" || (type === "started" && known.state !== "created")) return;
      if (type === "stopped" && known.state === "exited") return;
      break;
    }
    const sandbox = record.state.sandboxes.find(({ id }) => id === containerId);
    if (sandbox !== undefined && (type === "started" || type === "created")) return;
    if (sandbox !== undefined && type === "stopped" && sandbox.state === "notready") return;
    const stepping = this.#running !== undefined && this.#wake === undefined;
    // What a step under way begins it looks at itself, and one that has yet to look again will see the rest.
    if (stepping && (record.dirty || type === "created" || type === "started")) {
      record.dirty = true;
      return;
    }
    record.dirty = true;
    this.kick();
  }

  /** Ends the pod for the node's sake. Resolves when its containers have ended and its volumes are gone. */
  async evict({ message, gracePeriodSeconds, disruption }: Omit<Eviction, "signal">): Promise<void> {
    const { record } = this;
    if (this.#tornDown || record.gone) return;
    const ended = new Promise<void>((resolve) => this.#ended.push(resolve));
    if (!record.terminating) {
      podEvent(this.#context, record.pod, "Warning", "Evicted", message);
      record.verdict = { phase: "Failed", reason: "Evicted", message, disruption };
      record.graceSeconds = gracePeriodSeconds;
      this.#step?.abort();
      this.kick();
    }
    await ended;
  }

  kick(): void {
    this.#again = true;
    this.#wake?.();
    if (this.#context.signal.aborted) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#again) this.kick();
    });
  }

  /** Interrupts the step under way; resolves when nothing runs. To be called after the context's signal aborted. */
  async settled(): Promise<void> {
    this.#timer?.cancel();
    this.#step?.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#context;
    while (this.#again && !signal.aborted) {
      this.#again = false;
      this.#timer?.cancel();
      this.#timer = undefined;
      this.#step = new AbortController();
      try {
        const nextInMs = await this.#once(this.#step.signal);
        this.#failures = 0;
        if (nextInMs !== undefined) this.#later(nextInMs);
      } catch (error) {
        if (signal.aborted) return;
        if (this.#step.signal.aborted) continue;
        this.#context.logger.warn("a pod's sync failed", { pod: this.record.pod.metadata.name, error });
        this.#later(Math.min(firstRetryMs * 2 ** this.#failures++, maxRetryMs));
        this.record.dirty = true;
      }
    }
  }

  #later(delayMs: number): void {
    if (!Number.isFinite(delayMs) || this.#context.signal.aborted) return;
    this.#timer = this.#context.clock.setTimeout(() => this.kick(), delayMs);
  }

  async #once(signal: AbortSignal): Promise<number | undefined> {
    const { record } = this;
    this.#sync.begin();
    if (!record.terminating && this.#mustEnd()) record.terminating = true;
    if (!record.terminating) {
      const nextInMs = await this.#sync.step(signal);
      if (!record.terminating) return nextInMs;
    }
    if (!record.terminated) await this.#terminate();
    else if (!record.gone) this.#sync.report();
    if (!this.#tornDown && !record.gone) await this.#tearDown();
    if (record.gone) await this.#cleanUp();
    else if (record.pod.metadata.deletionTimestamp !== undefined && !this.#deleted) await this.#deleteFromApi();
    return undefined;
  }

  #mustEnd(): boolean {
    const { pod, gone, verdict } = this.record;
    return (
      gone ||
      verdict !== undefined ||
      pod.metadata.deletionTimestamp !== undefined ||
      isTerminalPhase(pod.status?.phase)
    );
  }

  /** A deletion interrupts what is being started, and a shorter grace period what is being stopped. */
  #hasten(): void {
    const { record } = this;
    if (this.#deadline !== undefined) {
      const { atMs } = this.#graceDeadline();
      this.#deadline.bringForward(atMs);
    } else if (!record.terminating && (record.gone || record.pod.metadata.deletionTimestamp !== undefined)) {
      this.#step?.abort();
    }
  }

  #graceDeadline(): Deadline {
    const { pod, gone, graceSeconds = Number.POSITIVE_INFINITY } = this.record;
    const own = specOf(pod).terminationGracePeriodSeconds ?? 30;
    const asked = Math.min(pod.metadata.deletionGracePeriodSeconds ?? own, Math.max(1, graceSeconds));
    // Who is gone from the API already was deleted by force: the least that is civil.
    const seconds = gone
      ? Math.max(1, Math.min(asked, pod.metadata.deletionTimestamp === undefined ? 1 : asked))
      : asked;
    return new Deadline(this.#context.clock.now() + seconds * 1000);
  }

  async #terminate(): Promise<void> {
    const { signal, runtime, probes } = this.#context;
    const { record } = this;
    await this.#sync.refresh(signal);
    this.#deadline = this.#graceDeadline();
    let ended = false;
    const ending = endContainers(this.#context, record, this.#deadline, signal).finally(() => {
      ended = true;
      this.#wake?.();
    });
    ending.catch(() => {});
    // Meanwhile readiness is still watched and reported.
    this.#sync.watchEnding();
    while (!ended && !signal.aborted) {
      if (!this.#again) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
        // A container's end is often all that there is to see: then the pod's end follows within this turn.
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      if (ended) break;
      this.#again = false;
      await this.#sync.observe(signal);
    }
    await ending;
    signal.throwIfAborted();
    probes.forgetPod(record.uid);
    for (const sandbox of record.state.sandboxes) await runtime.stopPodSandbox(sandbox.id, { signal });
    // Before the API hears of the end: then the devices are others' to have.
    await this.#context.claims?.unprepare(record.uid, signal);
    record.dirty = true;
    record.terminated = true;
    this.#deadline = undefined;
    this.#context.ended(record.uid);
    await this.#sync.finish(signal);
  }

  /** What the pod kept on this node goes, before the API may forget of it. */
  async #tearDown(): Promise<void> {
    const { volumes, signal } = this.#context;
    await volumes?.tearDown(this.record.uid, signal);
    this.#tornDown = true;
    for (const resolve of this.#ended.splice(0)) resolve();
  }

  async #deleteFromApi(): Promise<void> {
    const { client, statuses, signal, clock, logger } = this.#context;
    const { record } = this;
    await statuses.flush(record.uid);
    this.#deleted = true;
    const { namespace, name, uid } = record.pod.metadata;
    while (!record.gone && !signal.aborted) {
      try {
        await client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid }, signal });
        return;
      } catch (error) {
        if (signal.aborted || isStatusError(error, "NotFound") || isStatusError(error, "Conflict")) return;
        logger.warn("cannot delete a pod that has ended", { pod: `${namespace}/${name}`, error });
        await sleep(clock, firstRetryMs, signal);
      }
    }
  }

  async #cleanUp(): Promise<void> {
    const { runtime, volumes, images, backoff, statuses, signal, forget, logRoot, cgroups, cgroupRoot } = this.#context;
    const { record } = this;
    statuses.forget(record.uid);
    for (const { id } of record.state.sandboxes) await runtime.removePodSandbox(id, { signal });
    if (cgroups !== undefined && cgroupRoot !== undefined) await cgroups.remove(cgroupOf(record.pod, cgroupRoot));
    await volumes?.unmount(record.uid, signal);
    if (logRoot !== undefined) await rm(podLogDir(logRoot, record.pod), { recursive: true, force: true });
    images.forget(record.uid);
    backoff.forgetPod(record.uid);
    forget(record.uid);
    for (const resolve of this.#ended.splice(0)) resolve();
  }
}

/** Whether a change of the API's object is one that a node acts on: not the echo of the status it wrote itself. */
function matters(old: Pod, pod: Pod): boolean {
  const [a, b] = [old.metadata, pod.metadata];
  if (a.generation !== b.generation || a.deletionTimestamp !== b.deletionTimestamp) return true;
  if (a.deletionGracePeriodSeconds !== b.deletionGracePeriodSeconds) return true;
  if (isTerminalPhase(pod.status?.phase) && !isTerminalPhase(old.status?.phase)) return true;
  if (!deepEqual(a.labels, b.labels) || !deepEqual(a.annotations, b.annotations)) return true;
  if (specOf(pod).readinessGates?.length) return !deepEqual(old.status?.conditions, pod.status?.conditions);
  // A server that keeps no generation: the specs tell.
  return b.generation === undefined && !deepEqual(old.spec, pod.spec);
}
