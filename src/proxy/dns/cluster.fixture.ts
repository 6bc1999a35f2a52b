import type { EndpointSlice, Service } from "../../api/index.js";
import { type ClusterData, canonicalIp, clusterIpsOf, serviceNameOf } from "./cluster-data.js";

const unborn = { uid: "", resourceVersion: "", creationTimestamp: "" };

export function makeService(name: string, spec: Service["spec"] = {}, namespace = "testns"): Service {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace, ...unborn },
    spec: { type: "ClusterIP", ...spec },
  };
}

export function makeSlice(
  service: string,
  endpoints: EndpointSlice["endpoints"],
  ports: EndpointSlice["ports"] = [{ name: "http", port: 80, protocol: "TCP" }],
  namespace = "testns",
): EndpointSlice {
  const labels = { "kubernetes.io/service-name": service };
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${service}-x`, namespace, labels, ...unborn },
    addressType: "IPv4",
    endpoints: endpoints ?? [],
    ports: ports ?? [],
  };
}

/** A cluster of just these objects, of which everything is known. */
export function clusterOf(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  namespaces: readonly string[] = ["testns", "kube-system", "empty"],
): ClusterData {
  const has = (addresses: readonly string[], ip: string): boolean => addresses.some((one) => canonicalIp(one) === ip);
  return {
    synced: true,
    serial: 1_700_000_000,
    hasNamespace: (name) => namespaces.includes(name),
    service: (namespace, name) =>
      services.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
    slices: (namespace, service) =>
      slices.filter((slice) => slice.metadata.namespace === namespace && serviceNameOf(slice) === service),
    servicesByAddress: (ip) =>
      services.filter((service) => has([...clusterIpsOf(service), ...(service.spec?.externalIPs ?? [])], ip)),
    slicesByAddress: (ip) =>
      slices.filter(({ endpoints }) => (endpoints ?? []).some(({ addresses }) => has(addresses ?? [], ip))),
  };
}
