import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import type { JsonObject } from "../../../src/api/index.js";
import type { ResourcePath } from "./subject.js";

type Fields = { readonly [field: string]: unknown };

/** A kind that is stored, and the smallest objects of it that make sense. */
export interface SampleKind {
  readonly path: ResourcePath;
  readonly kind: string;
  readonly namespaced: boolean;
  /** An object without a namespace; no two of different numbers have one name. */
  make(at: number): JsonObject;
}

interface Sample {
  /** Everything beside apiVersion, kind and metadata. */
  readonly rest?: Fields | ((at: number) => Fields);
  /** Default: `sample-<number>`. */
  readonly name?: (at: number) => string;
  readonly cluster?: true;
}

const labels = { app: "sample" };
const containers = [{ name: "main", image: "main:1" }];
const podSpec = { containers };
const template = { metadata: { labels }, spec: podSpec };
const selector = { matchLabels: labels };
const onceTemplate = { spec: { ...podSpec, restartPolicy: "Never" } };
const scaled = { maxReplicas: 3, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "sample" } };
const time = "2026-01-01T00:00:00.000000Z";
/** Nothing that a test creates is ever asked about. */
const nothing = {
  apiGroups: ["nothing.example.com"],
  apiVersions: ["v1"],
  resources: ["nothings"],
  operations: ["CREATE"],
};
const webhooks = [
  {
    name: "nothing.webhooks.example.com",
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    clientConfig: { url: "https://127.0.0.1:1/" },
    rules: [nothing],
  },
];
const claim = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
const devices = { requests: [{ name: "one", exactly: { deviceClassName: "sample" } }] };

/** In order to be valid a request must have been signed by somebody's key. */
async function certificateRequest(): Promise<string> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
  const keys = await webcrypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: "CN=sample",
    keys,
    signingAlgorithm: algorithm,
  });
  return Buffer.from(request.toString("pem")).toString("base64");
}

