import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClusterPki } from "../../../src/apiserver/pki/cluster-pki.js";
import { folderPkiStorage } from "../../../src/apiserver/pki/pki-storage.js";
import { realClock } from "../../../src/internal/clock.js";
import type { ScenarioCluster } from "../scenario/scenario.js";
import { interrupt, startCli, startUp } from "./cli.js";
import type { Program } from "./cli-program.js";
import { fetchScript } from "./cluster-fetch.js";
import { createKubectl } from "./kubectl.js";

/**
 * A cluster of this machine's processes whose nodes are programs of their own, so that each can be killed. All of it is on loopback.
 */
export async function startEmbeddedCluster(nodeNames: readonly string[]): Promise<ScenarioCluster> {
  const folder = await mkdtemp(join(tmpdir(), "scenario-"));
  const data = join(folder, "data");
  const kubeconfig = join(folder, "kubeconfig");
  const nodes = new Map<string, Program>();
  let up: Program | undefined;
  const dispose = async (): Promise<void> => {
    // A node agent leaves its pods to its successor: the cluster must have ended them, or they go here.
    for (const node of nodes.values()) node.kill("SIGTERM");
    await Promise.all([...nodes.values()].map(({ ended }) => ended));
    if (up !== undefined) await interrupt(up);
    await endPods(nodeNames.map((name) => join(folder, name)));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const cluster = await startUp([
      "--nodes",
      "0",
      "--no-demo",
      "--port",
      "0",
      "--data",
      data,
      "--kubeconfig",
      kubeconfig,
    ]);
    up = cluster.program;
    const block = Number(await readFile(join(data, "loopback-block"), "utf8"));
    const start = async (name: string): Promise<void> => {
      const index = nodeNames.indexOf(name);
      const address = `127.${block}.255.${index + 1}`;
      const access = join(folder, `${name}.kubeconfig`);
      await writeFile(access, await nodeKubeconfig(join(data, "pki"), kubeconfig, name, address), { mode: 0o600 });
      const root = join(folder, name);
      await mkdir(root, { recursive: true });
      const program = startCli([
        ...["node", "--kubeconfig", access, "--name", name, "--root", root, "--address", address],
        ...["--pod-cidr", `127.${block}.${128 + index}.0/24`],
      ]);
      nodes.set(name, program);
      await program.until(/ready in/);
    };
    await Promise.all(nodeNames.map(start));
    return {
      name: "embedded",
      kubectl: await createKubectl({ kubeconfig, home: folder }),
      nodes: nodeNames,
      images: { web: "coxswain/web:1", webNew: "coxswain/web:2", shell: "busybox:1" },
      fetchFromNode: (url) => [process.execPath, "-e", fetchScript, url],
      // A pod of host processes has the host's programs.
      fetchFromPod: (url) => [process.execPath, "-e", fetchScript, url],
      agents: {
        async kill(name) {
          nodes.get(name)?.kill("SIGKILL");
          await nodes.get(name)?.ended;
        },
        start,
        // A host that has lost its power runs no processes either.
        endPods: (name) => endPods([join(folder, name)]),
      },
      log: () => [...nodes].map(([name, { stderr }]) => `${name}: ${stderr}`).join("\n") + (up?.stderr ?? ""),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** As whom a node calls the API and with what it serves its own: one certificate for both. */
async function nodeKubeconfig(pkiFolder: string, admin: string, name: string, address: string): Promise<string> {
  // What the cluster keeps there is its own to write.
  const storage = { ...folderPkiStorage(pkiFolder), save: async (): Promise<void> => {} };
  const pki = await createClusterPki({ clock: realClock, storage });
  const { certificate, key } = await pki.node(name, { ipAddresses: [address] });
  const server = /server: "?([^"\s]+)/.exec(await readFile(admin, "utf8"))?.[1];
  const base64 = (pem: string): string => Buffer.from(pem).toString("base64");
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server, "certificate-authority-data": base64(pki.ca.certificate) } }],
    users: [{ name: "u", user: { "client-certificate-data": base64(certificate), "client-key-data": base64(key) } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  });
}

async function endPods(roots: readonly string[]): Promise<void> {
  const { ProcessRuntime } = await import("coxswain/runtime/process");
  for (const root of roots) {
    const runtime = await ProcessRuntime.open({ rootDir: join(root, "runtime") });
    await runtime[Symbol.asyncDispose]();
  }
}
