/**
 * What containerd answers, as decoded: an absent message is null, an absent number 0, an absent string empty. Times are
 * nanoseconds since 1970 as numbers, so exact to about 200 ns.
 */
export interface CriMetadata {
  readonly name: string;
  readonly attempt: number;
}

export interface CriSandbox {
  readonly id: string;
  readonly metadata: (CriMetadata & { readonly namespace: string; readonly uid: string }) | null;
  readonly state: string;
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface CriSandboxStatus extends CriSandbox {
  readonly network: { readonly ip: string; readonly additionalIps: readonly { readonly ip: string }[] } | null;
  readonly linux: { readonly namespaces: { readonly options: { readonly network: string } | null } | null } | null;
}

export interface CriContainer {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: CriMetadata | null;
  readonly image: { readonly image: string; readonly userSpecifiedImage: string } | null;
  readonly imageRef: string;
  readonly state: string;
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface CriContainerStatus extends Omit<CriContainer, "podSandboxId"> {
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly logPath: string;
  readonly resources: { readonly linux: CriResources | null } | null;
  readonly user: { readonly linux: CriUser | null } | null;
}

export interface CriUser {
  readonly uid: number;
  readonly gid: number;
  readonly supplementalGroups: readonly number[];
}

export interface CriResources {
  readonly cpuPeriod: number;
  readonly cpuQuota: number;
  readonly cpuShares: number;
  readonly memoryLimitInBytes: number;
  readonly oomScoreAdj: number;
}

interface CriValue {
  readonly value: number;
}

export interface CriFilesystem {
  readonly timestamp: number;
  readonly fsId: { readonly mountpoint: string } | null;
  readonly usedBytes: CriValue | null;
  readonly inodesUsed: CriValue | null;
}

export interface CriStats {
  readonly attributes: {
    readonly id: string;
    readonly metadata: CriMetadata | null;
    readonly labels: Readonly<Record<string, string>>;
  } | null;
  readonly cpu: { readonly timestamp: number; readonly usageCoreNanoSeconds: CriValue | null } | null;
  readonly memory: {
    readonly workingSetBytes: CriValue | null;
    readonly usageBytes: CriValue | null;
    readonly rssBytes: CriValue | null;
  } | null;
  readonly writableLayer: CriFilesystem | null;
}

export interface CriImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: number;
  readonly uid: CriValue | null;
  readonly username: string;
  readonly pinned: boolean;
}

export interface CriEvent {
  readonly containerId: string;
  readonly containerEventType: string;
  readonly createdAt: number;
  readonly podSandboxStatus: CriSandboxStatus | null;
}

/** The answers by method. */
export interface CriAnswers {
  readonly Version: {
    readonly runtimeName: string;
    readonly runtimeVersion: string;
    readonly runtimeApiVersion: string;
  };
  readonly Status: {
    readonly status: {
      readonly conditions: readonly {
        readonly type: string;
        readonly status: boolean;
        readonly reason: string;
        readonly message: string;
      }[];
    } | null;
    readonly info: Readonly<Record<string, string>>;
    readonly runtimeHandlers: readonly {
      readonly name: string;
      readonly features: { readonly recursiveReadOnlyMounts: boolean } | null;
    }[];
    readonly features: { readonly supplementalGroupsPolicy: boolean } | null;
  };
  readonly UpdateRuntimeConfig: object;
  readonly RunPodSandbox: { readonly podSandboxId: string };
  readonly StopPodSandbox: object;
  readonly RemovePodSandbox: object;
  readonly PodSandboxStatus: {
    readonly status: CriSandboxStatus | null;
    readonly info: Readonly<Record<string, string>>;
  };
  readonly ListPodSandbox: { readonly items: readonly CriSandbox[] };
  readonly CreateContainer: { readonly containerId: string };
  readonly StartContainer: object;
  readonly StopContainer: object;
  readonly RemoveContainer: object;
  readonly ListContainers: { readonly containers: readonly CriContainer[] };
  readonly ContainerStatus: {
    readonly status: CriContainerStatus | null;
    readonly info: Readonly<Record<string, string>>;
  };
  readonly UpdateContainerResources: object;
  readonly ReopenContainerLog: object;
  readonly ExecSync: { readonly stdout: Uint8Array; readonly stderr: Uint8Array; readonly exitCode: number };
  readonly Exec: { readonly url: string };
  readonly Attach: { readonly url: string };
  readonly PortForward: { readonly url: string };
  readonly ContainerStats: { readonly stats: CriStats | null };
  readonly ListContainerStats: { readonly stats: readonly CriStats[] };
  readonly ListImages: { readonly images: readonly CriImage[] };
  readonly ImageStatus: { readonly image: CriImage | null };
  readonly PullImage: { readonly imageRef: string };
  readonly RemoveImage: object;
  readonly ImageFsInfo: { readonly imageFilesystems: readonly CriFilesystem[] };
}
