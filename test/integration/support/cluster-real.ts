import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ScenarioCluster } from "../scenario/scenario.js";
import { interrupt, startUp } from "./cli.js";
import { eventually } from "./cli-program.js";
import { fetchScript } from "./cluster-fetch.js";
import { createKubectl } from "./kubectl.js";

interface Agent {
  readonly pid: number;
  readonly cgroupRoot: string;
}

/**
 * A cluster of etcd, containerd and the kernel's packet filter, brought up as a user does it, each node in a network namespace without a
 * way out. Rejects, and never skips, when something is missing.
 */
export async function startRealCluster(args: readonly string[] = []): Promise<ScenarioCluster> {
  const nodes = ["node-1", "node-2"];
  const folder = await mkdtemp(join(tmpdir(), "scenario-real-"));
  const kubeconfig = join(folder, "kubeconfig");
  const data = join(folder, "data");
  const { program } = await startUp(["--real", "--no-demo", "--data", data, "--kubeconfig", kubeconfig, ...args], {
    timeoutMs: 200_000,
  });
  const held = new Map<string, NodeJS.Timeout>();
  const release = (node: string): void => {
    clearInterval(held.get(node));
    held.delete(node);
  };
  const dispose = async (): Promise<void> => {
    for (const node of nodes) release(node);
    await interrupt(program, 60_000);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const running = async (node: string): Promise<Agent> =>
      eventually(() => findAgent(data, node), `the agent of ${node}`);
    const [first] = await Promise.all(nodes.map(running));
    const roots = new Map<string, string>();
    for (const node of nodes) roots.set(node, (await running(node)).cgroupRoot);
    const namespace = await namespaceOf(first?.pid ?? 0);
    return {
      name: "real parts",
      kubectl: await createKubectl({ kubeconfig, home: folder }),
      nodes,
      images: { web: "coxswain/web:1", webNew: "coxswain/web:2", shell: "busybox:1" },
      fetchFromNode: (url) => ["nsenter", `--net=${namespace}`, process.execPath, "-e", fetchScript, url],
      fetchFromPod: (url) => ["timeout", "5", "wget", "-q", "-O", "-", url],
      enforcesLimits: true,
      agents: {
        // The cluster starts what ends: held down, it is killed as soon as it is back.
        async kill(node) {
          const kill = async (): Promise<void> => {
            const agent = await findAgent(data, node);
            if (agent !== undefined) process.kill(agent.pid, "SIGKILL");
          };
          await kill();
          held.set(
            node,
            setInterval(() => void kill().catch(() => {}), 50),
          );
        },
        async start(node) {
          release(node);
          await running(node);
        },
        async endPods(node) {
          const root = roots.get(node) ?? "";
          for (const pid of await processesIn(root)) process.kill(pid, "SIGKILL");
        },
      },
      log: () => program.stderr,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function processes(): Promise<readonly number[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** The agent itself, not what has become it or will: `node ... main.js node --kubeconfig FILE --name NAME`. */
async function findAgent(data: string, node: string): Promise<Agent | undefined> {
  for (const pid of await processes()) {
    const argv = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    const flag = (name: string): string | undefined => argv[argv.indexOf(name) + 1];
    const isOurs = argv[2] === "node" && flag("--kubeconfig")?.startsWith(data) && flag("--name") === node;
    if (isOurs) return { pid, cgroupRoot: flag("--cgroup-root") ?? "" };
  }
  return undefined;
}

/** The file of a process's network namespace, which outlives the process. */
async function namespaceOf(pid: number): Promise<string> {
  const { ino } = await stat(`/proc/${pid}/ns/net`);
  for (const name of await readdir("/run/netns")) {
    const path = join("/run/netns", name);
    if ((await stat(path)).ino === ino) return path;
  }
  throw new Error("the node agent is in no named network namespace");
}

/** All that runs below a control group. */
async function processesIn(cgroup: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const pid of await processes()) {
    const groups = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
    if (cgroup !== "" && groups.includes(`${cgroup}/`)) found.push(pid);
  }
  return found;
}
