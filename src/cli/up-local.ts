import { join } from "node:path";
import { folderPkiStorage } from "../apiserver/pki/pki-storage.js";
import { writeKubeconfig } from "../client/kubeconfig.js";
import { startCluster } from "../cluster/cluster.js";
import { hollowMachines } from "../cluster/hollow-machines.js";
import { startLocalCluster } from "../cluster/local-cluster.js";
import type { SupervisorEvents } from "../cluster/supervisor.js";
import { freePort } from "../internal/free-port.js";
import type { Logger } from "../internal/logger.js";
import type { Store } from "../store/index.js";
import type { DataDir } from "./data-dir.js";
import type { Choices, UpCluster } from "./up.js";
import type { UpOptions } from "./up-options.js";

interface LocalParts {
  readonly dataDir: DataDir;
  readonly store: Store;
  readonly logger: Logger;
  readonly events: SupervisorEvents;
}

/** A cluster in this process: its pods are processes of this machine, or records. */
export async function bringUpLocal(options: UpOptions, chosen: Choices, parts: LocalParts): Promise<UpCluster> {
  const { dataDir, store, logger, events } = parts;
  const shared = {
    store,
    logger,
    events,
    port: options.port ?? (await freePort(6443)),
    insecurePort: options.insecurePort,
  };
  if (chosen.runtime === "fake") return hollow(options, parts, shared);
  const cluster = await startLocalCluster({
    ...shared,
    dataDir: dataDir.path,
    nodes: options.nodes,
    kubeconfigPath: options.kubeconfig,
    proxy: chosen.proxy === "none" ? "none" : "userspace",
  });
  return { ...cluster, nodeNames: names(options) };
}

function names(options: UpOptions): readonly string[] {
  return Array.from({ length: options.nodes }, (_, index) => `node-${index + 1}`);
}

async function hollow(
  options: UpOptions,
  { dataDir }: LocalParts,
  shared: Omit<Parameters<typeof startCluster>[0], "pki" | "parts">,
): Promise<UpCluster> {
  const nodeNames = names(options);
  const cluster = await startCluster({
    ...shared,
    pki: folderPkiStorage(join(dataDir.path, "pki")),
    parts: hollowMachines(nodeNames),
  });
  const kubeconfigPath = options.kubeconfig ?? join(dataDir.path, "kubeconfig");
  await writeKubeconfig(kubeconfigPath, await cluster.kubeconfig());
  return { ...cluster, kubeconfigPath, nodeNames };
}
