import type { Probe } from "../../api/index.js";
import type { Clock, ClockTimer } from "../../internal/clock.js";
import type { ProbeKind, ProbeOutcome, Prober, ProbeTarget } from "./prober.js";

export interface ProbeWorkerOptions {
  readonly kind: ProbeKind;
  readonly probe: Probe;
  readonly target: ProbeTarget;
  readonly prober: Prober;
  readonly clock: Clock;
  readonly startedAtMs: number;
  /** What holds until the first verdict. */
  readonly initial: boolean;
  /** The verdict turned. */
  readonly onTurn: () => void;
  /** A single probe failed, has something to tell, or could not be carried out. */
  readonly onFailure: (outcome: ProbeOutcome) => void;
}

/** One probe of one container: looks at it again and again and keeps the verdict, by the thresholds. */
export class ProbeWorker {
  readonly #options: ProbeWorkerOptions;
  readonly #stop = new AbortController();
  #timer: ClockTimer | undefined;
  #streak = 0;
  #last: boolean | undefined;
  #verdict: boolean;
  /** Whether there was a verdict at all. */
  decided = false;

  constructor(options: ProbeWorkerOptions) {
    this.#options = options;
    this.#verdict = options.initial;
    const dueMs = options.startedAtMs + (options.probe.initialDelaySeconds ?? 0) * 1000;
    this.#arm(Math.max(0, dueMs - options.clock.now()));
  }

  get healthy(): boolean {
    return this.#verdict;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#stop.abort();
  }

  #arm(delayMs: number): void {
    if (this.#stop.signal.aborted) return;
    this.#timer = this.#options.clock.setTimeout(() => void this.#run(), delayMs);
  }

  async #run(): Promise<void> {
    const { probe, target, prober, clock, onFailure } = this.#options;
    const begun = clock.now();
    const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
    const outcome = await prober.probe(probe, target, { timeoutMs, signal: this.#stop.signal });
    if (this.#stop.signal.aborted) return;
    if (outcome.result !== "success") onFailure(outcome);
    if (outcome.result !== "unknown") this.#count(outcome.result !== "failure");
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    this.#arm(Math.max(0, periodMs - (clock.now() - begun)));
  }

  #count(success: boolean): void {
    const { probe, kind, onTurn } = this.#options;
    this.#streak = this.#last === success ? this.#streak + 1 : 1;
    this.#last = success;
    const threshold = success ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
    if (this.#streak < threshold) return;
    const turned = this.#verdict !== success || !this.decided;
    this.decided = true;
    this.#verdict = success;
    if (kind === "startup" || (kind === "liveness" && !success)) this.stop();
    if (turned) onTurn();
  }
}
