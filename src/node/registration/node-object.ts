import type { ContainerImage, Node, NodeAddress, NodeCondition, NodeStatus, NodeSystemInfo } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import { timestamp } from "../../internal/clock.js";
import type { Runtime, RuntimeStatus, RuntimeVersion } from "../../runtime/index.js";
import type { DeviceCount } from "../devices/device-pool.js";
import type { PressureCondition } from "../eviction/thresholds.js";
import type { NodeAgentOptions } from "../options.js";

export const kubeletVersion = "v1.36.0";
const maxImages = 50;
const defaultResources = { cpu: "4", memory: "8Gi", pods: "110", "ephemeral-storage": "100Gi" } as const;

export interface HostFacts {
  readonly architecture: string;
  readonly operatingSystem: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly machineId: string;
  readonly bootId: string;
  /** Whether the kernel confines programs by AppArmor. */
  readonly appArmor: boolean;
  /** 0: none. */
  readonly swapBytes: number;
}

export const hollowHost: HostFacts = {
  architecture: "amd64",
  operatingSystem: "linux",
  kernelVersion: "6.1.0",
  osImage: "coxswain hollow node",
  machineId: "",
  bootId: "",
  appArmor: true,
  swapBytes: 0,
};

export function addressesOf({ addresses, nodeName }: NodeAgentOptions): readonly NodeAddress[] {
  return (
    addresses ?? [
      { type: "InternalIP", address: "127.0.0.1" },
      { type: "Hostname", address: nodeName },
    ]
  );
}

export function resourcesOf(options: NodeAgentOptions): Readonly<Record<string, string>> {
  return { ...defaultResources, ...options.resources };
}

/** The Node as it is first created. */
export function newNode(
  options: NodeAgentOptions,
  host: HostFacts,
  status: NodeStatus,
): Pick<Node, "apiVersion" | "kind" | "spec" | "status"> & { readonly metadata: Partial<Node["metadata"]> } {
  const { nodeName, podCidr, taints } = options;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: nodeName,
      labels: ownLabels(options, host),
      ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
    },
    spec: {
      ...(podCidr === undefined ? {} : { podCIDR: podCidr.split(",")[0] ?? "", podCIDRs: podCidr.split(",") }),
      ...(taints === undefined ? {} : { taints }),
    },
    status,
  };
}

export function ownLabels({ nodeName, labels }: NodeAgentOptions, host: HostFacts): Record<string, string> {
  return {
    "beta.kubernetes.io/arch": host.architecture,
    "beta.kubernetes.io/os": host.operatingSystem,
    "kubernetes.io/arch": host.architecture,
    "kubernetes.io/hostname": nodeName,
    "kubernetes.io/os": host.operatingSystem,
    ...labels,
  };
}

export interface NodeStatusInput {
  readonly options: NodeAgentOptions;
  readonly host: HostFacts;
  readonly runtime: Runtime;
  readonly version: RuntimeVersion;
  readonly clock: Clock;
  readonly previous: NodeStatus | undefined;
  /** Of the node's server; 0: none. */
  readonly serverPort: number;
  readonly pressure: ReadonlySet<PressureCondition>;
  /** What device plugins gave the node, by resource. */
  readonly devices: ReadonlyMap<string, DeviceCount>;
}

/** What the node tells of itself. */
export async function nodeStatus(input: NodeStatusInput): Promise<NodeStatus> {
  const { options, serverPort, previous } = input;
  // Others advertise resources that the agent knows nothing of by adding them to the capacity: all of them are for pods.
  const capacity: Record<string, string> = { ...previous?.capacity, ...resourcesOf(options) };
  const allocatable: Record<string, string> = { ...capacity, ...options.allocatable };
  for (const [name, count] of input.devices) {
    capacity[name] = String(count.capacity);
    allocatable[name] = String(count.allocatable);
  }
  const runtime = await runtimeStatusOf(input.runtime);
  return {
    addresses: addressesOf(options),
    capacity,
    allocatable,
    conditions: conditionsOf(input, runtime),
    daemonEndpoints: { kubeletEndpoint: { Port: serverPort } },
    nodeInfo: systemInfo(input),
    ...(await imagesOf(input.runtime)),
    ...featuresOf(runtime),
  };
}

