import type { StringMap } from "../../runtime/index.js";

export interface Device {
  readonly id: string;
  readonly healthy: boolean;
}

export interface PluginOptions {
  /** It wants to be told before a container starts. */
  readonly preStartRequired: boolean;
  /** It knows which devices go well together. */
  readonly preferredAllocation: boolean;
}

/** What a container needs in order to use devices. */
export interface DeviceAccess {
  readonly envs: StringMap;
  readonly mounts: readonly { readonly containerPath: string; readonly hostPath: string; readonly readOnly: boolean }[];
  readonly devices: readonly {
    readonly containerPath: string;
    readonly hostPath: string;
    readonly permissions: string;
  }[];
  readonly annotations: StringMap;
  /** Fully qualified names of the Container Device Interface. */
  readonly cdiDevices: readonly string[];
}

/** What a node asks of a device plugin. All reject with the plugin's own words. */
export interface DevicePluginCalls {
  options(signal: AbortSignal): Promise<PluginOptions>;
  /** All its devices, again whenever one of them changes; ends when the plugin does. */
  watch(signal: AbortSignal): AsyncIterable<readonly Device[]>;
  /** Which of the devices that are there it would take. */
  preferred(
    request: { readonly available: readonly string[]; readonly required: readonly string[]; readonly size: number },
    signal: AbortSignal,
  ): Promise<readonly string[]>;
  allocate(ids: readonly string[], signal: AbortSignal): Promise<DeviceAccess>;
  preStart(ids: readonly string[], signal: AbortSignal): Promise<void>;
  close(): void;
}

/** A plugin that wants to be known. */
export interface DevicePluginRegistration {
  readonly version: string;
  /** Its socket. */
  readonly endpoint: string;
  readonly resourceName: string;
}
