import {
  type AnyContainer,
  type Check,
  containers,
  containersOf,
  namesWhere,
  plural,
  quoted,
  setters,
  sorted,
} from "./check.js";

export const defaultCapabilities: ReadonlySet<string> = new Set([
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
]);

/** Since which minor version they count as safe. */
const safeSysctls: ReadonlyMap<string, number> = new Map([
  ["kernel.shm_rmid_forced", 0],
  ["net.ipv4.ip_local_port_range", 0],
  ["net.ipv4.tcp_syncookies", 0],
  ["net.ipv4.ping_group_range", 0],
  ["net.ipv4.ip_unprivileged_port_start", 0],
  ["net.ipv4.ip_local_reserved_ports", 27],
  ["net.ipv4.tcp_keepalive_time", 29],
  ["net.ipv4.tcp_fin_timeout", 29],
  ["net.ipv4.tcp_keepalive_intvl", 29],
  ["net.ipv4.tcp_keepalive_probes", 29],
  ["net.ipv4.tcp_rmem", 32],
  ["net.ipv4.tcp_wmem", 32],
]);

const safeSelinuxTypes: ReadonlyMap<string, number> = new Map([
  ["", 0],
  ["container_t", 0],
  ["container_init_t", 0],
  ["container_kvm_t", 0],
  ["container_engine_t", 31],
]);

function isSafe(since: ReadonlyMap<string, number>, value: string, minor: number): boolean {
  return minor >= (since.get(value) ?? Number.NaN);
}

const appArmorPrefix = "container.apparmor.security.beta.kubernetes.io/";

const appArmorProfile: Check = (subject) => {
  const bad: string[] = [];
  const forbids = (type: string | undefined): type is string =>
    type !== undefined && type !== "RuntimeDefault" && type !== "Localhost";
  const own = subject.spec.securityContext?.appArmorProfile?.type;
  if (forbids(own)) bad.push(`pod must not set AppArmor profile type to ${JSON.stringify(own)}`);
  const byType = new Map<string, string[]>();
  for (const { name, securityContext } of containersOf(subject)) {
    const type = securityContext?.appArmorProfile?.type;
    if (forbids(type)) byType.set(type, [...(byType.get(type) ?? []), name]);
  }
  for (const [type, names] of byType)
    bad.push(`${containers(names)} must not set AppArmor profile type to ${JSON.stringify(type)}`);
  const annotations: string[] = [];
  for (const [name, value] of Object.entries(subject.annotations)) {
    if (!name.startsWith(appArmorPrefix) || ["", "runtime/default"].includes(value)) continue;
    if (!value.startsWith("localhost/")) annotations.push(`${name}=${JSON.stringify(value)}`);
  }
  if (annotations.length > 0) {
    annotations.sort();
    bad.push(`${plural(annotations.length, "annotation", "annotations")} ${annotations.join(", ")}`);
  }
  if (bad.length === 0) return undefined;
  return {
    reason: plural(bad.length, "forbidden AppArmor profile", "forbidden AppArmor profiles"),
    detail: bad.join(", "),
  };
};

const capabilities: Check = (subject) => {
  const foreign = ({ securityContext }: AnyContainer): readonly string[] =>
    (securityContext?.capabilities?.add ?? []).filter((name) => !defaultCapabilities.has(name));
  const bad = namesWhere(subject, (container) => foreign(container).length > 0);
  if (bad.length === 0) return undefined;
  const names = quoted(sorted(containersOf(subject).flatMap(foreign)));
  const detail = `${containers(bad)} must not include ${names} in securityContext.capabilities.add`;
  return { reason: "non-default capabilities", detail };
};

const hostNamespaces: Check = ({ spec }) => {
  const shared = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((field) => spec[field] === true);
  if (shared.length === 0) return undefined;
  return { reason: "host namespaces", detail: shared.map((field) => `${field}=true`).join(", ") };
};

const hostPathVolumes: Check = ({ spec }) => {
  const bad = (spec.volumes ?? []).filter(({ hostPath }) => hostPath !== undefined).map(({ name }) => name);
  if (bad.length === 0) return undefined;
  return { reason: "hostPath volumes", detail: `${plural(bad.length, "volume", "volumes")} ${quoted(bad)}` };
};

const hostPorts: Check = (subject) => {
  const portsOf = ({ ports }: AnyContainer): readonly number[] =>
    (ports ?? []).flatMap(({ hostPort }) => (hostPort === undefined || hostPort === 0 ? [] : [hostPort]));
  const bad = namesWhere(subject, (container) => portsOf(container).length > 0);
  if (bad.length === 0) return undefined;
  const used = sorted(containersOf(subject).flatMap(portsOf).map(String));
  const verb = plural(bad.length, "uses", "use");
  const what = plural(used.length, "hostPort", "hostPorts");
  return { reason: "hostPort", detail: `${containers(bad)} ${verb} ${what} ${used.join(", ")}` };
};

