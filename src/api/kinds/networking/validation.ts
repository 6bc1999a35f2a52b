import { type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type {
  Ingress,
  IngressBackend,
  IngressClass,
  IPAddress,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  ServiceCIDR,
} from "../../gen/types.js";
import { validateDns1123Label, validatePortName, validateWildcardDns1123Subdomain } from "../../names.js";
import {
  addInvalid,
  checkEnum,
  checkImmutable,
  checkPortOrName,
  checkRange,
  checkRequired,
  checkSubdomain,
  type Errors,
} from "../checks.js";
import { checkIngressPoints } from "../core/service-validation.js";
import { checkCidr, cidrFamily, ipFamily, isStrictSubnet } from "../ip.js";
import { checkLabelSelector } from "../label-selector.js";
import type { Loose } from "../loose.js";
import { ownValue } from "../loose.js";

const classAnnotation = "kubernetes.io/ingress.class";
const pathTypes = ["Exact", "ImplementationSpecific", "Prefix"];

export function validateIngress(ingress: Loose<Ingress>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = ingress.spec ?? {};
  const rules = spec.rules ?? [];
  if (rules.length === 0 && spec.defaultBackend === undefined) {
    errors.push(invalid("spec", rules, "either `defaultBackend` or `rules` must be specified"));
  }
  if (spec.defaultBackend !== undefined) checkBackend(errors, "spec.defaultBackend", spec.defaultBackend);
  rules.forEach((rule, index) => {
    const at = `spec.rules[${index}]`;
    if (rule.host) checkHost(errors, `${at}.host`, rule.host);
    if (rule.http === undefined) return;
    const paths = rule.http.paths ?? [];
    if (paths.length === 0) errors.push(required(`${at}.http.paths`));
    paths.forEach((path, position) => {
      const where = `${at}.http.paths[${position}]`;
      checkPath(errors, where, path.path ?? "", path.pathType);
      checkBackend(errors, `${where}.backend`, path.backend ?? {});
    });
  });
  spec.tls?.forEach((tls, index) => {
    tls.hosts?.forEach((host, position) => {
      checkTlsHost(errors, `spec.tls[${index}].hosts[${position}]`, host);
    });
  });
  if (spec.ingressClassName !== undefined) checkSubdomain(errors, "spec.ingressClassName", spec.ingressClassName);
  return errors;
}

export function validateNewIngress(ingress: Loose<Ingress>): readonly FieldError[] {
  const annotation = ownValue(ingress.metadata?.annotations, classAnnotation);
  const name = ingress.spec?.ingressClassName;
  if (annotation === undefined || name === undefined || annotation === name) return [];
  const why = "must match `ingressClassName` when both are specified";
  return [invalid(`metadata.annotations[${classAnnotation}]`, annotation, why)];
}

function checkHost(errors: Errors, path: string, host: string): void {
  if (ipFamily(host) !== undefined) errors.push(invalid(path, host, "must be a DNS name, not an IP address"));
  else checkTlsHost(errors, path, host);
}

function checkTlsHost(errors: Errors, path: string, host: string): void {
  if (host.includes("*")) addInvalid(errors, path, host, validateWildcardDns1123Subdomain(host));
  else checkSubdomain(errors, path, host);
}

const forbiddenSequences = ["//", "/./", "/../", "%2f", "%2F"];
const forbiddenEnds = ["/..", "/."];

function checkPath(errors: Errors, at: string, path: string, type: string | undefined): void {
  if (type === undefined) errors.push(required(`${at}.pathType`, "pathType must be specified"));
  else if (type === "Exact" || type === "Prefix") {
    if (!path.startsWith("/")) errors.push(invalid(`${at}.path`, path, "must be an absolute path"));
    for (const text of forbiddenSequences) {
      if (path.includes(text)) errors.push(invalid(`${at}.path`, path, `must not contain '${text}'`));
    }
    for (const text of forbiddenEnds) {
      if (path.endsWith(text)) errors.push(invalid(`${at}.path`, path, `cannot end with '${text}'`));
    }
  } else if (type === "ImplementationSpecific") {
    if (path !== "" && !path.startsWith("/")) errors.push(invalid(`${at}.path`, path, "must be an absolute path"));
  } else {
    errors.push(notSupported(`${at}.pathType`, type, pathTypes));
  }
}

function checkBackend(errors: Errors, path: string, backend: Loose<IngressBackend>): void {
  const { resource, service } = backend;
  if (resource !== undefined && service !== undefined) {
    errors.push(invalid(path, "", "cannot set both resource and service backends"));
  } else if (resource !== undefined) {
    checkRequired(errors, `${path}.resource.kind`, resource.kind);
    checkRequired(errors, `${path}.resource.name`, resource.name);
  } else if (service === undefined) {
    errors.push(required(path, "resource or service backend is required"));
  } else {
    if (checkRequired(errors, `${path}.service.name`, service.name)) {
      addInvalid(errors, `${path}.service.name`, service.name, validateDns1123Label(service.name));
    }
    const { name = "", number = 0 } = service.port ?? {};
    if (name !== "" && number !== 0) {
      errors.push(invalid(path, "", "cannot set both port name & port number"));
    } else if (name !== "") {
      addInvalid(errors, `${path}.service.port.name`, name, validatePortName(name));
    } else if (number !== 0) {
      checkRange(errors, `${path}.service.port.number`, number, 1, 65535);
    } else {
      errors.push(required(path, "port name or number is required"));
    }
  }
}

export function validateIngressStatus(ingress: Loose<Ingress>): readonly FieldError[] {
  const errors: Errors = [];
  checkIngressPoints(errors, "status.loadBalancer.ingress", ingress.status?.loadBalancer?.ingress ?? []);
  return errors;
}

export function ingressWarnings(ingress: Loose<Ingress>, old: Loose<Ingress> | undefined): readonly string[] {
  const annotated = ownValue(ingress.metadata?.annotations, classAnnotation) !== undefined;
  if (old !== undefined || !annotated) return [];
  return [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`];
}

export function validateIngressClass(ingressClass: Loose<IngressClass>): readonly FieldError[] {
  const errors: Errors = [];
  const { controller = "", parameters } = ingressClass.spec ?? {};
  if (controller === "") errors.push(required("spec.controller"));
  else {
    if (controller.length > 250)
      errors.push(invalid("spec.controller", controller, "must be no more than 250 characters"));
    const slash = controller.indexOf("/");
    if (slash <= 0 || slash === controller.length - 1) {
      errors.push(invalid("spec.controller", controller, 'must be a domain-prefixed path (such as "acme.io/foo")'));
    } else {
      checkSubdomain(errors, "spec.controller", controller.slice(0, slash));
    }
  }
  if (parameters === undefined) return errors;
  const path = "spec.parameters";
  checkRequired(errors, `${path}.kind`, parameters.kind);
  checkRequired(errors, `${path}.name`, parameters.name);
  checkEnum(errors, `${path}.scope`, parameters.scope, ["Cluster", "Namespace"]);
  if (parameters.scope === "Namespace" && !parameters.namespace) {
    errors.push(required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"));
  }
  if (parameters.scope === "Cluster" && parameters.namespace !== undefined) {
    errors.push(forbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  }
  return errors;
}

export function validateIngressClassUpdate(
  ingressClass: Loose<IngressClass>,
  old: Loose<IngressClass>,
): readonly FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, "spec.controller", ingressClass.spec?.controller, old.spec?.controller);
  return errors;
}

export function validateNetworkPolicy(policy: Loose<NetworkPolicy>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = policy.spec ?? {};
  checkLabelSelector(errors, "spec.podSelector", spec.podSelector);
  spec.ingress?.forEach((rule, index) => {
    const at = `spec.ingress[${index}]`;
    checkPolicyPorts(errors, `${at}.ports`, rule.ports ?? []);
    checkPeers(errors, `${at}.from`, rule.from ?? []);
  });
  spec.egress?.forEach((rule, index) => {
    const at = `spec.egress[${index}]`;
    checkPolicyPorts(errors, `${at}.ports`, rule.ports ?? []);
    checkPeers(errors, `${at}.to`, rule.to ?? []);
  });
  const types = spec.policyTypes ?? [];
  if (types.length > 2) {
    errors.push(invalid("spec.policyTypes", types, "may not specify more than two policyTypes"));
    return errors;
  }
  types.forEach((type, index) => {
    if (type !== "Ingress" && type !== "Egress") {
      errors.push(notSupported(`spec.policyTypes[${index}]`, type, ["Egress", "Ingress"]));
    }
  });
  return errors;
}

function checkPolicyPorts(errors: Errors, path: string, ports: readonly Loose<NetworkPolicyPort>[]): void {
  ports.forEach((port, index) => {
    const at = `${path}[${index}]`;
    checkEnum(errors, `${at}.protocol`, port.protocol, ["SCTP", "TCP", "UDP"]);
    if (port.port === undefined) {
      if (port.endPort !== undefined) {
        errors.push(invalid(`${at}.endPort`, port.endPort, "may not be specified when `port` is not specified"));
      }
      return;
    }
    checkPortOrName(errors, `${at}.port`, port.port);
    if (port.endPort === undefined) return;
    if (typeof port.port === "string") {
      errors.push(invalid(`${at}.endPort`, port.endPort, "may not be specified when `port` is non-numeric"));
      return;
    }
    if (port.endPort < port.port) {
      errors.push(invalid(`${at}.endPort`, port.endPort, "must be greater than or equal to `port`"));
    }
    checkRange(errors, `${at}.endPort`, port.endPort, 1, 65535);
  });
}

function checkPeers(errors: Errors, path: string, peers: readonly Loose<NetworkPolicyPeer>[]): void {
  peers.forEach((peer, index) => {
    const at = `${path}[${index}]`;
    const { ipBlock, namespaceSelector, podSelector } = peer;
    if (ipBlock === undefined && namespaceSelector === undefined && podSelector === undefined) {
      errors.push(required(at, "must specify a peer"));
    } else if (ipBlock !== undefined && (namespaceSelector !== undefined || podSelector !== undefined)) {
      errors.push(forbidden(at, "may not specify both ipBlock and another peer"));
    }
    checkLabelSelector(errors, `${at}.podSelector`, podSelector);
    checkLabelSelector(errors, `${at}.namespaceSelector`, namespaceSelector);
    if (ipBlock === undefined) return;
    const { cidr = "", except = [] } = ipBlock;
    if (cidr === "") errors.push(required(`${at}.ipBlock.cidr`));
    else checkCidr(errors, `${at}.ipBlock.cidr`, cidr);
    except.forEach((inner, position) => {
      const where = `${at}.ipBlock.except[${position}]`;
      checkCidr(errors, where, inner);
      if (cidrFamily(cidr) === undefined || cidrFamily(inner) === undefined || isStrictSubnet(inner, cidr)) return;
      errors.push(invalid(where, inner, "must be a strict subset of `cidr`"));
    });
  });
}

export function validateServiceCidr(cidr: Loose<ServiceCIDR>): readonly FieldError[] {
  const errors: Errors = [];
  const ranges = cidr.spec?.cidrs ?? [];
  if (ranges.length === 0) errors.push(required("spec.cidrs", "at least one CIDR required"));
  else if (ranges.length > 2) errors.push(invalid("spec", cidr.spec, "may only hold up to 2 values"));
  else if (ranges.length === 2 && cidrFamily(ranges[0] ?? "") === cidrFamily(ranges[1] ?? "")) {
    errors.push(
      invalid(
        "spec.cidrs",
        ranges,
        "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/96",
      ),
    );
  }
  ranges.forEach((range, index) => {
    checkCidr(errors, `spec.cidrs[${index}]`, range);
  });
  return errors;
}

export function validateIpAddress(address: Loose<IPAddress>): readonly FieldError[] {
  const errors: Errors = [];
  const parent = address.spec?.parentRef;
  if (parent === undefined) errors.push(required("spec.parentRef"));
  else {
    checkRequired(errors, "spec.parentRef.resource", parent.resource);
    checkRequired(errors, "spec.parentRef.name", parent.name);
  }
  return errors;
}

export function validateIpAddressName(name: string): readonly string[] {
  return ipFamily(name) === undefined ? ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"] : [];
}
