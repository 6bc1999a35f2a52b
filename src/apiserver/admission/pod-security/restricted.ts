import { baselineChecks, isConfined, seccompProfile } from "./baseline.js";
import {
  type AnyContainer,
  type Check,
  containers,
  containersOf,
  isWindows,
  namesWhere,
  plural,
  quoted,
  type Subject,
  setters,
  sorted,
  type Violation,
} from "./check.js";
import type { LevelVersion } from "./policy.js";

const allowedVolumes: ReadonlySet<string> = new Set([
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
]);

const allowPrivilegeEscalation: Check = (subject, minor) => {
  if (minor < 8 || isWindows(subject, minor)) return undefined;
  const bad = namesWhere(subject, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (bad.length === 0) return undefined;
  const detail = `${containers(bad)} must set securityContext.allowPrivilegeEscalation=false`;
  return { reason: "allowPrivilegeEscalation != false", detail };
};

const capabilities: Check = (subject, minor) => {
  if (minor < 22 || isWindows(subject, minor)) return undefined;
  const addedBy = ({ securityContext }: AnyContainer): readonly string[] =>
    (securityContext?.capabilities?.add ?? []).filter((name) => name !== "NET_BIND_SERVICE");
  const keeping = namesWhere(
    subject,
    ({ securityContext }) => !(securityContext?.capabilities?.drop ?? []).includes("ALL"),
  );
  const adding = namesWhere(subject, (container) => addedBy(container).length > 0);
  const details: string[] = [];
  if (keeping.length > 0) details.push(`${containers(keeping)} must set securityContext.capabilities.drop=["ALL"]`);
  if (adding.length > 0) {
    const names = quoted(sorted(containersOf(subject).flatMap(addedBy)));
    details.push(`${containers(adding)} must not include ${names} in securityContext.capabilities.add`);
  }
  return details.length === 0 ? undefined : { reason: "unrestricted capabilities", detail: details.join("; ") };
};

const restrictedVolumes: Check = ({ spec }) => {
  const bad: string[] = [];
  const types = new Set<string>();
  for (const { name, ...source } of spec.volumes ?? []) {
    const [type = "unknown"] = Object.keys(source);
    if (allowedVolumes.has(type)) continue;
    bad.push(name);
    types.add(type);
  }
  if (bad.length === 0) return undefined;
  const who = `${plural(bad.length, "volume", "volumes")} ${quoted(bad)} ${plural(bad.length, "uses", "use")}`;
  const detail = `${who} restricted volume ${plural(types.size, "type", "types")} ${quoted(sorted(types))}`;
  return { reason: "restricted volume types", detail };
};

const runAsNonRoot: Check = (subject) => {
  const pod = subject.spec.securityContext?.runAsNonRoot;
  const explicit = namesWhere(subject, ({ securityContext }) => securityContext?.runAsNonRoot === false);
  // Containers that say so themselves make good what the pod says.
  const implicit = namesWhere(subject, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  const bad = setters(pod === false, explicit);
  const reason = "runAsNonRoot != true";
  if (bad.length > 0) return { reason, detail: `${bad.join(" and ")} must not set securityContext.runAsNonRoot=false` };
  if (pod === true || implicit.length === 0) return undefined;
  return { reason, detail: `pod or ${containers(implicit)} must set securityContext.runAsNonRoot=true` };
};

const runAsUser: Check = (subject, minor) => {
  if (minor < 23) return undefined;
  const bad = setters(
    subject.spec.securityContext?.runAsUser === 0,
    namesWhere(subject, ({ securityContext }) => securityContext?.runAsUser === 0),
  );
  return bad.length === 0
    ? undefined
    : { reason: "runAsUser=0", detail: `${bad.join(" and ")} must not set runAsUser=0` };
};

const seccompRestricted: Check = (subject, minor) => {
  if (minor < 19 || isWindows(subject, minor)) return undefined;
  const explicit = seccompProfile(subject, minor);
  if (explicit !== undefined) return explicit;
  if (isConfined(subject.spec.securityContext?.seccompProfile?.type)) return undefined;
  const bad = namesWhere(subject, ({ securityContext }) => securityContext?.seccompProfile?.type === undefined);
  if (bad.length === 0) return undefined;
  const detail = `pod or ${containers(bad)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`;
  return { reason: "seccompProfile", detail };
};

const restrictedChecks: readonly (readonly [check: Check, since: number, replaces?: string])[] = [
  [allowPrivilegeEscalation, 8],
  [capabilities, 22, "capabilities_baseline"],
  [restrictedVolumes, 0, "hostPathVolumes"],
  [runAsNonRoot, 0],
  [runAsUser, 23],
  [seccompRestricted, 19, "seccompProfile_baseline"],
];

/** What a standard finds wrong with a pod, in upstream's order; nothing: it is fine. */
export function violations(subject: Subject, { level, minor }: LevelVersion): readonly Violation[] {
  if (level === "privileged") return [];
  const extra = level === "restricted" ? restrictedChecks.filter(([, since]) => minor >= since) : [];
  const replaced = new Set(extra.map(([, , replaces]) => replaces));
  const found: Violation[] = [];
  const apply = (check: Check): void => {
    const violation = check(subject, minor);
    if (violation !== undefined) found.push(violation);
  };
  for (const [name, check] of baselineChecks) if (!replaced.has(name)) apply(check);
  for (const [check] of extra) apply(check);
  return found;
}
