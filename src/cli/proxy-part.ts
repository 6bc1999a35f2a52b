import type { Component } from "../internal/component.js";
import { createProxy, listenForHealthChecks, type ProxyBackend } from "../proxy/index.js";
import type { PartAccess } from "./part-commands.js";

export interface ProxyFlags {
  readonly nodeName: string;
  readonly backend: "userspace" | "iptables" | "ipvs" | "nftables";
  readonly clusterCidr?: string | undefined;
}

/** A service proxy. When it stops it takes its rules with it. */
export async function proxyPart({ client, logger }: PartAccess, flags: ProxyFlags): Promise<Component> {
  const backend = await openBackend(flags, logger);
  const healthChecks = listenForHealthChecks("0.0.0.0");
  return createProxy({ client, backend, nodeName: flags.nodeName, healthChecks, logger });
}

async function openBackend(flags: ProxyFlags, logger: PartAccess["logger"]): Promise<ProxyBackend> {
  const { clusterCidr } = flags;
  if (flags.backend === "userspace") {
    const { UserspaceProxy } = await import("../proxy/userspace/index.js");
    return new UserspaceProxy({ logger });
  }
  if (flags.backend === "ipvs") {
    const { IpvsProxy } = await import("../proxy/ipvs/index.js");
    return new IpvsProxy({ logger, clusterCidr });
  }
  if (flags.backend === "nftables") {
    const { NftablesProxy } = await import("../proxy/nftables/index.js");
    return new NftablesProxy({ logger, clusterCidr });
  }
  const { IptablesProxy } = await import("../proxy/iptables/index.js");
  return new IptablesProxy({ logger, clusterCidr });
}
