import { readFile } from "node:fs/promises";
import type { Component } from "../internal/component.js";
import { createProxy, listenForHealthChecks, type ProxyBackend } from "../proxy/index.js";
import { type ListenAddress, pagesAt } from "./listen-address.js";
import type { PartAccess } from "./part-commands.js";

export interface ProxyFlags {
  readonly nodeName: string;
  readonly backend: "userspace" | "iptables" | "ipvs" | "nftables";
  readonly clusterCidr?: string | undefined;
  readonly healthzBindAddress: ListenAddress;
  readonly metricsBindAddress: ListenAddress;
}

/** A service proxy. When it stops it takes its rules with it. */
export async function proxyPart({ client, logger }: PartAccess, flags: ProxyFlags): Promise<Component> {
  const families = await hostFamilies();
  const backend = await openBackend(flags, families, logger);
  // The address of IPv6 that means all of them means those of IPv4 as well.
  const healthChecks = listenForHealthChecks(families.length === 2 ? "::" : "0.0.0.0");
  const [healthPages, metricsPages] = [flags.healthzBindAddress, flags.metricsBindAddress].map(pagesAt);
  return createProxy({ client, backend, nodeName: flags.nodeName, healthChecks, healthPages, metricsPages, logger });
}

/** IPv6 too where the node's network has it. */
async function hostFamilies(): Promise<readonly (4 | 6)[]> {
  const addresses = await readFile("/proc/net/if_inet6", "utf8").catch(() => "");
  return addresses === "" ? [4] : [4, 6];
}

async function openBackend(
  flags: ProxyFlags,
  families: readonly (4 | 6)[],
  logger: PartAccess["logger"],
): Promise<ProxyBackend> {
  const { clusterCidr } = flags;
  if (flags.backend === "userspace") {
    const { UserspaceProxy } = await import("../proxy/userspace/index.js");
    return new UserspaceProxy({
      logger,
      nodeAddresses: families.map((family) => (family === 4 ? "127.0.0.1" : "::1")),
    });
  }
  if (flags.backend === "ipvs") {
    const { IpvsProxy } = await import("../proxy/ipvs/index.js");
    return new IpvsProxy({ logger, clusterCidr, families });
  }
  if (flags.backend === "nftables") {
    const { NftablesProxy } = await import("../proxy/nftables/index.js");
    return new NftablesProxy({ logger, clusterCidr, families });
  }
  const { IptablesProxy } = await import("../proxy/iptables/index.js");
  return new IptablesProxy({ logger, clusterCidr, families });
}
