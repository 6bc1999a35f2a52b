import type { Pod } from "../../api/index.js";
import type { Clock, ClockTimer } from "../../internal/clock.js";
import type { PodInfo } from "../cache/pod-info.js";
import type { ClusterEvent, QueuedPod, RequeueInterest } from "../framework/policy.js";
import { Heap, type Heaped } from "./heap.js";

/** A pod on its way through the queue. */
export interface QueueEntry extends QueuedPod, Heaped {
  info: PodInfo;
  timestampMs: number;
  sequence: number;
  attempts: number;
  /** When the pod first came. */
  readonly since: number;
  /** Attempts that count for back-off, which an update of the pod forgets. */
  backoffAttempts: number;
  backoffUntilMs: number;
  /** Taken out before its back-off was over, because there was nothing else to do. It gets that once in a row. */
  early: boolean;
  /** Why it rests; events that these policies wait for wake it. */
  rejectedBy: ReadonlySet<string>;
  /** The policy whose preEnqueue holds it. */
  gatedBy: string | undefined;
  /** How many events had been when it was taken out. */
  eventsAtPop: number;
  place: "active" | "backoff" | "troubled" | "resting" | "out";
}

export interface SchedulingQueueOptions {
  readonly clock: Clock;
  readonly before: (a: QueuedPod, b: QueuedPod) => number;
  /** The policy that holds the pod back, if any. May throw nothing. */
  readonly gate: (pod: Pod) => string | undefined;
  /** What a policy waits for; `undefined`: anything. */
  readonly interests: (policy: string) => readonly RequeueInterest[] | undefined;
  /** Called when a pod may have become available to `pop`. */
  readonly onReady: () => void;
  readonly initialBackoffMs?: number | undefined;
  readonly maxBackoffMs?: number | undefined;
  readonly maxRestMs?: number | undefined;
}

/**
 * Pods that wait for a node: active (to be tried, in order), backing off (to be tried when their time has come, or when there
 * is nothing else to do), and resting until the cluster changes in a way that may help them.
 */
