/** The roles given to people: `admin`, `edit` and `view` are gathered from these by their aggregation labels. */
export const viewRules: readonly string[] = [
  "READ core:configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status",
  "READ core:bindings,events,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status",
  "READ core:namespaces",
  "READ discovery:endpointslices",
  "READ apps:controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,statefulsets/scale,statefulsets/status",
  "READ autoscaling:horizontalpodautoscalers,horizontalpodautoscalers/status",
  "READ batch:cronjobs,cronjobs/status,jobs,jobs/status",
  "READ extensions:daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,ingresses,ingresses/status,networkpolicies,replicasets,replicasets/scale,replicasets/status,replicationcontrollers/scale",
  "READ policy:poddisruptionbudgets,poddisruptionbudgets/status",
  "READ networking:ingresses,ingresses/status,networkpolicies",
  "READ resource:resourceclaims,resourceclaims/status,resourceclaimtemplates",
];

export const editRules: readonly string[] = [
  "READ core:pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy",
  "impersonate core:serviceaccounts",
  "WRITE core:pods,pods/attach,pods/exec,pods/portforward,pods/proxy",
  "create core:pods/eviction",
  "WRITE core:configmaps,events,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy",
  "create core:serviceaccounts/token",
  "WRITE apps:daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale",
  "WRITE autoscaling:horizontalpodautoscalers",
  "WRITE batch:cronjobs,jobs",
  "WRITE extensions:daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale",
  "WRITE policy:poddisruptionbudgets",
  "WRITE networking:ingresses,networkpolicies",
  "READWRITE coordination:leases",
  "WRITE resource:resourceclaims,resourceclaimtemplates",
];

export const adminRules: readonly string[] = [
  "create authorization:localsubjectaccessreviews",
  "READWRITE rbac:rolebindings,roles",
];
