import { duplicate, type FieldError, forbidden, invalid, required, tooLong } from "../../field-error.js";
import type { Pod, PodSpec, PodTemplateSpec } from "../../gen/types.js";
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
import type { Loose } from "../loose.js";
import { checkAnnotations } from "../object-meta.js";
import {
  checkContainers,
  checkEphemeralContainers,
  checkHostNetworkPorts,
  checkImagePadding,
  checkInitContainers,
  type PodContext,
} from "./container-validation.js";
import { checkDns } from "./dns-validation.js";
import { checkPodAnnotations } from "./pod-annotations.js";
import { checkProfileAnnotations } from "./profile-annotations.js";
import { checkPodResources, checkResourceRequirements } from "./resources-validation.js";
import { checkAffinity, checkTolerations, checkTopologySpread } from "./scheduling-validation.js";
import { checkHostUsers, checkPodSecurity } from "./security-validation.js";
import { checkVolumes, type VolumesOwner } from "./volume-validation.js";
import { checkHostProcess, checkOperatingSystem } from "./windows-validation.js";

const maxInt32 = 2147483647;

export function validatePod(pod: Loose<Pod>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = pod.spec ?? {};
  checkPodAnnotations(errors, "metadata.annotations", pod.metadata?.annotations, spec);
  checkPodSpec(errors, "spec", spec, { podName: pod.metadata?.name, isPod: true });
  checkOnlyForPods(errors, "spec", spec);
  return errors;
}

/** What templates may have, because they always could. */
function checkOnlyForPods(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  if (!spec.serviceAccountName) {
    spec.volumes?.forEach((volume, index) => {
      volume.projected?.sources?.forEach((source, position) => {
        if (source.serviceAccountToken === undefined) return;
        const at = `${path}.volumes[${index}].projected.sources[${position}].serviceAccountToken`;
        errors.push(forbidden(at, "must not be specified when serviceAccountName is not set"));
      });
    });
  }
  for (const kind of ["containers", "initContainers"] as const) {
    spec[kind]?.forEach((container, index) => {
      checkImagePadding(errors, `${path}.${kind}[${index}]`, container.image);
    });
  }
}

