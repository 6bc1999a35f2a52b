import type { Pod, PodSecurityContext } from "../../api/index.js";
import type { ResolvConf } from "../../internal/resolv-conf.js";
import type { NamespaceOptions, PodSandboxConfig, PortMapping, SecurityProfile } from "../../runtime/index.js";
import { canonicalSysctl } from "../sysctls.js";
import { containersOf, specOf } from "./containers.js";
import { podDns } from "./dns-config.js";
import { qosOf } from "./qos.js";
import { runtimeLabels } from "./runtime-state.js";

export interface NetworkFacts {
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** What the node's resolver is told, read anew at each call; undefined on a node that keeps nothing on disk. */
  readonly hostDns: () => ResolvConf | undefined;
}

export interface SandboxConfigOptions {
  readonly attempt: number;
  /** Below it each pod has its folder of logs; undefined: no logs. */
  readonly logRoot?: string | undefined;
  readonly network: NetworkFacts;
  /** The parent of all pods' control groups; undefined: the runtime decides. */
  readonly cgroupRoot?: string | undefined;
}

export function sandboxConfig(pod: Pod, options: SandboxConfigOptions): PodSandboxConfig {
  const { name, namespace = "", uid, labels, annotations } = pod.metadata;
  const spec = specOf(pod);
  const { cgroupRoot, logRoot } = options;
  return {
    metadata: { name, namespace, uid, attempt: options.attempt },
    hostname: spec.hostNetwork ? "" : hostnameOf(pod, options.network.clusterDomain),
    logDirectory: logRoot === undefined ? undefined : podLogDir(logRoot, pod),
    dns: podDns(pod, { ...options.network, hostDns: options.network.hostDns() }).config,
    portMappings: spec.hostNetwork ? [] : portMappingsOf(pod),
    labels: {
      ...labels,
      [runtimeLabels.podName]: name,
      [runtimeLabels.podNamespace]: namespace,
      [runtimeLabels.podUid]: uid,
    },
    annotations: annotations ?? {},
    cgroupParent: cgroupRoot === undefined ? undefined : cgroupOf(pod, cgroupRoot),
    sysctls: Object.fromEntries(
      (spec.securityContext?.sysctls ?? []).map(({ name: key, value }) => [canonicalSysctl(key), value]),
    ),
    security: {
      namespaces: namespacesOf(pod),
      runAsUser: spec.securityContext?.runAsUser,
      runAsGroup: spec.securityContext?.runAsGroup,
      supplementalGroups: groupsOf(spec.securityContext),
      supplementalGroupsPolicy: groupsPolicyOf(spec.securityContext),
      privileged: containersOf(pod).some(({ container }) => container.securityContext?.privileged === true),
      seccomp: profileOf(spec.securityContext?.seccompProfile),
    },
  };
}

/** The folder of a pod's logs, named as upstream's is. */
export function podLogDir(logRoot: string, { metadata }: Pod): string {
  return `${logRoot}/${metadata.namespace}_${metadata.name}_${metadata.uid}`;
}

/** The pod's control group, as upstream names it. */
export function cgroupOf(pod: Pod, root: string): string {
  const qos = qosOf(pod);
  return `${root}${qos === "Guaranteed" ? "" : `/${qos.toLowerCase()}`}/pod${pod.metadata.uid}`;
}

/** The kernel's. */
const maxHostname = 64;

/** Throws when it is to be the full name and that is too long. */
export function hostnameOf(pod: Pod, clusterDomain: string): string {
  const { hostname, hostnameOverride, subdomain, setHostnameAsFQDN } = specOf(pod);
  if (hostnameOverride) return hostnameOverride;
  const short = (hostname || pod.metadata.name).slice(0, 63).replace(/[.-]+$/, "");
  if (!setHostnameAsFQDN || !subdomain) return short;
  const full = `${short}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}`;
  if (full.length <= maxHostname) return full;
  const why = `FQDN ${full} is too long (${maxHostname} characters is the max, ${full.length} characters requested)`;
  throw new Error(`failed to construct FQDN from pod hostname and cluster domain, ${why}`);
}

export function namespacesOf(pod: Pod): NamespaceOptions {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = specOf(pod);
  return {
    network: hostNetwork ? "node" : "pod",
    pid: hostPID ? "node" : shareProcessNamespace ? "pod" : "container",
    ipc: hostIPC ? "node" : "pod",
  };
}

export function groupsOf(context: PodSecurityContext | undefined): readonly number[] {
  const groups = [...(context?.supplementalGroups ?? [])];
  if (context?.fsGroup !== undefined) groups.push(context.fsGroup);
  return groups;
}

export function groupsPolicyOf(context: PodSecurityContext | undefined): "Strict" | undefined {
  return context?.supplementalGroupsPolicy === "Strict" ? "Strict" : undefined;
}

/** A profile of seccomp or AppArmor. */
export function profileOf(
  profile: { readonly type: string; readonly localhostProfile?: string } | undefined,
): SecurityProfile | undefined {
  if (profile === undefined) return undefined;
  if (profile.type === "RuntimeDefault" || profile.type === "Unconfined") return { type: profile.type };
  return profile.type === "Localhost" ? { type: "Localhost", localhostRef: profile.localhostProfile } : undefined;
}

function portMappingsOf(pod: Pod): PortMapping[] {
  const mappings: PortMapping[] = [];
  for (const { container } of containersOf(pod)) {
    for (const { hostPort, hostIP, containerPort, protocol } of container.ports ?? []) {
      if (!hostPort) continue;
      const known = protocol === "UDP" || protocol === "SCTP" ? protocol : "TCP";
      mappings.push({ protocol: known, containerPort, hostPort, hostIp: hostIP });
    }
  }
  return mappings;
}
