import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { Service, ServicePort, ServiceSpec } from "../../gen/types.js";
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
import { semanticallyEqual } from "../equality.js";
import { checkCidr, checkIp, checkNotSpecialIp, ipFamily } from "../ip.js";
import type { Loose } from "../loose.js";
import { isExternallyAccessible } from "./service-defaults.js";

const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const maxAffinitySeconds = 86400;

export function validateService(service: Loose<Service>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = service.spec ?? {};
  const headless = isHeadless(spec);
  if ((spec.ports?.length ?? 0) === 0 && !headless && spec.type !== "ExternalName") errors.push(required("spec.ports"));
  checkType(errors, spec, headless);
  checkPorts(errors, spec);
  checkLabels(errors, "spec.selector", spec.selector);
  checkAffinity(errors, spec);
  checkAddresses(errors, spec);
  spec.externalIPs?.forEach((address, index) => {
    checkIp(errors, `spec.externalIPs[${index}]`, address);
    checkNotSpecialIp(errors, `spec.externalIPs[${index}]`, address);
  });
  checkLoadBalancer(errors, spec);
  checkTraffic(errors, spec);
  return errors;
}

function isHeadless(spec: Loose<ServiceSpec>): boolean {
  return spec.clusterIP === "None" || (spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === "None");
}

function checkType(errors: Errors, spec: Loose<ServiceSpec>, headless: boolean): void {
  checkEnum(errors, "spec.type", spec.type, types);
  if ((spec.type === "LoadBalancer" || spec.type === "NodePort") && headless) {
    const why = `may not be set to 'None' for ${spec.type} services`;
    errors.push(invalid("spec.clusterIPs[0]", "None", why));
  }
  if (spec.type !== "ExternalName") return;
  if ((spec.clusterIPs?.length ?? 0) > 0 || spec.clusterIP) {
    errors.push(forbidden("spec.clusterIPs", "may not be set for ExternalName services"));
  }
  if ((spec.ipFamilies?.length ?? 0) > 0) {
    errors.push(forbidden("spec.ipFamilies", "may not be set for ExternalName services"));
  }
  if (spec.ipFamilyPolicy !== undefined) {
    errors.push(forbidden("spec.ipFamilyPolicy", "may not be set for ExternalName services"));
  }
  const name = spec.externalName ?? "";
  const host = name.endsWith(".") ? name.slice(0, -1) : name;
  if (host === "") errors.push(required("spec.externalName"));
  else checkSubdomain(errors, "spec.externalName", host);
}

function checkPorts(errors: Errors, spec: Loose<ServiceSpec>): void {
  const ports = spec.ports ?? [];
  const names = new Set<string>();
  const seen = new Set<string>();
  const nodePorts = new Set<string>();
  ports.forEach((port, index) => {
    const at = `spec.ports[${index}]`;
    checkPort(errors, at, port, ports.length > 1, names);
    const key = `${port.protocol}/${port.port}`;
    if (seen.has(key)) errors.push(duplicate(at, goPort(port)));
    seen.add(key);
    if (!port.nodePort) return;
    if (spec.type === "ClusterIP" || spec.type === "ExternalName") {
      errors.push(forbidden(`${at}.nodePort`, `may not be used when \`type\` is '${spec.type}'`));
    }
    checkRange(errors, `${at}.nodePort`, port.nodePort, 0, 65535);
    const node = `${port.protocol}/${port.nodePort}`;
    if (nodePorts.has(node)) errors.push(duplicate(`${at}.nodePort`, port.nodePort));
    nodePorts.add(node);
  });
}

