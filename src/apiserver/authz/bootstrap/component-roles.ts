import { eventsRule } from "./rule-text.js";

/** The cluster roles of the cluster's own parts and of everybody, by name. */
export const componentRoles: Readonly<Record<string, readonly string[]>> = {
  "cluster-admin": ["* *:*", "* path:*"],
  "system:discovery": ["get /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/"],
  "system:monitoring": ["get /healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*"],
  "system:basic-user": [
    "create authorization:selfsubjectaccessreviews,selfsubjectrulesreviews",
    "create authentication:selfsubjectreviews",
  ],
  "system:public-info-viewer": ["get /healthz,/livez,/readyz,/version,/version/"],
  "system:heapster": ["READ core:events,namespaces,nodes,pods", "READ extensions:deployments"],
  "system:node": [
    "create authentication:tokenreviews",
    "create authorization:localsubjectaccessreviews,subjectaccessreviews",
    "READ core:services",
    "create,get,list,watch core:nodes",
    "patch,update core:nodes/status",
    "patch,update core:nodes",
    eventsRule,
    "READ core:pods",
    "create,delete core:pods",
    "patch,update core:pods/status",
    "create core:pods/eviction",
    "READ core:configmaps,secrets",
    "get core:persistentvolumeclaims,persistentvolumes",
    "get core:endpoints",
    "create,get,list,watch certificates:certificatesigningrequests",
    "create,delete,get,patch,update coordination:leases",
    "get storage:volumeattachments",
    "create core:serviceaccounts/token",
    "get core:serviceaccounts",
    "get,patch,update core:persistentvolumeclaims/status",
    "READ storage:csidrivers",
    "create,delete,get,patch,update storage:csinodes",
    "READ node:runtimeclasses",
    "get resource:resourceclaims",
    "deletecollection,get,list,watch,create,update,patch,delete resource:resourceslices",
    "READ certificates:clustertrustbundles",
    "create,get,list,watch certificates:podcertificaterequests",
  ],
  "system:node-problem-detector": ["get core:nodes", "patch core:nodes/status", eventsRule],
  "system:kubelet-api-admin": [
    "READ core:nodes",
    "proxy core:nodes",
    "* core:nodes/configz,nodes/healthz,nodes/log,nodes/metrics,nodes/pods,nodes/proxy,nodes/spec,nodes/stats",
  ],
  "system:node-bootstrapper": ["create,get,list,watch certificates:certificatesigningrequests"],
  "system:auth-delegator": ["create authentication:tokenreviews", "create authorization:subjectaccessreviews"],
  "system:kube-aggregator": ["READ core:endpoints,services", "READ discovery:endpointslices"],
  "system:kube-controller-manager": [
    eventsRule,
    "create coordination:leases",
    "get,update coordination:leases #kube-controller-manager",
    "create core:secrets,serviceaccounts",
    "delete core:secrets",
    "get core:configmaps,namespaces,secrets,serviceaccounts",
    "update core:secrets,serviceaccounts",
    "create authentication:tokenreviews",
    "create authorization:subjectaccessreviews",
    "list,watch *:*",
    "create core:serviceaccounts/token",
  ],
  "system:kube-dns": ["list,watch core:endpoints,services"],
  "system:persistent-volume-provisioner": [
    "create,delete,get,list,watch core:persistentvolumes",
    "get,list,update,watch core:persistentvolumeclaims",
    "READ storage:storageclasses",
    "watch core:events",
    eventsRule,
  ],
  "system:certificates.k8s.io:certificatesigningrequests:nodeclient": [
    "create certificates:certificatesigningrequests/nodeclient",
  ],
  "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": [
    "create certificates:certificatesigningrequests/selfnodeclient",
  ],
  "system:volume-scheduler": [
    "READUPDATE core:persistentvolumes",
    "READ storage:storageclasses",
    "READUPDATE core:persistentvolumeclaims",
  ],
  "system:certificates.k8s.io:legacy-unknown-approver": ["approve certificates:signers #kubernetes.io/legacy-unknown"],
  "system:certificates.k8s.io:kubelet-serving-approver": [
    "approve certificates:signers #kubernetes.io/kubelet-serving",
  ],
  "system:certificates.k8s.io:kube-apiserver-client-approver": [
    "approve certificates:signers #kubernetes.io/kube-apiserver-client",
  ],
  "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver": [
    "approve certificates:signers #kubernetes.io/kube-apiserver-client-kubelet",
  ],
  "system:service-account-issuer-discovery": [
    "get /.well-known/openid-configuration,/.well-known/openid-configuration/,/openid/v1/jwks,/openid/v1/jwks/",
  ],
  "system:node-proxier": [
    "list,watch core:services",
    "READ core:nodes",
    eventsRule,
    "list,watch discovery:endpointslices",
    "list,watch networking:servicecidrs",
  ],
  "system:kube-scheduler": [
    eventsRule,
    "create coordination:leases",
    "get,list,update,watch coordination:leases #kube-scheduler",
    "READ core:nodes",
    "delete,get,list,watch core:pods",
    "create core:bindings,pods/binding",
    "patch,update core:pods/status",
    "READ core:replicationcontrollers,services",
    "READ apps,extensions:replicasets",
    "READ apps:statefulsets",
    "READ policy:poddisruptionbudgets",
    "READ core:persistentvolumeclaims,persistentvolumes",
    "create authentication:tokenreviews",
    "create authorization:subjectaccessreviews",
    "READ storage:csinodes",
    "READ core:namespaces",
    "READ storage:csidrivers",
    "READ storage:csistoragecapacities",
    "READ storage:volumeattachments",
    "READ resource:deviceclasses,resourceslices",
    "READUPDATE resource:resourceclaims",
    "READUPDATE resource:resourceclaims/status",
    "update core:pods/finalizers",
  ],
  "system:clustertrustbundle-discovery": ["READ certificates:clustertrustbundles"],
};

