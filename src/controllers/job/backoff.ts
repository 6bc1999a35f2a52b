import type { Job, Pod } from "../../api/index.js";
import { allFailuresOf, endOf, type JobState } from "./state.js";

const firstMs = 10_000;
const maxMs = 600_000;

interface Failures {
  /** Since the last success. */
  readonly count: number;
  readonly lastMs: number;
}

const none: Failures = { count: 0, lastMs: 0 };

/**
 * How often pods of each Job failed since one succeeded. It is kept from call to call, because pods that failed may be gone; a Job
 * that is seen for the first time begins with the pods that it has.
 */
export class Backoffs {
  readonly #failures = new Map<string, Failures>();

  forget(uid: string): void {
    this.#failures.delete(uid);
  }

  /** Takes in what ended: `pods`, all of the Job's, when nothing is known of it yet. To be called once for each end. */
  observe({ job, newlyEnded }: JobState, pods: readonly Pod[]): void {
    const { uid } = job.metadata;
    const before = this.#failures.get(uid);
    const inPhase = (phase: string): readonly Pod[] => pods.filter(({ status }) => status?.phase === phase);
    const { succeeded, failed } =
      before === undefined ? { succeeded: inPhase("Succeeded"), failed: inPhase("Failed") } : newlyEnded;
    const lastSuccessMs = Math.max(Number.NEGATIVE_INFINITY, ...succeeded.map(endOf));
    const after = failed.map(endOf).filter((end) => end > lastSuccessMs);
    const since = succeeded.length > 0 ? none : (before ?? none);
    if (after.length === 0) this.#failures.set(uid, since);
    else this.#failures.set(uid, { count: since.count + after.length, lastMs: Math.max(...after) });
  }

  /** How long the Job's next pods wait yet: 10 s, 20 s, 40 s, up to 10 min after the last of so many failures ended. */
  leftMs({ metadata }: Job, nowMs: number): number {
    return leftOf(this.#failures.get(metadata.uid) ?? none, nowMs);
  }
}

/** How long an index waits yet whose last pod was `failed`: each index by itself, ignored failures too. */
export function indexLeftMs(failed: Pod | undefined, nowMs: number): number {
  return failed === undefined ? 0 : leftOf({ count: allFailuresOf(failed) + 1, lastMs: endOf(failed) }, nowMs);
}

function leftOf({ count, lastMs }: Failures, nowMs: number): number {
  return count === 0 ? 0 : Math.max(0, lastMs + Math.min(firstMs * 2 ** Math.min(count - 1, 16), maxMs) - nowMs);
}