export function validateNewPod(pod: Loose<Pod>): readonly FieldError[] {
  const errors: Errors = [];
  if ((pod.spec?.ephemeralContainers?.length ?? 0) > 0) {
    errors.push(forbidden("spec.ephemeralContainers", "cannot be set on create"));
  }
  if ((pod.spec?.schedulingGates?.length ?? 0) > 0 && pod.spec?.nodeName) {
    errors.push(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  }
  checkProfileAnnotations(errors, "spec", pod.metadata?.annotations, pod.spec ?? {});
  return errors;
}

/** The template of a workload: a pod without a name that will not have ephemeral containers. */
export function checkPodTemplate(errors: Errors, path: string, template: Loose<PodTemplateSpec> | undefined): void {
  const { metadata, spec = {} } = template ?? {};
  checkLabels(errors, `${path}.labels`, metadata?.labels);
  checkAnnotations(errors, `${path}.annotations`, metadata?.annotations);
  checkPodAnnotations(errors, `${path}.annotations`, metadata?.annotations, spec);
  checkPodSpec(errors, `${path}.spec`, spec, { isPod: false });
  checkProfileAnnotations(errors, `${path}.spec`, metadata?.annotations, spec);
  if ((spec.ephemeralContainers?.length ?? 0) > 0) {
    errors.push(forbidden(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template"));
  }
}

function checkPodSpec(errors: Errors, path: string, spec: Loose<PodSpec>, owner: VolumesOwner): void {
  const claims = new Set((spec.resourceClaims ?? []).flatMap(({ name }) => (name ? [name] : [])));
  if (spec.terminationGracePeriodSeconds === undefined) {
    errors.push(required(`${path}.terminationGracePeriodSeconds`));
  }
  const pod: PodContext = {
    spec,
    gracePeriodSeconds: spec.terminationGracePeriodSeconds,
    volumes: checkVolumes(errors, `${path}.volumes`, spec.volumes ?? [], owner),
    claims,
  };
  checkResourceClaims(errors, `${path}.resourceClaims`, spec);
  checkContainers(errors, `${path}.containers`, pod);
  checkInitContainers(errors, `${path}.initContainers`, pod);
  checkEphemeralContainers(errors, `${path}.ephemeralContainers`, pod);
  checkPodResources(errors, `${path}.resources`, spec, claims);
  checkHostNetworkPorts(errors, `${path}.containers`, spec, owner.isPod);
  checkEnum(errors, `${path}.restartPolicy`, spec.restartPolicy, ["Always", "OnFailure", "Never"]);
  checkEnum(errors, `${path}.dnsPolicy`, spec.dnsPolicy, [
    "ClusterFirstWithHostNet",
    "ClusterFirst",
    "Default",
    "None",
  ]);
  checkLabels(errors, `${path}.nodeSelector`, spec.nodeSelector);
  checkPodSecurity(errors, `${path}.securityContext`, spec);
  checkAffinity(errors, `${path}.affinity`, spec.affinity);
  checkDns(errors, `${path}.dnsConfig`, spec);
  checkGates(errors, path, spec);
  checkTopologySpread(errors, `${path}.topologySpreadConstraints`, spec.topologySpreadConstraints ?? []);
  checkHostProcess(errors, path, spec);
  checkHostUsers(errors, path, spec);
  checkPlacement(errors, path, spec);
}

function checkPlacement(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  const { hostname, subdomain, runtimeClassName, preemptionPolicy, os } = spec;
  checkOptionalName(errors, `${path}.serviceAccountName`, spec.serviceAccountName);
  checkOptionalName(errors, `${path}.nodeName`, spec.nodeName);
  checkRange(errors, `${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 1, maxInt32);
  if (hostname) checkLabel(errors, `${path}.hostname`, hostname);
  if (subdomain) checkLabel(errors, `${path}.subdomain`, subdomain);
  checkHostnameOverride(errors, path, spec);
  checkTolerations(errors, `${path}.tolerations`, spec.tolerations ?? []);
  checkHostAliases(errors, `${path}.hostAliases`, spec);
  checkOptionalName(errors, `${path}.priorityClassName`, spec.priorityClassName);
  if (runtimeClassName !== undefined) checkSubdomain(errors, `${path}.runtimeClassName`, runtimeClassName);
  checkOptionalEnum(errors, `${path}.preemptionPolicy`, preemptionPolicy, ["PreemptLowerPriority", "Never"]);
  if (spec.overhead !== undefined) checkResourceRequirements(errors, `${path}.overhead`, { limits: spec.overhead });
  if (os === undefined) return;
  if (!os.name) errors.push(required(`${path}.os.name`, "cannot be empty"));
  else checkOptionalEnum(errors, `${path}.os`, os.name, ["linux", "windows"]);
  checkOperatingSystem(errors, path, spec);
}

function checkOptionalName(errors: Errors, path: string, name: string | undefined): void {
  if (name) checkSubdomain(errors, path, name);
}

const maxHostname = 64;

function checkHostnameOverride(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  const override = spec.hostnameOverride;
  if (override === undefined) return;
  const at = `${path}.hostnameOverride`;
  if (override.length > maxHostname) errors.push(tooLong(at, maxHostname));
  checkSubdomain(errors, at, override);
  if (spec.setHostnameAsFQDN === true) {
    errors.push(forbidden(at, "may not be specified when setHostnameAsFQDN is true"));
  }
  if (spec.hostNetwork === true) errors.push(forbidden(at, "may not be specified when hostNetwork is true"));
}

function checkHostAliases(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  spec.hostAliases?.forEach((alias, index) => {
    checkIp(errors, `${path}[${index}].ip`, alias.ip ?? "");
    alias.hostnames?.forEach((host, position) => {
      checkSubdomain(errors, `${path}[${index}].hostnames[${position}]`, host);
    });
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

function checkResourceClaims(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  const names = new Set<string>();
  spec.resourceClaims?.forEach((claim, index) => {
    const at = `${path}[${index}]`;
    if (checkRequired(errors, `${at}.name`, claim.name)) {
      if (names.has(claim.name)) errors.push(duplicate(`${at}.name`, claim.name));
      else checkLabel(errors, `${at}.name`, claim.name);
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
}
