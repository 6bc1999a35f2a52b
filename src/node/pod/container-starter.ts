import type { Container, Pod } from "../../api/index.js";
import type { DeviceAccess } from "../devices/plugin.js";
import { ConfigError, containerEnv } from "../env/container-env.js";
import { maxEnvFileBytes } from "../env/env-file.js";
import { noResources } from "../resize/pod-resources.js";
import { readInVolume } from "../volumes/sub-path.js";
import { containerConfig } from "./container-config.js";
import { oldStatus } from "./container-statuses.js";
import { fieldPathOf, type PodContainer, podLabel } from "./containers.js";
import { type NodeContext, podEvent } from "./context.js";
import { crashLoopMessage } from "./image-puller.js";
import { podIps } from "./pod-addresses.js";
import type { PodRecord } from "./pod-record.js";
import { backoffKey } from "./restart-backoff.js";
import { latest } from "./runtime-state.js";
import { sandboxConfig } from "./sandbox-config.js";

/** What came of an attempt to start a container. `retryInMs`: not now, but then. */
export interface StartResult {
  readonly started: boolean;
  readonly retryInMs?: number | undefined;
}

const configRetryMs = 10_000;

/**
 * Brings one container up: back-off, image, configuration, creation, start, postStart hook. What stands in the way is put into
 * `record.waiting` for the status and told in an event; only aborting rejects.
 */
export async function startContainer(
  context: NodeContext,
  record: PodRecord,
  entry: PodContainer,
  sandboxId: string,
  signal: AbortSignal,
): Promise<StartResult> {
  const { runtime, clock, backoff } = context;
  const { container } = entry;
  const { name } = container;
  const event = eventSink(context, record, entry);
  const before = latest(record.state, name);
  const now = clock.now();
  if (before?.state === "exited" && before.startedAtMs + before.finishedAtMs > 0) {
    const key = backoffKey(record.uid, container);
    const left = backoff.leftMs(key, before.finishedAtMs, now);
    if (left > 0) {
      const message = crashLoopMessage(backoff.delayMs(key), name, podLabel(record.pod));
      wait(record, name, "CrashLoopBackOff", message, () => {
        event("Warning", "BackOff", `Back-off restarting failed container ${name} in pod ${podLabel(record.pod)}`);
      });
      return { started: false, retryInMs: left };
    }
    backoff.next(key, before.finishedAtMs, now);
  }
  const image = await context.images.ensure(record.pod, container, event, signal);
  if (image.image === undefined) {
    record.waiting.set(name, image.waiting);
    return { started: false, retryInMs: image.retryInMs };
  }
  const attempt = await nextAttempt(context, record, entry);
  let containerId: string;
  try {
    const config = await configOf(context, record, entry, image.image, attempt, signal);
    const sandbox = sandboxConfig(record.allocated, { ...context, attempt: sandboxAttempt(record) });
    containerId = await runtime.createContainer(sandboxId, config, sandbox, { signal });
  } catch (error) {
    signal.throwIfAborted();
    const message = wordsOf(error);
    const reason = error instanceof ConfigError ? "CreateContainerConfigError" : "CreateContainerError";
    wait(record, name, reason, message, () => event("Warning", "Failed", `Error: ${message}`));
    return { started: false, retryInMs: configRetryMs };
  }
  record.dirty = true;
  context.resizes.applied(record, { containers: new Map([[name, container.resources ?? noResources]]) });
  event("Normal", "Created", "Container created");
  try {
    await runtime.startContainer(containerId, { signal });
  } catch (error) {
    signal.throwIfAborted();
    const message = wordsOf(error);
    record.waiting.set(name, { reason: "RunContainerError", message });
    event("Warning", "Failed", `Error: ${message}`);
    return { started: true };
  }
  record.waiting.delete(name);
  event("Normal", "Started", "Container started");
  await postStart(context, record, entry, containerId, signal);
  for (const old of (record.state.containers.get(name) ?? []).slice(1))
    await runtime.removeContainer(old.id, { signal });
  return { started: true };
}

type EventSink = (type: "Normal" | "Warning", reason: string, message: string) => void;

