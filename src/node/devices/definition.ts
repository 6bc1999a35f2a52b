import { type Definition, definitionOf } from "../../internal/protobuf-definition.js";

/** The only version of the API that there is. */
export const deviceApiVersion = "v1beta1";

/** How device plugins make themselves known, and what they are asked (package v1beta1): the numbers are upstream's. */
export function deviceDefinition(): Definition {
  return definitionOf(deviceApiVersion, {
    messages: `
Empty
DevicePluginOptions preStartRequired:bool=1 getPreferredAllocationAvailable:bool=2
RegisterRequest version=1 endpoint=2 resourceName=3 options:DevicePluginOptions=4
NUMANode ID:int64=1
TopologyInfo nodes:[]NUMANode=1
Device ID=1 health=2 topology:TopologyInfo=3
ListAndWatchResponse devices:[]Device=1
ContainerPreferredAllocationRequest availableDeviceIds:[]string=1 mustIncludeDeviceIds:[]string=2 allocationSize:int32=3
PreferredAllocationRequest containerRequests:[]ContainerPreferredAllocationRequest=1
ContainerPreferredAllocationResponse deviceIds:[]string=1
PreferredAllocationResponse containerResponses:[]ContainerPreferredAllocationResponse=1
ContainerAllocateRequest devicesIds:[]string=1
AllocateRequest containerRequests:[]ContainerAllocateRequest=1
CDIDevice name=1
Mount containerPath=1 hostPath=2 readOnly:bool=3
DeviceSpec containerPath=1 hostPath=2 permissions=3
ContainerAllocateResponse envs:map=1 mounts:[]Mount=2 devices:[]DeviceSpec=3 annotations:map=4 cdiDevices:[]CDIDevice=5
AllocateResponse containerResponses:[]ContainerAllocateResponse=1
PreStartContainerRequest devicesIds:[]string=1
`,
    enums: {},
    services: {
      Registration: { Register: ["RegisterRequest", "Empty"] },
      DevicePlugin: {
        GetDevicePluginOptions: ["Empty", "DevicePluginOptions"],
        ListAndWatch: ["Empty", "stream ListAndWatchResponse"],
        GetPreferredAllocation: ["PreferredAllocationRequest", "PreferredAllocationResponse"],
        Allocate: ["AllocateRequest", "AllocateResponse"],
        PreStartContainer: ["PreStartContainerRequest", "Empty"],
      },
    },
  });
}
