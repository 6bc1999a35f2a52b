import type { Pod } from "../api/index.js";
import type { PodVerdict } from "./pod/pod-status.js";

/** What a kubelet of v1.36 lets any pod set: namespaced, and harmless to other pods and to the node. */
const safe: ReadonlySet<string> = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_wmem",
]);

/** In which namespace of the kernel a parameter is; those that are in none are the node's own. */
const namespaces: readonly (readonly [prefix: string, namespace: "ipc" | "net"])[] = [
  ["kernel.sem", "ipc"],
  ["kernel.shm", "ipc"],
  ["kernel.msg", "ipc"],
  ["fs.mqueue.", "ipc"],
  ["net.", "net"],
];

/**
 * Why the pod's kernel parameters may not be set here; `undefined`: they may. `allowedUnsafe` are names, or beginnings of names with
 * a `*`, of others that are allowed on this node.
 */
export function forbiddenSysctls({ spec }: Pod, allowedUnsafe: readonly string[] = []): PodVerdict | undefined {
  for (const sysctl of spec?.securityContext?.sysctls ?? []) {
    const name = canonicalSysctl(sysctl.name);
    const why = problem(name, spec?.hostNetwork === true, spec?.hostIPC === true, allowedUnsafe);
    if (why === undefined) continue;
    const message = `forbidden sysctl: ${JSON.stringify(name)} ${why}`;
    return { phase: "Failed", reason: "SysctlForbidden", message };
  }
  return undefined;
}

function problem(
  name: string,
  hostNetwork: boolean,
  hostIpc: boolean,
  allowedUnsafe: readonly string[],
): string | undefined {
  const allowed = allowedUnsafe.some((pattern) => {
    const text = canonicalSysctl(pattern);
    return text.endsWith("*") ? name.startsWith(text.slice(0, -1)) : name === text;
  });
  if (!allowed && !safe.has(name)) return "not allowlisted";
  const namespace = namespaces.find(([prefix]) => name.startsWith(prefix))?.[1];
  if (namespace === "net" && hostNetwork) return "not allowed with host net enabled";
  if (namespace === "ipc" && hostIpc) return "not allowed with host ipc enabled";
  return undefined;
}

/** `net/ipv4/tcp_rmem` and `net.ipv4.tcp_rmem` are the same; where the first separator is a slash, dots are parts of names. */
export function canonicalSysctl(name: string): string {
  const first = name.search(/[./]/);
  if (first < 0 || name[first] === ".") return name;
  return name.replace(/[./]/g, (separator) => (separator === "/" ? "." : "/"));
}
