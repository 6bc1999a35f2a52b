import type { Container, Pod, Probe } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import type { Readiness } from "../pod/container-statuses.js";
import { oldStatus } from "../pod/container-statuses.js";
import { fieldPathOf, type PodContainer } from "../pod/containers.js";
import type { ProbeVerdict } from "../pod/plan.js";
import { ProbeWorker } from "./probe-worker.js";
import type { ProbeKind, ProbeOutcome, Prober } from "./prober.js";

export interface ProbeManagerOptions {
  readonly prober: Prober;
  readonly clock: Clock;
  /** Something turned: look at the pod. */
  readonly onTurn: (podUid: string) => void;
  readonly event: (pod: Pod, fieldPath: string, type: "Normal" | "Warning", reason: string, message: string) => void;
}

interface ProbedContainer {
  readonly podUid: string;
  readonly name: string;
  readonly workers: Map<ProbeKind, ProbeWorker>;
  started: boolean;
}

export interface RunningContainer {
  readonly containerId: string;
  readonly startedAtMs: number;
}

/** The probes of all running containers that have any. Containers without cost nothing. */
export class ProbeManager {
  readonly #options: ProbeManagerOptions;
  readonly #probed = new Map<string, ProbedContainer>();
  readonly #ofPod = new Map<string, Set<string>>();

  constructor(options: ProbeManagerOptions) {
    this.#options = options;
  }

  /** Makes a container's probes run; to be called again whenever the pod was looked at. */
  ensure(pod: Pod, entry: PodContainer, running: RunningContainer, ip: string, terminating: boolean): void {
    const { container, role } = entry;
    if (role === "init" || role === "ephemeral" || !hasProbes(container)) return;
    const { containerId } = running;
    let probed = this.#probed.get(containerId);
    if (probed === undefined) {
      probed = { podUid: pod.metadata.uid, name: container.name, workers: new Map(), started: !container.startupProbe };
      this.#probed.set(containerId, probed);
      const ids = this.#ofPod.get(pod.metadata.uid) ?? new Set();
      this.#ofPod.set(pod.metadata.uid, ids.add(containerId));
      this.#dropOthers(ids, containerId, container.name);
      // Adopted from an agent before: what was established then holds until a probe says otherwise.
      const old = oldStatus(pod, role, container.name);
      if (old?.containerID?.endsWith(`://${containerId}`) && old.started) probed.started = true;
    }
    if (terminating) {
      probed.workers.get("liveness")?.stop();
      probed.workers.get("startup")?.stop();
      return;
    }
    if (!probed.started) {
      this.#work(pod, entry, running, ip, "startup", container.startupProbe, probed);
      return;
    }
    this.#work(pod, entry, running, ip, "liveness", container.livenessProbe, probed);
    this.#work(pod, entry, running, ip, "readiness", container.readinessProbe, probed);
  }

  verdict(containerId: string, container: Container): ProbeVerdict {
    const probed = this.#probed.get(containerId);
    if (probed === undefined)
      return hasProbes(container) && container.startupProbe ? { started: false } : { started: true };
    const startup = probed.workers.get("startup");
    if (startup?.decided && !startup.healthy) return { started: false, failed: "startup" };
    const liveness = probed.workers.get("liveness");
    if (liveness?.decided && !liveness.healthy) return { started: probed.started, failed: "liveness" };
    return { started: probed.started };
  }

  readiness(containerId: string, container: Container): Readiness {
    const { started } = this.verdict(containerId, container);
    if (!container.readinessProbe) return { started, ready: started };
    return { started, ready: started && this.#probed.get(containerId)?.workers.get("readiness")?.healthy === true };
  }

  /** Ends the probes of one container, as before it is killed. */
  forgetContainer(containerId: string): void {
    const probed = this.#probed.get(containerId);
    if (probed === undefined) return;
    for (const worker of probed.workers.values()) worker.stop();
    this.#probed.delete(containerId);
    this.#ofPod.get(probed.podUid)?.delete(containerId);
  }

  forgetPod(podUid: string): void {
    for (const containerId of [...(this.#ofPod.get(podUid) ?? [])]) this.forgetContainer(containerId);
    this.#ofPod.delete(podUid);
  }

  stop(): void {
    for (const podUid of [...this.#ofPod.keys()]) this.forgetPod(podUid);
  }

  #dropOthers(ids: ReadonlySet<string>, current: string, name: string): void {
    for (const id of [...ids]) if (id !== current && this.#probed.get(id)?.name === name) this.forgetContainer(id);
  }

  #work(
    pod: Pod,
    entry: PodContainer,
    { containerId, startedAtMs }: RunningContainer,
    ip: string,
    kind: ProbeKind,
    probe: Probe | undefined,
    probed: ProbedContainer,
  ): void {
    if (probe === undefined || probed.workers.has(kind)) return;
    const { prober, clock, onTurn } = this.#options;
    const old = oldStatus(pod, entry.role, entry.container.name);
    const adopted = old?.containerID?.endsWith(`://${containerId}`) ?? false;
    const worker: ProbeWorker = new ProbeWorker({
      kind,
      probe,
      target: { pod, container: entry.container, containerId, ip },
      prober,
      clock,
      startedAtMs,
      initial: kind === "liveness" || (kind === "readiness" && adopted && old?.ready === true),
      onTurn: () => {
        if (kind === "startup" && worker.healthy) {
          probed.started = true;
          probed.workers.delete("startup");
        }
        onTurn(pod.metadata.uid);
      },
      onFailure: (outcome) => this.#complain(pod, entry, kind, outcome),
    });
    probed.workers.set(kind, worker);
  }

  #complain(pod: Pod, entry: PodContainer, kind: ProbeKind, { result, output }: ProbeOutcome): void {
    const name = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
    if (result === "warning") {
      const warning = `${name} probe warning: ${output}`;
      this.#options.event(pod, fieldPathOf(entry), "Warning", "ProbeWarning", warning);
      return;
    }
    const message =
      result === "failure"
        ? `${name} probe failed: ${output}`
        : `${name} probe errored and resulted in unknown state: ${output}`;
    this.#options.event(pod, fieldPathOf(entry), "Warning", "Unhealthy", message);
  }
}

function hasProbes({ livenessProbe, readinessProbe, startupProbe }: Container): boolean {
  return livenessProbe !== undefined || readinessProbe !== undefined || startupProbe !== undefined;
}
