import { forbidden } from "../../field-error.js";
import type { Container, PodSpec } from "../../gen/types.js";
import type { Errors } from "../checks.js";
import { type Dictionary, type Loose, ownValue } from "../loose.js";
import { appArmorPrefix, seccompContainerPrefix, seccompPodAnnotation } from "./pod-annotations.js";

interface Profile {
  readonly type?: string | undefined;
  readonly localhostProfile?: string | undefined;
}

const localhost = "localhost/";
/** What a profile's type is called in an annotation. */
const annotated: { readonly [Kind in "seccomp" | "apparmor"]: { readonly [type: string]: readonly string[] } } = {
  seccomp: { Unconfined: ["unconfined"], RuntimeDefault: ["runtime/default", "docker/default"] },
  apparmor: { Unconfined: ["unconfined"], RuntimeDefault: ["runtime/default"] },
};

/** Where a profile is said both by an annotation and by a field, both say the same. `path` leads to the spec. */
export function checkProfileAnnotations(
  errors: Errors,
  path: string,
  annotations: Dictionary | undefined,
  spec: Loose<PodSpec>,
): void {
  if (annotations === undefined) return;
  const { seccompProfile, appArmorProfile } = spec.securityContext ?? {};
  const seccompOfPod = ownValue(annotations, seccompPodAnnotation);
  checkMatch(errors, "seccomp", `${path}.securityContext.seccompProfile`, seccompOfPod, seccompProfile);
  for (const list of ["initContainers", "containers", "ephemeralContainers"] as const) {
    spec[list]?.forEach((container: Loose<Container>, index) => {
      const { name = "", securityContext } = container;
      const at = `${path}.${list}[${index}].securityContext`;
      const seccomp = ownValue(annotations, seccompContainerPrefix + name);
      checkMatch(errors, "seccomp", `${at}.seccompProfile`, seccomp, securityContext?.seccompProfile);
    });
  }
  if (spec.os?.name === "windows") return;
  for (const list of ["initContainers", "containers", "ephemeralContainers"] as const) {
    spec[list]?.forEach((container: Loose<Container>, index) => {
      const { name = "", securityContext } = container;
      const at = `${path}.${list}[${index}].securityContext`;
      const appArmor = ownValue(annotations, appArmorPrefix + name);
      const profile = securityContext?.appArmorProfile ?? appArmorProfile;
      checkMatch(errors, "apparmor", `${at}.appArmorProfile`, appArmor, profile);
    });
  }
}

function checkMatch(
  errors: Errors,
  kind: keyof typeof annotated,
  path: string,
  annotation: string | undefined,
  profile: Profile | undefined,
): void {
  if (annotation === undefined || profile === undefined) return;
  const { type = "", localhostProfile } = profile;
  const names = annotated[kind][type];
  const matches = type === "Localhost" ? annotation.startsWith(localhost) : names?.includes(annotation) !== false;
  if (!matches) {
    errors.push(forbidden(`${path}.type`, `${kind} type in annotation and field must match`));
  } else if (type === "Localhost" && annotation.slice(localhost.length) !== localhostProfile) {
    errors.push(forbidden(`${path}.localhostProfile`, `${kind} profile in annotation and field must match`));
  }
}
