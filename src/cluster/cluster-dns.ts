import { hostname } from "node:os";
import { formatIp, parseCidr } from "../api/index.js";
import { ensureClusterDns } from "../apiserver/bootstrap/cluster-dns.js";
import type { Component } from "../internal/component.js";
import { createDnsServer } from "../proxy/dns/index.js";
import type { ClusterContext } from "./cluster.js";
import { identities } from "./identities.js";

/** The name server of a cluster in its own process. */
export interface ClusterDnsOptions {
  /** Where it listens, so that pods reach it. Default: the cluster's `advertiseAddress`. */
  readonly address?: string | undefined;
  /** Where it listens. Default 0: any free one, since pods ask the Service. */
  readonly port?: number | undefined;
  /** Default `cluster.local`. */
  readonly domain?: string | undefined;
  /** Resolvers for all other names; absent: those of this host's /etc/resolv.conf, empty: none. */
  readonly upstreams?: readonly string[] | undefined;
  /** Where the Service `kube-dns` listens. Default 53, as everywhere but where that needs a privilege. */
  readonly servicePort?: number | undefined;
}

/** What the parts of a cluster have to know of its name server. */
export interface ClusterDnsFacts {
  /** The cluster IP of the Service `kube-dns`. */
  readonly clusterIp: string;
  readonly domain: string;
}

/** The tenth address of a range: where kubeadm puts the cluster's name servers. Throws a RangeError where there is none. */
export function dnsClusterIp(serviceCidr: string): string {
  const range = parseCidr(serviceCidr);
  const width = range?.family === 6 ? 128 : 32;
  if (range === undefined || width - range.prefixLength < 4) {
    throw new RangeError(`${serviceCidr} has no tenth address for the name server`);
  }
  return formatIp({ family: range.family, value: range.first + 10n });
}

/** Makes the objects of the name server, then runs it: as its service account, not as the administrator. */
export function clusterDnsPart(
  { address, port = 0, upstreams, servicePort }: ClusterDnsOptions & { readonly address: string },
  { clusterIp, domain }: ClusterDnsFacts,
  { api, clientFor, clock, random, logger }: ClusterContext,
): Component {
  const host = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, "-");
  const server = createDnsServer({
    client: clientFor(identities.dns, "kube-dns"),
    addresses: [address],
    port,
    domain,
    upstreams,
    // Another start of this cluster takes over what this one left.
    publishAs: `${host}-embedded`,
    clock,
    random,
    logger,
  });
  return {
    name: server.name,
    dependencies: ["apiserver", "system-objects"],
    async run(context) {
      await ensureClusterDns(api.transport(), { clusterIp, port: servicePort });
      await server.run(context);
    },
  };
}