export function eventSink(context: NodeContext, record: PodRecord, entry: PodContainer): EventSink {
  const fieldPath = fieldPathOf(entry);
  return (type, reason, message) => podEvent(context, record.pod, type, reason, message, fieldPath);
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Sets why a container waits; `tell` is called when that is news. */
function wait(record: PodRecord, name: string, reason: string, message: string, tell: () => void): void {
  const known = record.waiting.get(name);
  record.waiting.set(name, { reason, message });
  if (known?.reason !== reason || known.message !== message) tell();
}

function sandboxAttempt(record: PodRecord): number {
  return record.state.sandboxes[0]?.metadata.attempt ?? 0;
}

/** One more than the last one, also where the runtime has forgotten that but the API has not. */
async function nextAttempt({ runtime }: NodeContext, record: PodRecord, entry: PodContainer): Promise<number> {
  const before = latest(record.state, entry.container.name);
  if (before !== undefined) {
    if (before.state === "exited" || before.state === "running") return before.metadata.attempt + 1;
    // Made but never started by an agent that died in between.
    await runtime.removeContainer(before.id);
    return before.metadata.attempt;
  }
  const old = oldStatus(record.pod, entry.role, entry.container.name);
  const began = old?.containerID !== undefined || old?.lastState?.terminated !== undefined;
  return old !== undefined && began ? old.restartCount + 1 : 0;
}

async function configOf(
  context: NodeContext,
  record: PodRecord,
  container: PodContainer,
  image: Parameters<typeof containerConfig>[0]["image"],
  attempt: number,
  signal: AbortSignal,
): Promise<Awaited<ReturnType<typeof containerConfig>>> {
  const pod = record.allocated;
  const { volumes } = context;
  await context.servicesReady(signal);
  const { hostIps, allocatable, memoryBytes } = context.facts();
  const ips = ipsOf(record, hostIps);
  const sources = {
    objects: context.objects,
    services: context.services(),
    facts: { podIps: ips, hostIps, allocatable },
    file:
      volumes === undefined
        ? undefined
        : async (volume: string, path: string) => {
            const folder = record.volumes?.paths.get(volume);
            return folder === undefined ? undefined : readInVolume(folder, path, maxEnvFileBytes);
          },
  };
  const env = await containerEnv(pod, container.container, sources);
  const devices = await devicesOf(context, record, container, signal);
  const target = (container.container as { readonly targetContainerName?: string }).targetContainerName;
  return containerConfig({
    pod,
    container,
    attempt,
    image,
    env,
    disk:
      volumes === undefined || record.volumes === undefined
        ? undefined
        : {
            podDir: volumes.podDir(record.uid),
            volumes: record.volumes,
            subPath: (mount) => volumes.subPath(record.uid, mount),
          },
    podIps: ips,
    clusterDomain: context.network.clusterDomain,
    nodeMemoryBytes: memoryBytes,
    recursiveReadOnly: record.recursiveReadOnly,
    devices,
    targetId: target ? latest(record.state, target)?.id : undefined,
  });
}

async function devicesOf(
  { devices, claims }: NodeContext,
  { pod, uid }: PodRecord,
  { container }: PodContainer,
  signal: AbortSignal,
): Promise<readonly DeviceAccess[]> {
  const claimed = claimedDevices(claims, pod, container);
  try {
    return [...((await devices?.prepare(uid, container.name, signal)) ?? []), ...claimed];
  } catch (error) {
    signal.throwIfAborted();
    throw new ConfigError(`device plugin PreStartContainer rpc failed with err: ${wordsOf(error)}`, { cause: error });
  }
}

function claimedDevices(claims: NodeContext["claims"], pod: Pod, container: Container): readonly DeviceAccess[] {
  try {
    const cdiDevices = claims?.cdiDevices(pod, container) ?? [];
    return cdiDevices.length === 0 ? [] : [{ envs: {}, mounts: [], devices: [], annotations: {}, cdiDevices }];
  } catch (error) {
    throw new ConfigError(wordsOf(error), { cause: error });
  }
}

export function ipsOf({ pod, state }: PodRecord, hostIps: readonly string[]): readonly string[] {
  return podIps(pod, state.sandboxes[0]?.ips ?? [], hostIps);
}

async function postStart(
  context: NodeContext,
  record: PodRecord,
  entry: PodContainer,
  containerId: string,
  signal: AbortSignal,
): Promise<void> {
  const handler = entry.container.lifecycle?.postStart;
  if (handler === undefined) return;
  const { runtime, hooks } = context;
  record.starting.add(containerId);
  try {
    const ip = ipsOf(record, context.facts().hostIps)[0] ?? "127.0.0.1";
    await hooks.run(handler, { container: entry.container, containerId, ip, timeoutMs: 0, signal });
  } catch (error) {
    signal.throwIfAborted();
    const event = eventSink(context, record, entry);
    event("Warning", "FailedPostStartHook", `PostStartHook failed: ${wordsOf(error)}`);
    event("Normal", "Killing", "FailedPostStartHook");
    await runtime.stopContainer(containerId, record.pod.spec?.terminationGracePeriodSeconds ?? 30, { signal });
    record.waiting.set(entry.container.name, { reason: "PostStartHookError", message: wordsOf(error) });
  } finally {
    record.starting.delete(containerId);
  }
}
