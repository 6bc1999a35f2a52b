import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { folderPkiStorage } from "../apiserver/pki/pki-storage.js";
import { writeKubeconfig } from "../client/kubeconfig.js";
import { type ClusterContext, kubeconfigFor, startCluster } from "../cluster/cluster.js";
import { createRealHost, type RealHost, type RealNode } from "../cluster/real/index.js";
import { partProcess } from "../cluster/real/part-process.js";
import type { SupervisorEvents } from "../cluster/supervisor.js";
import type { Component } from "../internal/component.js";
import type { Logger } from "../internal/logger.js";
import type { DataDir } from "./data-dir.js";
import { type OpenedStore, openStore } from "./open-store.js";
import { provision } from "./provision.js";
import type { Choices, UpCluster } from "./up.js";
import type { UpOptions } from "./up-options.js";

const serviceCidrs = { single: "10.96.0.0/12", dual: "10.96.0.0/12,fdc0:96::/108" } as const;
const apiPort = 6443;

/** A cluster of real parts: etcd, a containerd and a kernel's packet filter for each node, each node a network namespace. */
export async function bringUpReal(
  options: UpOptions,
  chosen: Choices,
  dataDir: DataDir,
  logger: Logger,
  events: Required<Pick<SupervisorEvents, "ready">>,
): Promise<UpCluster> {
  await provision(chosen.store ?? "etcd", chosen.proxy ?? "iptables", (text) => process.stdout.write(`${text}\n`));
  const serviceCidr = serviceCidrs[options.dualStack ? "dual" : "single"];
  const host = await createRealHost({
    stateDir: join(dataDir.path, "real"),
    nodes: Array.from({ length: options.host ? 1 : options.nodes }, (_, index) => ({ name: `node-${index + 1}` })),
    onHost: options.host,
    serviceCidr,
    etcdDataDir: chosen.store === "etcd" ? join(dataDir.path, "etcd") : false,
    logger,
    onReady: events.ready,
  });
  let store: OpenedStore | undefined;
  try {
    store = await open(chosen, host, dataDir, logger);
    return await bringUpOn(host, store, { options, chosen, dataDir, logger, events });
  } catch (error) {
    await store?.close();
    await host.dispose();
    throw error;
  }
}

async function open(chosen: Choices, host: RealHost, dataDir: DataDir, logger: Logger): Promise<OpenedStore> {
  if (host.etcd === undefined) return openStore(chosen.store ?? "embedded", dataDir.path, logger);
  const { EtcdStore } = await import("../store/etcd/index.js");
  const store = new EtcdStore({ endpoints: [host.etcd.endpoint], logger });
  return { store, close: async () => store[Symbol.asyncDispose]() };
}

interface RealParts {
  readonly options: UpOptions;
  readonly chosen: Choices;
  readonly dataDir: DataDir;
  readonly logger: Logger;
  readonly events: SupervisorEvents;
}

async function bringUpOn(host: RealHost, store: OpenedStore, parts: RealParts): Promise<UpCluster> {
  const { options, dataDir, logger, events } = parts;
  const cluster = await startCluster({
    store: store.store,
    logger,
    events,
    pki: folderPkiStorage(join(dataDir.path, "pki")),
    host: host.hostAddress,
    port: options.port ?? apiPort,
    insecurePort: options.insecurePort,
    serviceCidr: serviceCidrs[options.dualStack ? "dual" : "single"],
    // Nodes in namespaces have no way out, nor have their questions.
    dns: { upstreams: options.host ? undefined : [] },
    parts: async (context) => (await Promise.all(host.nodes.map((node) => nodeParts(node, context, parts)))).flat(),
  });
  const kubeconfigPath = options.kubeconfig ?? join(dataDir.path, "kubeconfig");
  await writeKubeconfig(kubeconfigPath, await cluster.kubeconfig());
  const [first] = host.nodes;
  return {
    client: cluster.client,
    failed: cluster.failed,
    kubeconfigPath,
    nodeNames: host.nodes.map(({ name }) => name),
    ...(first === undefined ? {} : { get: (url: string, signal: AbortSignal) => fetchFrom(first, url, signal) }),
    stop: async () => {
      await cluster.stop();
      await store.close();
      await host.dispose();
    },
  };
}

/** The agent and the proxy of a node: processes in its network namespace, which talk to the API as themselves. */
async function nodeParts(node: RealNode, context: ClusterContext, parts: RealParts): Promise<readonly Component[]> {
  const { pki, api, dns } = context;
  const { chosen, logger, options } = parts;
  const { name, rootDir, six } = node;
  const addresses = [node.address, six?.address ?? []].flat();
  const server = api.https.url;
  const agentConfig = join(rootDir, "kubeconfig");
  const proxyConfig = join(rootDir, "proxy-kubeconfig");
  const pair = await pki.node(name, { ipAddresses: addresses });
  await writeKubeconfig(agentConfig, await kubeconfigFor(pki, server, `system:node:${name}`, pair));
  await writeKubeconfig(proxyConfig, await kubeconfigFor(pki, server, "system:kube-proxy", pki.proxy));
  const cli = [process.execPath, process.argv[1] ?? "coxswain"];
  const verbose = options.verbose ? ["--verbose"] : [];
  const shared = { dependencies: ["apiserver", "system-objects"], logDir: join(rootDir, "logs-of-parts"), logger };
  const agent = [
    ...["node", "--kubeconfig", agentConfig, "--name", name, "--root", rootDir, "--runtime", "cri"],
    ...[
      "--cri-socket",
      node.criSocket,
      "--address",
      addresses.join(),
      "--pod-cidr",
      [node.podCidr, six?.podCidr ?? []].flat().join(),
      "--cgroup-root",
      node.cgroupRoot,
    ],
    // The nodes share one machine and what is on it, which is not theirs to clean.
    ...["--eviction-hard", "", "--image-gc-high-threshold", "100"],
    ...(dns === undefined ? [] : ["--cluster-dns", dns.clusterIp, "--cluster-domain", dns.domain]),
    ...verbose,
  ];
  const proxy = [
    "proxy",
    "--kubeconfig",
    proxyConfig,
    "--node-name",
    name,
    "--backend",
    chosen.proxy ?? "iptables",
    ...verbose,
  ];
  const processes = [partProcess({ ...shared, name: `node/${name}`, argv: node.command([...cli, ...agent]) })];
  if (chosen.proxy !== "none") {
    processes.push(partProcess({ ...shared, name: `proxy/${name}`, argv: node.command([...cli, ...proxy]) }));
  }
  return processes;
}

/** Asks from the node, because Services exist only there. */
async function fetchFrom(node: RealNode, url: string, signal: AbortSignal): Promise<string> {
  const script =
    "fetch(process.argv[1], { signal: AbortSignal.timeout(2000) }).then(async (a) => process.stdout.write(await a.text()))";
  const [program = "", ...args] = node.command([process.execPath, "-e", script, url]);
  const { stdout } = await promisify(execFile)(program, args, { signal, maxBuffer: 65_536 });
  return stdout;
}
