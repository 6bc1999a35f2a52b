import { type Definition, definitionOf } from "../../internal/protobuf-definition.js";

/** How plugins make themselves known (package pluginregistration, as a kubelet calls it): the numbers are upstream's. */
export function registrationDefinition(): Definition {
  return definitionOf("pluginregistration", {
    messages: `
InfoRequest
PluginInfo type=1 name=2 endpoint=3 supportedVersions:[]string=4
RegistrationStatus pluginRegistered:bool=1 error=2
RegistrationStatusResponse
`,
    enums: {},
    services: {
      Registration: {
        GetInfo: ["InfoRequest", "PluginInfo"],
        NotifyRegistrationStatus: ["RegistrationStatus", "RegistrationStatusResponse"],
      },
    },
  });
}

/** The part of the Container Storage Interface v1 that a node calls: the numbers are CSI's. */
export function csiDefinition(): Definition {
  return definitionOf("csi.v1", {
    messages: `
Empty
Topology segments:map=1
MountVolume fsType=1 mountFlags:[]string=2 volumeMountGroup=3
AccessModeValue mode:AccessMode=1
VolumeCapability mount:MountVolume=2 accessMode:AccessModeValue=3
NodeStageVolumeRequest volumeId=1 publishContext:map=2 stagingTargetPath=3 volumeCapability:VolumeCapability=4 secrets:map=5 volumeContext:map=6
NodeUnstageVolumeRequest volumeId=1 stagingTargetPath=2
NodePublishVolumeRequest volumeId=1 publishContext:map=2 stagingTargetPath=3 targetPath=4 volumeCapability:VolumeCapability=5 readonly:bool=6 secrets:map=7 volumeContext:map=8
NodeUnpublishVolumeRequest volumeId=1 targetPath=2
Rpc type:RpcType=1
NodeServiceCapability rpc:Rpc=1
NodeGetCapabilitiesResponse capabilities:[]NodeServiceCapability=1
NodeGetInfoResponse nodeId=1 maxVolumesPerNode:int64=2 accessibleTopology:Topology=3
`,
    enums: {
      AccessMode: [
        "UNKNOWN",
        "SINGLE_NODE_WRITER",
        "SINGLE_NODE_READER_ONLY",
        "MULTI_NODE_READER_ONLY",
        "MULTI_NODE_SINGLE_WRITER",
        "MULTI_NODE_MULTI_WRITER",
        "SINGLE_NODE_SINGLE_WRITER",
        "SINGLE_NODE_MULTI_WRITER",
      ],
      RpcType: [
        "NONE",
        "STAGE_UNSTAGE_VOLUME",
        "GET_VOLUME_STATS",
        "EXPAND_VOLUME",
        "VOLUME_CONDITION",
        "SINGLE_NODE_MULTI_WRITER_CAPABILITY",
        "VOLUME_MOUNT_GROUP",
      ],
    },
    services: {
      Node: {
        NodeStageVolume: ["NodeStageVolumeRequest", "Empty"],
        NodeUnstageVolume: ["NodeUnstageVolumeRequest", "Empty"],
        NodePublishVolume: ["NodePublishVolumeRequest", "Empty"],
        NodeUnpublishVolume: ["NodeUnpublishVolumeRequest", "Empty"],
        NodeGetCapabilities: ["Empty", "NodeGetCapabilitiesResponse"],
        NodeGetInfo: ["Empty", "NodeGetInfoResponse"],
      },
    },
  });
}
