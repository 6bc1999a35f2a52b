import { type Clock, sleep } from "../internal/clock.js";
import type { Logger } from "../internal/logger.js";
import { type ContainerEvent, isRuntimeError, type Runtime } from "../runtime/index.js";
import { runtimeLabels } from "./pod/runtime-state.js";

export interface RuntimeWatcherOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onEvent: (event: ContainerEvent) => void;
  /** Anything may have happened: look at all pods. */
  readonly onGap: () => void;
}

const pollMs = 1000;
const retryMs = 1000;

/** Tells of changes in the runtime: by its events where it has them, else by listing once a second. */
export async function watchRuntime(options: RuntimeWatcherOptions, signal: AbortSignal): Promise<void> {
  const { runtime, clock, logger, onEvent, onGap } = options;
  while (runtime.events !== undefined && !signal.aborted) {
    try {
      for await (const event of runtime.events(signal)) onEvent(event);
    } catch (error) {
      if (isRuntimeError(error, "unimplemented")) break;
      if (!signal.aborted) logger.warn("the runtime's events ended", { error });
    }
    if (signal.aborted) return;
    await sleep(clock, retryMs, signal);
    onGap();
  }
  await poll(options, signal);
}

interface Seen {
  readonly state: string;
  readonly podUid: string;
  readonly sandboxId: string;
}

async function poll({ runtime, clock, logger, onEvent }: RuntimeWatcherOptions, signal: AbortSignal): Promise<void> {
  let before = new Map<string, Seen>();
  let down = false;
  while (!signal.aborted) {
    try {
      const now = await snapshot(runtime, signal);
      for (const event of differences(before, now, clock.now())) onEvent(event);
      before = now;
      down = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!down) logger.warn("cannot list the runtime's containers", { error });
      down = true;
    }
    await sleep(clock, pollMs, signal);
  }
}

async function snapshot(runtime: Runtime, signal: AbortSignal): Promise<Map<string, Seen>> {
  const [sandboxes, containers] = await Promise.all([
    runtime.listPodSandboxes({}, { signal }),
    runtime.listContainers({}, { signal }),
  ]);
  const seen = new Map<string, Seen>();
  for (const { id, state, metadata } of sandboxes) seen.set(id, { state, podUid: metadata.uid, sandboxId: id });
  for (const { id, state, sandboxId, labels } of containers) {
    seen.set(id, { state, podUid: labels[runtimeLabels.podUid] ?? "", sandboxId });
  }
  return seen;
}

function* differences(before: Map<string, Seen>, now: Map<string, Seen>, atMs: number): Generator<ContainerEvent> {
  const types: Readonly<Record<string, ContainerEvent["type"]>> = {
    created: "created",
    running: "started",
    ready: "started",
    exited: "stopped",
    notready: "stopped",
    unknown: "stopped",
  };
  for (const [containerId, { state, podUid, sandboxId }] of now) {
    if (before.get(containerId)?.state === state) continue;
    yield { type: types[state] ?? "stopped", containerId, podUid, sandboxId, createdAtMs: atMs };
  }
  for (const [containerId, { podUid, sandboxId }] of before) {
    if (!now.has(containerId)) yield { type: "deleted", containerId, podUid, sandboxId, createdAtMs: atMs };
  }
}
