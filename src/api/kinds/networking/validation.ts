import { type FieldError, forbidden, invalid, notSupported, required, tooLong } from "../../field-error.js";
import type { Ingress, IngressBackend, IngressClass, TypedLocalObjectReference } from "../../gen/types.js";
import { validateDns1123Label, validatePortName, validateWildcardDns1123Subdomain } from "../../names.js";
import {
  addInvalid,
  checkEnum,
  checkImmutable,
  checkLabel,
  checkRange,
  checkRequired,
  checkSubdomain,
  type Errors,
  validatePathSegmentName,
} from "../checks.js";
import { checkIngressPoints } from "../core/service-validation.js";
import { checkDomainPrefixedPath } from "../domain-path.js";
import { ipFamily } from "../ip.js";
import type { Loose } from "../loose.js";
import { ownValue } from "../loose.js";

const maxController = 250;
type TypedReference = Loose<TypedLocalObjectReference>;
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
      if (path.pathType === undefined) {
        errors.push(required(`${where}.pathType`, "pathType must be specified"));
        return;
      }
      checkPath(errors, where, path.path ?? "", path.pathType);
      checkBackend(errors, `${where}.backend`, path.backend ?? {});
    });
  });
  spec.tls?.forEach((tls, index) => {
    tls.hosts?.forEach((host, position) => {
      checkTlsHost(errors, `spec.tls[${index}].hosts[${position}]`, host);
    });
    if (tls.secretName) checkSubdomain(errors, `spec.tls[${index}].secretName`, tls.secretName);
  });
  if (spec.ingressClassName !== undefined) checkSubdomain(errors, "spec.ingressClassName", spec.ingressClassName);
  return errors;
}

export function validateNewIngress(ingress: Loose<Ingress>): readonly FieldError[] {
  const annotation = ownValue(ingress.metadata?.annotations, classAnnotation);
  const name = ingress.spec?.ingressClassName;
  if (annotation === undefined || name === undefined || annotation === name) return [];
  const why = "must match `ingressClassName` when both are specified";
  return [invalid(`annotations.${classAnnotation}`, annotation, why)];
}

function checkHost(errors: Errors, path: string, host: string): void {
  if (ipFamily(host) !== undefined) errors.push(invalid(path, host, "must be a DNS name, not an IP address"));
  checkTlsHost(errors, path, host);
}

function checkTlsHost(errors: Errors, path: string, host: string): void {
  if (host.includes("*")) addInvalid(errors, path, host, validateWildcardDns1123Subdomain(host));
  else checkSubdomain(errors, path, host);
}

const forbiddenSequences = ["//", "/./", "/../", "%2f", "%2F"];
const forbiddenEnds = ["/..", "/."];

function checkPath(errors: Errors, at: string, path: string, type: string): void {
  if (type === "Exact" || type === "Prefix") {
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
    checkTypedReference(errors, `${path}.resource`, resource);
  } else if (service === undefined) {
    errors.push(invalid(path, "", "resource or service backend is required"));
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
  if (old !== undefined || !annotated || ingress.spec?.ingressClassName !== undefined) return [];
  return [`annotation "${classAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`];
}

export function validateIngressClass(ingressClass: Loose<IngressClass>): readonly FieldError[] {
  const errors: Errors = [];
  const { controller = "", parameters } = ingressClass.spec ?? {};
  if (controller.length > maxController) errors.push(tooLong("spec.controller", maxController));
  checkDomainPrefixedPath(errors, "spec.controller", controller);
  if (parameters === undefined) return errors;
  const path = "spec.parameters";
  checkTypedReference(errors, path, parameters);
  checkEnum(errors, `${path}.scope`, parameters.scope, ["Cluster", "Namespace"]);
  const { scope, namespace } = parameters;
  if (scope === "Namespace") {
    if (namespace === undefined) errors.push(required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"));
    else checkLabel(errors, `${path}.namespace`, namespace);
  }
  if (scope === "Cluster" && namespace !== undefined) {
    errors.push(forbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  }
  return errors;
}

function checkTypedReference(errors: Errors, path: string, reference: TypedReference): void {
  if (reference.apiGroup !== undefined) checkSubdomain(errors, `${path}.apiGroup`, reference.apiGroup);
  for (const field of ["kind", "name"] as const) {
    const value = reference[field];
    if (!checkRequired(errors, `${path}.${field}`, value, `${field} is required`)) continue;
    addInvalid(errors, `${path}.${field}`, value, validatePathSegmentName(value));
  }
}

export function validateIngressClassUpdate(
  ingressClass: Loose<IngressClass>,
  old: Loose<IngressClass>,
): readonly FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, "spec.controller", ingressClass.spec?.controller, old.spec?.controller);
  return errors;
}
