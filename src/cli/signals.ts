/** Asks to end, politely at first. */
const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface Stopping {
  readonly signal: AbortSignal;
  /** Resolves when the first signal came. */
  readonly stopped: Promise<undefined>;
  /** Gives the signals back to Node. */
  release(): void;
}

/** Takes the signals that end a program; a second one ends it at once. */
export function untilStopped(): Stopping {
  const stop = new AbortController();
  let resolveStopped: (nothing: undefined) => void = () => {};
  const stopped = new Promise<undefined>((resolve) => {
    resolveStopped = resolve;
  });
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(130);
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
