import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { unmountBelow } from "../../internal/mounts.js";
import { type ClaimRecord, release, restoreSettings, runDirOf } from "./claim.js";
import { namespacesOf, netnsFolder, removeNetwork } from "./network.js";
import { type NetworkPlan, planNetwork, planOnHost, prefixOf } from "./network-plan.js";
import { removePortMappings } from "./port-mappings.js";
import { cgroupFolders, killAll } from "./processes.js";

/** Results of CNI plugins, kept for their removal; the folder is the plugins' library's own. */
const cniResults = "/var/lib/cni/results";

/**
 * Takes a host down, whatever of it is there: made by this process, or by one that was killed at any moment. It asks nothing of the
 * servers: it kills all processes that live in the nodes' namespaces and control groups, then removes what they leave.
 */
export async function removeHost(record: ClaimRecord): Promise<void> {
  const { index, stateDir } = record;
  const runDir = runDirOf(index);
  const prefix = prefixOf(index);
  const cgroup = `/${prefix}`;
  const netns = (await namespacesOf(prefix)).map((name) => join(netnsFolder, name));
  const traces = await tracesOf(runDir);
  await killAll({ argumentsBelow: [`${runDir}/`, `${stateDir}/`], netns, cgroup });
  await removeCgroups(cgroup);
  await unmountBelow(runDir);
  await unmountBelow(stateDir);
  await removeNetwork(planOf(record));
  if (record.onHost !== undefined) {
    await removePortMappings(prefix);
    await restoreSettings(record.onHost);
  }
  for (const file of traces) await rm(file, { force: true });
  await removeCniResults(prefix);
  await rm(stateDir, { recursive: true, force: true });
  await release(index);
}

export function planOf({ index, nodes, serviceCidr, onHost }: ClaimRecord): NetworkPlan {
  const [only] = nodes;
  return onHost === undefined || only === undefined
    ? planNetwork(index, nodes, serviceCidr)
    : planOnHost(index, only, serviceCidr);
}

/** What shims and plugins keep outside our folders: their sockets, and results named by the sandbox. */
async function tracesOf(runDir: string): Promise<readonly string[]> {
  const traces: string[] = [];
  const results = await readdir(cniResults).catch(() => []);
  for (const node of await readdir(runDir).catch(() => [])) {
    const tasks = join(runDir, node, "state", "io.containerd.runtime.v2.task", "k8s.io");
    const known = new Set(await readdir(tasks).catch(() => []));
    for (const id of known) {
      const address = await readFile(join(tasks, id, "address"), "utf8").catch(() => "");
      if (address.startsWith("unix:///run/containerd/s/")) traces.push(address.slice("unix://".length).trim());
      traces.push(...results.filter((name) => name.includes(`-${id}-`)).map((name) => join(cniResults, name)));
    }
  }
  return traces;
}

async function removeCniResults(prefix: string): Promise<void> {
  for (const name of await readdir(cniResults).catch(() => [])) {
    if (name.startsWith(`${prefix}-`)) await rm(join(cniResults, name), { force: true });
  }
}

/** The kernel takes a moment until a group whose last process has ended is empty. */
async function removeCgroups(path: string): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    const folders = await cgroupFolders(path);
    if (folders.length === 0) return;
    for (const folder of folders) await rmdir(folder).catch(() => undefined);
    await wait(turn === 0 ? 0 : 20);
  }
  throw new Error(`the control group ${path} cannot be removed`);
}