function systemInfo({ host, version }: NodeStatusInput): NodeSystemInfo {
  return {
    architecture: host.architecture,
    bootID: host.bootId,
    containerRuntimeVersion: `${version.name}://${version.version}`,
    kernelVersion: host.kernelVersion,
    kubeProxyVersion: "",
    kubeletVersion,
    machineID: host.machineId,
    operatingSystem: host.operatingSystem,
    osImage: host.osImage,
    systemUUID: host.machineId,
    ...(host.swapBytes === 0 ? {} : { swap: { capacity: host.swapBytes } }),
  };
}

async function imagesOf(runtime: Runtime): Promise<{ readonly images?: readonly ContainerImage[] }> {
  try {
    const images = [...(await runtime.listImages())].sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, maxImages);
    if (images.length === 0) return {};
    return {
      images: images.map(({ repoDigests, repoTags, sizeBytes }) => ({
        names: [...repoDigests, ...repoTags].slice(0, 5),
        sizeBytes,
      })),
    };
  } catch {
    // A runtime that is down shows in the Ready condition.
    return {};
  }
}

/** Why it is down, if it is. */
type RuntimeAnswer = { readonly status: RuntimeStatus } | { readonly error: unknown };

async function runtimeStatusOf(runtime: Runtime): Promise<RuntimeAnswer> {
  try {
    return { status: await runtime.status() };
  } catch (error) {
    return { error };
  }
}

/** What the runtime says that it can do; nothing of it where it does not say. */
function featuresOf(answer: RuntimeAnswer): Pick<NodeStatus, "features" | "runtimeHandlers"> {
  if ("error" in answer) return {};
  const { handlers = [], supplementalGroupsPolicy } = answer.status;
  return {
    ...(supplementalGroupsPolicy === undefined ? {} : { features: { supplementalGroupsPolicy } }),
    ...(handlers.length === 0
      ? {}
      : {
          runtimeHandlers: handlers.map(({ name, recursiveReadOnlyMounts }) => ({
            name,
            features: { recursiveReadOnlyMounts, userNamespaces: false },
          })),
        }),
  };
}

function conditionsOf(input: NodeStatusInput, answer: RuntimeAnswer): NodeCondition[] {
  const { pressure } = input;
  const ready = readiness(answer);
  const rows: readonly (readonly [string, boolean, string, string])[] = [
    [
      "MemoryPressure",
      pressure.has("MemoryPressure"),
      pressure.has("MemoryPressure") ? "KubeletHasInsufficientMemory" : "KubeletHasSufficientMemory",
      pressure.has("MemoryPressure")
        ? "kubelet has insufficient memory available"
        : "kubelet has sufficient memory available",
    ],
    [
      "DiskPressure",
      pressure.has("DiskPressure"),
      pressure.has("DiskPressure") ? "KubeletHasDiskPressure" : "KubeletHasNoDiskPressure",
      pressure.has("DiskPressure") ? "kubelet has disk pressure" : "kubelet has no disk pressure",
    ],
    [
      "PIDPressure",
      pressure.has("PIDPressure"),
      pressure.has("PIDPressure") ? "KubeletHasInsufficientPID" : "KubeletHasSufficientPID",
      pressure.has("PIDPressure") ? "kubelet has insufficient PID available" : "kubelet has sufficient PID available",
    ],
    [
      "Ready",
      ready === undefined,
      ready === undefined ? "KubeletReady" : "KubeletNotReady",
      ready ?? "kubelet is posting ready status",
    ],
  ];
  const now = timestamp(input.clock);
  return rows.map(([type, is, reason, message]) => {
    const status = is ? "True" : "False";
    const old = input.previous?.conditions?.find((condition) => condition.type === type);
    const since = old?.status === status ? old.lastTransitionTime : undefined;
    return { type, status, lastHeartbeatTime: now, lastTransitionTime: since ?? now, reason, message };
  });
}

/** Why the node is not ready; undefined: it is. */
function readiness(answer: RuntimeAnswer): string | undefined {
  if ("error" in answer) {
    const { error } = answer;
    return `container runtime is down: ${error instanceof Error ? error.message : String(error)}`;
  }
  const problems = answer.status.conditions
    .filter(({ status }) => !status)
    .map(({ type, reason, message }) => {
      const what = type === "NetworkReady" ? "container runtime network not ready" : "container runtime not ready";
      return `${what}: ${type}=false reason:${reason} message:${message}`;
    });
  return problems.length === 0
    ? undefined
    : `[${problems.join(", ")}]`.replace(/^\[(?!.*, container runtime)(.*)\]$/, "$1");
}