const hostProbes: Check = (subject, minor) => {
  if (minor < 34) return undefined;
  const hostsOf = ({ livenessProbe, readinessProbe, startupProbe, lifecycle }: AnyContainer): readonly string[] =>
    [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop].flatMap((handler) =>
      [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((host) => host !== undefined && host !== ""),
    ) as string[];
  const bad = namesWhere(subject, (container) => hostsOf(container).length > 0);
  if (bad.length === 0) return undefined;
  const hosts = sorted(containersOf(subject).flatMap(hostsOf));
  const what = plural(hosts.length, "probe or lifecycle host", "probe or lifecycle hosts");
  const detail = `${containers(bad)} ${plural(bad.length, "uses", "use")} ${what} ${quoted(hosts)}`;
  return { reason: "probe or lifecycle host", detail };
};

const privileged: Check = (subject) => {
  const bad = namesWhere(subject, ({ securityContext }) => securityContext?.privileged === true);
  if (bad.length === 0) return undefined;
  return { reason: "privileged", detail: `${containers(bad)} must not set securityContext.privileged=true` };
};

const procMount: Check = (subject) => {
  const typeOf = ({ securityContext }: AnyContainer): string => securityContext?.procMount ?? "Default";
  const bad = namesWhere(subject, (container) => typeOf(container) !== "Default");
  if (bad.length === 0) return undefined;
  const types = sorted(containersOf(subject).map(typeOf)).filter((type) => type !== "Default");
  return {
    reason: "procMount",
    detail: `${containers(bad)} must not set securityContext.procMount to ${quoted(types)}`,
  };
};

const seLinuxOptions: Check = (subject, minor) => {
  type Options = NonNullable<AnyContainer["securityContext"]>["seLinuxOptions"];
  const forbids = (type: string): boolean => !isSafe(safeSelinuxTypes, type, minor);
  const isBad = (options: Options): boolean =>
    options !== undefined && (forbids(options.type ?? "") || Boolean(options.user) || Boolean(options.role));
  const pod = subject.spec.securityContext?.seLinuxOptions;
  const bad = setters(
    isBad(pod),
    namesWhere(subject, ({ securityContext }) => isBad(securityContext?.seLinuxOptions)),
  );
  if (bad.length === 0) return undefined;
  const all = [pod, ...containersOf(subject).map(({ securityContext }) => securityContext?.seLinuxOptions)];
  const types = sorted(all.map((options) => options?.type ?? "").filter(forbids));
  const data = [
    ...(types.length === 0 ? [] : [`${plural(types.length, "type", "types")} ${quoted(types)}`]),
    ...(all.some((options) => options?.user) ? ["user may not be set"] : []),
    ...(all.some((options) => options?.role) ? ["role may not be set"] : []),
  ];
  const detail = `${bad.join(" and ")} set forbidden securityContext.seLinuxOptions: ${data.join("; ")}`;
  return { reason: "seLinuxOptions", detail };
};

/** Confined profiles of seccomp. */
export function isConfined(type: string | undefined): boolean {
  return type === "RuntimeDefault" || type === "Localhost";
}

export const seccompProfile: Check = (subject, minor) => {
  if (minor < 19) return undefined;
  const isBad = (type: string | undefined): type is string => type !== undefined && !isConfined(type);
  const typeOf = ({ securityContext }: AnyContainer): string | undefined => securityContext?.seccompProfile?.type;
  const pod = subject.spec.securityContext?.seccompProfile?.type;
  const bad = setters(
    isBad(pod),
    namesWhere(subject, (container) => isBad(typeOf(container))),
  );
  if (bad.length === 0) return undefined;
  const types = sorted([pod, ...containersOf(subject).map(typeOf)].filter(isBad));
  const detail = `${bad.join(" and ")} must not set securityContext.seccompProfile.type to ${quoted(types)}`;
  return { reason: "seccompProfile", detail };
};

const sysctls: Check = ({ spec }, minor) => {
  const bad = (spec.securityContext?.sysctls ?? [])
    .map(({ name }) => name)
    .filter((name) => !isSafe(safeSysctls, name, minor));
  return bad.length === 0 ? undefined : { reason: "forbidden sysctls", detail: bad.join(", ") };
};

const windowsHostProcess: Check = (subject) => {
  const bad = setters(
    subject.spec.securityContext?.windowsOptions?.hostProcess === true,
    namesWhere(subject, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true),
  );
  if (bad.length === 0) return undefined;
  const detail = `${bad.join(" and ")} must not set securityContext.windowsOptions.hostProcess=true`;
  return { reason: "hostProcess", detail };
};

/** In upstream's order, under upstream's names. */
export const baselineChecks: ReadonlyMap<string, Check> = new Map([
  ["appArmorProfile", appArmorProfile],
  ["capabilities_baseline", capabilities],
  ["hostNamespaces", hostNamespaces],
  ["hostPathVolumes", hostPathVolumes],
  ["hostPorts", hostPorts],
  ["hostProbesAndHostLifecycle", hostProbes],
  ["privileged", privileged],
  ["procMount", procMount],
  ["seLinuxOptions", seLinuxOptions],
  ["seccompProfile_baseline", seccompProfile],
  ["sysctls", sysctls],
  ["windowsHostProcess", windowsHostProcess],
]);
