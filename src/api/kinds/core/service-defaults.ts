import type { Endpoints, Service, ServicePort, ServiceSpec } from "../../gen/types.js";
import { mapField, mapItems, withDefaults, withField, withZeroDefaults } from "../defaulting.js";
import type { Loose } from "../loose.js";

const clientIpTimeoutSeconds = 3 * 60 * 60;

export function defaultService(service: Loose<Service>): Loose<Service> {
  const result = mapField(service, "spec", defaultSpec);
  return result.spec?.type === "LoadBalancer" ? mapField(result, "status", defaultIngressModes) : result;
}

function defaultSpec(given: Loose<ServiceSpec>): Loose<ServiceSpec> {
  let spec = withZeroDefaults(given, { sessionAffinity: "None", type: "ClusterIP" });
  if (spec.sessionAffinity === "None") spec = withField(spec, "sessionAffinityConfig", undefined);
  if (spec.sessionAffinity === "ClientIP" && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined) {
    spec = withField(spec, "sessionAffinityConfig", { clientIP: { timeoutSeconds: clientIpTimeoutSeconds } });
  }
  spec = mapField(spec, "ports", (ports) => mapItems(ports, defaultPort));
  if (isExternallyAccessible(spec)) spec = withZeroDefaults(spec, { externalTrafficPolicy: "Cluster" });
  if (spec.type !== "ExternalName") spec = withDefaults(spec, { internalTrafficPolicy: "Cluster" });
  return spec.type === "LoadBalancer" ? withDefaults(spec, { allocateLoadBalancerNodePorts: true }) : spec;
}

/** Whether traffic from outside of the cluster can reach the service. */
export function isExternallyAccessible(spec: Loose<ServiceSpec>): boolean {
  if (spec.type === "LoadBalancer" || spec.type === "NodePort") return true;
  return spec.type === "ClusterIP" && (spec.externalIPs?.length ?? 0) > 0;
}

function defaultPort(port: Loose<ServicePort>): Loose<ServicePort> {
  const result = withZeroDefaults(port, { protocol: "TCP" });
  return result.port === undefined ? result : withZeroDefaults(result, { targetPort: result.port });
}

function defaultIngressModes(status: NonNullable<Loose<Service>["status"]>): NonNullable<Loose<Service>["status"]> {
  return mapField(status, "loadBalancer", (balancer) =>
    mapField(balancer, "ingress", (points) =>
      mapItems(points, (point) => (point.ip ? withDefaults(point, { ipMode: "VIP" }) : point)),
    ),
  );
}

export function defaultEndpoints(endpoints: Loose<Endpoints>): Loose<Endpoints> {
  return mapField(endpoints, "subsets", (subsets) =>
    mapItems(subsets, (subset) =>
      mapField(subset, "ports", (ports) => mapItems(ports, (port) => withZeroDefaults(port, { protocol: "TCP" }))),
    ),
  );
}
