import { duplicate, type FieldError, forbidden, invalid, required } from "../../field-error.js";
import type { Service, ServicePort, ServiceSpec } from "../../gen/types.js";
import { validatePortNumber } from "../../names.js";
import {
  addInvalid,
  checkEnum,
  checkLabel,
  checkLabels,
  checkOptionalEnum,
  checkPortOrName,
  checkQualifiedName,
  checkRange,
  checkSubdomain,
  type Errors,
} from "../checks.js";
import { checkCidr, checkIp, checkNotSpecialIp, ipFamily } from "../ip.js";
import { type Dictionary, type Loose, ownValue } from "../loose.js";
import { checkAddressUpdate, checkServiceAddresses, isHeadless } from "./service-addresses.js";
import { isExternallyAccessible } from "./service-defaults.js";

const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const maxAffinitySeconds = 86400;
export const topologyMode = "service.kubernetes.io/topology-mode";
export const topologyHints = "service.kubernetes.io/topology-aware-hints";
const sourceRanges = "service.beta.kubernetes.io/load-balancer-source-ranges";
const onlyBalanced = "may only be used when `type` is 'LoadBalancer'";

export function validateService(service: Loose<Service>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = service.spec ?? {};
  const annotations = service.metadata?.annotations;
  checkTopologyAnnotations(errors, annotations);
  if ((spec.ports?.length ?? 0) === 0 && !isHeadless(spec) && spec.type !== "ExternalName") {
    errors.push(required("spec.ports"));
  }
  checkForType(errors, spec);
  const names = new Set<string>();
  spec.ports?.forEach((port, index, ports) => {
    checkPort(errors, `spec.ports[${index}]`, port, ports.length > 1, names);
  });
  checkLabels(errors, "spec.selector", spec.selector);
  checkAffinity(errors, spec);
  checkServiceAddresses(errors, spec);
  spec.externalIPs?.forEach((address, index) => {
    const before = errors.length;
    checkIp(errors, `spec.externalIPs[${index}]`, address);
    if (errors.length === before) checkNotSpecialIp(errors, `spec.externalIPs[${index}]`, address);
  });
  checkEnum(errors, "spec.type", spec.type, types);
  checkPortPairs(errors, spec);
  checkSourceRanges(errors, spec, annotations);
  checkLoadBalancer(errors, spec);
  checkTraffic(errors, spec);
  return errors;
}

function checkTopologyAnnotations(errors: Errors, annotations: Dictionary | undefined): void {
  const mode = ownValue(annotations, topologyMode);
  const hints = ownValue(annotations, topologyHints);
  if (mode === undefined || hints === undefined || mode === hints) return;
  const why = `must match annotations[${topologyHints}] when both are specified`;
  errors.push(invalid(`metadata.annotations[${topologyMode}]`, mode, why));
}

