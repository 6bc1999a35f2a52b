import type { NamespaceOptions, SecurityProfile, StringMap } from "./sandbox.js";

export interface ContainerMetadata {
  readonly name: string;
  /** How many containers of this name in this pod came before. */
  readonly attempt: number;
}

export type MountPropagation = "private" | "host-to-container" | "bidirectional";

export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  /** What is mounted below it is read-only too. Only with `readonly` and where the runtime's handler can do it. */
  readonly recursiveReadOnly?: boolean | undefined;
  readonly propagation?: MountPropagation | undefined;
}

/** Limits in cgroup terms; 0 or absent is unlimited. */
export interface ContainerResources {
  readonly cpuPeriodUs?: number | undefined;
  readonly cpuQuotaUs?: number | undefined;
  readonly cpuShares?: number | undefined;
  readonly memoryLimitBytes?: number | undefined;
  readonly oomScoreAdj?: number | undefined;
}

export interface ContainerSecurity {
  readonly namespaces: NamespaceOptions;
  readonly privileged?: boolean | undefined;
  readonly runAsUser?: number | undefined;
  readonly runAsUsername?: string | undefined;
  readonly runAsGroup?: number | undefined;
  readonly supplementalGroups?: readonly number[] | undefined;
  /** `Strict`: without the groups that the image gives the user. Default `Merge`. */
  readonly supplementalGroupsPolicy?: "Merge" | "Strict" | undefined;
  readonly readonlyRootfs?: boolean | undefined;
  readonly noNewPrivileges?: boolean | undefined;
  readonly addCapabilities?: readonly string[] | undefined;
  readonly dropCapabilities?: readonly string[] | undefined;
  readonly seccomp?: SecurityProfile | undefined;
  readonly appArmor?: SecurityProfile | undefined;
}

export interface ContainerConfig {
  readonly metadata: ContainerMetadata;
  /** What `pullImage` or `imageStatus` gave. */
  readonly image: string;
  /** The reference that the user wrote, for status. */
  readonly userImage?: string | undefined;
  /** Replaces the image's entrypoint; empty: the image's. */
  readonly command: readonly string[];
  /** Replaces the image's command; empty: the image's, unless `command` is given. */
  readonly args: readonly string[];
  readonly workingDir?: string | undefined;
  /** In order; a later one of the same name wins. */
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  readonly devices?:
    | readonly { readonly containerPath: string; readonly hostPath: string; readonly permissions: string }[]
    | undefined;
  /** Fully qualified names of the Container Device Interface. */
  readonly cdiDevices?: readonly string[] | undefined;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  /** Relative to the sandbox's logDirectory. */
  readonly logPath?: string | undefined;
  readonly stdin?: boolean | undefined;
  readonly stdinOnce?: boolean | undefined;
  readonly tty?: boolean | undefined;
  readonly resources?: ContainerResources | undefined;
  readonly security: ContainerSecurity;
  /** `SIGTERM`, ...; absent: the image's, or SIGTERM. */
  readonly stopSignal?: string | undefined;
}

export type ContainerState = "created" | "running" | "exited" | "unknown";

export interface Container {
  readonly id: string;
  readonly sandboxId: string;
  readonly metadata: ContainerMetadata;
  readonly state: ContainerState;
  readonly image: string;
  readonly imageRef: string;
  readonly createdAtMs: number;
  readonly labels: StringMap;
  readonly annotations: StringMap;
}

export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  readonly supplementalGroups: readonly number[];
}

export interface ContainerStatus extends Container {
  /** 0 before it started, as are finishedAtMs and exitCode before it ended. */
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly exitCode: number;
  /** `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun`, ... once it has ended. */
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  /** Absolute path of its log on the host. */
  readonly logPath?: string | undefined;
  /** Whom its first process began as; absent where the runtime does not tell (containerd before 2.0). */
  readonly user?: ContainerUser | undefined;
  /** What it is held to now; absent where the runtime does not tell (containerd before 1.7). */
  readonly resources?: ContainerResources | undefined;
}

export interface ContainerFilter {
  readonly id?: string | undefined;
  readonly sandboxId?: string | undefined;
  readonly state?: ContainerState | undefined;
  readonly labels?: StringMap | undefined;
}

export interface ContainerEvent {
  readonly type: "created" | "started" | "stopped" | "deleted";
  readonly containerId: string;
  /** For an event of the sandbox itself it equals containerId. */
  readonly sandboxId: string;
  /** The pod's, of the sandbox's metadata. */
  readonly podUid: string;
  readonly createdAtMs: number;
}

export interface ContainerStats {
  readonly id: string;
  readonly sandboxId: string;
  readonly metadata: ContainerMetadata;
  readonly labels: StringMap;
  readonly timestampMs: number;
  /** Total CPU time since it started. */
  readonly cpuUsageNanoSeconds: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryUsageBytes?: number | undefined;
  readonly memoryRssBytes?: number | undefined;
  readonly writableLayerBytes?: number | undefined;
  readonly writableLayerInodes?: number | undefined;
}
