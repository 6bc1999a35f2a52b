import type { Clock } from "../../internal/clock.js";
import type { SeatDemand } from "./seat-demand.js";

/** How long a request is thought to take until it is known, as upstream. */
export const estimatedSeconds: number = 0.003;

/** A request on its way through the queues of a level. The queues alone change what is not readonly. */
export interface Turn {
  readonly seats: number;
  /** Tells one that waited, or is just entering, that it has its seats. */
  start(): void;
  /** Where it waits or came from; undefined where there are no queues. */
  queue: FairQueue | undefined;
  arrivedMs: number;
  /** The virtual time of its arrival. */
  arrivedAt: number;
  startedMs: number;
}

export class FairQueue {
  readonly waiting: Turn[] = [];
  seatsWaiting = 0;
  executing = 0;
  seatsInUse = 0;
  /** When the next request would be dispatched, in virtual time. */
  nextAt = 0;

  get busy(): boolean {
    return this.executing > 0 || this.waiting.length > 0;
  }
}

/** What becomes of a request that cannot go on at once: it waits, is refused, or goes on all the same. */
export type FairQueuesConfig =
  | { readonly type: "queue"; readonly queues: number; readonly queueLengthLimit: number }
  | { readonly type: "reject" }
  | { readonly type: "exempt" };

export type Entry = "started" | "queued" | "concurrency-limit" | "queue-full";

/**
 * The requests of one priority level: as many at once as it has seats, the others in queues that are served fairly. As upstream
 * (KEP-1040): virtual time, in seat-seconds, goes on as if all queues that have work were served at once, each with the same part of the seats. The
 * head that would be finished first in it is dispatched next. A request counts as a short one until it ends, and then for what it took.
 */
export class FairQueues {
  readonly executing: Set<Turn> = new Set();
  seatsInUse = 0;
  waiting = 0;
  seatsWaiting = 0;
  readonly #clock: Clock;
  readonly #demand: SeatDemand;
  readonly #queues: FairQueue[] = [];
  #config: FairQueuesConfig = { type: "reject" };
  #limit = 0;
  #active = 0;
  #now = 0;
  #syncedMs: number;
  /** The queue that was dispatched from last: among equals the next one comes first. */
  #last = 0;
  #entries = 0;

  constructor(clock: Clock, demand: SeatDemand) {
    this.#clock = clock;
    this.#demand = demand;
    this.#syncedMs = clock.now();
  }

  get queues(): readonly FairQueue[] {
    return this.#queues;
  }

  get limit(): number {
    return this.#limit;
  }

  get idle(): boolean {
    return this.waiting === 0 && this.executing.size === 0;
  }

