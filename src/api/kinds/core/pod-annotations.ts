import { invalid } from "../../field-error.js";
import type { PodSpec } from "../../gen/types.js";
import type { Errors } from "../checks.js";
import { type Dictionary, entriesOf, type Loose, ownValue } from "../loose.js";
import { checkDescendingPath } from "./path-validation.js";

export const mirrorAnnotation = "kubernetes.io/config.mirror";
const deletionCostAnnotation = "controller.kubernetes.io/pod-deletion-cost";
export const appArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";
export const appArmorWarning = 'deprecated since v1.30; use the "appArmorProfile" field instead';
export const seccompPodAnnotation = "seccomp.security.alpha.kubernetes.io/pod";
export const seccompContainerPrefix = "container.seccomp.security.alpha.kubernetes.io/";

/** What some annotations of pods mean to upstream, and so must be. */
export function checkPodAnnotations(
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
  for (const [key, profile] of entriesOf(annotations)) {
    if (key === seccompPodAnnotation || key.startsWith(seccompContainerPrefix)) {
      checkSeccompProfile(errors, `${path}.${key}`, profile);
    }
  }
  for (const [key, profile] of entriesOf(annotations)) {
    if (key.startsWith(appArmorPrefix)) checkAppArmorProfile(errors, `${path}[${key}]`, key, profile, spec);
  }
}

function checkSeccompProfile(errors: Errors, path: string, profile: string): void {
  if (["runtime/default", "docker/default", "unconfined"].includes(profile)) return;
  if (profile.startsWith("localhost/")) checkDescendingPath(errors, path, profile.slice("localhost/".length));
  else errors.push(invalid(path, profile, "must be a valid seccomp profile"));
}

function checkAppArmorProfile(errors: Errors, path: string, key: string, profile: string, spec: Loose<PodSpec>): void {
  const name = key.slice(appArmorPrefix.length);
  const containers = [spec.initContainers, spec.containers, spec.ephemeralContainers].flatMap((list) => list ?? []);
  if (!containers.some((container) => container.name === name)) {
    errors.push(invalid(path, name, "container not found"));
  }
  if (["", "runtime/default", "unconfined"].includes(profile) || profile.startsWith("localhost/")) return;
  errors.push(invalid(path, profile, `invalid AppArmor profile name: ${JSON.stringify(profile)}`));
}

function isInt32(text: string): boolean {
  if (!/^-?(0|[1-9][0-9]{0,9})$/.test(text) || text === "-0") return false;
  return Number(text) >= -2147483648 && Number(text) <= 2147483647;
}