export class SchedulingQueue {
  readonly #options: SchedulingQueueOptions;
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #restMs: number;
  readonly #entries = new Map<string, QueueEntry>();
  readonly #active: Heap<QueueEntry>;
  readonly #backoff: Heap<QueueEntry> = new Heap((a, b) => a.backoffUntilMs < b.backoffUntilMs);
  /** Those whose last attempt went wrong: they wait their time even when there is nothing else to do. */
  readonly #troubled: Heap<QueueEntry> = new Heap((a, b) => a.backoffUntilMs < b.backoffUntilMs);
  /** Resting pods by who rejected them, so that an event is held against few sets instead of many pods. */
  readonly #resting = new Map<string, Map<string, QueueEntry>>();
  readonly #out = new Map<string, QueueEntry>();
  #before: (a: QueuedPod, b: QueuedPod) => number;
  #sequence = 0;
  #events = 0;
  #timer: ClockTimer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(options: SchedulingQueueOptions) {
    this.#options = options;
    this.#initialMs = options.initialBackoffMs ?? 1_000;
    this.#maxMs = options.maxBackoffMs ?? 10_000;
    this.#restMs = options.maxRestMs ?? 300_000;
    this.#before = options.before;
    this.#active = new Heap((a, b) => this.#before(a, b) < 0);
  }

  get counts(): { readonly active: number; readonly backoff: number; readonly resting: number } {
    let resting = 0;
    for (const group of this.#resting.values()) resting += group.size;
    return { active: this.#active.size, backoff: this.#backoff.size + this.#troubled.size, resting };
  }

  /** The pod as the queue knows it, wherever it is, also while it is being tried. */
  get(uid: string): QueueEntry | undefined {
    return this.#entries.get(uid) ?? this.#out.get(uid);
  }

  add(info: PodInfo): void {
    if (this.#entries.has(info.uid) || this.#out.has(info.uid)) {
      this.update(null, info);
      return;
    }
    const now = this.#options.clock.now();
    const entry: QueueEntry = {
      info,
      pod: info.pod,
      priority: info.priority,
      timestampMs: now,
      sequence: this.#sequence++,
      attempts: 0,
      since: now,
      backoffAttempts: 0,
      backoffUntilMs: 0,
      early: false,
      rejectedBy: new Set(),
      gatedBy: undefined,
      eventsAtPop: 0,
      place: "out",
      position: -1,
    };
    this.#entries.set(info.uid, entry);
    this.#enqueue(entry, "active");
  }

  /** The pod changed, still without a node. `event` says how; `null`: in nothing that matters to scheduling. */
  update(event: ClusterEvent | null, info: PodInfo): void {
    const entry = this.get(info.uid);
    if (entry === undefined) {
      this.add(info);
      return;
    }
    const { place } = entry;
    if (place === "active") this.#active.remove(entry);
    entry.info = info;
    Object.assign(entry, { pod: info.pod, priority: info.priority });
    if (place === "active") this.#active.push(entry);
    if (place !== "resting" || event === null) return;
    const helps = entry.gatedBy !== undefined || event.actions.includes("Update") || this.#concerns(entry, event);
    if (!helps) return;
    this.#unrest(entry);
    entry.backoffAttempts = 0;
    this.#enqueue(entry, "active");
  }

  delete(uid: string): void {
    const entry = this.#entries.get(uid);
    this.#out.delete(uid);
    if (entry === undefined) return;
    this.#entries.delete(uid);
    this.#active.remove(entry);
    this.#backoff.remove(entry);
    this.#troubled.remove(entry);
    this.#unrest(entry);
  }

  /** The next pod to try. It is the caller's until `done`, `reject` or `retry`. */
  pop(): QueueEntry | undefined {
    const now = this.#options.clock.now();
    for (;;) {
      const due = this.#backoff.peek();
      if (due === undefined || due.backoffUntilMs > now) break;
      this.#backoff.remove(due);
      this.#enqueue(due, "active");
    }
    const entry = this.#active.pop() ?? this.#backoff.pop();
    if (entry === undefined) return undefined;
    // Else pods that wake each other in vain would be tried without end.
    entry.early = entry.place === "backoff";
    entry.place = "out";
    entry.attempts++;
    entry.backoffAttempts++;
    entry.eventsAtPop = this.#events;
    this.#entries.delete(entry.info.uid);
    this.#out.set(entry.info.uid, entry);
    return entry;
  }

  /** The pod has a node. */
  done(entry: QueueEntry): void {
    this.#out.delete(entry.info.uid);
  }

  /** No node suits the pod: it rests, unless something happened meanwhile that may help. */
  reject(entry: QueueEntry, rejectedBy: ReadonlySet<string>): void {
    if (!this.#takeBack(entry)) return;
    entry.rejectedBy = rejectedBy;
    if (entry.eventsAtPop !== this.#events) this.#enqueue(entry, "backoff");
    else this.#rest(entry);
  }

  /** The attempt failed for another reason: again after back-off. */
  retry(entry: QueueEntry): void {
    if (this.#takeBack(entry)) this.#enqueue(entry, "troubled");
  }

  /** Wakes the resting pods that the event may help. */
  moveOn(event: ClusterEvent): void {
    this.#events++;
    if (this.#resting.size === 0) return;
    for (const group of [...this.#resting.values()]) {
      const [sample] = group.values();
      if (sample === undefined || !this.#wakes(sample, event)) continue;
      for (const entry of [...group.values()]) if (this.#concerns(entry, event)) this.#wake(entry);
    }
  }

  /** Wakes these pods whatever they rest for. */
  activate(uids: Iterable<string>): void {
    for (const uid of uids) {
      const entry = this.#entries.get(uid);
      if (entry?.place === "resting" && entry.gatedBy === undefined) {
        this.#unrest(entry);
        this.#enqueue(entry, "active");
      }
    }
  }

  /** From now on pods are tried in another order. */
  reorder(before: (a: QueuedPod, b: QueuedPod) => number): void {
    const waiting = [...this.#active.items()];
    for (const entry of waiting) this.#active.remove(entry);
    this.#before = before;
    for (const entry of waiting) this.#active.push(entry);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #takeBack(entry: QueueEntry): boolean {
    if (!this.#out.delete(entry.info.uid)) return false;
    this.#entries.set(entry.info.uid, entry);
    const { clock } = this.#options;
    entry.timestampMs = clock.now();
    const doublings = Math.min(entry.backoffAttempts - 1, 30);
    entry.backoffUntilMs = clock.now() + Math.min(this.#initialMs * 2 ** Math.max(0, doublings), this.#maxMs);
    return true;
  }

  #enqueue(entry: QueueEntry, place: "active" | "backoff" | "troubled"): void {
    entry.gatedBy = this.#options.gate(entry.info.pod);
    if (entry.gatedBy !== undefined) {
      entry.rejectedBy = new Set([entry.gatedBy]);
      this.#rest(entry);
      return;
    }
    if (place === "backoff" && entry.early) {
      this.#enqueue(entry, "troubled");
      return;
    }
    entry.place = place;
    if (place === "troubled") {
      this.#troubled.push(entry);
      this.#wakeAt(entry.backoffUntilMs);
      return;
    }
    (place === "active" ? this.#active : this.#backoff).push(entry);
    this.#options.onReady();
  }

  #rest(entry: QueueEntry): void {
    entry.place = "resting";
    const key = restKey(entry);
    const group = this.#resting.get(key);
    if (group === undefined) this.#resting.set(key, new Map([[entry.info.uid, entry]]));
    else group.set(entry.info.uid, entry);
    if (entry.gatedBy === undefined) this.#wakeAt(entry.timestampMs + this.#restMs);
  }

  #unrest(entry: QueueEntry): void {
    const key = restKey(entry);
    const group = this.#resting.get(key);
    if (group?.delete(entry.info.uid) && group.size === 0) this.#resting.delete(key);
  }

  #wake(entry: QueueEntry): void {
    this.#unrest(entry);
    this.#enqueue(entry, entry.backoffUntilMs > this.#options.clock.now() ? "backoff" : "active");
  }

  /** Whether any of the policies that rejected pods like this one waits for such events. */
  #wakes({ rejectedBy }: QueueEntry, event: ClusterEvent): boolean {
    if (event.resource === "*" || rejectedBy.size === 0) return true;
    for (const policy of rejectedBy) {
      const interests = this.#options.interests(policy);
      if (interests === undefined || interests.some((interest) => covers(interest, event))) return true;
    }
    return false;
  }

  #concerns(entry: QueueEntry, event: ClusterEvent): boolean {
    if (event.resource === "*" || entry.rejectedBy.size === 0) return true;
    for (const policy of entry.rejectedBy) {
      const interests = this.#options.interests(policy);
      if (interests === undefined) return true;
      for (const interest of interests) {
        if (covers(interest, event) && (interest.hint?.(entry.info.pod, event) ?? true)) return true;
      }
    }
    return false;
  }

  #wakeAt(at: number): void {
    if (at >= this.#timerAt || this.#closed) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    const { clock } = this.#options;
    this.#timer = clock.setTimeout(() => this.#tick(), Math.max(0, at - clock.now()));
  }

  #tick(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#options.clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const group of [...this.#resting.values()]) {
      for (const entry of [...group.values()]) {
        if (entry.gatedBy !== undefined) continue;
        const at = entry.timestampMs + this.#restMs;
        if (at <= now) this.#wake(entry);
        else if (at < next) next = at;
      }
    }
    for (;;) {
      const due = this.#troubled.peek();
      if (due === undefined) break;
      if (due.backoffUntilMs > now) {
        next = Math.min(next, due.backoffUntilMs);
        break;
      }
      this.#troubled.remove(due);
      this.#enqueue(due, "active");
    }
    if (next < Number.POSITIVE_INFINITY) this.#wakeAt(next);
  }
}

function restKey({ rejectedBy, gatedBy }: QueueEntry): string {
  return `${gatedBy === undefined ? "" : "gate:"}${[...rejectedBy].sort().join(",")}`;
}

function covers(interest: RequeueInterest, event: ClusterEvent): boolean {
  if (interest.resource !== "*" && interest.resource !== event.resource) return false;
  const { actions } = interest;
  return actions === undefined || event.actions.some((action) => actions.includes(action));
}
