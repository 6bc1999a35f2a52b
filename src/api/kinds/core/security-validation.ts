import { duplicate, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext } from "../../gen/types.js";
import { checkOptionalEnum, checkRange, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";
import { checkDescendingPath } from "./volume-validation.js";

const maxId = 2147483647;
const sysctlMaxLength = 253;
const sysctlSegment = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const sysctlSlashes = `^(${sysctlSegment}[\\./])*${sysctlSegment}$`;
const sysctl = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;

export function checkPodSecurity(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  const context = spec.securityContext;
  if (spec.hostPID === true && spec.shareProcessNamespace === true) {
    const at = `${path}.securityContext.shareProcessNamespace`;
    errors.push(invalid(at, true, "ShareProcessNamespace and HostPID cannot both be enabled"));
  }
  if (spec.hostUsers === false) {
    const why = "when `pod.Spec.HostUsers` is false";
    for (const field of ["hostNetwork", "hostPID", "hostIPC"] as const) {
      if (spec[field] === true) errors.push(forbidden(`${path}.${field}`, why));
    }
  }
  if (context !== undefined) checkPodContext(errors, `${path}.securityContext`, context, spec);
}

function checkPodContext(errors: Errors, path: string, context: Loose<PodSecurityContext>, spec: Loose<PodSpec>): void {
  for (const field of ["runAsUser", "runAsGroup", "fsGroup"] as const) {
    checkRange(errors, `${path}.${field}`, context[field], 0, maxId);
  }
  context.supplementalGroups?.forEach((id, index) => {
    checkRange(errors, `${path}.supplementalGroups[${index}]`, id, 0, maxId);
  });
  checkOptionalEnum(errors, `${path}.fsGroupChangePolicy`, context.fsGroupChangePolicy, ["Always", "OnRootMismatch"]);
  checkOptionalEnum(errors, `${path}.supplementalGroupsPolicy`, context.supplementalGroupsPolicy, ["Merge", "Strict"]);
  checkOptionalEnum(errors, `${path}.seLinuxChangePolicy`, context.seLinuxChangePolicy, ["MountOption", "Recursive"]);
  checkSysctls(errors, `${path}.sysctls`, context, spec);
  checkSeccomp(errors, `${path}.seccompProfile`, context.seccompProfile);
  checkAppArmor(errors, `${path}.appArmorProfile`, context.appArmorProfile);
}

function checkSysctls(errors: Errors, path: string, context: Loose<PodSecurityContext>, spec: Loose<PodSpec>): void {
  const seen = new Set<string>();
  context.sysctls?.forEach(({ name = "" }, index) => {
    const at = `${path}[${index}].name`;
    if (name === "") errors.push(required(at));
    else if (name.length > sysctlMaxLength || !sysctl.test(name)) {
      const why = `must have at most ${sysctlMaxLength} characters and match regex ${sysctlSlashes}`;
      errors.push(invalid(at, name, why));
    }
    const dotted = name.replaceAll("/", ".");
    if (seen.has(dotted)) errors.push(duplicate(at, name));
    seen.add(dotted);
    if (spec.hostNetwork === true && dotted.startsWith("net.")) {
      errors.push(invalid(at, name, "may not be specified when 'hostNetwork' is true"));
    }
    const ipc = dotted.startsWith("kernel.shm") || dotted.startsWith("kernel.msg") || dotted.startsWith("fs.mqueue.");
    if (spec.hostIPC === true && (ipc || dotted === "kernel.sem")) {
      errors.push(invalid(at, name, "may not be specified when 'hostIPC' is true"));
    }
  });
}

export function checkContainerSecurity(
  errors: Errors,
  path: string,
  context: Loose<SecurityContext> | undefined,
  hostUsers: boolean,
): void {
  if (context === undefined) return;
  for (const field of ["runAsUser", "runAsGroup"] as const)
    checkRange(errors, `${path}.${field}`, context[field], 0, maxId);
  if (context.procMount !== undefined) {
    checkOptionalEnum(errors, `${path}.procMount`, context.procMount, ["Default", "Unmasked"]);
    if (context.procMount === "Unmasked" && hostUsers) {
      errors.push(invalid(`${path}.procMount`, context.procMount, "`hostUsers` must be false to use `Unmasked`"));
    }
  }
  checkSeccomp(errors, `${path}.seccompProfile`, context.seccompProfile);
  checkAppArmor(errors, `${path}.appArmorProfile`, context.appArmorProfile);
  if (context.allowPrivilegeEscalation !== false) return;
  if (context.privileged === true) {
    errors.push(invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"));
  }
  if (context.capabilities?.add?.includes("CAP_SYS_ADMIN")) {
    const why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
    errors.push(invalid(path, context, why));
  }
}

function checkSeccomp(errors: Errors, path: string, profile: Loose<SeccompProfile> | undefined): void {
  if (profile === undefined) return;
  const types = ["Localhost", "RuntimeDefault", "Unconfined"];
  const file = profile.localhostProfile;
  if (profile.type === "Localhost") {
    if (!file) errors.push(required(`${path}.localhostProfile`, "must be set when seccomp type is Localhost"));
    else checkDescendingPath(errors, `${path}.localhostProfile`, file);
    return;
  }
  if (file !== undefined) {
    errors.push(invalid(`${path}.localhostProfile`, file, "can only be set when seccomp type is Localhost"));
  }
  if (!profile.type) errors.push(required(`${path}.type`, "type is required when seccompProfile is set"));
  else if (!types.includes(profile.type)) errors.push(notSupported(`${path}.type`, profile.type, types));
}

function checkAppArmor(errors: Errors, path: string, profile: Loose<AppArmorProfile> | undefined): void {
  if (profile === undefined) return;
  const types = ["Localhost", "RuntimeDefault", "Unconfined"];
  const name = profile.localhostProfile;
  if (profile.type === "Localhost") {
    const at = `${path}.localhostProfile`;
    if (name === undefined) errors.push(required(at, "must be set when AppArmor type is Localhost"));
    else if (name.trim() !== name) errors.push(invalid(at, name, "must not be padded with whitespace"));
    else if (name === "") errors.push(required(at, "must be set when AppArmor type is Localhost"));
    else if (name.length > 4095) {
      errors.push({ path: at, reason: "FieldValueTooLong", message: "Too long: may not be more than 4095 bytes" });
    }
    return;
  }
  if (name !== undefined) {
    errors.push(invalid(`${path}.localhostProfile`, name, "can only be set when AppArmor type is Localhost"));
  }
  if (!profile.type) errors.push(required(`${path}.type`, "type is required when appArmorProfile is set"));
  else if (!types.includes(profile.type)) errors.push(notSupported(`${path}.type`, profile.type, types));
}
