import { setMaxListeners } from "node:events";
import type { Node, Pod } from "../api/index.js";
import type { Client, EventRecorder } from "../client/index.js";
import type { Clock } from "../internal/clock.js";
import type { Logger } from "../internal/logger.js";
import type { Random } from "../internal/random.js";
import { type BindingContext, bindPod, isSimple, reserveAndPermit, unreserve } from "./binding-cycle.js";
import { ClusterCache } from "./cache/cluster-cache.js";
import { type PodInfo, podInfo } from "./cache/pod-info.js";
import { Algorithm } from "./engine/algorithm.js";
import { bestOf } from "./engine/selection.js";
import { VerdictTable } from "./engine/verdicts.js";
import { type Explanation, explain } from "./explain.js";
import { consult, reviewPreemption } from "./extender/consult.js";
import type { Extender, PreemptionPlan } from "./extender/extender.js";
import { FailureHandler } from "./failure-handler.js";
import { PolicyError } from "./framework/guard.js";
import type { ClusterListers } from "./framework/listers.js";
import type { ClusterEvent, Cycle, EventAction, RequeueInterest } from "./framework/policy.js";
import { TimeBudget } from "./framework/time-budget.js";
import { queueOrder, type RunningProfile, runningProfile, type SchedulerProfile, schedulerNameOf } from "./profile.js";
import { Nominator } from "./queue/nominator.js";
import { type QueueEntry, SchedulingQueue } from "./queue/scheduling-queue.js";
import { Shadow, type ShadowOptions, type ShadowSummary } from "./shadow.js";
import { WaitingPods } from "./waiting-pods.js";
import type { ClusterWrites } from "./writes.js";

export interface SchedulerCoreOptions {
  readonly profiles: readonly SchedulerProfile[];
  readonly listers: ClusterListers;
  readonly writes: ClusterWrites;
  readonly events: EventRecorder;
  /** For policies that write before they bind, such as VolumeBinding. */
  readonly client?: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Called when `work` has something to do again. */
  readonly onWork: () => void;
  /** What plain policy calls of one pod may take together; default 1 s. */
  readonly cycleBudgetMs?: number | undefined;
  /** What one preBind or bind of a policy may take; default 15 min, as some wait up to 10 by themselves. */
  readonly policyTimeoutMs?: number | undefined;
  /** Bindings under way at once; default 1000. */
  readonly maxBindings?: number | undefined;
  readonly initialBackoffMs?: number | undefined;
  readonly maxBackoffMs?: number | undefined;
  readonly shadow?: ShadowOptions | undefined;
  /** Asked after the policies, in this order. */
  readonly extenders?: readonly Extender[] | undefined;
}

const defaultBudgetMs = 1000;

/**
 * The scheduler without the network: told what the API has, it decides synchronously in `work` and writes through
 * `writes`. Everything it does follows from what it was told, the clock and the random source.
 */
export class SchedulerCore {
  readonly cache: ClusterCache;
  readonly queue: SchedulingQueue;
  readonly nominator: Nominator = new Nominator((nodeName) => this.cache.table.promised(nodeName));
  readonly waiting: WaitingPods;
  readonly verdicts: VerdictTable = new VerdictTable();
  readonly algorithm: Algorithm;
  readonly #options: SchedulerCoreOptions;
  readonly #failures: FailureHandler;
  readonly #stop = new AbortController();
  #profiles: ReadonlyMap<string, RunningProfile>;
  #shadow: Shadow | undefined;
  /** Extenders are thinking about a pod: the next one waits for them. */
  #consulting: Promise<void> | undefined;
  #bindings = 0;
  #idle: (() => void)[] = [];

