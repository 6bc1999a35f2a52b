import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Node, nodes } from "../../../src/api/index.js";
import { waitFor } from "../../../src/client/index.js";
import { type Cluster, type ClusterOptions, startCluster } from "../../../src/cluster/cluster.js";
import { hollowMachines } from "../../../src/cluster/hollow-machines.js";
import { MemoryStore } from "../../../src/store/index.js";

/** A whole cluster in this process, served over HTTPS, whose nodes run pods as records. */
export interface HollowCluster extends AsyncDisposable {
  readonly cluster: Cluster;
  /** Of the administrator. */
  readonly kubeconfig: string;
  /** Empty at first, and gone with the cluster. */
  readonly folder: string;
  /** What its parts complained about. */
  readonly complaints: readonly string[];
}

export async function startHollowCluster(
  nodeNames: readonly string[],
  options: Partial<ClusterOptions> = {},
): Promise<HollowCluster> {
  const folder = await mkdtemp(join(tmpdir(), "coxswain-hollow-"));
  const store = new MemoryStore();
  const complaints: string[] = [];
  const note = (message: string, fields: object = {}): void => {
    const { error, ...rest } = fields as { readonly error?: unknown };
    complaints.push(`${message} ${JSON.stringify(rest)} ${error instanceof Error ? error.message : ""}`);
  };
  const logger = { debug: () => {}, info: () => {}, warn: note, error: note };
  const cluster = await startCluster({ store, logger, parts: hollowMachines(nodeNames), ...options });
  const kubeconfig = join(folder, "kubeconfig");
  await writeFile(kubeconfig, await cluster.kubeconfig(), { mode: 0o600 });
  for (const name of nodeNames) {
    const isReady = (node: Node | undefined): boolean =>
      node?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
    await waitFor(cluster.client, nodes, { name }, isReady, { timeoutMs: 30_000 });
  }
  return {
    cluster,
    kubeconfig,
    folder,
    complaints,
    async [Symbol.asyncDispose]() {
      await cluster.stop();
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
