import type { GatedFields } from "../../description.js";
import { gated, gatedBelow } from "../gated-fields.js";

/** Of a pod's spec and of what else has one. */
const inSpec: readonly GatedFields[] = [
  gated(
    "ContainerStopSignals",
    ["containers[]", "initContainers[]", "ephemeralContainers[]"].map((path) => `${path}.lifecycle.stopSignal`),
    { emptied: true },
  ),
  gated("ClusterTrustBundleProjection", ["volumes[].projected.sources[].clusterTrustBundle"]),
  gated("PodCertificateRequest", ["volumes[].projected.sources[].podCertificate"]),
  gated("GenericWorkload", ["schedulingGroup"]),
];

/** Of a pod template: `path` leads to it. */
export function templateGatedFields(path: string): readonly GatedFields[] {
  return gatedBelow(`${path}.spec`, inSpec);
}

const containerStatuses = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];

export const podGatedFields: readonly GatedFields[] = [
  ...gatedBelow("spec", inSpec),
  gated(
    "ImageVolumeWithDigest",
    containerStatuses.map((list) => `status.${list}[].volumeMounts[].volumeStatus`),
  ),
  gated("DRANodeAllocatableResources", ["status.nodeAllocatableResourceClaimStatuses"]),
];
