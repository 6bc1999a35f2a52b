import { hostname } from "node:os";
import type { NodeAddress } from "../api/index.js";
import type { Component } from "../internal/component.js";
import { createNodeAgent, type EvictionOptions, hostResources, type ImageCollectionOptions } from "../node/index.js";
import { createProxy, listenForHealthChecks, listenForPages, type ProxyBackend } from "../proxy/index.js";
import type { Runtime } from "../runtime/index.js";
import { afterBootstrap, type ClusterContext, type ClusterOptions, identities } from "./cluster.js";

export interface MachineOptions {
  /**
   * By which the API server and other nodes reach this machine; one of each family with a comma between them, if it has both. The node's
   * API listens at the first one.
   */
  readonly address: string;
  /** Folder for volumes, logs and state. */
  readonly rootDir: string;
  /** Stays its owner's to dispose. */
  readonly runtime: Runtime;
  /** Disposed when the cluster stops. Absent: nobody serves Services here. */
  readonly proxy?: ProxyBackend | undefined;
  /** Of the node. Default: the host's. */
  readonly name?: string | undefined;
  /** The addresses of this node's pods, one block of each family with a comma between them; absent: the network's own business. */
  readonly podCidr?: string | undefined;
  /** Name servers of pods. Default: the cluster's own, if it has one. */
  readonly clusterDns?: readonly string[] | undefined;
  /** Parent control group of all pods. Absent: the runtime decides. */
  readonly cgroupRoot?: string | undefined;
  /** When pods are evicted for pressure. Default: as upstream. */
  readonly eviction?: EvictionOptions | undefined;
  /** When images that nobody uses are removed. Default: as upstream. */
  readonly imageCollection?: ImageCollectionOptions | undefined;
  /** Of the node's API. Default 10250. */
  readonly port?: number | undefined;
}

/** For `startCluster({ parts })`: makes the machine that the cluster runs on a node of it. */
export function machine(options: MachineOptions): NonNullable<ClusterOptions["parts"]> {
  return async (context) => {
    const name = options.name ?? hostname().toLowerCase();
    const parts = [await agent(options, context, name)];
    const { proxy: backend } = options;
    if (backend !== undefined) {
      const { clock, random, logger, clientFor } = context;
      const client = clientFor(identities.proxy, "kube-proxy");
      const healthChecks = listenForHealthChecks(options.address);
      const healthPages = listenForPages(options.address, 10_256);
      const metricsPages = listenForPages("127.0.0.1", 10_249);
      const pages = { healthChecks, healthPages, metricsPages };
      parts.push(createProxy({ client, backend, nodeName: name, ...pages, clock, random, logger }));
    }
    return parts.map((part) => afterBootstrap(part));
  };
}

async function agent(options: MachineOptions, context: ClusterContext, nodeName: string): Promise<Component> {
  const { clock, random, logger, pki, clientFor, dns } = context;
  const { address, rootDir, runtime, podCidr, cgroupRoot, port = 10_250 } = options;
  const { eviction, imageCollection } = options;
  const own = address.split(",");
  const pair = await pki.node(nodeName, { ipAddresses: own });
  const addresses: readonly NodeAddress[] = [
    ...own.map((each) => ({ type: "InternalIP", address: each })),
    { type: "Hostname", address: nodeName },
  ];
  return createNodeAgent({
    client: clientFor(identities.node(nodeName), "kubelet"),
    runtime,
    nodeName,
    clock,
    random,
    logger,
    rootDir,
    addresses,
    resources: hostResources(),
    podCidr,
    clusterDns: options.clusterDns ?? (dns && [dns.clusterIp]),
    clusterDomain: dns?.domain,
    cgroupRoot,
    eviction,
    imageCollection,
    server: {
      address: own[0] ?? address,
      port,
      tls: { key: pair.key, cert: pair.certificate, clientCa: pki.ca.certificate },
      authorization: "webhook",
    },
  });
}
