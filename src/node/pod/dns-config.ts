import type { Pod } from "../../api/index.js";
import type { ResolvConf } from "../../internal/resolv-conf.js";
import type { DnsConfig } from "../../runtime/index.js";
import { specOf } from "./containers.js";

export interface DnsFacts {
  /** Name servers of the cluster. */
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** What the node's own resolver is told. Absent: not known, and left to the runtime. */
  readonly hostDns?: ResolvConf | undefined;
}

export interface PodDns {
  /** Absent: the runtime's default, which is the node's own. */
  readonly config?: DnsConfig | undefined;
  /** What the pod's owner should know, by reason of its event. */
  readonly warnings: readonly { readonly reason: string; readonly message: string }[];
}

// The limits of pod validation, which resolvers of the older kind have too.
const maxServers = 3;
const maxSearches = 32;
const maxSearchLength = 2048;
const maxNameLength = 253;

/** What goes into a pod's resolv.conf, and what had to be left out: dnsPolicy and dnsConfig, put together as upstream's kubelet does. */
export function podDns(pod: Pod, facts: DnsFacts): PodDns {
  const { dnsPolicy = "ClusterFirst", dnsConfig, hostNetwork } = specOf(pod);
  const { clusterDns, hostDns } = facts;
  const cluster = dnsPolicy === "ClusterFirstWithHostNet" || (dnsPolicy === "ClusterFirst" && !hostNetwork);
  const missing = cluster && clusterDns.length === 0;
  const warnings = missing && hostDns !== undefined ? [missingClusterDns(pod)] : [];
  const base =
    dnsPolicy === "None"
      ? { servers: [], searches: [], options: [] }
      : cluster && !missing
        ? clusterBase(pod, facts)
        : hostDns;
  if (base === undefined && dnsConfig === undefined) return { warnings };
  const { servers = [], searches = [], options = [] } = base ?? {};
  const config = {
    servers: [...new Set([...servers, ...(dnsConfig?.nameservers ?? [])])],
    searches: [...new Set([...searches, ...(dnsConfig?.searches ?? [])])],
    options: mergeOptions(options, dnsConfig?.options ?? []),
  };
  const fitted = withinLimits(config);
  return { config: fitted.config, warnings: [...warnings, ...fitted.warnings] };
}

function clusterBase(pod: Pod, { clusterDns, clusterDomain, hostDns }: DnsFacts): DnsConfig {
  const { namespace = "" } = pod.metadata;
  const own = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
  return { servers: clusterDns, searches: [...own, ...(hostDns?.searches ?? [])], options: ["ndots:5"] };
}

/** An option of the pod replaces the one of that name. */
function mergeOptions(
  options: readonly string[],
  more: readonly { readonly name?: string; readonly value?: string }[],
): readonly string[] {
  const merged = new Map(
    options.map((option) => {
      const [name = "", ...value] = option.split(":");
      return [name, value.join(":")] as const;
    }),
  );
  for (const { name, value = "" } of more) if (name) merged.set(name, value);
  return [...merged].map(([name, value]) => (value ? `${name}:${value}` : name));
}

function withinLimits(config: DnsConfig): { readonly config: DnsConfig; readonly warnings: PodDns["warnings"] } {
  const warnings: { readonly reason: string; readonly message: string }[] = [];
  const servers = config.servers.slice(0, maxServers);
  if (servers.length < config.servers.length) {
    const message = `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${servers.join(" ")}`;
    warnings.push({ reason: "DNSConfigForming", message });
  }
  const searches = config.searches.slice(0, maxSearches).filter((search) => search.length <= maxNameLength);
  while (searches.join(" ").length > maxSearchLength) searches.pop();
  if (searches.length < config.searches.length) {
    const message = `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${searches.join(" ")}`;
    warnings.push({ reason: "DNSConfigForming", message });
  }
  return { config: { ...config, servers, searches }, warnings };
}

function missingClusterDns({ metadata }: Pod): PodDns["warnings"][number] {
  const pod = `${metadata.name}_${metadata.namespace}(${metadata.uid})`;
  return {
    reason: "MissingClusterDNS",
    message: `pod: "${pod}". kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.`,
  };
}
