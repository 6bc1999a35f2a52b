export interface PluginInfo {
  /** `CSIPlugin`, `DevicePlugin`, `DRAPlugin`, ... */
  readonly type: string;
  readonly name: string;
  /** Its own socket; empty: the one it registers by. */
  readonly endpoint: string;
  readonly supportedVersions: readonly string[];
}

/** What a node asks of a plugin that makes itself known. Rejects with the plugin's own words. */
export interface PluginCalls {
  info(signal: AbortSignal): Promise<PluginInfo>;
  /** Tells it that it is known, or why not. */
  notify(error: string | undefined, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** Takes up plugins of another type, which make themselves known in the same place. */
export interface PluginHandler {
  /** `socket` is the one by which it makes itself known. Rejects with what the plugin is to be told. */
  register(plugin: PluginInfo, socket: string): Promise<void>;
  /** That socket is gone, or is another's now. */
  deregister?(socket: string): void;
}

export interface VolumeRequest {
  readonly volumeId: string;
  readonly publishContext: Readonly<Record<string, string>>;
  readonly stagingTargetPath: string;
  /** When it is published. */
  readonly targetPath?: string;
  readonly readonly?: boolean;
  readonly accessMode: string;
  readonly mount: {
    readonly fsType: string;
    readonly mountFlags: readonly string[];
    readonly volumeMountGroup: string;
  };
  readonly secrets: Readonly<Record<string, string>>;
  readonly volumeContext: Readonly<Record<string, string>>;
}

export interface DriverInfo {
  /** By what the driver knows this node. */
  readonly nodeId: string;
  /** 0: it does not say. */
  readonly maxVolumes: number;
  readonly topology: Readonly<Record<string, string>>;
}

/** CSI's service Node. All but the questions may be repeated: what is done already is a success. */
export interface NodeCalls {
  info(signal: AbortSignal): Promise<DriverInfo>;
  /** By CSI's names. */
  capabilities(signal: AbortSignal): Promise<ReadonlySet<string>>;
  stage(request: VolumeRequest, signal: AbortSignal): Promise<void>;
  unstage(volumeId: string, stagingTargetPath: string, signal: AbortSignal): Promise<void>;
  publish(request: VolumeRequest, signal: AbortSignal): Promise<void>;
  unpublish(volumeId: string, targetPath: string, signal: AbortSignal): Promise<void>;
  close(): void;
}
