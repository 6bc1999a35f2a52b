/** What discovery calls a resource beside its plural and kind. By `group/resource`; the facts are those of `kubectl api-resources`. */
export interface ResourceNames {
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
}

const all: readonly string[] = ["all"];
const extension: ResourceNames = { categories: ["api-extensions"] };

export const resourceNames: ReadonlyMap<string, ResourceNames> = new Map([
  ["/componentstatuses", { shortNames: ["cs"] }],
  ["/configmaps", { shortNames: ["cm"] }],
  ["/endpoints", { shortNames: ["ep"] }],
  ["/events", { shortNames: ["ev"] }],
  ["/limitranges", { shortNames: ["limits"] }],
  ["/namespaces", { shortNames: ["ns"] }],
  ["/nodes", { shortNames: ["no"] }],
  ["/persistentvolumeclaims", { shortNames: ["pvc"] }],
  ["/persistentvolumes", { shortNames: ["pv"] }],
  ["/pods", { shortNames: ["po"], categories: all }],
  ["/replicationcontrollers", { shortNames: ["rc"], categories: all }],
  ["/resourcequotas", { shortNames: ["quota"] }],
  ["/serviceaccounts", { shortNames: ["sa"] }],
  ["/services", { shortNames: ["svc"], categories: all }],
  ["admissionregistration.k8s.io/mutatingadmissionpolicies", extension],
  ["admissionregistration.k8s.io/mutatingadmissionpolicybindings", extension],
  ["admissionregistration.k8s.io/mutatingwebhookconfigurations", extension],
  ["admissionregistration.k8s.io/validatingadmissionpolicies", extension],
  ["admissionregistration.k8s.io/validatingadmissionpolicybindings", extension],
  ["admissionregistration.k8s.io/validatingwebhookconfigurations", extension],
  ["apiextensions.k8s.io/customresourcedefinitions", { ...extension, shortNames: ["crd", "crds"] }],
  ["apiregistration.k8s.io/apiservices", extension],
  ["apps/daemonsets", { shortNames: ["ds"], categories: all }],
  ["apps/deployments", { shortNames: ["deploy"], categories: all }],
  ["apps/replicasets", { shortNames: ["rs"], categories: all }],
  ["apps/statefulsets", { shortNames: ["sts"], categories: all }],
  ["autoscaling/horizontalpodautoscalers", { shortNames: ["hpa"], categories: all }],
  ["batch/cronjobs", { shortNames: ["cj"], categories: all }],
  ["batch/jobs", { categories: all }],
  ["certificates.k8s.io/certificatesigningrequests", { shortNames: ["csr"] }],
  ["events.k8s.io/events", { shortNames: ["ev"] }],
  ["networking.k8s.io/ingresses", { shortNames: ["ing"] }],
  ["networking.k8s.io/ipaddresses", { shortNames: ["ip"] }],
  ["networking.k8s.io/networkpolicies", { shortNames: ["netpol"] }],
  ["policy/poddisruptionbudgets", { shortNames: ["pdb"] }],
  ["scheduling.k8s.io/priorityclasses", { shortNames: ["pc"] }],
  ["storage.k8s.io/storageclasses", { shortNames: ["sc"] }],
  ["storage.k8s.io/volumeattributesclasses", { shortNames: ["vac"] }],
]);
