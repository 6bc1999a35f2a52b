import type { ContainerStatus, PodSandboxStatus, Runtime } from "../../runtime/index.js";
import { isRuntimeError } from "../../runtime/index.js";

/** Labels that tie what a runtime holds to the API's objects; upstream's, so that its tools understand ours. */
export const runtimeLabels = {
  podName: "io.kubernetes.pod.name",
  podNamespace: "io.kubernetes.pod.namespace",
  podUid: "io.kubernetes.pod.uid",
  containerName: "io.kubernetes.container.name",
} as const;

export const runtimeAnnotations = {
  hash: "io.kubernetes.container.hash",
  restartCount: "io.kubernetes.container.restartCount",
  terminationMessagePath: "io.kubernetes.container.terminationMessagePath",
  terminationMessagePolicy: "io.kubernetes.container.terminationMessagePolicy",
  terminationHostPath: "io.kubernetes.container.terminationHostPath",
} as const;

/** What the runtime holds of one pod, as last read. */
export interface PodRuntimeState {
  /** The newest first. */
  readonly sandboxes: readonly PodSandboxStatus[];
  /** By container name, the newest attempt first; of all sandboxes. */
  readonly containers: ReadonlyMap<string, readonly ContainerStatus[]>;
}

export const noRuntimeState: PodRuntimeState = { sandboxes: [], containers: new Map() };

/** Reads everything of one pod; what vanishes meanwhile is left out. */
export async function readRuntimeState(
  runtime: Runtime,
  podUid: string,
  signal?: AbortSignal,
): Promise<PodRuntimeState> {
  const filter = { labels: { [runtimeLabels.podUid]: podUid } };
  const [listedSandboxes, listedContainers] = await Promise.all([
    runtime.listPodSandboxes(filter, { signal }),
    runtime.listContainers(filter, { signal }),
  ]);
  const sandboxes = await readAll(listedSandboxes, (id) => runtime.podSandboxStatus(id, { signal }));
  const statuses = await readAll(listedContainers, (id) => runtime.containerStatus(id, { signal }));
  if (sandboxes.length > 1) {
    sandboxes.sort((a, b) => b.createdAtMs - a.createdAtMs || b.metadata.attempt - a.metadata.attempt);
  }
  const containers = new Map<string, ContainerStatus[]>();
  for (const status of statuses) {
    const ofName = containers.get(status.metadata.name);
    if (ofName === undefined) containers.set(status.metadata.name, [status]);
    else ofName.push(status);
  }
  for (const ofName of containers.values()) {
    if (ofName.length > 1) {
      ofName.sort((a, b) => b.createdAtMs - a.createdAtMs || b.metadata.attempt - a.metadata.attempt);
    }
  }
  return { sandboxes, containers };
}

async function readAll<T>(listed: readonly { readonly id: string }[], read: (id: string) => Promise<T>): Promise<T[]> {
  const found: T[] = [];
  for (const { id } of listed) {
    try {
      found.push(await read(id));
    } catch (error) {
      if (!isRuntimeError(error, "not-found")) throw error;
    }
  }
  return found;
}

/** The newest container of that name. */
export function latest(state: PodRuntimeState, name: string): ContainerStatus | undefined {
  return state.containers.get(name)?.[0];
}

/** The newest container of that name, if it is of this sandbox. */
export function latestIn(
  state: PodRuntimeState,
  sandboxId: string | undefined,
  name: string,
): ContainerStatus | undefined {
  const status = latest(state, name);
  return status?.sandboxId === sandboxId ? status : undefined;
}

export function runningContainers(state: PodRuntimeState): ContainerStatus[] {
  return [...state.containers.values()]
    .flat()
    .filter(({ state: is }) => is === "running" || is === "created" || is === "unknown");
}
