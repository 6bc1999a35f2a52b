/**
 * The only source of time. Everything that waits or stamps takes a Clock, so that a whole cluster can run on
 * virtual time.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Runs `callback` once after `delayMs`; the returned timer can be cancelled, also after it fired. */
  setTimeout(callback: () => void, delayMs: number): ClockTimer;
}

export interface ClockTimer {
  cancel(): void;
}

/** The longest delay Node's own timers take; longer ones would fire at once. */
const maxDelayMs = 2 ** 31 - 1;

export const realClock: Clock = {
  now: () => Date.now(),
  setTimeout(callback, delayMs) {
    let handle: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      handle =
        leftMs > maxDelayMs ? setTimeout(() => arm(leftMs - maxDelayMs), maxDelayMs) : setTimeout(callback, leftMs);
    };
    arm(Math.max(0, delayMs));
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs`, or at once when `signal` aborts; it never rejects, so loops test `signal.aborted`. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      timer.cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = clock.setTimeout(done, delayMs);
    signal?.addEventListener("abort", done, { once: true });
  });
}

/** Calls `tick` every `intervalMs`, the next only after the last resolved, until `signal` aborts. First call is now. */
export async function every(
  clock: Clock,
  intervalMs: number,
  signal: AbortSignal,
  tick: () => Promise<void> | void,
): Promise<void> {
  while (!signal.aborted) {
    await tick();
    await sleep(clock, intervalMs, signal);
  }
}

let lastSeconds = 0;
let lastText = "1970-01-01T00:00:00Z";

/** RFC 3339 with seconds, the form of metav1.Time. */
export function timestamp(clock: Clock): string {
  const seconds = Math.floor(clock.now() / 1000);
  // Thousands of objects are written in the same second.
  if (seconds !== lastSeconds) {
    lastText = `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
    lastSeconds = seconds;
  }
  return lastText;
}

/** RFC 3339 with microseconds, the form of metav1.MicroTime. */
export function microTimestamp(clock: Clock): string {
  return `${new Date(clock.now()).toISOString().slice(0, 23)}000Z`;
}
