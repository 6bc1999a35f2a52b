import type { Pod } from "../api/index.js";
import { isStatusError } from "../api/index.js";
import type { EventRecorder } from "../client/index.js";
import type { Clock } from "../internal/clock.js";
import type { Logger } from "../internal/logger.js";
import type { Random } from "../internal/random.js";
import type { BindingFailure } from "./binding-cycle.js";
import type { ClusterCache } from "./cache/cluster-cache.js";
import { fitMessage, rejectingPolicies, type Unschedulable } from "./engine/fit-error.js";
import type { VerdictTable } from "./engine/verdicts.js";
import type { PreemptionPreview } from "./explain.js";
import type { PreemptionPlan } from "./extender/extender.js";
import { guarded } from "./framework/guard.js";
import type { Cycle, NodeVerdict, PostFilterResult, ResolvableNode, ScheduleFailure } from "./framework/policy.js";
import { type RunningProfile, schedulerNameOf } from "./profile.js";
import type { Nominator } from "./queue/nominator.js";
import type { QueueEntry, SchedulingQueue } from "./queue/scheduling-queue.js";
import type { WaitingPods } from "./waiting-pods.js";
import type { ClusterWrites, PodStatusChange } from "./writes.js";

export interface FailureHandlerOptions {
  readonly cache: ClusterCache;
  readonly queue: SchedulingQueue;
  readonly nominator: Nominator;
  readonly waiting: WaitingPods;
  readonly verdicts: VerdictTable;
  readonly writes: ClusterWrites;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** What becomes of pods that got no node: told why, given room by preemption where that helps, and put back. */
export class FailureHandler {
  readonly #options: FailureHandlerOptions;
  readonly #writing = new Set<Promise<void>>();

  constructor(options: FailureHandlerOptions) {
    this.#options = options;
  }

  /** No node passed. `review` is asked before anybody is evicted. */
  unschedulable(
    entry: QueueEntry,
    profile: RunningProfile,
    failure: Unschedulable,
    cycle: Cycle,
    review?: (plan: PreemptionPlan) => Promise<readonly Pod[] | undefined>,
  ): void {
    const { verdicts } = this.#options;
    const rejectedBy = rejectingPolicies(failure, verdicts);
    const message = fitMessage(failure, verdicts);
    if (failure.nodeCount === 0) {
      this.#conclude(entry, profile, message, rejectedBy, undefined);
      return;
    }
    const { result, messages, asked } = this.#postFilter(entry.info.pod, profile, failure, cycle);
    for (const policy of asked) rejectedBy.add(policy);
    const whole = [message, ...(messages.length > 0 ? [messages.join(", ")] : [])].join(" ");
    const { nominatedNodeName: nodeName, victims = [] } = result ?? {};
    if (review === undefined || nodeName === undefined) {
      this.#conclude(entry, profile, whole, rejectedBy, result);
      return;
    }
    const reviewing = review({ nodeName, victims }).then(
      (agreed) => {
        const outcome = agreed === undefined ? undefined : { nominatedNodeName: nodeName, victims: agreed };
        this.#conclude(entry, profile, whole, rejectedBy, outcome);
      },
      (error: unknown) => this.failed(entry, error),
    );
    this.#write(reviewing, entry.info.key);
  }

  #conclude(
    entry: QueueEntry,
    profile: RunningProfile,
    message: string,
    rejectedBy: ReadonlySet<string>,
    result: PostFilterResult | undefined,
  ): void {
    const nominated = result?.nominatedNodeName;
    if (nominated !== undefined) this.#makeRoom(entry, profile, nominated, result?.victims ?? []);
    this.#options.queue.reject(entry, rejectedBy);
    this.#tell(entry.info.pod, "Unschedulable", message, nominated);
  }

  /** What `unschedulable` would do to make room, without doing it. */
  preview(pod: Pod, profile: RunningProfile, failure: Unschedulable, cycle: Cycle): PreemptionPreview {
    const { result, messages } = this.#postFilter(pod, profile, failure, cycle);
    const victims = (result?.victims ?? []).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    if (result?.nominatedNodeName !== undefined) return { nodeName: result.nominatedNodeName, victims };
    return messages.length === 0 ? { victims } : { victims, message: messages.join(", ") };
  }

  /** A policy refused after a node had been chosen. */
  rejected(entry: QueueEntry, _profile: RunningProfile, { rejectedBy, rejection }: BindingFailure): void {
    const message = rejection.reasons.join(", ");
    if (rejectedBy === undefined || rejectedBy === "") this.#options.queue.retry(entry);
    else this.#options.queue.reject(entry, new Set([rejectedBy]));
    this.#tell(entry.info.pod, "Unschedulable", message, undefined);
  }

