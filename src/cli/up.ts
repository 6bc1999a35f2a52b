import { nodes as nodesResource } from "../api/index.js";
import { type Client, waitFor } from "../client/index.js";
import type { Cluster } from "../cluster/cluster.js";
import { consoleLogger } from "./console-logger.js";
import { type DataDir, openDataDir } from "./data-dir.js";
import { runDemo } from "./demo.js";
import { openStore } from "./open-store.js";
import { untilStopped } from "./signals.js";
import { type UpOptions, UsageError } from "./up-options.js";
import { version } from "./version.js";

/** What `up` has brought up, whatever it is made of. */
export interface UpCluster extends Pick<Cluster, "client" | "failed" | "stop"> {
  readonly kubeconfigPath: string;
  readonly nodeNames: readonly string[];
  /** Asks a Service from where it can be reached; absent: from here. */
  readonly get?: (url: string, signal: AbortSignal) => Promise<string>;
}

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** `coxswain up`: resolves when the cluster has been stopped by a signal; rejects when it could not be brought up, or broke. */
export async function up(options: UpOptions): Promise<void> {
  const chosen = choices(options);
  const stopping = untilStopped();
  const began = performance.now();
  print(`coxswain ${version}: ${describe(options, chosen)}`);
  const dataDir = await openDataDir(options.data);
  let cluster: UpCluster | undefined;
  try {
    cluster = await bringUp(options, chosen, dataDir);
    await announce(options, chosen, cluster, began, stopping.signal);
    const failure = await Promise.race([cluster.failed, stopping.stopped]);
    if (failure !== undefined) throw failure;
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  } finally {
    if (stopping.signal.aborted) print("Stopping ...");
    await cluster?.stop();
    await dataDir.remove();
    stopping.release();
  }
}

export type Choices = Required<Pick<UpOptions, "store" | "runtime" | "proxy">>;

function choices(options: UpOptions): { [K in keyof Choices]: NonNullable<Choices[K]> } {
  const { real } = options;
  const runtime = options.runtime ?? (real ? "cri" : "process");
  const proxy = options.proxy ?? (runtime === "fake" ? "none" : real ? "iptables" : "userspace");
  const store = options.store ?? (real ? "etcd" : "embedded");
  if (runtime === "cri" && !real)
    throw new UsageError("--runtime cri needs --real: containers run in the network namespaces that it makes");
  if (runtime !== "cri" && real)
    throw new UsageError(`--real runs containers; it does not go with --runtime ${runtime}`);
  if ((proxy === "iptables" || proxy === "ipvs" || proxy === "nftables") && !real)
    throw new UsageError(`--proxy ${proxy} needs --real`);
  if (proxy === "userspace" && runtime !== "process")
    throw new UsageError("--proxy userspace serves the pods of --runtime process");
  if (options.host && !real) throw new UsageError("--host goes with --real");
  if (options.dualStack && (!real || options.host)) {
    throw new UsageError("--dual-stack goes with --real, without --host: it needs networks of its own making");
  }
  if (process.platform !== "linux" && runtime !== "fake")
    throw new UsageError("running pods needs Linux; here only --runtime fake works");
  return { runtime, proxy, store };
}

function describe(options: UpOptions, { store, runtime, proxy }: Choices): string {
  const nodes = options.nodes === 1 ? "1 node" : `${options.nodes} nodes`;
  return `${nodes}, ${store} store, ${runtime} runtime, ${proxy === "none" ? "no" : proxy} proxy`;
}

const events = {
  ready: (name: string, durationMs: number): void => print(`  ${name.padEnd(22)} ready in ${durationMs.toFixed(0)} ms`),
};

async function bringUp(options: UpOptions, chosen: Choices, dataDir: DataDir): Promise<UpCluster> {
  const logger = consoleLogger((line) => process.stderr.write(line), options.verbose);
  if (options.real) {
    const { bringUpReal } = await import("./up-real.js");
    return bringUpReal(options, chosen, dataDir, logger, events);
  }
  const store = await openStore(chosen.store ?? "embedded", dataDir.path, logger);
  try {
    const { bringUpLocal } = await import("./up-local.js");
    const cluster = await bringUpLocal(options, chosen, { dataDir, store: store.store, logger, events });
    const stop = async (): Promise<void> => {
      await cluster.stop();
      await store.close();
    };
    return { ...cluster, stop };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function announce(
  options: UpOptions,
  chosen: Choices,
  cluster: UpCluster,
  began: number,
  signal: AbortSignal,
): Promise<void> {
  await nodesReady(cluster.client, cluster.nodeNames, signal);
  print(
    `\nThe cluster is up after ${((performance.now() - began) / 1000).toFixed(1)} s. Its kubeconfig is ${cluster.kubeconfigPath}\n`,
  );
  print(`  export KUBECONFIG=${cluster.kubeconfigPath}`);
  print("  kubectl get nodes");
  print("  kubectl get pods -A -o wide\n");
  if (options.demo && cluster.nodeNames.length > 0 && chosen.proxy !== "none") {
    const { address, pods } = await runDemo(cluster.client, signal, cluster.get);
    print(`Demo: the Service "web" at http://${address}/ answered from ${pods.length} pods: ${pods.join(", ")}\n`);
  }
  print(`coxswain: ready KUBECONFIG=${cluster.kubeconfigPath}`);
  print("Ctrl-C stops it and leaves nothing behind.");
}

async function nodesReady(client: Client, names: readonly string[], signal: AbortSignal): Promise<void> {
  await Promise.all(
    names.map((name) =>
      waitFor(
        client,
        nodesResource,
        { name },
        (node) => node?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true,
        { signal },
      ),
    ),
  );
}
