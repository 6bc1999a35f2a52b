import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRealHost, type RealHost, type RealNode } from "../../../src/cluster/real/index.js";

export interface TestHost extends AsyncDisposable {
  readonly host: RealHost;
  readonly node: RealNode;
  readonly folder: string;
}

/** Nodes with a containerd each, in network namespaces of their own. Rejects, and never skips, when something is missing. */
export async function startTestHost(names: readonly string[], etcd = false): Promise<TestHost> {
  const folder = await mkdtemp(join(tmpdir(), "cxw-real-"));
  const host = await createRealHost({
    stateDir: join(folder, "state"),
    nodes: names.map((name) => ({ name })),
    ...(etcd ? {} : { etcdDataDir: false }),
  });
  const [node] = host.nodes;
  if (node === undefined) throw new Error("a test host has a node");
  return {
    host,
    node,
    folder,
    async [Symbol.asyncDispose]() {
      await host.dispose();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What a host leaves anywhere on the machine, by where it is: empty when nothing is left. */
export async function tracesOf(prefix: string, folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  const named = async (where: string): Promise<void> => {
    for (const name of await readdir(where).catch(() => [])) if (belongs(name)) found.push(join(where, name));
  };
  const belongs = (name: string): boolean => name === prefix || name.startsWith(`${prefix}-`);
  await named("/run");
  await named("/run/netns");
  await named("/var/lib/cni/results");
  const link = prefix.replace("coxswain-", "cxw");
  await named("/sys/fs/cgroup");
  for (const hierarchy of await readdir("/sys/fs/cgroup")) await named(join("/sys/fs/cgroup", hierarchy));
  for (const name of await readdir("/sys/class/net")) if (name === link) found.push(`link ${name}`);
  for (const line of (await readFile("/proc/self/mounts", "utf8")).split("\n")) {
    const point = line.split(" ")[1] ?? "";
    if (point.startsWith(`/run/${prefix}/`) || point.startsWith(`${folder}/`)) found.push(`mount ${point}`);
  }
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const words = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (words.includes(`/run/${prefix}/`)) found.push(`process ${pid} ${words.replaceAll("\0", " ")}`);
  }
  found.push(...(await routes()).filter((line) => line.includes(` dev ${link} `)));
  return found;
}

async function routes(): Promise<readonly string[]> {
  const { execFile } = await import("node:child_process");
  const text = await new Promise<string>((resolve, reject) =>
    execFile("ip", ["route", "show"], (error, stdout) => (error === null ? resolve(stdout) : reject(error))),
  );
  return text.split("\n").map((line) => `${line} `);
}
