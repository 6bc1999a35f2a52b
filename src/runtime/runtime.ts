import type {
  Container,
  ContainerConfig,
  ContainerEvent,
  ContainerFilter,
  ContainerResources,
  ContainerStats,
  ContainerStatus,
} from "./container.js";
import type { LogRecord } from "./cri-log.js";
import type { FilesystemUsage, Image, PullImageOptions } from "./image.js";
import type { PodSandbox, PodSandboxConfig, PodSandboxStatus, SandboxFilter } from "./sandbox.js";
import type { AttachOptions, ExecOptions, PortForwardStream, ProcessStream } from "./streams.js";

export interface CallOptions {
  /** Aborting rejects with the signal's reason; what was asked for may still happen. */
  readonly signal?: AbortSignal | undefined;
}

export interface RuntimeVersion {
  /** Prefix of container IDs in statuses: `containerd` gives `containerd://<id>`. */
  readonly name: string;
  readonly version: string;
  readonly apiVersion: string;
}

export interface RuntimeCondition {
  readonly type: "RuntimeReady" | "NetworkReady";
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

/** What one way of running pods can do; the default one has no name. */
export interface RuntimeHandler {
  readonly name: string;
  readonly recursiveReadOnlyMounts: boolean;
}

export interface RuntimeStatus {
  readonly conditions: readonly RuntimeCondition[];
  /** Absent where the runtime does not tell. */
  readonly handlers?: readonly RuntimeHandler[] | undefined;
  /** Whether supplementary groups of images can be left out, and users are told of in statuses; absent where the runtime does not tell. */
  readonly supplementalGroupsPolicy?: boolean | undefined;
}

export interface ExecSyncResult {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/**
 * Runs pods' sandboxes and containers on one host: the node agent's only way to do so. Shaped after the Container Runtime Interface v1 so
 * that an implementation over CRI is a thin mapping; where this is silent, CRI's documented behaviour holds.
 *
 * All methods fail with RuntimeError. Removing and stopping are idempotent: what is gone is a success. Everything that
 * was started survives this object: a new Runtime on the same state lists it again (an implementation that cannot says
 * so in its own documentation).
 */
export interface RuntimeService {
  version(options?: CallOptions): Promise<RuntimeVersion>;
  status(options?: CallOptions): Promise<RuntimeStatus>;
  /** The node learned its pod range, or its two with a comma between them. Ignored where the network takes it from elsewhere. */
  updatePodCidr(podCidr: string, options?: CallOptions): Promise<void>;

  /** Makes and starts a sandbox with its network; resolves with its ID when it is ready. A failure leaves nothing behind. */
  runPodSandbox(config: PodSandboxConfig, options?: CallOptions): Promise<string>;
  /** Kills its containers, takes down its network. */
  stopPodSandbox(sandboxId: string, options?: CallOptions): Promise<void>;
  /** Removes it and its containers; stops what runs. */
  removePodSandbox(sandboxId: string, options?: CallOptions): Promise<void>;
  /** Rejects with `not-found`. */
  podSandboxStatus(sandboxId: string, options?: CallOptions): Promise<PodSandboxStatus>;
  /** In no order. */
  listPodSandboxes(filter?: SandboxFilter, options?: CallOptions): Promise<readonly PodSandbox[]>;

  /** Resolves with the container's ID. Rejects with `not-found` (sandbox, image) or `already-exists` (name and attempt). */
  createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: PodSandboxConfig,
    options?: CallOptions,
  ): Promise<string>;
  /** Rejects with `failed-precondition` unless it is `created`; a program that cannot be run rejects and leaves it `exited`. */
  startContainer(containerId: string, options?: CallOptions): Promise<void>;
  /** Sends the stop signal, after `timeoutSeconds` (0: at once) SIGKILL; resolves when it has exited. */
  stopContainer(containerId: string, timeoutSeconds: number, options?: CallOptions): Promise<void>;
  /** Kills it first if it runs. Its log file stays. */
  removeContainer(containerId: string, options?: CallOptions): Promise<void>;
  listContainers(filter?: ContainerFilter, options?: CallOptions): Promise<readonly Container[]>;
  /** Rejects with `not-found`. */
  containerStatus(containerId: string, options?: CallOptions): Promise<ContainerStatus>;
  /**
   * Changes what a container that lives is held to, without a restart; what is 0 or absent stays as it is. `containerStatus` tells the
   * new values, if it tells any. Rejects with `not-found`, and with whatever the kernel refuses: then nothing is changed. A runtime that
   * enforces no limits keeps them for its status alone.
   */
  updateContainerResources(containerId: string, resources: ContainerResources, options?: CallOptions): Promise<void>;
  /** After the log file was renamed: go on in a new one of the old name. */
  reopenContainerLog(containerId: string, options?: CallOptions): Promise<void>;
  /** The log of a runtime that keeps none on disk: in order; with `follow` until the container ends or `signal` aborts. */
  readLog?(containerId: string, options: { readonly follow: boolean } & CallOptions): AsyncIterable<LogRecord>;

  /** Runs to the end. Output beyond 16 MiB is cut. After `timeoutSeconds` (0: none) the process is killed and it rejects with `deadline-exceeded`. */
  execSync(
    containerId: string,
    command: readonly string[],
    timeoutSeconds: number,
    options?: CallOptions,
  ): Promise<ExecSyncResult>;
  /** Rejects with `failed-precondition` when the container does not run. */
  exec(containerId: string, options: ExecOptions): Promise<ProcessStream>;
  attach(containerId: string, options: AttachOptions): Promise<ProcessStream>;
  portForward(sandboxId: string, ports: readonly number[], options?: CallOptions): Promise<PortForwardStream>;

  containerStats(containerId: string, options?: CallOptions): Promise<ContainerStats>;
  listContainerStats(filter?: ContainerFilter, options?: CallOptions): Promise<readonly ContainerStats[]>;

  /**
   * Changes from now on, until `signal` aborts or the runtime is gone (then it throws `unavailable`). Absent or
   * throwing `unimplemented`: the caller lists at an interval instead.
   */
  events?(signal: AbortSignal): AsyncIterable<ContainerEvent>;
}

/** Where the runtime's images come from and are kept. */
export interface ImageService {
  /** Resolves with the image's ID. Rejects with `image-not-found`, `unavailable`, `invalid` (the reference). */
  pullImage(reference: string, options?: PullImageOptions): Promise<string>;
  /** undefined when it is not on the host. */
  imageStatus(reference: string, options?: CallOptions): Promise<Image | undefined>;
  listImages(options?: CallOptions): Promise<readonly Image[]>;
  removeImage(reference: string, options?: CallOptions): Promise<void>;
  imageFsInfo(options?: CallOptions): Promise<readonly FilesystemUsage[]>;
}

export interface Runtime extends RuntimeService, ImageService, AsyncDisposable {}
