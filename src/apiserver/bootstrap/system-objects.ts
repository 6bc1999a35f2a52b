import { type ApiRequest, isStatusError, type KubeObject, type Transport } from "../../api/index.js";

/** Writes an object that must exist, without touching one that does. Says whether it wrote it. */
export async function ensure(
  transport: Transport,
  object: KubeObject | unknown,
  place: Omit<ApiRequest, "verb">,
): Promise<boolean> {
  const name = (object as KubeObject).metadata.name;
  try {
    await transport.request({ ...place, verb: "get", name });
    return false;
  } catch (error) {
    if (!isStatusError(error, "NotFound")) throw error;
    try {
      await transport.request({ ...place, verb: "create", body: object });
      return true;
    } catch (raced) {
      if (!isStatusError(raced, "AlreadyExists")) throw raced;
      return false;
    }
  }
}

export const systemNamespaces: readonly string[] = ["default", "kube-system", "kube-public", "kube-node-lease"];

const core = { group: "", version: "v1" } as const;

export async function ensureNamespaces(transport: Transport): Promise<void> {
  for (const name of systemNamespaces) {
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
    await ensure(transport, namespace, { ...core, resource: "namespaces" });
  }
}

/** The priority classes that system pods refer to. */
export async function ensurePriorityClasses(transport: Transport): Promise<void> {
  const classes = [
    {
      name: "system-node-critical",
      value: 2_000_001_000,
      description: "For system pods that must stay on the node they are on.",
    },
    {
      name: "system-cluster-critical",
      value: 2_000_000_000,
      description: "For system pods that the cluster needs, on whichever node.",
    },
  ];
  for (const { name, value, description } of classes) {
    const object = {
      apiVersion: "scheduling.k8s.io/v1",
      kind: "PriorityClass",
      metadata: { name },
      value,
      description,
    };
    await ensure(transport, object, { group: "scheduling.k8s.io", version: "v1", resource: "priorityclasses" });
  }
}

export interface ApiAddress {
  /** Where the API server is reached from the cluster's network. */
  readonly ip: string;
  readonly port: number;
}

export interface KubernetesServiceOptions {
  /** One, or one of each family. */
  readonly serviceCidrs: readonly string[];
  /** The first address of the first range. */
  readonly clusterIp: string;
  /** Where the Service listens. Default 443. */
  readonly port?: number | undefined;
  /** Of every API server, this one among them. All are of the family of `clusterIp`. */
  readonly addresses: readonly ApiAddress[];
}

/** `default/kubernetes` with its endpoints, by which pods find the API. */
export async function ensureKubernetesService(transport: Transport, options: KubernetesServiceOptions): Promise<void> {
  await ensure(
    transport,
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "ServiceCIDR",
      metadata: { name: "kubernetes" },
      spec: { cidrs: options.serviceCidrs },
    },
    { group: "networking.k8s.io", version: "v1", resource: "servicecidrs" },
  );
  const labels = { component: "apiserver", provider: "kubernetes" };
  const [address] = options.addresses;
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kubernetes", namespace: "default", labels },
    spec: {
      clusterIP: options.clusterIp,
      clusterIPs: [options.clusterIp],
      ipFamilyPolicy: "SingleStack",
      sessionAffinity: "None",
      type: "ClusterIP",
      ports: [{ name: "https", protocol: "TCP", port: options.port ?? 443, targetPort: address?.port ?? 6443 }],
    },
  };
  await ensure(transport, service, { ...core, resource: "services", namespace: "default" });
  if (address === undefined) return;
  const endpoints = {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: {
      name: "kubernetes",
      namespace: "default",
      labels: { "endpointslice.kubernetes.io/skip-mirror": "true" },
    },
    subsets: [
      {
        addresses: options.addresses.map(({ ip }) => ({ ip })),
        ports: [{ name: "https", port: address.port, protocol: "TCP" }],
      },
    ],
  };
  await replace(transport, endpoints, { ...core, resource: "endpoints", namespace: "default" });
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "kubernetes", namespace: "default", labels: { "kubernetes.io/service-name": "kubernetes" } },
    addressType: options.clusterIp.includes(":") ? "IPv6" : "IPv4",
    endpoints: options.addresses.map(({ ip }) => ({ addresses: [ip], conditions: { ready: true } })),
    ports: [{ name: "https", port: address.port, protocol: "TCP" }],
  };
  await replace(transport, slice, {
    group: "discovery.k8s.io",
    version: "v1",
    resource: "endpointslices",
    namespace: "default",
  });
}

/** Writes an object as it should be, whatever is there. */
async function replace(
  transport: Transport,
  object: { readonly metadata: { readonly name: string } },
  place: Omit<ApiRequest, "verb">,
): Promise<void> {
  await ensure(transport, object, place);
  await transport.request({ ...place, verb: "update", name: object.metadata.name, body: object });
}
