import type { PrinterColumn } from "../description.js";
import type { KubeObject } from "../object.js";
import * as access from "./access.js";
import * as autoscaling from "./autoscaling.js";
import * as batch from "./batch.js";
import { defaultColumns } from "./column.js";
import * as core from "./core.js";
import * as devices from "./devices.js";
import { podColumns } from "./pods.js";
import * as policy from "./policy.js";
import * as services from "./services.js";
import * as storage from "./storage.js";
import * as workloads from "./workloads.js";

/** By `group/resource`. Kinds that are not here print name and creation time, as upstream does. */
const byResource: ReadonlyMap<string, readonly PrinterColumn[]> = new Map([
  ["/componentstatuses", core.componentStatusColumns],
  ["/configmaps", core.configMapColumns],
  ["/endpoints", services.endpointsColumns],
  ["/events", core.coreEventColumns],
  ["/namespaces", core.namespaceColumns],
  ["/nodes", core.nodeColumns],
  ["/persistentvolumeclaims", storage.persistentVolumeClaimColumns],
  ["/persistentvolumes", storage.persistentVolumeColumns],
  ["/pods", podColumns],
  ["/podtemplates", workloads.podTemplateColumns],
  ["/replicationcontrollers", workloads.replicationControllerColumns],
  ["/resourcequotas", core.resourceQuotaColumns],
  ["/secrets", core.secretColumns],
  ["/serviceaccounts", core.serviceAccountColumns],
  ["/services", services.serviceColumns],
  ["admissionregistration.k8s.io/mutatingadmissionpolicies", policy.mutatingAdmissionPolicyColumns],
  ["admissionregistration.k8s.io/mutatingadmissionpolicybindings", policy.policyBindingColumns],
  ["admissionregistration.k8s.io/mutatingwebhookconfigurations", policy.webhookColumns],
  ["admissionregistration.k8s.io/validatingadmissionpolicies", policy.validatingAdmissionPolicyColumns],
  ["admissionregistration.k8s.io/validatingadmissionpolicybindings", policy.policyBindingColumns],
  ["admissionregistration.k8s.io/validatingwebhookconfigurations", policy.webhookColumns],
  ["apiregistration.k8s.io/apiservices", policy.apiServiceColumns],
  ["apps/controllerrevisions", workloads.controllerRevisionColumns],
  ["apps/daemonsets", workloads.daemonSetColumns],
  ["apps/deployments", workloads.deploymentColumns],
  ["apps/replicasets", workloads.replicaSetColumns],
  ["apps/statefulsets", workloads.statefulSetColumns],
  ["autoscaling/horizontalpodautoscalers", autoscaling.autoscalerColumns],
  ["batch/cronjobs", batch.cronJobColumns],
  ["batch/jobs", batch.jobColumns],
  ["certificates.k8s.io/certificatesigningrequests", access.certificateSigningRequestColumns],
  ["coordination.k8s.io/leases", core.leaseColumns],
  ["discovery.k8s.io/endpointslices", services.endpointSliceColumns],
  ["events.k8s.io/events", core.eventColumns],
  ["flowcontrol.apiserver.k8s.io/flowschemas", policy.flowSchemaColumns],
  ["flowcontrol.apiserver.k8s.io/prioritylevelconfigurations", policy.priorityLevelColumns],
  ["networking.k8s.io/ingressclasses", services.ingressClassColumns],
  ["networking.k8s.io/ingresses", services.ingressColumns],
  ["networking.k8s.io/ipaddresses", services.ipAddressColumns],
  ["networking.k8s.io/networkpolicies", services.networkPolicyColumns],
  ["networking.k8s.io/servicecidrs", services.serviceCidrColumns],
  ["node.k8s.io/runtimeclasses", core.runtimeClassColumns],
  ["policy/poddisruptionbudgets", policy.podDisruptionBudgetColumns],
  ["rbac.authorization.k8s.io/clusterrolebindings", access.roleBindingColumns],
  ["rbac.authorization.k8s.io/rolebindings", access.roleBindingColumns],
  ["resource.k8s.io/deviceclasses", devices.nameAndAgeColumns],
  ["resource.k8s.io/resourceclaims", devices.resourceClaimColumns],
  ["resource.k8s.io/resourceclaimtemplates", devices.nameAndAgeColumns],
  ["resource.k8s.io/resourceslices", devices.resourceSliceColumns],
  ["scheduling.k8s.io/priorityclasses", policy.priorityClassColumns],
  ["storage.k8s.io/csidrivers", storage.csiDriverColumns],
  ["storage.k8s.io/csinodes", storage.csiNodeColumns],
  ["storage.k8s.io/csistoragecapacities", storage.csiStorageCapacityColumns],
  ["storage.k8s.io/storageclasses", storage.storageClassColumns],
  ["storage.k8s.io/volumeattachments", storage.volumeAttachmentColumns],
  ["storage.k8s.io/volumeattributesclasses", storage.volumeAttributesClassColumns],
]);

/** What `kubectl get` prints of a built-in kind. */
export function builtinColumns(group: string, version: string, resource: string): readonly PrinterColumn[] {
  if (group === "autoscaling" && version === "v1") return autoscaling.autoscalerV1Columns;
  return byResource.get(`${group}/${resource}`) ?? defaultColumns;
}

/** Of kinds that are only ever a subresource's, by `apiVersion/kind`. */
const bySubresourceKind: ReadonlyMap<string, readonly PrinterColumn[]> = new Map([
  ["autoscaling/v1/Scale", autoscaling.scaleColumns],
]);

/** What `kubectl get --subresource` prints of an object that is of another kind than its resource; otherwise undefined. */
export function subresourceColumns({ apiVersion, kind }: KubeObject): readonly PrinterColumn[] | undefined {
  return bySubresourceKind.get(`${apiVersion}/${kind}`);
}

export { defaultColumns } from "./column.js";
export { type CustomColumn, customColumns } from "./custom.js";
export { age, humanDuration } from "./human-duration.js";
export { compileJsonPath, type JsonPath, JsonPathError } from "./json-path.js";
export { podRowConditions } from "./pods.js";
