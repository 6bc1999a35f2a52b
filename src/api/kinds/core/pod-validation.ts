import { duplicate, type FieldError, forbidden, invalid, required } from "../../field-error.js";
import type { Pod, PodDNSConfig, PodSpec, PodTemplateSpec } from "../../gen/types.js";
import {
  checkEnum,
  checkLabel,
  checkLabels,
  checkOptionalEnum,
  checkQualifiedName,
  checkRange,
  checkRequired,
  checkSubdomain,
  type Errors,
} from "../checks.js";
import { checkIp } from "../ip.js";
import { type Dictionary, entriesOf, type Loose, ownValue } from "../loose.js";
import { checkAnnotations } from "../object-meta.js";
import {
  checkContainers,
  checkEphemeralContainers,
  checkInitContainers,
  type PodContext,
} from "./container-validation.js";
import { checkResourceName, checkResourceQuantity, checkResourceRequirements } from "./resources-validation.js";
import { checkAffinity, checkTolerations, checkTopologySpread } from "./scheduling-validation.js";
import { checkPodSecurity } from "./security-validation.js";
import { checkVolumes } from "./volume-validation.js";

const maxInt32 = 2147483647;
const mirrorAnnotation = "kubernetes.io/config.mirror";
const deletionCostAnnotation = "controller.kubernetes.io/pod-deletion-cost";

export function validatePod(pod: Loose<Pod>): readonly FieldError[] {
  const errors: Errors = [];
  const annotations = pod.metadata?.annotations;
  checkPodAnnotations(errors, "metadata.annotations", annotations, pod.spec ?? {});
  checkPodSpec(errors, "spec", pod.spec ?? {});
  return errors;
}

