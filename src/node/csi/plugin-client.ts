import { methodsOf, PluginSocket } from "../plugin-socket.js";
import { csiDefinition, registrationDefinition } from "./definition.js";
import type { NodeCalls, PluginCalls, PluginInfo, VolumeRequest } from "./plugin.js";

/** The socket by which a plugin tells what it is. */
export function registrationAt(path: string): PluginCalls {
  const socket = new PluginSocket(path, methodsOf(registrationDefinition(), "pluginregistration.Registration"));
  return {
    info: (signal) => socket.call<PluginInfo>("GetInfo", {}, signal),
    async notify(error, signal) {
      await socket.call(
        "NotifyRegistrationStatus",
        { pluginRegistered: error === undefined, error: error ?? "" },
        signal,
      );
    },
    close: () => socket.close(),
  };
}

/** The socket by which a CSI driver mounts. */
export function nodeServiceAt(path: string): NodeCalls {
  const socket = new PluginSocket(path, methodsOf(csiDefinition(), "csi.v1.Node"));
  interface Capabilities {
    readonly capabilities: readonly { readonly rpc: { readonly type: string } | null }[];
  }
  interface Info {
    readonly nodeId: string;
    readonly maxVolumesPerNode: number;
    readonly accessibleTopology: { readonly segments: Readonly<Record<string, string>> } | null;
  }
  return {
    async info(signal) {
      const { nodeId, maxVolumesPerNode, accessibleTopology } = await socket.call<Info>("NodeGetInfo", {}, signal);
      return { nodeId, maxVolumes: maxVolumesPerNode, topology: accessibleTopology?.segments ?? {} };
    },
    async capabilities(signal) {
      const { capabilities } = await socket.call<Capabilities>("NodeGetCapabilities", {}, signal);
      return new Set(capabilities.map(({ rpc }) => rpc?.type ?? ""));
    },
    async stage(request, signal) {
      await socket.call("NodeStageVolume", messageOf(request), signal);
    },
    async unstage(volumeId, stagingTargetPath, signal) {
      await socket.call("NodeUnstageVolume", { volumeId, stagingTargetPath }, signal);
    },
    async publish(request, signal) {
      await socket.call("NodePublishVolume", messageOf(request), signal);
    },
    async unpublish(volumeId, targetPath, signal) {
      await socket.call("NodeUnpublishVolume", { volumeId, targetPath }, signal);
    },
    close: () => socket.close(),
  };
}

function messageOf({ accessMode, mount, ...request }: VolumeRequest): object {
  return { ...request, volumeCapability: { mount, accessMode: { mode: accessMode } } };
}