  /** Something broke: a policy, or a write. */
  failed(entry: QueueEntry, error: unknown): void {
    this.#options.queue.retry(entry);
    const cause = error instanceof Error ? error.cause : undefined;
    // The pod is gone, or somebody else bound it: the informer will say so.
    if (isStatusError(cause, "NotFound") || this.#options.signal.aborted) return;
    const message = error instanceof Error ? error.message : String(error);
    this.#options.logger.warn("scheduling a pod failed", { pod: entry.info.key, error });
    this.#tell(entry.info.pod, "SchedulerError", message, undefined);
  }

  /** Resolves when no write is under way. */
  async settled(): Promise<void> {
    while (this.#writing.size > 0) await Promise.all(this.#writing);
  }

  #postFilter(
    pod: Pod,
    profile: RunningProfile,
    failure: Unschedulable,
    cycle: Cycle,
  ): { result?: PostFilterResult; messages: string[]; asked: string[] } {
    const view = this.#view(failure, pod);
    const messages: string[] = [];
    const asked: string[] = [];
    for (const policy of profile.postFilter) {
      const result = guarded(policy.name, "PostFilter", () => policy.postFilter(pod, view, cycle));
      if (result === undefined) continue;
      if (result.message !== undefined) messages.push(result.message);
      if ((policy.requeueWhen?.length ?? 0) > 0) asked.push(policy.name);
      if (result.nominatedNodeName !== undefined) return { result, messages: [], asked };
    }
    return { messages, asked };
  }

  #view(failure: Unschedulable, pod: Pod): ScheduleFailure {
    const { cache, verdicts, random, clock, nominator } = this.#options;
    const { table } = cache;
    const verdict = (code: number): NodeVerdict | undefined => (code > 0 ? verdicts.get(code) : undefined);
    const helpful = new Set<number>();
    let resolvableCount = 0;
    for (const [code, count] of failure.verdicts) {
      if (verdict(code)?.unresolvable === true) continue;
      helpful.add(code);
      resolvableCount += count;
    }
    const resolvableNode = (id: number): ResolvableNode | undefined => {
      const name = helpful.has(failure.codeOf(id)) ? table.nodes[id]?.metadata.name : undefined;
      return name === undefined ? undefined : { id, name };
    };
    return {
      nodeCount: failure.nodeCount,
      random,
      nowMs: clock.now(),
      resolvableCount,
      *resolvableNodes(start) {
        if (helpful.size === 0) return;
        const first = Math.floor(start * table.slots);
        for (let index = 0; index < table.slots; index++) {
          const node = resolvableNode((first + index) % table.slots);
          if (node !== undefined) yield node;
        }
      },
      resolvableNode,
      ownNode: table.slotOf(nominator.nodeOf(pod.metadata.uid) ?? ""),
      changes: table.objectLog,
      hasPodBelow: (priority) => table.hasPodBelow(priority),
      verdictOf: (name) => verdict(failure.codeOf(table.slotOf(name) ?? -1)),
      verdictWithout: (name, gone) => verdict(failure.codeWithout(table.slotOf(name) ?? -1, gone)),
      likeness: failure.likeness,
    };
  }

  #makeRoom(entry: QueueEntry, profile: RunningProfile, nodeName: string, victims: readonly Pod[]): void {
    const { nominator, events, writes, waiting, signal, logger } = this.#options;
    const { info } = entry;
    // Pods of lower priority were promised room that is now taken.
    for (const other of [...nominator.on(nodeName)]) {
      if (other.priority >= info.priority) continue;
      nominator.delete(other.uid);
      this.#write(writes.patchStatus(other.pod, { nominatedNodeName: "" }, signal), other.key);
      this.#options.queue.activate([other.uid]);
    }
    nominator.add(info, nodeName);
    const details = { action: "Preempting", related: info.pod, reporter: profile.name };
    const tell = (victim: Pod): void => {
      events.event(victim, "Normal", "Preempted", `Preempted by pod ${info.uid} on node ${nodeName}`, details);
    };
    for (const victim of victims) {
      const held = waiting.get(victim.metadata.uid);
      if (held !== undefined) {
        held.reject("", "preempted");
        tell(victim);
        continue;
      }
      const evict = async (): Promise<void> => {
        if (victim.metadata.deletionTimestamp === undefined) await writes.evict(victim, profile.name, signal);
        tell(victim);
      };
      const { namespace, name } = victim.metadata;
      this.#write(
        evict().catch((error: unknown) => {
          if (isStatusError(error, "NotFound") || signal.aborted) return;
          logger.warn("evicting a victim of preemption failed", { pod: `${namespace}/${name}`, error });
          nominator.delete(info.uid);
          this.#options.queue.activate([info.uid]);
        }),
        info.key,
      );
    }
  }

  #tell(pod: Pod, reason: string, message: string, nominated: string | undefined): void {
    const { events, writes, signal } = this.#options;
    const details = { action: "Scheduling", reporter: schedulerNameOf(pod) };
    events.event(pod, "Warning", "FailedScheduling", message, details);
    const old = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
    const known = old?.status === "False" && old.reason === reason && old.message === message;
    const promised = nominated === undefined || pod.status?.nominatedNodeName === nominated;
    if (known && promised) return;
    const change: PodStatusChange = {
      ...(known ? {} : { condition: { status: "False", reason, message } }),
      ...(promised ? {} : { nominatedNodeName: nominated }),
    };
    this.#write(writes.patchStatus(pod, change, signal), `${pod.metadata.namespace}/${pod.metadata.name}`);
  }

  #write(writing: Promise<void>, pod: string): void {
    const { logger, signal } = this.#options;
    const tracked = writing
      .catch((error: unknown) => {
        if (!isStatusError(error, "NotFound") && !signal.aborted) {
          logger.warn("writing a pod's status failed", { pod, error });
        }
      })
      .finally(() => this.#writing.delete(tracked));
    this.#writing.add(tracked);
  }
}
