import { sleep } from "../../internal/clock.js";
import type { ContainerStatus } from "../../runtime/index.js";
import { eventSink, ipsOf, wordsOf } from "./container-starter.js";
import { containersOf, findContainer, type PodContainer } from "./containers.js";
import type { NodeContext } from "./context.js";
import type { PodRecord } from "./pod-record.js";
import { runningContainers } from "./runtime-state.js";

/** Given to a container after its preStop hook even when the hook used all time up. */
const minimumGraceMs = 2000;
const retryMs = 1000;

/** A time by which something must be over; it can be brought forward, never put off. */
export class Deadline {
  atMs: number;
  readonly #listeners = new Set<() => void>();

  constructor(atMs: number) {
    this.atMs = atMs;
  }

  bringForward(atMs: number): void {
    if (atMs >= this.atMs) return;
    this.atMs = atMs;
    for (const listener of [...this.#listeners]) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Ends all containers of a pod: first the main ones, all together, then its sidecars, the last one first. */
export async function endContainers(
  context: NodeContext,
  record: PodRecord,
  deadline: Deadline,
  signal: AbortSignal,
): Promise<void> {
  const running = runningContainers(record.state);
  const order = containersOf(record.pod);
  const roleOf = (status: ContainerStatus): PodContainer | undefined =>
    order.find(({ container }) => container.name === status.metadata.name);
  const sidecars = running.filter((status) => roleOf(status)?.role === "sidecar");
  const others = running.filter((status) => roleOf(status)?.role !== "sidecar");
  await Promise.all(others.map((status) => endContainer(context, record, status, deadline, signal)));
  sidecars.sort((a, b) => order.findIndex(isOf(b)) - order.findIndex(isOf(a)));
  for (const status of sidecars) await endContainer(context, record, status, deadline, signal);
}

function isOf(status: ContainerStatus): (entry: PodContainer) => boolean {
  return ({ container }) => container.name === status.metadata.name;
}

/** preStop, the stop signal, and at the deadline SIGKILL. Repeats until the runtime has done it or `signal` aborts. */
export async function endContainer(
  context: NodeContext,
  record: PodRecord,
  status: ContainerStatus,
  deadline: Deadline,
  signal: AbortSignal,
  message = `Stopping container ${status.metadata.name}`,
): Promise<void> {
  const { runtime, clock, logger } = context;
  const entry = findContainer(record.pod, status.metadata.name);
  if (entry !== undefined) eventSink(context, record, entry)("Normal", "Killing", message);
  const allowed = deadline.atMs - clock.now();
  if (status.state === "running" && entry?.container.lifecycle?.preStop !== undefined && allowed > 0) {
    await preStop(context, record, entry, status.id, deadline, signal);
  }
  const secondsLeft = (): number => {
    const left = Math.max(deadline.atMs - clock.now(), Math.min(minimumGraceMs, allowed), 0);
    return Math.ceil(left / 1000);
  };
  const forget = deadline.onChange(() => {
    runtime.stopContainer(status.id, secondsLeft(), { signal }).catch((error: unknown) => {
      logger.warn("cannot hasten a container's end", { container: status.id, error });
    });
  });
  try {
    while (!signal.aborted) {
      try {
        await runtime.stopContainer(status.id, secondsLeft(), { signal });
        return;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn("cannot stop a container", { container: status.id, error });
        await sleep(clock, retryMs, signal);
      }
    }
  } finally {
    forget();
  }
}

async function preStop(
  context: NodeContext,
  record: PodRecord,
  entry: PodContainer,
  containerId: string,
  deadline: Deadline,
  signal: AbortSignal,
): Promise<void> {
  const { container } = entry;
  const handler = container.lifecycle?.preStop;
  if (handler === undefined) return;
  const { clock, hooks } = context;
  const late = new AbortController();
  const arm = (): { cancel(): void } => clock.setTimeout(() => late.abort(), Math.max(0, deadline.atMs - clock.now()));
  let timer = arm();
  const forget = deadline.onChange(() => {
    timer.cancel();
    timer = arm();
  });
  const cut = new Promise<void>((resolve) => late.signal.addEventListener("abort", () => resolve(), { once: true }));
  try {
    const ip = ipsOf(record, context.facts().hostIps)[0] ?? "127.0.0.1";
    const timeoutMs = Math.max(1000, deadline.atMs - clock.now());
    const target = { container, containerId, ip, timeoutMs, signal: AbortSignal.any([signal, late.signal]) };
    await Promise.race([hooks.run(handler, target), cut]);
  } catch (error) {
    if (signal.aborted || late.signal.aborted) return;
    eventSink(context, record, entry)("Warning", "FailedPreStopHook", `PreStopHook failed: ${wordsOf(error)}`);
  } finally {
    timer.cancel();
    forget();
  }
}