const samples: { readonly [path: ResourcePath]: Readonly<Record<string, Sample>> } = {
  "api/v1/configmaps": { ConfigMap: { rest: { data: { key: "value" }, binaryData: { bytes: "AAEC" } } } },
  "api/v1/endpoints": {
    Endpoints: { rest: { subsets: [{ addresses: [{ ip: "10.9.0.1" }], ports: [{ port: 80, protocol: "TCP" }] }] } },
  },
  "api/v1/events": { Event: { rest: { reason: "Sampled", message: "a sample", type: "Normal" } } },
  "api/v1/limitranges": { LimitRange: { rest: { spec: { limits: [{ type: "Container", max: { cpu: "2" } }] } } } },
  "api/v1/namespaces": { Namespace: { cluster: true } },
  "api/v1/nodes": { Node: { cluster: true, rest: { spec: { podCIDR: "10.9.0.0/24", podCIDRs: ["10.9.0.0/24"] } } } },
  "api/v1/persistentvolumeclaims": { PersistentVolumeClaim: { rest: { spec: { ...claim, storageClassName: "" } } } },
  "api/v1/persistentvolumes": {
    PersistentVolume: {
      cluster: true,
      rest: { spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, hostPath: { path: "/sample" } } },
    },
  },
  "api/v1/pods": { Pod: { rest: { spec: podSpec } } },
  "api/v1/podtemplates": { PodTemplate: { rest: { template } } },
  "api/v1/replicationcontrollers": { ReplicationController: { rest: { spec: { selector: labels, template } } } },
  "api/v1/resourcequotas": { ResourceQuota: { rest: { spec: { hard: { "count/widgets.example.com": "7" } } } } },
  "api/v1/secrets": { Secret: { rest: { data: { key: "dmFsdWU=" } } } },
  "api/v1/serviceaccounts": { ServiceAccount: {} },
  "api/v1/services": { Service: { rest: { spec: { selector: labels, ports: [{ port: 80 }] } } } },
  "apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies": {
    MutatingAdmissionPolicy: {
      cluster: true,
      rest: {
        spec: {
          reinvocationPolicy: "Never",
          matchConstraints: { resourceRules: [nothing] },
          mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression: "Object{}" } }],
        },
      },
    },
  },
  "apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings": {
    MutatingAdmissionPolicyBinding: { cluster: true, rest: { spec: { policyName: "nothing" } } },
  },
  "apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations": {
    MutatingWebhookConfiguration: { cluster: true, rest: { webhooks } },
  },
  "apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies": {
    ValidatingAdmissionPolicy: {
      cluster: true,
      rest: { spec: { matchConstraints: { resourceRules: [nothing] }, validations: [{ expression: "true" }] } },
    },
  },
  "apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings": {
    ValidatingAdmissionPolicyBinding: {
      cluster: true,
      rest: { spec: { policyName: "nothing", validationActions: ["Deny"] } },
    },
  },
  "apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations": {
    ValidatingWebhookConfiguration: { cluster: true, rest: { webhooks } },
  },
  "apis/apiextensions.k8s.io/v1/customresourcedefinitions": {
    CustomResourceDefinition: {
      cluster: true,
      name: (at) => `samples${at}.example.com`,
      rest: (at) => ({
        spec: {
          group: "example.com",
          scope: "Namespaced",
          names: { plural: `samples${at}`, kind: `Sample${at}` },
          versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
        },
      }),
    },
  },
  "apis/apiregistration.k8s.io/v1/apiservices": {
    APIService: {
      cluster: true,
      name: (at) => `v1.sample${at}.example.com`,
      rest: (at) => ({
        spec: { group: `sample${at}.example.com`, version: "v1", groupPriorityMinimum: 100, versionPriority: 10 },
      }),
    },
  },
  "apis/apps/v1/controllerrevisions": { ControllerRevision: { rest: { revision: 1, data: { spec: { a: 1 } } } } },
  "apis/apps/v1/daemonsets": { DaemonSet: { rest: { spec: { selector, template } } } },
  "apis/apps/v1/deployments": { Deployment: { rest: { spec: { selector, template } } } },
  "apis/apps/v1/replicasets": { ReplicaSet: { rest: { spec: { selector, template } } } },
  "apis/apps/v1/statefulsets": { StatefulSet: { rest: { spec: { selector, template, serviceName: "sample" } } } },
  "apis/autoscaling/v1/horizontalpodautoscalers": {
    HorizontalPodAutoscaler: { rest: { spec: { ...scaled, targetCPUUtilizationPercentage: 50 } } },
  },
  "apis/autoscaling/v2/horizontalpodautoscalers": { HorizontalPodAutoscaler: { rest: { spec: scaled } } },
  "apis/batch/v1/cronjobs": {
    CronJob: { rest: { spec: { schedule: "@daily", jobTemplate: { spec: { template: onceTemplate } } } } },
  },
  "apis/batch/v1/jobs": { Job: { rest: { spec: { template: onceTemplate } } } },
  "apis/certificates.k8s.io/v1/certificatesigningrequests": {
    CertificateSigningRequest: {
      cluster: true,
      rest: {
        spec: { request: await certificateRequest(), signerName: "example.com/sample", usages: ["client auth"] },
      },
    },
  },
  "apis/coordination.k8s.io/v1/leases": { Lease: { rest: { spec: { holderIdentity: "sample", renewTime: time } } } },
  "apis/discovery.k8s.io/v1/endpointslices": {
    EndpointSlice: {
      rest: { addressType: "IPv4", endpoints: [{ addresses: ["10.9.0.1"] }], ports: [{ name: "", port: 80 }] },
    },
  },
  "apis/events.k8s.io/v1/events": {
    Event: {
      rest: {
        eventTime: time,
        reason: "Sampled",
        type: "Normal",
        action: "Sampling",
        reportingController: "example.com/sampler",
        reportingInstance: "sampler-1",
      },
    },
  },
  "apis/flowcontrol.apiserver.k8s.io/v1/flowschemas": {
    FlowSchema: {
      cluster: true,
      rest: { spec: { priorityLevelConfiguration: { name: "global-default" }, matchingPrecedence: 9000 } },
    },
  },
  "apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations": {
    PriorityLevelConfiguration: {
      cluster: true,
      rest: { spec: { type: "Limited", limited: { nominalConcurrencyShares: 5, limitResponse: { type: "Reject" } } } },
    },
  },
  "apis/networking.k8s.io/v1/ingressclasses": {
    IngressClass: { cluster: true, rest: { spec: { controller: "example.com/sample" } } },
  },
  "apis/networking.k8s.io/v1/ingresses": {
    Ingress: { rest: { spec: { defaultBackend: { service: { name: "sample", port: { number: 80 } } } } } },
  },
  "apis/networking.k8s.io/v1/ipaddresses": {
    IPAddress: {
      cluster: true,
      name: (at) => `10.200.${at >> 8}.${at & 255}`,
      rest: { spec: { parentRef: { resource: "services", namespace: "default", name: "sample" } } },
    },
  },
  "apis/networking.k8s.io/v1/networkpolicies": { NetworkPolicy: { rest: { spec: { podSelector: selector } } } },
  "apis/networking.k8s.io/v1/servicecidrs": {
    ServiceCIDR: {
      cluster: true,
      rest: (at) => ({ spec: { cidrs: [`10.${100 + ((at >> 8) & 63)}.${at & 255}.0/24`] } }),
    },
  },
  "apis/node.k8s.io/v1/runtimeclasses": { RuntimeClass: { cluster: true, rest: { handler: "sample" } } },
  "apis/policy/v1/poddisruptionbudgets": { PodDisruptionBudget: { rest: { spec: { selector, minAvailable: 1 } } } },
  "apis/rbac.authorization.k8s.io/v1/clusterrolebindings": {
    ClusterRoleBinding: {
      cluster: true,
      rest: { roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "sample" } },
    },
  },
  "apis/rbac.authorization.k8s.io/v1/clusterroles": {
    ClusterRole: { cluster: true, rest: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] } },
  },
  "apis/rbac.authorization.k8s.io/v1/rolebindings": {
    RoleBinding: { rest: { roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "sample" } } },
  },
  "apis/rbac.authorization.k8s.io/v1/roles": {
    Role: { rest: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] } },
  },
  "apis/resource.k8s.io/v1/deviceclasses": { DeviceClass: { cluster: true, rest: { spec: {} } } },
  "apis/resource.k8s.io/v1/resourceclaims": { ResourceClaim: { rest: { spec: { devices } } } },
  "apis/resource.k8s.io/v1/resourceclaimtemplates": {
    ResourceClaimTemplate: { rest: { spec: { spec: { devices } } } },
  },
  "apis/resource.k8s.io/v1/resourceslices": {
    ResourceSlice: {
      cluster: true,
      rest: {
        spec: {
          driver: "sample.example.com",
          nodeName: "sample",
          pool: { name: "sample", generation: 1, resourceSliceCount: 1 },
        },
      },
    },
  },
  "apis/scheduling.k8s.io/v1/priorityclasses": { PriorityClass: { cluster: true, rest: { value: 7 } } },
  "apis/storage.k8s.io/v1/csidrivers": { CSIDriver: { cluster: true, rest: { spec: { attachRequired: false } } } },
  "apis/storage.k8s.io/v1/csinodes": {
    CSINode: { cluster: true, rest: { spec: { drivers: [{ name: "sample.example.com", nodeID: "n1" }] } } },
  },
  "apis/storage.k8s.io/v1/csistoragecapacities": {
    CSIStorageCapacity: { rest: { storageClassName: "sample", capacity: "1Gi" } },
  },
  "apis/storage.k8s.io/v1/storageclasses": {
    StorageClass: { cluster: true, rest: { provisioner: "example.com/sample" } },
  },
  "apis/storage.k8s.io/v1/volumeattachments": {
    VolumeAttachment: {
      cluster: true,
      rest: {
        spec: { attacher: "sample.example.com", nodeName: "sample", source: { persistentVolumeName: "sample" } },
      },
    },
  },
  "apis/storage.k8s.io/v1/volumeattributesclasses": {
    VolumeAttributesClass: { cluster: true, rest: { driverName: "sample.example.com", parameters: { a: "b" } } },
  },
};

