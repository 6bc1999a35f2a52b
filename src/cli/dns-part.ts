import { isStatusError, type ServiceCIDR, serviceCIDRs } from "../api/index.js";
import { ensureClusterDns } from "../apiserver/bootstrap/cluster-dns.js";
import { defaultServiceCidr } from "../apiserver/index.js";
import type { Client } from "../client/index.js";
import { dnsClusterIp } from "../cluster/cluster-dns.js";
import type { Component } from "../internal/component.js";
import { type ListenAddress, pagesAt } from "./listen-address.js";
import type { PartAccess } from "./part-commands.js";

export interface DnsFlags {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly domain: string;
  readonly upstream?: string | undefined;
  readonly clusterIp?: string | undefined;
  readonly publish: boolean;
  readonly metricsBindAddress: ListenAddress;
}

/** A name server, and the objects by which pods find it. */
export async function dnsPart({ client, logger }: PartAccess, flags: DnsFlags): Promise<Component> {
  const { createDnsServer } = await import("../proxy/dns/index.js");
  const server = createDnsServer({
    client,
    logger,
    addresses: flags.address.split(","),
    port: flags.port,
    domain: flags.domain,
    upstreams: flags.upstream === "none" ? [] : flags.upstream?.split(","),
    publishAs: flags.publish ? flags.name : undefined,
    pages: pagesAt(flags.metricsBindAddress),
  });
  return {
    name: server.name,
    async run(context) {
      if (flags.publish) {
        const clusterIp = flags.clusterIp ?? dnsClusterIp(await serviceCidrOf(client));
        await ensureClusterDns(client.transport, { clusterIp });
      }
      await server.run(context);
    },
  };
}

/** The cluster's own first range of services. */
async function serviceCidrOf(client: Client): Promise<string> {
  try {
    const { spec } = await client.get<ServiceCIDR>(serviceCIDRs, { name: "kubernetes" });
    return spec?.cidrs?.[0] ?? defaultServiceCidr;
  } catch (error) {
    if (!isStatusError(error, "NotFound")) throw error;
    return defaultServiceCidr;
  }
}
