import type {
  Container,
  ContainerEvent,
  ContainerResources,
  ContainerState,
  ContainerStats,
  ContainerStatus,
} from "../container.js";
import type { FilesystemUsage, Image } from "../image.js";
import type { NamespaceMode, PodSandbox, PodSandboxStatus } from "../sandbox.js";
import type {
  CriContainer,
  CriContainerStatus,
  CriEvent,
  CriFilesystem,
  CriImage,
  CriResources,
  CriSandbox,
  CriSandboxStatus,
  CriStats,
} from "./messages.js";

const containerStates: Readonly<Record<string, ContainerState>> = {
  CONTAINER_CREATED: "created",
  CONTAINER_RUNNING: "running",
  CONTAINER_EXITED: "exited",
};

const networkModes: Readonly<Record<string, NamespaceMode>> = {
  NODE: "node",
  CONTAINER: "container",
  TARGET: "target",
};

const eventTypes: Readonly<Record<string, ContainerEvent["type"]>> = {
  CONTAINER_CREATED_EVENT: "created",
  CONTAINER_STARTED_EVENT: "started",
  CONTAINER_STOPPED_EVENT: "stopped",
  CONTAINER_DELETED_EVENT: "deleted",
};

/** Go's zero time is a large negative number. */
const toMs = (nanos: number): number => (nanos > 0 ? nanos / 1e6 : 0);

export function sandboxOf({ id, metadata, state, createdAt, labels, annotations }: CriSandbox): PodSandbox {
  return {
    id,
    metadata: {
      name: metadata?.name ?? "",
      namespace: metadata?.namespace ?? "",
      uid: metadata?.uid ?? "",
      attempt: metadata?.attempt ?? 0,
    },
    state: state === "SANDBOX_READY" ? "ready" : "notready",
    createdAtMs: toMs(createdAt),
    labels,
    annotations,
  };
}

export function sandboxStatusOf(status: CriSandboxStatus): PodSandboxStatus {
  const { network, linux } = status;
  const ips = [network?.ip ?? "", ...(network?.additionalIps ?? []).map(({ ip }) => ip)];
  return {
    ...sandboxOf(status),
    ips: ips.filter((ip) => ip !== ""),
    networkMode: networkModes[linux?.namespaces?.options?.network ?? ""] ?? "pod",
  };
}

export function containerOf(container: CriContainer): Container {
  const { id, podSandboxId, metadata, state, image, imageRef, createdAt, labels, annotations } = container;
  return {
    id,
    sandboxId: podSandboxId,
    metadata: { name: metadata?.name ?? "", attempt: metadata?.attempt ?? 0 },
    state: containerStates[state] ?? "unknown",
    image: image?.userSpecifiedImage || image?.image || imageRef,
    imageRef,
    createdAtMs: toMs(createdAt),
    labels,
    annotations,
  };
}

export function containerStatusOf(status: CriContainerStatus, sandboxId: string): ContainerStatus {
  const { startedAt, finishedAt, exitCode, reason, message, logPath, resources, user } = status;
  return {
    ...containerOf({ ...status, podSandboxId: sandboxId }),
    startedAtMs: toMs(startedAt),
    finishedAtMs: toMs(finishedAt),
    exitCode,
    reason: reason || undefined,
    message: message || undefined,
    logPath: logPath || undefined,
    resources: resources?.linux ? resourcesOf(resources.linux) : undefined,
    user: user?.linux ?? undefined,
  };
}

function resourcesOf(resources: CriResources): ContainerResources {
  const { cpuPeriod, cpuQuota, cpuShares, memoryLimitInBytes, oomScoreAdj } = resources;
  return {
    cpuPeriodUs: cpuPeriod,
    // Without a quota the kernel says -1.
    cpuQuotaUs: Math.max(0, cpuQuota),
    cpuShares,
    memoryLimitBytes: Math.max(0, memoryLimitInBytes),
    oomScoreAdj,
  };
}

export function statsOf({ attributes, cpu, memory, writableLayer }: CriStats, sandboxId: string): ContainerStats {
  return {
    id: attributes?.id ?? "",
    sandboxId,
    metadata: { name: attributes?.metadata?.name ?? "", attempt: attributes?.metadata?.attempt ?? 0 },
    labels: attributes?.labels ?? {},
    timestampMs: toMs(cpu?.timestamp ?? 0),
    cpuUsageNanoSeconds: cpu?.usageCoreNanoSeconds?.value ?? 0,
    memoryWorkingSetBytes: memory?.workingSetBytes?.value ?? 0,
    memoryUsageBytes: memory?.usageBytes?.value,
    memoryRssBytes: memory?.rssBytes?.value,
    writableLayerBytes: writableLayer?.usedBytes?.value,
    writableLayerInodes: writableLayer?.inodesUsed?.value,
  };
}

export function imageOf({ id, repoTags, repoDigests, size, uid, username, pinned }: CriImage): Image {
  return {
    id,
    repoTags,
    repoDigests,
    sizeBytes: size,
    // An image that names nobody runs as root.
    uid: uid?.value ?? (username === "" ? 0 : undefined),
    username: username || undefined,
    pinned,
  };
}

export function filesystemOf({ timestamp, fsId, usedBytes, inodesUsed }: CriFilesystem): FilesystemUsage {
  return {
    timestampMs: toMs(timestamp),
    mountpoint: fsId?.mountpoint ?? "",
    usedBytes: usedBytes?.value ?? 0,
    inodesUsed: inodesUsed?.value ?? 0,
  };
}

export function eventOf({ containerId, containerEventType, createdAt, podSandboxStatus }: CriEvent): ContainerEvent {
  return {
    type: eventTypes[containerEventType] ?? "stopped",
    containerId,
    sandboxId: podSandboxStatus?.id || containerId,
    podUid: podSandboxStatus?.metadata?.uid ?? "",
    createdAtMs: toMs(createdAt),
  };
}
