import type { Service, ServicePort, ServiceSpec } from "../../gen/types.js";
import { mapField, mapItems, withField, without } from "../defaulting.js";
import { semanticallyEqual } from "../equality.js";
import type { Loose } from "../loose.js";

/** Families, addresses and node ports are the cluster's to give, after this. */
export function prepareService(service: Loose<Service>): Loose<Service> {
  const result = withField(service, "status", { loadBalancer: {} });
  return mapField(result, "spec", syncClusterIps);
}

export function prepareServiceUpdate(service: Loose<Service>, old: Loose<Service>): Loose<Service> {
  const before = old.spec ?? {};
  return mapField(service, "spec", (given) =>
    syncClusterIps(dropForeignFields(followClusterIp(keepAllocations(given, before), before), before)),
  );
}

/** `clusterIP` is the first of `clusterIPs`; old clients know the first field alone. */
function syncClusterIps(spec: Loose<ServiceSpec>): Loose<ServiceSpec> {
  if (spec.clusterIP && (spec.clusterIPs?.length ?? 0) === 0) return { ...spec, clusterIPs: [spec.clusterIP] };
  return spec;
}

/** A client that knows the first field alone changes or clears that one, and sends back the second as it was, or not at all. */
function followClusterIp(spec: Loose<ServiceSpec>, old: Loose<ServiceSpec>): Loose<ServiceSpec> {
  if ((spec.clusterIPs?.length ?? 0) === 0 && spec.clusterIP && spec.clusterIP === old.clusterIP) {
    return withField(spec, "clusterIPs", old.clusterIPs);
  }
  const untouched = semanticallyEqual(spec.clusterIPs, old.clusterIPs);
  if (!untouched || !old.clusterIP || spec.clusterIP === old.clusterIP) return spec;
  return spec.clusterIP ? withField(spec, "clusterIPs", [spec.clusterIP]) : without(spec, "clusterIPs");
}

/** An update that leaves out what was allocated keeps it, so that a client may send back what it wrote first. */
function keepAllocations(spec: Loose<ServiceSpec>, old: Loose<ServiceSpec>): Loose<ServiceSpec> {
  let result = spec;
  if (needsClusterIp(spec) && needsClusterIp(old)) {
    if (!result.clusterIP) result = withField(result, "clusterIP", old.clusterIP);
    if ((result.clusterIPs?.length ?? 0) === 0) result = withField(result, "clusterIPs", old.clusterIPs);
  }
  if (needsNodePort(spec) && needsNodePort(old)) {
    const used = new Set((result.ports ?? []).map((port) => port.nodePort));
    const known = new Map((old.ports ?? []).map((port) => [portKey(port), port.nodePort]));
    result = mapField(result, "ports", (ports) =>
      mapItems(ports, (port) => {
        if (port.nodePort) return port;
        const nodePort = known.get(portKey(port));
        return nodePort && !used.has(nodePort) ? { ...port, nodePort } : port;
      }),
    );
  }
  if (needsHealthCheckPort(spec) && needsHealthCheckPort(old) && !result.healthCheckNodePort) {
    result = withField(result, "healthCheckNodePort", old.healthCheckNodePort);
  }
  return result;
}

/** What belongs to the old type and was not changed by the update goes away with the type. */
function dropForeignFields(spec: Loose<ServiceSpec>, old: Loose<ServiceSpec>): Loose<ServiceSpec> {
  let result = spec;
  if (needsClusterIp(old) && !needsClusterIp(spec)) {
    if (result.clusterIP === old.clusterIP && semanticallyEqual(result.clusterIPs, old.clusterIPs)) {
      result = without(result, "clusterIP", "clusterIPs");
    }
    if (semanticallyEqual(result.ipFamilies, old.ipFamilies)) result = without(result, "ipFamilies");
    if (result.ipFamilyPolicy === old.ipFamilyPolicy) result = without(result, "ipFamilyPolicy");
  }
  if (needsNodePort(old) && !needsNodePort(spec)) {
    const before = new Map((old.ports ?? []).map((port) => [portKey(port), port.nodePort]));
    result = mapField(result, "ports", (ports) =>
      mapItems(ports, (port) =>
        port.nodePort !== undefined && before.get(portKey(port)) === port.nodePort ? without(port, "nodePort") : port,
      ),
    );
  }
  if (needsHealthCheckPort(old) && !needsHealthCheckPort(spec)) {
    if (result.healthCheckNodePort === old.healthCheckNodePort) result = without(result, "healthCheckNodePort");
  }
  if (old.type === "LoadBalancer" && spec.type !== "LoadBalancer") {
    for (const field of ["allocateLoadBalancerNodePorts", "loadBalancerClass"] as const) {
      if (result[field] === old[field]) result = without(result, field);
    }
  }
  return isExternal(old) && !isExternal(spec) && result.externalTrafficPolicy === old.externalTrafficPolicy
    ? without(result, "externalTrafficPolicy")
    : result;
}

function portKey(port: Loose<ServicePort>): string {
  return `${port.protocol ?? "TCP"}/${port.port ?? 0}`;
}

function needsClusterIp(spec: Loose<ServiceSpec>): boolean {
  return spec.type !== "ExternalName";
}

function needsNodePort(spec: Loose<ServiceSpec>): boolean {
  if (spec.type === "NodePort") return true;
  return spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false;
}

function needsHealthCheckPort(spec: Loose<ServiceSpec>): boolean {
  return spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
}

function isExternal(spec: Loose<ServiceSpec>): boolean {
  return spec.type === "LoadBalancer" || spec.type === "NodePort" || (spec.externalIPs?.length ?? 0) > 0;
}