/** Who has them: role (and binding) name to subjects, `User:`, `Group:` or `ServiceAccount:namespace/name`. */
export const componentBindings: readonly (readonly [name: string, role: string, subjects: readonly string[]])[] = [
  ["cluster-admin", "cluster-admin", ["Group:system:masters"]],
  ["system:monitoring", "system:monitoring", ["Group:system:monitoring"]],
  ["system:discovery", "system:discovery", ["Group:system:authenticated"]],
  ["system:basic-user", "system:basic-user", ["Group:system:authenticated"]],
  [
    "system:public-info-viewer",
    "system:public-info-viewer",
    ["Group:system:authenticated", "Group:system:unauthenticated"],
  ],
  ["system:node-proxier", "system:node-proxier", ["User:system:kube-proxy"]],
  ["system:kube-controller-manager", "system:kube-controller-manager", ["User:system:kube-controller-manager"]],
  ["system:kube-dns", "system:kube-dns", ["ServiceAccount:kube-system/kube-dns"]],
  ["system:kube-scheduler", "system:kube-scheduler", ["User:system:kube-scheduler"]],
  ["system:volume-scheduler", "system:volume-scheduler", ["User:system:kube-scheduler"]],
  ["system:node", "system:node", []],
  [
    "system:service-account-issuer-discovery",
    "system:service-account-issuer-discovery",
    ["Group:system:serviceaccounts"],
  ],
  ["system:clustertrustbundle-discovery", "system:clustertrustbundle-discovery", ["Group:system:serviceaccounts"]],
];

/** Roles within a namespace: `namespace/name` to rules. */
export const namespacedRoles: Readonly<Record<string, readonly string[]>> = {
  "kube-system/extension-apiserver-authentication-reader": ["READ core:configmaps #extension-apiserver-authentication"],
  "kube-system/system:controller:bootstrap-signer": ["READ core:secrets"],
  "kube-system/system:controller:cloud-provider": ["create,get,list,update,watch core:configmaps"],
  "kube-system/system:controller:token-cleaner": ["delete,get,list,watch core:secrets", eventsRule],
  "kube-system/system::leader-locking-kube-controller-manager": [
    "watch core:configmaps",
    "get,update core:configmaps #kube-controller-manager",
  ],
  "kube-system/system::leader-locking-kube-scheduler": [
    "watch core:configmaps",
    "get,update core:configmaps #kube-scheduler",
  ],
  "kube-public/system:controller:bootstrap-signer": [
    "READ core:configmaps",
    "update core:configmaps #cluster-info",
    eventsRule,
  ],
};

export const namespacedBindings: readonly (readonly [name: string, role: string, subjects: readonly string[]])[] = [
  [
    "kube-system/system::extension-apiserver-authentication-reader",
    "extension-apiserver-authentication-reader",
    ["User:system:kube-controller-manager", "User:system:kube-scheduler"],
  ],
  [
    "kube-system/system:controller:bootstrap-signer",
    "system:controller:bootstrap-signer",
    ["ServiceAccount:kube-system/bootstrap-signer"],
  ],
  [
    "kube-system/system:controller:cloud-provider",
    "system:controller:cloud-provider",
    ["ServiceAccount:kube-system/cloud-provider"],
  ],
  [
    "kube-system/system:controller:token-cleaner",
    "system:controller:token-cleaner",
    ["ServiceAccount:kube-system/token-cleaner"],
  ],
  [
    "kube-system/system::leader-locking-kube-controller-manager",
    "system::leader-locking-kube-controller-manager",
    ["User:system:kube-controller-manager", "ServiceAccount:kube-system/kube-controller-manager"],
  ],
  [
    "kube-system/system::leader-locking-kube-scheduler",
    "system::leader-locking-kube-scheduler",
    ["User:system:kube-scheduler", "ServiceAccount:kube-system/kube-scheduler"],
  ],
  [
    "kube-public/system:controller:bootstrap-signer",
    "system:controller:bootstrap-signer",
    ["ServiceAccount:kube-system/bootstrap-signer"],
  ],
];
