import type { Pod } from "../api/index.js";
import type { Clock, ClockTimer } from "../internal/clock.js";

/** A pod that has a node and waits for a policy's permission to be bound to it. */
export interface WaitingPod {
  readonly pod: Pod;
  readonly nodeName: string;
  /** The policies that have not allowed it yet. */
  readonly pending: readonly string[];
  /** Bound once all have. */
  allow(policy: string): void;
  reject(policy: string, reason: string): void;
}

export type PermitResult = { readonly rejectedBy: string; readonly reason: string } | undefined;

/** The pods that wait at permit. */
export class WaitingPods {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, WaitingPod>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(uid: string): WaitingPod | undefined {
    return this.#waiting.get(uid);
  }

  list(): readonly WaitingPod[] {
    return [...this.#waiting.values()];
  }

  /** Resolves when all policies have allowed the pod, one has rejected it, or the time of one is over. */
  wait(pod: Pod, nodeName: string, waits: ReadonlyMap<string, number>): Promise<PermitResult> {
    const { uid } = pod.metadata;
    return new Promise((resolve) => {
      const timers = new Map<string, ClockTimer>();
      const end = (result: PermitResult): void => {
        for (const timer of timers.values()) timer.cancel();
        this.#waiting.delete(uid);
        resolve(result);
      };
      for (const [policy, waitMs] of waits) {
        timers.set(
          policy,
          this.#clock.setTimeout(
            () =>
              end({
                rejectedBy: policy,
                reason: `rejected due to timeout after waiting ${waitMs / 1000}s at plugin ${policy}`,
              }),
            waitMs,
          ),
        );
      }
      this.#waiting.set(uid, {
        pod,
        nodeName,
        get pending() {
          return [...timers.keys()];
        },
        allow(policy) {
          timers.get(policy)?.cancel();
          if (timers.delete(policy) && timers.size === 0) end(undefined);
        },
        reject: (policy, reason) => end({ rejectedBy: policy, reason }),
      });
    });
  }

  /** Rejects all: the scheduler stops. */
  clear(reason: string): void {
    for (const waiting of this.list()) waiting.reject("", reason);
  }
}
