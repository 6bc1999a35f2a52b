import type { Clock, ClockTimer } from "../../internal/clock.js";
import type { Flow } from "./classifier.js";
import type { FairQueue, Turn } from "./fair-queues.js";
import type { FlowRequest, FlowTicket } from "./flow-control.js";
import type { RejectReason } from "./flow-metrics.js";

/** A request in a priority level, with its figures. */
export class Ticket implements FlowTicket, Turn {
  readonly flow: Flow;
  readonly request: FlowRequest;
  readonly seats: number;
  admitted: boolean | Promise<boolean> = false;
  retryAfterSeconds = 0;
  queue: FairQueue | undefined = undefined;
  arrivedMs = 0;
  arrivedAt = 0;
  startedMs = 0;
  readonly #clock: Clock;
  #state: "new" | "waiting" | "executing" | "over" = "new";
  #decide: ((admitted: boolean) => void) | undefined;
  #timer: ClockTimer | undefined;

  constructor(flow: Flow, request: FlowRequest, seats: number, clock: Clock) {
    this.flow = flow;
    this.request = request;
    this.seats = seats;
    this.#clock = clock;
  }

  get schemaUid(): string {
    return this.flow.schemaUid;
  }

  get levelUid(): string {
    return this.flow.level.settings.uid;
  }

  /** Once: takes seats, waits for them at most so long, or is refused. */
  enter(maxWaitMs: number): void {
    const { level, hand, series } = this.flow;
    const entry = level.queues.enter(this, hand);
    if (entry === "started") {
      this.admitted = true;
    } else if (entry === "queued") {
      this.#state = "waiting";
      series.queued++;
      this.admitted = new Promise((resolve) => {
        this.#decide = resolve;
      });
      this.#timer = this.#clock.setTimeout(() => this.#giveUp("time-out"), maxWaitMs);
    } else {
      this.#state = "over";
      this.#reject(entry);
    }
  }

  start(): void {
    const { level, series } = this.flow;
    if (this.#state === "waiting") series.queued--;
    this.#state = "executing";
    series.executing++;
    series.seats += this.seats;
    series.dispatched++;
    level.dispatchedCount++;
    if (!level.exempt) series.waited.true.observe((this.startedMs - this.arrivedMs) / 1000);
    this.#timer?.cancel();
    this.#decide?.(true);
  }

  leave(): void {
    if (this.#state === "waiting") this.#giveUp("cancelled");
    if (this.#state !== "executing") return;
    this.#state = "over";
    const { level, series } = this.flow;
    series.executing--;
    series.seats -= this.seats;
    level.queues.leave(this);
  }

  #giveUp(reason: "time-out" | "cancelled"): void {
    if (this.#state !== "waiting") return;
    this.#state = "over";
    const { level, series } = this.flow;
    this.#timer?.cancel();
    series.queued--;
    series.waited.false.observe((this.#clock.now() - this.arrivedMs) / 1000);
    if (reason === "time-out") level.timedOutCount++;
    else level.cancelledCount++;
    this.#reject(reason);
    this.#decide?.(false);
    level.queues.leave(this);
  }

  #reject(reason: RejectReason): void {
    const { level, series } = this.flow;
    series.reject(reason);
    level.rejectedCount++;
    this.retryAfterSeconds = level.dropped.record(this.#clock.now());
  }
}
