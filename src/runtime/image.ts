import type { StringMap } from "./sandbox.js";

export interface Image {
  /** What to create containers with. */
  readonly id: string;
  /** References such as `docker.io/library/busybox:1.36`. */
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  /** The user that the image runs as by default, if it names one by number or by name. */
  readonly uid?: number | undefined;
  readonly username?: string | undefined;
  /** Never to be removed by garbage collection. */
  readonly pinned?: boolean | undefined;
}

export interface ImageAuth {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly auth?: string | undefined;
  readonly serverAddress?: string | undefined;
  readonly identityToken?: string | undefined;
  readonly registryToken?: string | undefined;
}

export interface PullImageOptions {
  readonly auth?: ImageAuth | undefined;
  readonly annotations?: StringMap | undefined;
  readonly runtimeHandler?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface FilesystemUsage {
  readonly timestampMs: number;
  readonly mountpoint: string;
  readonly usedBytes: number;
  readonly inodesUsed: number;
}
