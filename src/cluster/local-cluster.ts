import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NodeAddress } from "../api/index.js";
import { folderPkiStorage } from "../apiserver/pki/pki-storage.js";
import { ipRange } from "../apiserver/services/ip-range.js";
import { writeKubeconfig } from "../client/kubeconfig.js";
import type { Component } from "../internal/component.js";
import { freePort } from "../internal/free-port.js";
import { createNodeAgent, hostResources } from "../node/index.js";
import { createProxy } from "../proxy/index.js";
import { UserspaceProxy } from "../proxy/userspace/index.js";
import { ProcessRuntime } from "../runtime/process/index.js";
import type { Store } from "../store/index.js";
import { afterBootstrap, type Cluster, type ClusterContext, type ClusterOptions, startCluster } from "./cluster.js";
import { dnsClusterIp } from "./cluster-dns.js";
import { identities } from "./identities.js";
import { claimLoopbackRange, type LoopbackRange } from "./loopback-range.js";

export interface LocalClusterOptions
  extends Pick<
    ClusterOptions,
    "store" | "port" | "insecurePort" | "controllers" | "scheduler" | "clock" | "random" | "logger" | "events"
  > {
  readonly store: Store;
  /** Where certificates, the nodes' state and the kubeconfig are. */
  readonly dataDir: string;
  /** How many nodes, named `node-1` and on. */
  readonly nodes: number;
  /** Default `<dataDir>/kubeconfig`. */
  readonly kubeconfigPath?: string | undefined;
  /** `none` leaves Services without anybody who serves them. Default `userspace`. */
  readonly proxy?: "userspace" | "none" | undefined;
  /** What pods keep running when the cluster stops: `true` leaves them to the next start on the same folder. Default false. */
  readonly keepPods?: boolean | undefined;
}

export interface LocalCluster extends Cluster {
  readonly kubeconfigPath: string;
  readonly range: LoopbackRange;
}

/** Where a node's API listens; each node has an address of its own. */
const kubeletPort = 10_250;

/**
 * A cluster of this machine's processes, without root: pods are process groups with loopback addresses of their own, Services
 * are loopback addresses that the userspace proxy listens on. The addresses are claimed, so several clusters fit on one machine.
 */
export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const { dataDir } = options;
  await mkdir(dataDir, { recursive: true });
  const range = await claimRange(dataDir);
  const runtimes: ProcessRuntime[] = [];
  const close = async (): Promise<void> => {
    for (const runtime of runtimes.splice(0)) {
      if (options.keepPods) await runtime.release();
      else await runtime[Symbol.asyncDispose]();
    }
    await range[Symbol.asyncDispose]();
  };
  try {
    const clusterIp = ipRange(range.serviceCidr).first;
    const servicePort = (await freePort(53, dnsClusterIp(range.serviceCidr))) || 5353;
    const cluster = await startCluster({
      ...options,
      apiServicePort: (await freePort(443, clusterIp)) || 6443,
      pki: folderPkiStorage(join(dataDir, "pki")),
      serviceCidr: range.serviceCidr,
      dns: options.proxy === "none" ? undefined : { address: range.nodeAddress(0), servicePort },
      loopback: true,
      parts: async (context) => {
        const parts: Component[] = [];
        for (let index = 0; index < options.nodes; index++) {
          const named = servicePort === 53 ? context : { ...context, dns: undefined };
          const { component, runtime } = await localNode(named, options, range, index);
          runtimes.push(runtime);
          parts.push(component);
        }
        if (options.proxy !== "none") parts.push(localProxy(context, options, range));
        return parts;
      },
    });
    const kubeconfigPath = options.kubeconfigPath ?? join(dataDir, "kubeconfig");
    await writeKubeconfig(kubeconfigPath, await cluster.kubeconfig());
    const stop = async (): Promise<void> => {
      await cluster.stop();
      await close();
    };
    return { ...cluster, kubeconfigPath, range, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A folder's cluster keeps its addresses, because its Services and pods have them. */
async function claimRange(dataDir: string): Promise<LoopbackRange> {
  const file = join(dataDir, "loopback-block");
  const known = await readFile(file, "utf8").catch(() => undefined);
  const range = await claimLoopbackRange(known === undefined ? undefined : Number(known));
  if (known === undefined) await writeFile(file, String(range.block));
  return range;
}

async function localNode(
  context: ClusterContext,
  options: LocalClusterOptions,
  range: LoopbackRange,
  index: number,
): Promise<{ readonly component: Component; readonly runtime: ProcessRuntime }> {
  const { clock, random, logger, pki, clientFor, dns } = context;
  const nodeName = `node-${index + 1}`;
  const address = range.nodeAddress(index);
  const rootDir = join(options.dataDir, "nodes", nodeName);
  const podCidr = range.nodePodCidr(index);
  const runtime = await ProcessRuntime.open({ rootDir: join(rootDir, "runtime"), podCidr, clock, logger });
  const addresses: readonly NodeAddress[] = [
    { type: "InternalIP", address },
    { type: "Hostname", address: nodeName },
  ];
  const tls = await pki.node(nodeName, { ipAddresses: [address] });
  const agent = createNodeAgent({
    client: clientFor(identities.node(nodeName), "kubelet"),
    runtime,
    nodeName,
    clock,
    random,
    logger,
    rootDir,
    // What is killed must leave no mounts in a user's host.
    memoryVolumes: false,
    devicePlugins: false,
    podCidr,
    clusterDns: dns && [dns.clusterIp],
    addresses,
    resources: hostResources(),
    // The nodes share one machine and what is on it, which is not theirs to clean.
    eviction: { hard: {} },
    imageCollection: { highThresholdPercent: 100 },
    server: {
      address,
      port: kubeletPort,
      tls: { key: tls.key, cert: tls.certificate, clientCa: pki.ca.certificate },
      authorization: "webhook",
    },
  });
  return { component: afterBootstrap(agent), runtime };
}

/** One proxy serves the whole machine: its loopback addresses are every node's. */
function localProxy(context: ClusterContext, options: LocalClusterOptions, range: LoopbackRange): Component {
  const { clock, logger, clientFor } = context;
  const client = clientFor(identities.proxy, "kube-proxy");
  const nodeAddresses = Array.from({ length: options.nodes }, (_, index) => range.nodeAddress(index));
  const backend = new UserspaceProxy({ clock, logger, nodeAddresses });
  return afterBootstrap(createProxy({ client, backend, nodeName: "node-1", clock, logger }));
}
