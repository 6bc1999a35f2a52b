/** Asks to end, politely at first. */
const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface Stopping {
  readonly signal: AbortSignal;
  /** Resolves when the first signal came. */
  readonly stopped: Promise<undefined>;
  /** Gives the signals back to Node. */
  release(): void;
}

/**
 * One Ctrl-C may come several times: the terminal sends it to the whole process group, and whatever started the program (npm, a
 * shell) passes its own on. What comes so soon is not somebody who has lost patience.
 */
const sameSignalMs = 2_000;

/** Takes the signals that end a program; a later one ends it at once. */
export function untilStopped(): Stopping {
  const stop = new AbortController();
  let resolveStopped: (nothing: undefined) => void = () => {};
  const stopped = new Promise<undefined>((resolve) => {
    resolveStopped = resolve;
  });
  let firstMs = Number.POSITIVE_INFINITY;
  const onSignal = (): void => {
    if (stop.signal.aborted) {
      if (performance.now() - firstMs > sameSignalMs) process.exit(130);
      return;
    }
    firstMs = performance.now();
    stop.abort(new Error("stopped by a signal"));
    resolveStopped(undefined);
  };
  for (const name of names) process.on(name, onSignal);
  return {
    signal: stop.signal,
    stopped,
    release: () => {
      for (const name of names) process.off(name, onSignal);
    },
  };
}