/** Every built-in kind whose objects are stored, at each version in which it is served. */
export const everyKind: readonly SampleKind[] = Object.entries(samples).flatMap(([path, kinds]) =>
  Object.entries(kinds).map(([kind, { rest = {}, name = (at: number) => `sample-${at}`, cluster }]) => ({
    path: path as ResourcePath,
    kind,
    namespaced: cluster !== true,
    make: (at: number) => {
      const body = typeof rest === "function" ? rest(at) : rest;
      return { apiVersion: apiVersionAt(path), kind, metadata: { name: name(at) }, ...body } as JsonObject;
    },
  })),
);

function apiVersionAt(path: string): string {
  return path.split("/").slice(1, -1).join("/");
}

/** Events are of a namespace, and say so of what they are about. */
export function placed(sample: SampleKind, at: number, namespace: string, metadata: Fields = {}): JsonObject {
  const object = sample.make(at);
  const about = { apiVersion: "v1", kind: "ConfigMap", namespace, name: "sample" };
  return {
    ...object,
    metadata: { ...(object["metadata"] as Fields), ...(sample.namespaced ? { namespace } : {}), ...metadata },
    ...(sample.path === "api/v1/events" ? { involvedObject: about } : {}),
    ...(sample.path === "apis/events.k8s.io/v1/events" ? { regarding: about } : {}),
  } as JsonObject;
}