  constructor(options: SchedulerCoreOptions) {
    this.#options = options;
    // Every write under way listens to it.
    setMaxListeners(0, this.#stop.signal);
    const { clock, random } = options;
    this.cache = new ClusterCache(options.listers);
    this.#profiles = this.#prepare(options.profiles);
    this.waiting = new WaitingPods(clock);
    this.algorithm = new Algorithm({
      table: this.cache.table,
      snapshots: this.cache.snapshots,
      verdicts: this.verdicts,
      nominations: this.nominator,
      random,
      ...(options.client === undefined ? {} : { host: { client: options.client, clock } }),
    });
    const before = queueOrder([...this.#profiles.values()]);
    this.queue = new SchedulingQueue({
      clock,
      before,
      gate: (pod) => this.#gate(pod),
      interests: (policy) => this.#interests(policy),
      onReady: options.onWork,
      initialBackoffMs: options.initialBackoffMs,
      maxBackoffMs: options.maxBackoffMs,
    });
    this.#failures = new FailureHandler({
      ...options,
      cache: this.cache,
      queue: this.queue,
      nominator: this.nominator,
      waiting: this.waiting,
      verdicts: this.verdicts,
      signal: this.#stop.signal,
    });
    this.setShadow(options.shadow);
  }

  get profiles(): ReadonlyMap<string, RunningProfile> {
    return this.#profiles;
  }

  /** Bindings under way. */
  get bindings(): number {
    return this.#bindings;
  }

  /** Schedules up to `limit` pods; gives how many. Less than `limit`: nothing is left to do for now. */
  work(limit: number): number {
    const maxBindings = this.#options.maxBindings ?? 1000;
    let count = 0;
    while (count < limit && this.#bindings < maxBindings && this.#consulting === undefined) {
      const entry = this.queue.pop();
      if (entry === undefined) break;
      count++;
      this.#scheduleOne(entry);
    }
    return count;
  }

  /** Replaces the policies. Pods that wait are kept, and those that rested are tried anew. */
  setProfiles(profiles: readonly SchedulerProfile[]): void {
    const prepared = this.#prepare(profiles);
    const before = queueOrder([...prepared.values()]);
    for (const { engine } of this.#profiles.values()) engine.classes.clear();
    this.#profiles = prepared;
    this.queue.reorder(before);
    this.queue.moveOn({ resource: "*", actions: ["Update"] });
  }

  /** Why the pod would go where it goes as things are now; nothing comes of it. `undefined` without a profile for it. Throws PolicyError. */
  explain(pod: Pod): Explanation | undefined {
    const profile = this.#profiles.get(schedulerNameOf(pod));
    if (profile === undefined) return undefined;
    const explanation = explain(pod, profile, this.cache);
    if (explanation.best.length > 0 || explanation.nodes.length === 0) return explanation;
    const cycle: Cycle = { ...this.algorithm.newCycle(), dryRun: true };
    const { failure } = this.algorithm.schedule(podInfo(pod, this.cache.table.quantities), profile.engine, cycle);
    if (failure === undefined) return explanation;
    return { ...explanation, preemption: this.#failures.preview(pod, profile, failure, cycle) };
  }

  /** What the shadow found so far; `undefined` without one. */
  get shadow(): ShadowSummary | undefined {
    return this.#shadow?.summary;
  }

  /** From now on compares with these, counting anew; `undefined`: with nothing. Throws for profiles that cannot be used. */
  setShadow(options: ShadowOptions | undefined): void {
    const { cache, verdicts, nominator } = this;
    const shadow =
      options === undefined
        ? undefined
        : new Shadow(options, { cache, verdicts, nominations: nominator, budget: this.#budget() });
    this.#shadow?.close();
    this.#shadow = shadow;
  }

  /** Rejects what waits, aborts what is being written, and resolves when nothing is under way. */
  async close(): Promise<void> {
    this.queue.close();
    this.#stop.abort();
    this.waiting.clear("the scheduler is stopping");
    await this.#consulting;
    if (this.#bindings > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await this.#failures.settled();
    this.#shadow?.close();
    for (const { engine } of this.#profiles.values()) engine.classes.clear();
  }

  // What the API has.

  setNode(node: Node): void {
    const slot = this.cache.table.slotOf(node.metadata.name);
    const old = slot === undefined ? undefined : this.cache.table.nodes[slot];
    const actions = this.cache.setNode(node);
    if (actions.length > 0) this.queue.moveOn({ resource: "Node", actions, old, object: node });
  }

  deleteNode(node: Node): void {
    this.cache.deleteNode(node.metadata.name);
    this.queue.moveOn({ resource: "Node", actions: ["Delete"], old: node });
  }

  /** The pod is there, in this state. Finished pods are to be given to `deletePod`. */
  setPod(pod: Pod, old: Pod | undefined): void {
    const { uid } = pod.metadata;
    if (pod.spec?.nodeName) {
      const news = this.cache.setPod(pod);
      if (this.queue.get(uid) !== undefined) this.queue.delete(uid);
      this.nominator.delete(uid);
      if (old?.spec?.nodeName && !news) return;
      const actions = old?.spec?.nodeName ? (["UpdatePodLabel", "UpdatePodScaleDown"] as const) : (["Add"] as const);
      this.queue.moveOn(this.#podEvent(actions, old, pod));
      return;
    }
    if (!this.#profiles.has(schedulerNameOf(pod))) return;
    // While it is being bound, the queue only keeps the newer object, in case that fails.
    if (this.cache.isAssumed(uid) && this.queue.get(uid) === undefined) return;
    const info = podInfo(pod, this.cache.table.quantities);
    this.#nominate(info);
    if (old === undefined) this.queue.add(info);
    else this.queue.update(podChange(old, pod), info);
  }

  deletePod(pod: Pod): void {
    const { uid } = pod.metadata;
    this.queue.delete(uid);
    this.waiting.get(uid)?.reject("", "the pod was deleted");
    const nominated = this.nominator.nodeOf(uid) !== undefined;
    this.nominator.delete(uid);
    const placed = this.cache.has(uid);
    this.cache.remove(uid);
    if (placed || nominated) this.queue.moveOn(this.#podEvent(["Delete"], pod, undefined));
  }

  /** Anything else that policies may wait for. */
  notice(event: ClusterEvent): void {
    if (event.resource === "Namespace") {
      const { table } = this.cache;
      table.counters.recount((visit) => table.everyPod(visit));
    }
    this.queue.moveOn(event);
  }

  #scheduleOne(entry: QueueEntry): void {
    const { info } = entry;
    const profile = this.#profiles.get(schedulerNameOf(info.pod));
    if (profile === undefined || info.terminating || this.cache.has(info.uid)) {
      this.queue.done(entry);
      return;
    }
    const cycle = this.algorithm.newCycle();
    const extenders = (this.#options.extenders ?? []).filter((one) => one.interested?.(info.pod) ?? true);
    if (extenders.some(({ filter, prioritize }) => filter ?? prioritize)) {
      this.#consulting = this.#consult(entry, profile, extenders, cycle).finally(() => {
        this.#consulting = undefined;
        this.#options.onWork();
      });
      return;
    }
    try {
      const decision = this.algorithm.schedule(info, profile.engine, cycle);
      this.#shadow?.compare(info, decision);
      if (decision.failure === undefined) this.#place(entry, profile, decision.node, cycle);
      else this.#failures.unschedulable(entry, profile, decision.failure, cycle);
    } catch (error) {
      this.#failures.failed(entry, error);
    }
  }

  async #consult(
    entry: QueueEntry,
    profile: RunningProfile,
    extenders: readonly Extender[],
    cycle: Cycle,
  ): Promise<void> {
    const { info } = entry;
    const { table } = this.cache;
    const call = { extenders, pod: info.pod, signal: this.#stop.signal, logger: this.#options.logger };
    try {
      const offer = this.algorithm.offer(info, profile.engine, cycle);
      const slots = new Map(offer.slots.map((slot) => [table.nodes[slot], slot]));
      const nodes = [...slots.keys()].filter((node) => node !== undefined);
      const { passed, rejected, scores } = await consult(call, nodes);
      // Deleted, or bound by somebody else, while the extenders thought.
      if (this.queue.get(info.uid) !== entry || this.#stop.signal.aborted) return;
      if (passed.length === 0) {
        const refused = new Map<number, number>();
        for (const node of nodes) {
          const why = rejected.get(node.metadata.name);
          const slot = slots.get(node);
          if (why !== undefined && slot !== undefined)
            refused.set(slot, this.verdicts.code(why.extender, why.rejection));
        }
        const review = (plan: PreemptionPlan): Promise<readonly Pod[] | undefined> => reviewPreemption(call, plan);
        this.#failures.unschedulable(entry, profile, offer.failure(refused), cycle, review);
        return;
      }
      const totals = new Map(offer.slots.map((slot, index) => [slot, offer.scores[index] ?? 0]));
      const choices = passed.map((node) => slots.get(node) ?? -1);
      const sums = passed.map(
        ({ metadata }, index) => (totals.get(choices[index] ?? -1) ?? 0) + (scores.get(metadata.name) ?? 0),
      );
      const chosen = bestOf(choices, sums, this.#options.random, -1);
      // The cluster has gone on meanwhile.
      if (this.algorithm.passes(info, profile.engine, chosen)) this.#place(entry, profile, chosen, cycle);
      else this.queue.retry(entry);
    } catch (error) {
      this.#failures.failed(entry, error);
    }
  }

  #place(entry: QueueEntry, profile: RunningProfile, slot: number, cycle: Cycle): void {
    const { info } = entry;
    const nodeName = this.cache.table.nodes[slot]?.metadata.name ?? "";
    const { pod } = info;
    const spec = pod.spec === undefined ? { containers: [], nodeName } : { ...pod.spec, nodeName };
    this.cache.assume({ ...info, pod: { ...pod, spec } }, nodeName);
    this.nominator.delete(info.uid);
    if (isSimple(profile, pod)) {
      this.#track(this.#finish(entry, nodeName, this.#apiBind(pod, nodeName), undefined));
      return;
    }
    const node = this.cache.snapshots.current().node(nodeName);
    if (node === undefined) return;
    const { clock, policyTimeoutMs = 900_000 } = this.#options;
    const context: BindingContext = {
      profile,
      pod,
      node,
      cycle,
      waiting: this.waiting,
      clock,
      policyTimeoutMs,
      signal: this.#stop.signal,
      apiBind: async () => {
        await this.#apiBind(pod, nodeName);
      },
    };
    try {
      const reserved = reserveAndPermit(context);
      if ("waits" in reserved) {
        this.#track(this.#finish(entry, nodeName, bindPod(context, reserved.waits), context));
        return;
      }
      this.#undo(entry, nodeName, context);
      this.#failures.rejected(entry, profile, reserved);
    } catch (error) {
      this.#undo(entry, nodeName, context);
      this.#failures.failed(entry, error);
    }
  }

  async #apiBind(pod: Pod, nodeName: string): Promise<undefined> {
    const binder = this.#options.extenders?.find((one) => one.bind !== undefined && (one.interested?.(pod) ?? true));
    if (binder?.bind !== undefined) {
      await binder.bind(pod, nodeName, this.#stop.signal);
      return;
    }
    await this.#options.writes.bind(pod, nodeName, this.#stop.signal);
  }

  async #finish(
    entry: QueueEntry,
    nodeName: string,
    binding: ReturnType<typeof bindPod>,
    context: BindingContext | undefined,
  ): Promise<void> {
    const { pod } = entry.info;
    try {
      const failure = await binding;
      if (failure === undefined) {
        this.queue.done(entry);
        const { namespace = "", name } = pod.metadata;
        this.#options.events.event(
          pod,
          "Normal",
          "Scheduled",
          `Successfully assigned ${namespace}/${name} to ${nodeName}`,
          { action: "Binding", reporter: schedulerNameOf(pod) },
        );
        return;
      }
      this.#undo(entry, nodeName, context);
      if (context !== undefined) this.#failures.rejected(entry, context.profile, failure);
    } catch (error) {
      this.#undo(entry, nodeName, context);
      this.#failures.failed(entry, error instanceof PolicyError ? error : bindingError(error));
    }
  }

  /** The pod is not on the node after all. What it held may be what another waits for. */
  #undo(entry: QueueEntry, nodeName: string, context: BindingContext | undefined): void {
    const { uid } = entry.info;
    if (context !== undefined) {
      try {
        unreserve(context);
      } catch (error) {
        this.#options.logger.error("a policy's unreserve failed", { pod: entry.info.key, error });
      }
    }
    this.cache.forget(uid);
    const { pod } = entry.info;
    this.queue.moveOn(this.#podEvent(["Delete"], pod, undefined, nodeName));
  }

  #podEvent(
    actions: readonly EventAction[],
    old: Pod | undefined,
    object: Pod | undefined,
    nodeName: string | undefined = (object ?? old)?.spec?.nodeName,
  ): ClusterEvent {
    const { snapshots } = this.cache;
    return {
      resource: "AssignedPod",
      actions,
      old,
      object,
      // Made only when a hint asks.
      get node() {
        return nodeName === undefined ? undefined : snapshots.current().node(nodeName);
      },
    };
  }

  #track(running: Promise<void>): void {
    this.#bindings++;
    const maxBindings = this.#options.maxBindings ?? 1000;
    void running.finally(() => {
      this.#bindings--;
      if (this.#bindings === maxBindings - 1) this.#options.onWork();
      if (this.#bindings === 0) for (const resolve of this.#idle.splice(0)) resolve();
    });
  }

  #nominate(info: PodInfo): void {
    const nodeName = info.pod.status?.nominatedNodeName;
    if (nodeName && this.nominator.nodeOf(info.uid) !== nodeName) this.nominator.add(info, nodeName);
  }

  #gate(pod: Pod): string | undefined {
    for (const policy of this.#profiles.get(schedulerNameOf(pod))?.preEnqueue ?? []) {
      try {
        if (policy.preEnqueue(pod) !== undefined) return policy.name;
      } catch (error) {
        this.#options.logger.error("a policy's preEnqueue failed", { policy: policy.name, error });
        return policy.name;
      }
    }
    return undefined;
  }

  #interests(name: string): readonly RequeueInterest[] | undefined {
    let all: RequeueInterest[] | undefined;
    for (const { engine } of this.#profiles.values()) {
      const found = engine.policies.find(({ policy }) => policy.name === name);
      if (found === undefined) continue;
      if (found.policy.requeueWhen === undefined) return undefined;
      all = [...(all ?? []), ...found.policy.requeueWhen];
    }
    return all;
  }

  #budget(): TimeBudget {
    const { clock, cycleBudgetMs = defaultBudgetMs } = this.#options;
    return new TimeBudget(() => clock.now(), cycleBudgetMs);
  }

  #prepare(profiles: readonly SchedulerProfile[]): ReadonlyMap<string, RunningProfile> {
    const budget = this.#budget();
    const prepared = new Map<string, RunningProfile>();
    for (const profile of profiles) {
      const running = runningProfile(profile, this.cache, this.verdicts, budget);
      if (prepared.has(running.name)) throw new Error(`two profiles are named ${running.name}`);
      prepared.set(running.name, running);
    }
    if (prepared.size === 0) throw new Error("a scheduler needs a profile");
    return prepared;
  }
}

function bindingError(cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Error(`binding rejected: running Bind plugin "DefaultBinder": ${why}`, { cause });
}

/** How an update of a waiting pod may matter; `null`: not at all, such as our own writes to its status. */
function podChange(old: Pod, pod: Pod): ClusterEvent | null {
  const actions: EventAction[] = [];
  const claims = ({ status }: Pod): string => JSON.stringify(status?.resourceClaimStatuses ?? []);
  if (old.status !== pod.status && claims(old) !== claims(pod)) actions.push("UpdatePodGeneratedResourceClaim");
  if (JSON.stringify(old.metadata.labels) !== JSON.stringify(pod.metadata.labels)) actions.push("UpdatePodLabel");
  if (old.spec !== pod.spec && JSON.stringify(old.spec) !== JSON.stringify(pod.spec)) {
    actions.push("Update");
    if (JSON.stringify(old.spec?.tolerations) !== JSON.stringify(pod.spec?.tolerations)) {
      actions.push("UpdatePodToleration");
    }
    if ((old.spec?.schedulingGates?.length ?? 0) > 0 && (pod.spec?.schedulingGates?.length ?? 0) === 0) {
      actions.push("UpdatePodSchedulingGatesEliminated");
    }
  }
  return actions.length === 0 ? null : { resource: "UnscheduledPod", actions, old, object: pod };
}
