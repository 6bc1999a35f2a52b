import { access, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseCidr } from "../../api/index.js";
import { type Logger, silentLogger } from "../../internal/logger.js";
import { abandoned, type ClaimRecord, claim, exclusively, hostSettings, openStateDir, runDirOf } from "./claim.js";
import { planOf, removeHost } from "./cleanup.js";
import { findProgram, run } from "./command.js";
import { containerd } from "./containerd.js";
import type { Daemon } from "./daemon.js";
import { type Etcd, etcd } from "./etcd.js";
import { builtinImages, sandboxImage } from "./images/builtin-images.js";
import { ImageRegistry } from "./images/registry.js";
import { buildNetwork, enter, hostNetworks, netnsFolder } from "./network.js";
import { maxNodes, type NetworkPlan, type NodePlan, type NodeRequest, overlap, planNetwork } from "./network-plan.js";

export interface RealHostOptions {
  /** Made if need be, and removed in the end with all that is in it. */
  readonly stateDir: string;
  readonly nodes: readonly NodeRequest[];
  /** True: the host itself is the one node, with its own network and firewall. Default: a namespace for each node. */
  readonly onHost?: boolean | undefined;
  /**
   * Of the cluster's services; nodes send it nowhere. With a block of IPv6 behind it and a comma between, nodes and pods have addresses of
   * both families, which the host itself as a node cannot. Default 10.96.0.0/12.
   */
  readonly serviceCidr?: string | undefined;
  /** Where etcd keeps its data; it stays. Default: below stateDir. False: no etcd. */
  readonly etcdDataDir?: string | false | undefined;
  readonly logger?: Logger | undefined;
  /** Told of each part that serves. */
  readonly onReady?: ((name: string, durationMs: number) => void) | undefined;
}

/** One machine of the cluster: a network namespace with a containerd. */
export interface RealNode {
  readonly name: string;
  /** How other nodes and the host reach it. */
  readonly address: string;
  readonly podCidr: string;
  /** Absent: it has IPv4 alone. */
  readonly six?: { readonly address: string; readonly podCidr: string } | undefined;
  /** `/run/netns/...`; absent where the node is the host itself. */
  readonly netns?: string | undefined;
  readonly criSocket: string;
  /** The parent of its pods' control groups. */
  readonly cgroupRoot: string;
  /** For the node agent's own files: volumes, logs. A shared mount. */
  readonly rootDir: string;
  readonly containerd: Daemon;
  /** What to run for `argv` to run on this node. What runs there is killed when the host is taken down. */
  command(argv: readonly string[]): readonly string[];
}

export interface RealHost extends AsyncDisposable {
  /** This machine's address for nodes and pods: the API server has to listen there. */
  readonly hostAddress: string;
  readonly nodes: readonly RealNode[];
  /** Absent where none was asked for. */
  readonly etcd?: Etcd | undefined;
  /** Every image that can be pulled. */
  readonly registry: ImageRegistry;
  /** Ends everything on the nodes, and leaves nothing. Idempotent. */
  dispose(): Promise<void>;
}

const defaultServiceCidr = "10.96.0.0/12";

/**
 * Makes what a real cluster stands on: nodes in network namespaces with no way out, a containerd on each, etcd, and a registry of images
 * made here. First removes what earlier ones left that were killed. Rejects with one sentence, and nothing left, when something is missing.
 */
export async function createRealHost(options: RealHostOptions): Promise<RealHost> {
  const stateDir = resolve(options.stateDir);
  const { nodes, serviceCidr = defaultServiceCidr } = options;
  if (options.onHost && nodes.length !== 1) throw new Error("the host itself can be one node only");
  checkServiceCidr(serviceCidr, options.onHost === true);
  await checkMachine(nodes);
  const record = await exclusively(async () => {
    for (const left of await abandoned(stateDir)) await removeHost(left);
    await openStateDir(stateDir);
    const networks = await hostNetworks();
    const usable = (index: number): boolean => {
      const { cidr } = planNetwork(index, [], serviceCidr);
      return !networks.some((network) => overlap(network, cidr));
    };
    const onHost = options.onHost ? { onHost: await hostSettings() } : {};
    return claim({ stateDir, nodes, serviceCidr, ...onHost }, usable);
  });
  const build = new HostBuild(record, options);
  try {
    return await build.make();
  } catch (error) {
    await build.dispose();
    throw error;
  }
}

/** Removes what killed processes left of their hosts. */
export async function removeAbandonedHosts(): Promise<void> {
  await exclusively(async () => {
    for (const record of await abandoned("")) await removeHost(record);
  });
}

class HostBuild {
  readonly #record: ClaimRecord;
  readonly #options: RealHostOptions;
  readonly #logger: Logger;
  readonly #plan: NetworkPlan;
  readonly #runDir: string;
  readonly #daemons: Daemon[] = [];
  readonly #registry = new ImageRegistry();
  #disposed: Promise<void> | undefined;

