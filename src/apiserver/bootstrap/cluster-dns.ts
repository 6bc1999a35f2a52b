import type { Transport } from "../../api/index.js";
import { ensure } from "./system-objects.js";

export interface ClusterDnsObjects {
  /** The address by which pods reach the name servers. */
  readonly clusterIp: string;
  /** Where the Service listens. Default 53, as everywhere but where that needs a privilege. */
  readonly port?: number | undefined;
}

/** As whom the name servers come, and the Service that leads to them: upstream's names. */
export const dnsPlace = { namespace: "kube-system", name: "kube-dns" } as const;

const core = { group: "", version: "v1", namespace: dnsPlace.namespace } as const;
const rbac = { group: "rbac.authorization.k8s.io", version: "v1" } as const;
const apiVersion = "rbac.authorization.k8s.io/v1";
const roleName = "coxswain:cluster-dns";
const apiGroup = rbac.group;
const subjects = [{ kind: "ServiceAccount", ...dnsPlace }];

/**
 * The Service `kube-system/kube-dns` without a selector, and the service account of the servers behind it, with its rights: to read what
 * names are made of, and to write their own EndpointSlices. Objects that exist stay as they are.
 */
export async function ensureClusterDns(transport: Transport, options: ClusterDnsObjects): Promise<void> {
  await ensure(
    transport,
    { apiVersion: "v1", kind: "ServiceAccount", metadata: dnsPlace },
    { ...core, resource: "serviceaccounts" },
  );
  await ensureRights(transport);
  const { clusterIp, port = 53 } = options;
  const labels = { "k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true" };
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { ...dnsPlace, labels },
    spec: {
      clusterIP: clusterIp,
      clusterIPs: [clusterIp],
      type: "ClusterIP",
      sessionAffinity: "None",
      ports: [
        { name: "dns", protocol: "UDP", port, targetPort: 53 },
        { name: "dns-tcp", protocol: "TCP", port, targetPort: 53 },
      ],
    },
  };
  await ensure(transport, service, { ...core, resource: "services" });
}

/** Upstream's role `system:kube-dns`, which the account has as well, knows neither EndpointSlices nor Namespaces. */
async function ensureRights(transport: Transport): Promise<void> {
  const read = [
    { apiGroups: [""], resources: ["services", "namespaces"], verbs: ["list", "watch"] },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
  ];
  const write = [
    {
      apiGroups: ["discovery.k8s.io"],
      resources: ["endpointslices"],
      verbs: ["get", "create", "update", "delete"],
    },
  ];
  const metadata = { name: roleName };
  const within = { ...metadata, namespace: dnsPlace.namespace };
  const roleRef = (kind: string): object => ({ apiGroup, kind, name: roleName });
  const place = { ...rbac, namespace: dnsPlace.namespace };
  await ensure(
    transport,
    { apiVersion, kind: "ClusterRole", metadata, rules: read },
    { ...rbac, resource: "clusterroles" },
  );
  await ensure(
    transport,
    { apiVersion, kind: "ClusterRoleBinding", metadata, roleRef: roleRef("ClusterRole"), subjects },
    { ...rbac, resource: "clusterrolebindings" },
  );
  await ensure(
    transport,
    { apiVersion, kind: "Role", metadata: within, rules: write },
    { ...place, resource: "roles" },
  );
  await ensure(
    transport,
    { apiVersion, kind: "RoleBinding", metadata: within, roleRef: roleRef("Role"), subjects },
    { ...place, resource: "rolebindings" },
  );
}
