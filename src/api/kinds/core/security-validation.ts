import { featureGates } from "../../feature-gates.js";
import { duplicate, forbidden, invalid, notSupported, required, tooLong } from "../../field-error.js";
import type { AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext } from "../../gen/types.js";
import { checkOptionalEnum, checkRange, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";
import { checkDescendingPath } from "./path-validation.js";
import { checkWindowsOptions } from "./windows-validation.js";

const maxId = 2147483647;
const changePolicies = featureGates.SELinuxMount ? ["MountOption", "Recursive"] : ["Recursive"];
const sysctlMaxLength = 253;
const sysctlSegment = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const sysctlSlashes = `^(${sysctlSegment}[\\./])*${sysctlSegment}$`;
const sysctl = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;

export function checkPodSecurity(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  const context = spec.securityContext ?? {};
  checkIds(errors, path, context, ["fsGroup", "runAsUser", "runAsGroup"]);
  context.supplementalGroups?.forEach((id, index) => {
    checkRange(errors, `${path}.supplementalGroups[${index}]`, id, 0, maxId);
  });
  if (spec.hostPID === true && spec.shareProcessNamespace === true) {
    const why = "ShareProcessNamespace and HostPID cannot both be enabled";
    errors.push(invalid(`${path}.shareProcessNamespace`, true, why));
  }
  checkSysctls(errors, `${path}.sysctls`, context, spec);
  checkOptionalEnum(errors, `${path}.fsGroupChangePolicy`, context.fsGroupChangePolicy, ["Always", "OnRootMismatch"]);
  checkSeccomp(errors, `${path}.seccompProfile`, context.seccompProfile);
  checkWindowsOptions(errors, `${path}.windowsOptions`, context.windowsOptions);
  checkAppArmor(errors, `${path}.appArmorProfile`, context.appArmorProfile);
  checkOptionalEnum(errors, `${path}.supplementalGroupsPolicy`, context.supplementalGroupsPolicy, ["Merge", "Strict"]);
  checkOptionalEnum(errors, `${path}.seLinuxChangePolicy`, context.seLinuxChangePolicy, changePolicies);
}

function checkIds<Key extends string>(
  errors: Errors,
  path: string,
  context: { readonly [Field in Key]?: number | undefined },
  fields: readonly Key[],
): void {
  for (const field of fields) checkRange(errors, `${path}.${field}`, context[field], 0, maxId);
}

/** A pod with users of its own shares no namespace of the host. */
export function checkHostUsers(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  if (spec.hostUsers !== false) return;
  const why = "when `pod.Spec.HostUsers` is false";
  // Upstream's spelling.
  for (const [field, shown] of [
    ["hostNetwork", "hostNetwork"],
    ["hostPID", "HostPID"],
    ["hostIPC", "HostIPC"],
  ] as const) {
    if (spec[field] === true) errors.push(forbidden(`${path}.${shown}`, why));
  }
}

function checkSysctls(errors: Errors, path: string, context: Loose<PodSecurityContext>, spec: Loose<PodSpec>): void {
  const seen = new Set<string>();
  context.sysctls?.forEach(({ name = "" }, index) => {
    const at = `${path}[${index}].name`;
    if (name === "") errors.push(required(at));
    else if (name.length > sysctlMaxLength || !sysctl.test(name)) {
      const why = `must have at most ${sysctlMaxLength} characters and match regex ${sysctlSlashes}`;
      errors.push(invalid(at, name, why));
    } else if (seen.has(name)) errors.push(duplicate(at, name));
    seen.add(name);
    const dotted = name.replaceAll("/", ".");
    if (spec.hostNetwork === true && dotted.startsWith("net.")) {
      errors.push(invalid(at, name, "may not be specified when 'hostNetwork' is true"));
    } else if (spec.hostIPC === true && isIpcSysctl(dotted)) {
      errors.push(invalid(at, name, "may not be specified when 'hostIPC' is true"));
    }
  });
}

function isIpcSysctl(dotted: string): boolean {
  return dotted === "kernel.sem" || /^(kernel\.shm|kernel\.msg|fs\.mqueue\.)/.test(dotted);
}

export function checkContainerSecurity(
  errors: Errors,
  path: string,
  context: Loose<SecurityContext> | undefined,
  hostUsers: boolean,
): void {
  if (context === undefined) return;
  checkIds(errors, path, context, ["runAsUser", "runAsGroup"]);
  if (context.procMount !== undefined) {
    checkOptionalEnum(errors, `${path}.procMount`, context.procMount, ["Default", "Unmasked"]);
    if (context.procMount === "Unmasked" && hostUsers) {
      errors.push(invalid(`${path}.procMount`, context.procMount, "`hostUsers` must be false to use `Unmasked`"));
    }
  }
  checkSeccomp(errors, `${path}.seccompProfile`, context.seccompProfile);
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged === true) {
      errors.push(invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
    }
    if (context.capabilities?.add?.includes("CAP_SYS_ADMIN")) {
      const why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
      errors.push(invalid(path, context, why));
    }
  }
  checkWindowsOptions(errors, `${path}.windowsOptions`, context.windowsOptions);
  checkAppArmor(errors, `${path}.appArmorProfile`, context.appArmorProfile);
}

const profileTypes = ["Localhost", "RuntimeDefault", "Unconfined"];

function checkSeccomp(errors: Errors, path: string, profile: Loose<SeccompProfile> | undefined): void {
  if (profile === undefined) return;
  const { type = "", localhostProfile } = profile;
  const at = `${path}.localhostProfile`;
  if (type === "") errors.push(required(`${path}.type`, "type is required when seccompProfile is set"));
  else if (!profileTypes.includes(type)) errors.push(notSupported(`${path}.type`, type, profileTypes));
  if (type === "Localhost") {
    if (localhostProfile === undefined) errors.push(required(at, "must be set when seccomp type is Localhost"));
    else checkDescendingPath(errors, at, localhostProfile);
  } else if (localhostProfile !== undefined) {
    errors.push(invalid(at, profile, "can only be set when seccomp type is Localhost"));
  }
}

const maxAppArmorProfile = 4095;

function checkAppArmor(errors: Errors, path: string, profile: Loose<AppArmorProfile> | undefined): void {
  if (profile === undefined) return;
  const { type = "", localhostProfile } = profile;
  const at = `${path}.localhostProfile`;
  if (type === "") errors.push(required(`${path}.type`, "type is required when appArmorProfile is set"));
  else if (!profileTypes.includes(type)) errors.push(notSupported(`${path}.type`, type, profileTypes));
  else if (type !== "Localhost") {
    if (localhostProfile === undefined) return;
    errors.push(invalid(at, localhostProfile, "can only be set when AppArmor type is Localhost"));
  } else if (!localhostProfile) {
    errors.push(required(at, "must be set when AppArmor type is Localhost"));
  } else {
    if (localhostProfile.trim() !== localhostProfile) {
      errors.push(invalid(at, localhostProfile, "must not be padded with whitespace"));
    }
    if (localhostProfile.length > maxAppArmorProfile) errors.push(tooLong(at, maxAppArmorProfile));
  }
}
