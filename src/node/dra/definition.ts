import { type Definition, definitionOf } from "../../internal/protobuf-definition.js";

/** Services that a DRA plugin may name among its supported versions, the newest first. */
export const draServices = ["v1.DRAPlugin", "v1beta1.DRAPlugin"] as const;

export type DraService = (typeof draServices)[number];

/** The full name of the service's package. */
export function draPackage(service: DraService): string {
  return `k8s.io.kubelet.pkg.apis.dra.${service.replace(".DRAPlugin", "")}`;
}

/** What a node asks of a DRA plugin, the same in all versions: the numbers are upstream's. */
export function draDefinition(service: DraService): Definition {
  return definitionOf(draPackage(service), {
    messages: `
Claim namespace=1 uid=2 name=3
NodePrepareResourcesRequest claims:[]Claim=1
NodePrepareResourcesResponse claims:{}NodePrepareResourceResponse=1
NodePrepareResourceResponse devices:[]Device=1 error=2
Device requestNames:[]string=1 poolName=2 deviceName=3 cdiDeviceIds:[]string=4
NodeUnprepareResourcesRequest claims:[]Claim=1
NodeUnprepareResourcesResponse claims:{}NodeUnprepareResourceResponse=1
NodeUnprepareResourceResponse error=1
`,
    enums: {},
    services: {
      DRAPlugin: {
        NodePrepareResources: ["NodePrepareResourcesRequest", "NodePrepareResourcesResponse"],
        NodeUnprepareResources: ["NodeUnprepareResourcesRequest", "NodeUnprepareResourcesResponse"],
      },
    },
  });
}