  constructor(record: ClaimRecord, options: RealHostOptions) {
    this.#record = record;
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.#plan = planOf(record);
    this.#runDir = runDirOf(record.index);
  }

  async make(): Promise<RealHost> {
    const plan = this.#plan;
    await this.#timed("network", () => buildNetwork(plan));
    for (const { repository, image } of await builtinImages()) this.#registry.add(repository, image);
    const registryUrl = await this.#registry.listen(plan.hostAddress);
    const [store, ...nodes] = await Promise.all([
      this.#startEtcd(),
      ...plan.nodes.map((node) => this.#startNode(node, registryUrl)),
    ]);
    const dispose = (): Promise<void> => this.dispose();
    return {
      hostAddress: plan.hostAddress,
      nodes,
      etcd: store,
      registry: this.#registry,
      dispose,
      [Symbol.asyncDispose]: dispose,
    };
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#remove();
    return this.#disposed;
  }

  async #remove(): Promise<void> {
    await Promise.all(this.#daemons.map((daemon) => daemon.stop()));
    await this.#registry.close();
    await removeHost(this.#record);
  }

  async #startEtcd(): Promise<Etcd | undefined> {
    const { etcdDataDir = join(this.#record.stateDir, "etcd") } = this.#options;
    if (etcdDataDir === false) return undefined;
    const made = await etcd({ dataDir: etcdDataDir, runDir: join(this.#runDir, "etcd"), logger: this.#logger });
    this.#daemons.push(made.daemon);
    await this.#timed("etcd", () => made.daemon.start());
    return made;
  }

  async #startNode(plan: NodePlan, registryUrl: string): Promise<RealNode> {
    const { name, netns, address, podCidr, six } = plan;
    const folder = join(this.#record.stateDir, "nodes", name);
    const rootDir = join(folder, "agent");
    await mkdir(rootDir, { recursive: true });
    // What is mounted below it later can then be propagated into containers, and back.
    await run(["mount", "--bind", rootDir, rootDir]);
    await run(["mount", "--make-rshared", rootDir]);
    const { socket, daemon } = await containerd({
      plan,
      dataDir: join(folder, "containerd"),
      runDir: join(this.#runDir, name),
      sandboxImage,
      registryUrl,
      cniBinDir: await findPlugins(),
      networkName: `${this.#plan.prefix}-${name}`,
      logger: this.#logger,
    });
    this.#daemons.push(daemon);
    await this.#timed(`containerd ${name}`, () => daemon.start());
    return {
      name,
      address,
      podCidr,
      six,
      netns: netns === undefined ? undefined : join(netnsFolder, netns),
      criSocket: socket,
      cgroupRoot: `/${this.#plan.prefix}/${name}`,
      rootDir,
      containerd: daemon,
      command: (argv) => [...enter(netns), ...argv],
    };
  }

  async #timed(name: string, work: () => Promise<void>): Promise<void> {
    const began = performance.now();
    await work();
    this.#options.onReady?.(name, performance.now() - began);
  }
}

function checkServiceCidr(serviceCidr: string, onHost: boolean): void {
  const families = serviceCidr.split(",").map((cidr) => parseCidr(cidr)?.family);
  if (families.join() !== "4" && families.join() !== "4,6") {
    throw new Error(`${serviceCidr} is not a block of IPv4, alone or with one of IPv6 behind it`);
  }
  if (onHost && families.length > 1) throw new Error("the host itself as a node has IPv4 alone");
}

async function checkMachine(nodes: readonly NodeRequest[]): Promise<void> {
  if (process.platform !== "linux") throw new Error("a real cluster needs Linux");
  if (process.getuid?.() !== 0)
    throw new Error("a real cluster needs root: it makes network namespaces and containers");
  if (nodes.length > maxNodes) throw new Error(`at most ${maxNodes} nodes fit on one machine`);
  for (const { name } of nodes) {
    if (!/^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/.test(name))
      throw new Error(`${JSON.stringify(name)} cannot name a node`);
  }
  for (const [program, from] of [
    ["ip", "iproute2"],
    ["nsenter", "util-linux"],
    ["containerd", "containerd"],
    ["runc", "runc"],
    ["iptables", "iptables"],
    ["busybox", "busybox-static"],
  ] as const) {
    await findProgram(program, from);
  }
  await findPlugins();
}

async function findPlugins(): Promise<string> {
  for (const folder of ["/usr/lib/cni", "/opt/cni/bin"]) {
    const found = await access(join(folder, "bridge")).then(
      () => true,
      () => false,
    );
    if (found) return folder;
  }
  throw new Error("the network plugins are not installed (Debian: apt-get install containernetworking-plugins)");
}