/** The value in upstream's message: the fields of its internal type that make the key. */
function goPort(port: Loose<ServicePort>): unknown {
  const { protocol: Protocol = "", port: Port = 0 } = port;
  return { Name: "", Protocol, AppProtocol: null, Port, TargetPort: 0, NodePort: 0 };
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

function checkAffinity(errors: Errors, spec: Loose<ServiceSpec>): void {
  checkEnum(errors, "spec.sessionAffinity", spec.sessionAffinity, ["ClientIP", "None"]);
  const path = "spec.sessionAffinityConfig";
  const config = spec.sessionAffinityConfig;
  if (spec.sessionAffinity === "ClientIP") {
    const at = `${path}.clientIP.timeoutSeconds`;
    const timeout = config?.clientIP?.timeoutSeconds;
    if (timeout === undefined) errors.push(required(at, "when session affinity type is ClientIP"));
    else if (timeout <= 0 || timeout > maxAffinitySeconds) {
      errors.push(invalid(at, timeout, `must be greater than 0 and less than ${maxAffinitySeconds}`));
    }
  } else if (spec.sessionAffinity === "None" && config !== undefined) {
    errors.push(forbidden(path, "must not be set when session affinity is None"));
  }
}

function checkAddresses(errors: Errors, spec: Loose<ServiceSpec>): void {
  const addresses = spec.clusterIPs ?? [];
  const families = spec.ipFamilies ?? [];
  if (spec.type === "ExternalName") return;
  if (addresses.length > 0 && !spec.clusterIP) {
    errors.push(required("spec.clusterIP", "must be specified when `clusterIPs` is set"));
  } else if (addresses.length > 0 && addresses[0] !== spec.clusterIP) {
    errors.push(invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`"));
  }
  families.forEach((family, index) => {
    const at = `spec.ipFamilies[${index}]`;
    if (family !== "IPv4" && family !== "IPv6") errors.push(notSupported(at, family, ["IPv4", "IPv6"]));
    if (families.indexOf(family) < index) errors.push(duplicate(at, family));
  });
  checkOptionalEnum(errors, "spec.ipFamilyPolicy", spec.ipFamilyPolicy, [
    "PreferDualStack",
    "RequireDualStack",
    "SingleStack",
  ]);
  if (addresses.includes("None") && addresses.length > 1) {
    errors.push(invalid("spec.clusterIPs", addresses, "'None' must be the first and only value"));
  }
  if (addresses.length > 2) errors.push(invalid("spec.clusterIPs", addresses, "may only hold up to 2 values"));
  addresses.forEach((address, index) => {
    if (address === "None") return;
    const at = `spec.clusterIPs[${index}]`;
    checkIp(errors, at, address);
    const family = families[index];
    const actual = ipFamily(address);
    if (family !== undefined && actual !== undefined && family !== actual) {
      const why = `expected an ${family} value as indicated by \`ipFamilies[${index}]\``;
      errors.push(invalid(at, address, why));
    }
  });
  const actual = addresses.map(ipFamily);
  if (actual.length === 2 && actual[0] !== undefined && actual[0] === actual[1]) {
    const why = "may specify no more than one IP for each IP family";
    errors.push(invalid("spec.clusterIPs", addresses, why));
  }
}

function checkLoadBalancer(errors: Errors, spec: Loose<ServiceSpec>): void {
  const only = "may only be used when `type` is 'LoadBalancer'";
  const balanced = spec.type === "LoadBalancer";
  if (balanced && spec.allocateLoadBalancerNodePorts === undefined) {
    errors.push(required("spec.allocateLoadBalancerNodePorts"));
  }
  if (!balanced && spec.allocateLoadBalancerNodePorts !== undefined) {
    errors.push(forbidden("spec.allocateLoadBalancerNodePorts", only));
  }
  if (!balanced && spec.loadBalancerClass !== undefined) errors.push(forbidden("spec.loadBalancerClass", only));
  if (spec.loadBalancerClass !== undefined) {
    checkQualifiedName(errors, "spec.loadBalancerClass", spec.loadBalancerClass);
  }
  if ((spec.loadBalancerSourceRanges?.length ?? 0) === 0) return;
  if (!balanced) errors.push(forbidden("spec.loadBalancerSourceRanges", only));
  spec.loadBalancerSourceRanges?.forEach((range, index) => {
    checkCidr(errors, `spec.loadBalancerSourceRanges[${index}]`, range.trim());
  });
}

