import { forbidden, invalid } from "../../field-error.js";
import type { Container, PodSpec, SecurityContext, WindowsSecurityContextOptions } from "../../gen/types.js";
import { checkSubdomain, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";

const maxSpecKib = 64;
const maxDomain = 256;
const maxUser = 104;
const netBios = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const domainLabel = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;

export function checkWindowsOptions(
  errors: Errors,
  path: string,
  options: Loose<WindowsSecurityContextOptions> | undefined,
): void {
  if (options === undefined) return;
  const { gmsaCredentialSpecName, gmsaCredentialSpec, runAsUserName } = options;
  if (gmsaCredentialSpecName !== undefined) {
    checkSubdomain(errors, `${path}.gmsaCredentialSpecName`, gmsaCredentialSpecName);
  }
  if (gmsaCredentialSpec === "") {
    errors.push(invalid(`${path}.gmsaCredentialSpec`, "", "gmsaCredentialSpec cannot be an empty string"));
  } else if (Buffer.byteLength(gmsaCredentialSpec ?? "") > maxSpecKib * 1024) {
    const why = `gmsaCredentialSpec size must be under ${maxSpecKib} KiB`;
    errors.push(invalid(`${path}.gmsaCredentialSpec`, gmsaCredentialSpec, why));
  }
  if (runAsUserName === undefined) return;
  for (const message of userNameErrors(runAsUserName)) {
    errors.push(invalid(`${path}.runAsUserName`, runAsUserName, message));
  }
}

/** `DOMAIN\\USER`, where the domain may be left out. */
function userNameErrors(name: string): readonly string[] {
  if (name === "") return ["runAsUserName cannot be an empty string"];
  if (/\p{Cc}/u.test(name)) return ["runAsUserName cannot contain control characters"];
  const parts = name.split("\\");
  if (parts.length > 2) return ["runAsUserName cannot contain more than one backslash"];
  const user = parts.at(-1) ?? "";
  const domain = parts.length === 2 ? (parts[0] ?? "") : undefined;
  const errors: string[] = [];
  if ((domain?.length ?? 0) >= maxDomain) {
    errors.push(`runAsUserName's Domain length must be under ${maxDomain} characters`);
  }
  if (domain !== undefined && !netBios.test(domain) && !domain.split(".").every((label) => domainLabel.test(label))) {
    errors.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
  }
  if (user === "") errors.push("runAsUserName's User cannot be empty");
  else if (user.length > maxUser) {
    errors.push(`runAsUserName's User length must not be longer than ${maxUser} characters`);
  }
  if (/^[. ]+$/.test(user)) errors.push("runAsUserName's User cannot contain only periods or spaces");
  if (/["/\\:;|=,+*?<>@[\]]/.test(user)) {
    errors.push(`runAsUserName's User cannot contain the following characters: "/\\:;|=,+*?<>@[]`);
  }
  return errors;
}

interface Placed {
  readonly path: string;
  readonly security: Loose<SecurityContext> | undefined;
}

/** All containers of a pod, as upstream visits them. */
function allContainers(path: string, spec: Loose<PodSpec>): readonly Placed[] {
  return (["initContainers", "containers", "ephemeralContainers"] as const).flatMap((kind) =>
    (spec[kind] ?? []).map((container: Loose<Container>, index) => ({
      path: `${path}.${kind}[${index}].securityContext`,
      security: container.securityContext,
    })),
  );
}

/** All containers are processes of the host, or none is. */
export function checkHostProcess(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess;
  const containers = allContainers(path, spec);
  let processes = 0;
  for (const { path: at, security } of containers) {
    const own = security?.windowsOptions?.hostProcess;
    if (ofPod !== undefined && own !== undefined && ofPod !== own) {
      const why = `pod hostProcess value must be identical if both are specified, was ${ofPod}`;
      errors.push(invalid(`${at}.windowsOptions.hostProcess`, own, why));
    }
    if (own ?? ofPod) processes++;
  }
  if (processes === 0) return;
  if (processes !== containers.length) {
    const why = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
    errors.push(invalid(path, "", why));
  }
  if (spec.hostNetwork === true) return;
  const why = "hostNetwork must be true if pod contains any hostProcess containers";
  errors.push(invalid(`${path}.hostNetwork`, false, why));
}

/** What only the other operating system has. */
export function checkOperatingSystem(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  if (spec.os?.name === "linux") {
    const why = "windows options cannot be set for a linux pod";
    for (const { path: at, security } of [ofPod(path, spec), ...allContainers(path, spec)]) {
      if (security?.windowsOptions !== undefined) errors.push(forbidden(`${at}.windowsOptions`, why));
    }
  }
  if (spec.os?.name === "windows") checkWindowsPod(errors, path, spec);
}

function ofPod(path: string, spec: Loose<PodSpec>): Placed {
  return { path: `${path}.securityContext`, security: spec.securityContext };
}

/** In upstream's order; what is in the spec itself has the spec's path. */
const linuxPodFields = [
  "securityContext.appArmorProfile",
  "securityContext.seLinuxOptions",
  "hostUsers",
  "hostPID",
  "hostIPC",
  "securityContext.seccompProfile",
  "securityContext.fsGroup",
  "securityContext.fsGroupChangePolicy",
  "securityContext.sysctls",
  "shareProcessNamespace",
  "securityContext.runAsUser",
  "securityContext.runAsGroup",
  "securityContext.supplementalGroups",
  "securityContext.supplementalGroupsPolicy",
  "securityContext.seLinuxChangePolicy",
];
const linuxContainerFields = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "capabilities",
  "readOnlyRootFilesystem",
  "privileged",
  "allowPrivilegeEscalation",
  "procMount",
  "runAsUser",
  "runAsGroup",
] as const;
const notForWindows = "cannot be set for a windows pod";

function checkWindowsPod(errors: Errors, path: string, spec: Loose<PodSpec>): void {
  for (const field of linuxPodFields) {
    const [name = "", inner] = field.split(".");
    const outer: unknown = Reflect.get(spec, name);
    const value: unknown = inner === undefined ? outer : Reflect.get(spec.securityContext ?? {}, inner);
    const unset = value === undefined || (value === false && name.startsWith("host") && name !== "hostUsers");
    if (!unset && !(Array.isArray(value) && value.length === 0))
      errors.push(forbidden(`${path}.${field}`, notForWindows));
  }
  for (const { path: at, security } of allContainers(path, spec)) {
    for (const field of linuxContainerFields) {
      if (security?.[field] !== undefined) errors.push(forbidden(`${at}.${field}`, notForWindows));
    }
  }
}