  /** Takes effect at once; who waits goes on waiting, and queues too many go when they are empty. */
  configure(config: FairQueuesConfig, limit: number): void {
    const nowMs = this.#sync();
    this.#config = config;
    this.#limit = limit;
    while (this.#queues.length < this.#wantedQueues) this.#queues.push(new FairQueue());
    this.#dropQueues();
    this.#dispatch(nowMs);
  }

  /** `hand`: the numbers of the queues that it may wait in; of no meaning where there are none. */
  enter(turn: Turn, hand: readonly number[]): Entry {
    const nowMs = this.#sync();
    turn.arrivedMs = nowMs;
    turn.arrivedAt = this.#now;
    const config = this.#config;
    if (config.type !== "queue") {
      if (config.type === "reject" && !this.#fits(turn.seats)) return "concurrency-limit";
      this.#begin(turn, nowMs);
      return "started";
    }
    const queue = this.#choose(hand);
    if (this.seatsInUse >= this.#limit && queue.waiting.length >= config.queueLengthLimit) return "queue-full";
    if (!queue.busy) queue.nextAt = this.#now;
    turn.queue = queue;
    if (this.waiting === 0 && this.seatsInUse < this.#limit && this.#fits(turn.seats)) {
      if (queue.nextAt < this.#now) queue.nextAt = this.#now;
      if (!queue.busy) this.#active++;
      this.#begin(turn, nowMs);
      return "started";
    }
    if (!queue.busy) this.#active++;
    queue.waiting.push(turn);
    this.#countWaiting(queue, 1, turn.seats);
    this.#bound(queue);
    this.#demand.set(this.seatsInUse + this.seatsWaiting, nowMs);
    this.#dispatch(nowMs);
    return this.executing.has(turn) ? "started" : "queued";
  }

  /** It is done, or does not want to wait any longer. Turns that are not in the queues are not touched. */
  leave(turn: Turn): void {
    const nowMs = this.#sync();
    const { queue } = turn;
    if (this.executing.delete(turn)) {
      this.seatsInUse -= turn.seats;
      if (queue !== undefined) {
        queue.executing--;
        queue.seatsInUse -= turn.seats;
        queue.nextAt -= turn.seats * (estimatedSeconds - (nowMs - turn.startedMs) / 1000);
      }
    } else if (queue !== undefined && this.#withdraw(queue, turn)) {
      this.#countWaiting(queue, -1, turn.seats);
    } else return;
    if (queue !== undefined) {
      this.#bound(queue);
      if (!queue.busy) this.#active--;
      this.#dropQueues();
    }
    this.#demand.set(this.seatsInUse + this.seatsWaiting, nowMs);
    this.#dispatch(nowMs);
  }

  get #wantedQueues(): number {
    return this.#config.type === "queue" ? this.#config.queues : 0;
  }

  #dropQueues(): void {
    const wanted = this.#wantedQueues;
    while (this.#queues.length > wanted && this.#queues.at(-1)?.busy === false) this.#queues.pop();
  }

  /** Brings virtual time to now. */
  #sync(): number {
    const nowMs = this.#clock.now();
    if (nowMs > this.#syncedMs && this.#active > 0) {
      const seats = Math.min(this.seatsInUse + this.seatsWaiting, this.#limit);
      this.#now += (seats / this.#active) * ((nowMs - this.#syncedMs) / 1000);
    }
    this.#syncedMs = nowMs;
    return nowMs;
  }

  /** The queue of the hand with the least work waiting. Looking begins at another card each time, so that equal ones share. */
  #choose(hand: readonly number[]): FairQueue {
    const offset = this.#entries++ % hand.length;
    let best: FairQueue | undefined;
    for (let at = 0; at < hand.length; at++) {
      const queue = this.#queues[hand[(offset + at) % hand.length] as number] as FairQueue;
      if (best === undefined || queue.seatsWaiting < best.seatsWaiting) best = queue;
      if (best.seatsWaiting === 0) break;
    }
    return best as FairQueue;
  }

  /** One that wants more seats than there are goes when it is alone. */
  #fits(seats: number): boolean {
    if (seats > this.#limit) return this.executing.size === 0;
    return this.seatsInUse + seats <= this.#limit;
  }

  #dispatch(nowMs: number): void {
    while (this.waiting > 0 && this.seatsInUse < this.#limit) {
      const at = this.#next();
      const queue = this.#queues[at] as FairQueue;
      const turn = queue.waiting[0] as Turn;
      // Nobody overtakes a wide one: it would wait for ever.
      if (!this.#fits(turn.seats)) return;
      this.#last = at;
      queue.waiting.shift();
      this.#countWaiting(queue, -1, turn.seats);
      this.#begin(turn, nowMs);
      this.#bound(queue);
    }
  }

  /** The queue whose head would be finished first. */
  #next(): number {
    const count = this.#queues.length;
    let best = 0;
    let bestAt = Number.POSITIVE_INFINITY;
    for (let step = 1; step <= count; step++) {
      const at = (this.#last + step) % count;
      const queue = this.#queues[at] as FairQueue;
      const head = queue.waiting[0];
      if (head === undefined) continue;
      const finish = queue.nextAt + head.seats * estimatedSeconds;
      if (finish >= bestAt) continue;
      bestAt = finish;
      best = at;
    }
    return best;
  }

  #begin(turn: Turn, nowMs: number): void {
    const { queue } = turn;
    turn.startedMs = nowMs;
    if (queue !== undefined) {
      queue.executing++;
      queue.seatsInUse += turn.seats;
      queue.nextAt += turn.seats * estimatedSeconds;
    }
    this.executing.add(turn);
    this.seatsInUse += turn.seats;
    this.#demand.set(this.seatsInUse + this.seatsWaiting, nowMs);
    turn.start();
  }

  #countWaiting(queue: FairQueue, count: number, seats: number): void {
    this.waiting += count;
    this.seatsWaiting += count * seats;
    queue.seatsWaiting += count * seats;
  }

  #withdraw(queue: FairQueue, turn: Turn): boolean {
    const at = queue.waiting.indexOf(turn);
    if (at >= 0) queue.waiting.splice(at, 1);
    return at >= 0;
  }

  /** A queue saves nothing up for later: it is not dispatched from before its head arrived. */
  #bound(queue: FairQueue): void {
    const head = queue.waiting[0];
    if (head !== undefined && queue.nextAt < head.arrivedAt) queue.nextAt = head.arrivedAt;
  }
}