function checkForType(errors: Errors, spec: Loose<ServiceSpec>): void {
  if ((spec.type === "LoadBalancer" || spec.type === "NodePort") && isHeadless(spec)) {
    errors.push(invalid("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${spec.type} services`));
  }
  if (spec.type !== "ExternalName") return;
  const why = "may not be set for ExternalName services";
  if ((spec.clusterIPs?.length ?? 0) > 0) errors.push(forbidden("spec.clusterIPs", why));
  if ((spec.ipFamilies?.length ?? 0) > 0) errors.push(forbidden("spec.ipFamilies", why));
  if (spec.ipFamilyPolicy !== undefined) errors.push(forbidden("spec.ipFamilyPolicy", why));
  const name = spec.externalName ?? "";
  const host = name.endsWith(".") ? name.slice(0, -1) : name;
  if (host === "") errors.push(required("spec.externalName"));
  else checkSubdomain(errors, "spec.externalName", host);
}

function checkPort(
  errors: Errors,
  path: string,
  port: Loose<ServicePort>,
  needsName: boolean,
  names: Set<string>,
): void {
  if (!port.name) {
    if (needsName) errors.push(required(`${path}.name`));
  } else {
    checkLabel(errors, `${path}.name`, port.name);
    if (names.has(port.name)) errors.push(duplicate(`${path}.name`, port.name));
    names.add(port.name);
  }
  checkRange(errors, `${path}.port`, port.port ?? 0, 1, 65535);
  checkEnum(errors, `${path}.protocol`, port.protocol, ["SCTP", "TCP", "UDP"]);
  checkPortOrName(errors, `${path}.targetPort`, port.targetPort);
  if (port.appProtocol !== undefined) checkQualifiedName(errors, `${path}.appProtocol`, port.appProtocol);
}

/** No port is there twice, neither the Service's nor the nodes'. */
function checkPortPairs(errors: Errors, spec: Loose<ServiceSpec>): void {
  const ports = spec.ports ?? [];
  if (spec.type === "ClusterIP") {
    ports.forEach(({ nodePort }, index) => {
      if (!nodePort) return;
      errors.push(forbidden(`spec.ports[${index}].nodePort`, "may not be used when `type` is 'ClusterIP'"));
    });
  }
  const onNodes = new Set<string>();
  ports.forEach(({ protocol, nodePort }, index) => {
    if (!nodePort) return;
    const pair = `${protocol}/${nodePort}`;
    if (onNodes.has(pair)) errors.push(duplicate(`spec.ports[${index}].nodePort`, nodePort));
    onNodes.add(pair);
  });
  const own = new Set<string>();
  ports.forEach((port, index) => {
    const pair = `${port.protocol}/${port.port}`;
    if (own.has(pair)) errors.push(duplicate(`spec.ports[${index}]`, goPort(port)));
    own.add(pair);
  });
}

/** The value in upstream's message: the fields of its internal type that make the key. */
function goPort(port: Loose<ServicePort>): unknown {
  const { protocol: Protocol = "", port: Port = 0 } = port;
  return { Name: "", Protocol, AppProtocol: null, Port, TargetPort: 0, NodePort: 0 };
}

function checkAffinity(errors: Errors, spec: Loose<ServiceSpec>): void {
  checkEnum(errors, "spec.sessionAffinity", spec.sessionAffinity, ["ClientIP", "None"]);
  const path = "spec.sessionAffinityConfig";
  const config = spec.sessionAffinityConfig;
  if (spec.sessionAffinity === "None" && config !== undefined) {
    errors.push(forbidden(path, "must not be set when session affinity is None"));
  }
  if (spec.sessionAffinity !== "ClientIP") return;
  const why = "when session affinity type is ClientIP";
  const timeout = config?.clientIP?.timeoutSeconds;
  const at = `${path}.clientIP.timeoutSeconds`;
  if (config === undefined) errors.push(required(path, why));
  else if (config.clientIP === undefined) errors.push(required(`${path}.clientIP`, why));
  else if (timeout === undefined) errors.push(required(at, why));
  else if (timeout <= 0 || timeout > maxAffinitySeconds) {
    errors.push(invalid(at, timeout, `must be greater than 0 and less than ${maxAffinitySeconds}`));
  }
}

/** Who may reach the load balancer: by a field, or by the annotation of before. Spaces are taken, for the annotation's sake. */
function checkSourceRanges(errors: Errors, spec: Loose<ServiceSpec>, annotations: Dictionary | undefined): void {
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const annotated = ownValue(annotations, sourceRanges);
  if (ranges.length > 0) {
    // The capital is upstream's.
    const path = "spec.LoadBalancerSourceRanges";
    if (spec.type !== "LoadBalancer") errors.push(forbidden(path, onlyBalanced));
    ranges.forEach((range, index) => {
      checkCidr(errors, `${path}[${index}]`, range.trim());
    });
  } else if (annotated !== undefined) {
    const path = `metadata.annotations[${sourceRanges}]`;
    if (spec.type !== "LoadBalancer") errors.push(forbidden(path, onlyBalanced));
    if (annotated.trim() === "") return;
    for (const range of annotated.split(",")) checkCidr(errors, path, range.trim());
  }
}

function checkLoadBalancer(errors: Errors, spec: Loose<ServiceSpec>): void {
  const balanced = spec.type === "LoadBalancer";
  const { allocateLoadBalancerNodePorts, loadBalancerClass } = spec;
  if (!balanced && allocateLoadBalancerNodePorts !== undefined) {
    errors.push(forbidden("spec.allocateLoadBalancerNodePorts", onlyBalanced));
  }
  if (balanced && allocateLoadBalancerNodePorts === undefined) {
    errors.push(required("allocateLoadBalancerNodePorts"));
  }
  if (loadBalancerClass === undefined) return;
  if (balanced) checkQualifiedName(errors, "spec.loadBalancerClass", loadBalancerClass);
  else errors.push(forbidden("spec.loadBalancerClass", onlyBalanced));
}

function checkTraffic(errors: Errors, spec: Loose<ServiceSpec>): void {
  const external = spec.externalTrafficPolicy ?? "";
  if (isExternallyAccessible(spec)) {
    checkEnum(errors, "spec.externalTrafficPolicy", external, ["Cluster", "Local"]);
  } else if (external !== "") {
    errors.push(invalid("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services"));
  }
  const port = spec.healthCheckNodePort ?? 0;
  if (!needsHealthCheck(spec)) {
    if (port !== 0) {
      const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
      errors.push(invalid("spec.healthCheckNodePort", port, why));
    }
  } else if (port !== 0) {
    // Without one, one is allocated.
    addInvalid(errors, "spec.healthCheckNodePort", port, validatePortNumber(port));
  }
  const internal = spec.internalTrafficPolicy;
  if (internal === undefined && types.includes(spec.type ?? "") && spec.type !== "ExternalName") {
    errors.push(required("spec.internalTrafficPolicy"));
  }
  checkOptionalEnum(errors, "spec.internalTrafficPolicy", internal, ["Cluster", "Local"]);
  checkOptionalEnum(errors, "spec.trafficDistribution", spec.trafficDistribution, [
    "PreferClose",
    "PreferSameZone",
    "PreferSameNode",
  ]);
}

function needsHealthCheck(spec: Loose<ServiceSpec>): boolean {
  return spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
}

export function validateServiceUpdate(service: Loose<Service>, old: Loose<Service>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = service.spec ?? {};
  const before = old.spec ?? {};
  checkAddressUpdate(errors, spec, before);
  if (spec.type === "LoadBalancer" && before.type === "LoadBalancer") {
    if (spec.loadBalancerClass !== before.loadBalancerClass) {
      errors.push(invalid("spec.loadBalancerClass", spec.loadBalancerClass ?? null, "may not change once set"));
    }
  }
  if (needsHealthCheck(spec) && needsHealthCheck(before)) {
    if ((spec.healthCheckNodePort ?? 0) !== (before.healthCheckNodePort ?? 0)) {
      errors.push(forbidden("spec.healthCheckNodePort", "field is immutable"));
    }
  }
  return errors;
}

export function validateServiceStatus(service: Loose<Service>): readonly FieldError[] {
  const errors: Errors = [];
  const points = service.status?.loadBalancer?.ingress ?? [];
  if (points.length > 0 && service.spec?.type !== "LoadBalancer") {
    errors.push(forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is LoadBalancer"));
  }
  checkIngressPoints(errors, "status.loadBalancer.ingress", points, service.spec?.type);
  return errors;
}

interface IngressPoint {
  readonly ip?: string | undefined;
  readonly hostname?: string | undefined;
  readonly ipMode?: string | undefined;
}

export function checkIngressPoints(errors: Errors, path: string, points: readonly IngressPoint[], type?: string): void {
  points.forEach((point, index) => {
    const at = `${path}[${index}]`;
    if (point.ip) checkIp(errors, `${at}.ip`, point.ip);
    if (type === "LoadBalancer") {
      if (point.ip && point.ipMode === undefined)
        errors.push(required(`${at}.ipMode`, "must be specified when `ip` is set"));
      if (point.ipMode !== undefined && !point.ip) {
        errors.push(forbidden(`${at}.ipMode`, "may not be specified when `ip` is not set"));
      }
      checkOptionalEnum(errors, `${at}.ipMode`, point.ipMode, ["Proxy", "VIP"]);
    }
    if (!point.hostname) return;
    checkSubdomain(errors, `${at}.hostname`, point.hostname);
    if (ipFamily(point.hostname) !== undefined) {
      errors.push(invalid(`${at}.hostname`, point.hostname, "must be a DNS name, not an IP address"));
    }
  });
}