function checkTraffic(errors: Errors, spec: Loose<ServiceSpec>): void {
  const external = spec.externalTrafficPolicy ?? "";
  if (!isExternallyAccessible(spec)) {
    if (external !== "") {
      const why = "may only be set for externally-accessible services";
      errors.push(invalid("spec.externalTrafficPolicy", external, why));
    }
  } else {
    checkEnum(errors, "spec.externalTrafficPolicy", external, ["Cluster", "Local"]);
  }
  const port = spec.healthCheckNodePort ?? 0;
  if (port < 0) addInvalid(errors, "spec.healthCheckNodePort", port, ["must be between 0 and 65535, inclusive"]);
  if (port !== 0 && !(spec.type === "LoadBalancer" && external === "Local")) {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.push(invalid("spec.healthCheckNodePort", port, why));
  }
  if (spec.type !== "ExternalName") {
    checkEnum(errors, "spec.internalTrafficPolicy", spec.internalTrafficPolicy, ["Cluster", "Local"]);
  }
  checkOptionalEnum(errors, "spec.trafficDistribution", spec.trafficDistribution, [
    "PreferClose",
    "PreferSameNode",
    "PreferSameZone",
  ]);
}

/** What was allocated once does not change while the service has addresses of the cluster. */
export function validateServiceUpdate(service: Loose<Service>, old: Loose<Service>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = service.spec ?? {};
  const before = old.spec ?? {};
  if (spec.type === "LoadBalancer" && before.type === "LoadBalancer") {
    if (spec.loadBalancerClass !== before.loadBalancerClass) {
      errors.push(invalid("spec.loadBalancerClass", spec.loadBalancerClass, "may not change once set"));
    }
  }
  if (spec.type === "ExternalName" || before.type === "ExternalName") return errors;
  const was = before.clusterIPs?.[0] ?? before.clusterIP;
  const is = spec.clusterIPs?.[0] ?? spec.clusterIP;
  if (was && was !== is) errors.push(invalid("spec.clusterIPs[0]", spec.clusterIPs ?? [], "may not change once set"));
  const second = before.clusterIPs?.[1];
  const secondNow = spec.clusterIPs?.[1];
  if (second !== undefined && secondNow !== undefined && second !== secondNow) {
    errors.push(invalid("spec.clusterIPs[1]", spec.clusterIPs ?? [], "may not change once set"));
  }
  const family = before.ipFamilies?.[0];
  if (family !== undefined && !semanticallyEqual(family, spec.ipFamilies?.[0])) {
    errors.push(invalid("spec.ipFamilies[0]", spec.ipFamilies ?? [], "may not change once set"));
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

export function serviceWarnings(service: Loose<Service>, old: Loose<Service> | undefined): readonly string[] {
  const warnings: string[] = [];
  const spec = service.spec ?? {};
  if (spec.externalIPs !== undefined && spec.externalIPs.length > 0 && spec.type === "ExternalName") {
    warnings.push(`spec.externalIPs is ignored when spec.type is "ExternalName"`);
  }
  if (spec.type !== "ExternalName" && spec.externalName) {
    warnings.push(`spec.externalName is ignored when spec.type is not "ExternalName"`);
  }
  if (old === undefined && spec.type === "ExternalName" && spec.clusterIP === "None") {
    warnings.push(`spec.clusterIP is ignored when spec.type is "ExternalName"`);
  }
  if (spec.clusterIP === "None" && spec.type !== "ExternalName") {
    if (spec.loadBalancerIP) warnings.push("spec.loadBalancerIP is ignored for headless services");
    if ((spec.externalIPs?.length ?? 0) > 0) warnings.push("spec.externalIPs is ignored for headless services");
    if (spec.sessionAffinity !== undefined && spec.sessionAffinity !== "None") {
      warnings.push("spec.SessionAffinity is ignored for headless services");
    }
  }
  return warnings;
}