export function validateNewPod(pod: Loose<Pod>): readonly FieldError[] {
  const errors: Errors = [];
  if ((pod.spec?.ephemeralContainers?.length ?? 0) > 0) {
    errors.push(forbidden("spec.ephemeralContainers", "cannot be set on create"));
  }
  if ((pod.spec?.schedulingGates?.length ?? 0) > 0 && pod.spec?.nodeName) {
    errors.push(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  }
  return errors;
}

function checkPodAnnotations(
  errors: Errors,
  path: string,
  annotations: Dictionary | undefined,
  spec: Loose<PodSpec>,
): void {
  const mirror = ownValue(annotations, mirrorAnnotation);
  if (mirror !== undefined && !spec.nodeName) {
    const why = "must set spec.nodeName if mirror pod annotation is set";
    errors.push(invalid(`${path}[${mirrorAnnotation}]`, mirror, why));
  }
  const cost = ownValue(annotations, deletionCostAnnotation);
  if (cost !== undefined && !isInt32(cost)) {
    errors.push(invalid(`${path}[${deletionCostAnnotation}]`, cost, "must be a 32bit integer"));
  }
}

function isInt32(text: string): boolean {
  if (!/^-?(0|[1-9][0-9]{0,9})$/.test(text) || text === "-0") return false;
  return Number(text) >= -maxInt32 - 1 && Number(text) <= maxInt32;
}

/** The template of a workload: a pod without a name that will not have ephemeral containers. */
export function checkPodTemplate(errors: Errors, path: string, template: Loose<PodTemplateSpec> | undefined): void {
  const { metadata, spec = {} } = template ?? {};
  checkLabels(errors, `${path}.labels`, metadata?.labels);
  checkAnnotations(errors, `${path}.annotations`, metadata?.annotations);
  checkPodAnnotations(errors, `${path}.annotations`, metadata?.annotations, spec);
  checkPodSpec(errors, `${path}.spec`, spec);
  if ((spec.ephemeralContainers?.length ?? 0) > 0) {
    errors.push(forbidden(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template"));
  }
}

function checkPodSpec(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  const pod: PodContext = {
    spec,
    gracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 0,
    volumes: checkVolumes(errors, `${path}.volumes`, spec.volumes ?? []),
    claims: checkResourceClaims(errors, `${path}.resourceClaims`, spec),
  };
  checkContainers(errors, `${path}.containers`, pod);
  checkInitContainers(errors, `${path}.initContainers`, pod);
  checkEphemeralContainers(errors, `${path}.ephemeralContainers`, pod);
  checkResourceRequirements(errors, `${path}.resources`, spec.resources, { podLevel: true });
  checkEnum(errors, `${path}.restartPolicy`, spec.restartPolicy, ["Always", "Never", "OnFailure"]);
  checkDns(errors, path, spec);
  checkLabels(errors, `${path}.nodeSelector`, spec.nodeSelector);
  checkPodSecurity(errors, path, spec);
  checkAffinity(errors, `${path}.affinity`, spec.affinity);
  checkNames(errors, path, spec);
  checkTolerations(errors, `${path}.tolerations`, spec.tolerations ?? []);
  checkTopologySpread(errors, `${path}.topologySpreadConstraints`, spec.topologySpreadConstraints ?? []);
  checkHostAliases(errors, `${path}.hostAliases`, spec);
  checkRange(errors, `${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 1, maxInt32);
  checkGates(errors, path, spec);
  for (const [name, value] of entriesOf(spec.overhead)) {
    checkResourceName(errors, `${path}.overhead[${name}]`, name);
    checkResourceQuantity(errors, `${path}.overhead[${name}]`, name, value);
  }
  checkOptionalEnum(errors, `${path}.preemptionPolicy`, spec.preemptionPolicy, ["Never", "PreemptLowerPriority"]);
  if (spec.os !== undefined) checkEnum(errors, `${path}.os.name`, spec.os.name, ["linux", "windows"]);
}

function checkNames(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  for (const field of [
    "serviceAccountName",
    "nodeName",
    "priorityClassName",
    "runtimeClassName",
    "schedulerName",
  ] as const) {
    const name = spec[field];
    if (!name) continue;
    if (field === "schedulerName") checkQualifiedName(errors, `${path}.${field}`, name);
    else checkSubdomain(errors, `${path}.${field}`, name);
  }
  if (spec.hostname) checkLabel(errors, `${path}.hostname`, spec.hostname);
  if (spec.subdomain) checkLabel(errors, `${path}.subdomain`, spec.subdomain);
  const override = spec.hostnameOverride;
  if (override === undefined) return;
  const at = `${path}.hostnameOverride`;
  if (override.length > 64) errors.push(invalid(at, override, "must be no more than 64 characters"));
  checkSubdomain(errors, at, override);
  if (spec.setHostnameAsFQDN === true) {
    errors.push(forbidden(at, "may not be specified when setHostnameAsFQDN is true"));
  }
  if (spec.hostNetwork === true) errors.push(forbidden(at, "may not be specified when hostNetwork is true"));
}

const dnsPolicies = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];

function checkDns(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  checkEnum(errors, `${path}.dnsPolicy`, spec.dnsPolicy, dnsPolicies);
  const config = spec.dnsConfig;
  if (spec.dnsPolicy === "None") {
    if (config === undefined) {
      errors.push(required(`${path}.dnsConfig`, "must provide `dnsConfig` when `dnsPolicy` is None"));
      return;
    }
    if ((config.nameservers?.length ?? 0) === 0) {
      const why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
      errors.push(required(`${path}.dnsConfig.nameservers`, why));
    }
  }
  if (config !== undefined) checkDnsConfig(errors, `${path}.dnsConfig`, config);
}

function checkDnsConfig(errors: Errors, path: string, config: Loose<PodDNSConfig>): void {
  const { nameservers = [], searches = [], options = [] } = config;
  if (nameservers.length > 3) {
    errors.push(invalid(`${path}.nameservers`, nameservers, "must not have more than 3 nameservers"));
  }
  nameservers.forEach((address, index) => {
    checkIp(errors, `${path}.nameservers[${index}]`, address);
  });
  if (searches.length > 32) {
    errors.push(invalid(`${path}.searches`, searches, "must not have more than 32 search paths"));
  }
  if (searches.join(" ").length > 2048) {
    const why = "must not have more than 2048 characters (including spaces) in the search list";
    errors.push(invalid(`${path}.searches`, searches, why));
  }
  searches.forEach((search, index) => {
    const domain = search.endsWith(".") ? search.slice(0, -1) : search;
    // A lone dot and underscores are taken (RelaxedDNSSearchValidation).
    if (search !== ".") checkSubdomain(errors, `${path}.searches[${index}]`, domain.replaceAll("_", "a"));
  });
  options.forEach((option, index) => {
    checkRequired(errors, `${path}.options[${index}]`, option.name, "must not be empty");
  });
}

function checkHostAliases(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  spec.hostAliases?.forEach((alias, index) => {
    checkIp(errors, `${path}[${index}].ip`, alias.ip ?? "");
    for (const host of alias.hostnames ?? []) checkSubdomain(errors, `${path}[${index}].hostnames`, host);
  });
}

function checkGates(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  spec.readinessGates?.forEach((gate, index) => {
    checkQualifiedName(errors, `${path}.readinessGates[${index}].conditionType`, gate.conditionType ?? "");
  });
  const names = new Set<string>();
  spec.schedulingGates?.forEach((gate, index) => {
    const at = `${path}.schedulingGates[${index}]`;
    const name = gate.name ?? "";
    checkQualifiedName(errors, at, name);
    if (names.has(name)) errors.push(duplicate(at, name));
    names.add(name);
  });
}

function checkResourceClaims(errors: Errors, path: string, spec: Loose<PodSpec>): ReadonlySet<string> {
  const names = new Set<string>();
  spec.resourceClaims?.forEach((claim, index) => {
    const at = `${path}[${index}]`;
    if (checkRequired(errors, `${at}.name`, claim.name)) {
      if (names.has(claim.name)) errors.push(duplicate(`${at}.name`, claim.name));
      checkLabel(errors, `${at}.name`, claim.name);
      names.add(claim.name);
    }
    const { resourceClaimName, resourceClaimTemplateName } = claim;
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      const why = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified";
      errors.push(invalid(at, claim, why));
    }
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      const why = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`";
      errors.push(invalid(at, claim, why));
    }
    for (const field of ["resourceClaimName", "resourceClaimTemplateName"] as const) {
      const name = claim[field];
      if (name !== undefined) checkSubdomain(errors, `${at}.${field}`, name);
    }
  });
  return names;
}
