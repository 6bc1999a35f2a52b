import { createRealHost } from "../../../src/cluster/real/index.js";
import { CriRuntime } from "../../../src/runtime/cri/index.js";

/** Makes the machine itself a node, asks a pod of it by its address and by a host port, and takes all down with the pod running. */
const [stateDir = ""] = process.argv.slice(2);
const host = await createRealHost({ stateDir, nodes: [{ name: "this" }], onHost: true, etcdDataDir: false });
const [node] = host.nodes;
if (node === undefined) throw new Error("no node");
const runtime = new CriRuntime({ socket: node.criSocket });
const namespaces = { network: "pod", pid: "container", ipc: "pod" } as const;
const sandbox = {
  metadata: { name: "on-host", namespace: "default", uid: "on-host", attempt: 0 },
  hostname: "on-host",
  portMappings: [{ protocol: "TCP", containerPort: 8080, hostPort: 30124 }] as const,
  labels: {},
  annotations: {},
  cgroupParent: `${node.cgroupRoot}/pod-on-host`,
  security: { namespaces },
};
const sandboxId = await runtime.runPodSandbox(sandbox);
const container = {
  metadata: { name: "c", attempt: 0 },
  image: await runtime.pullImage("coxswain/web"),
  command: [],
  args: [],
  env: [],
  mounts: [],
  labels: {},
  annotations: {},
  security: { namespaces },
};
await runtime.startContainer(await runtime.createContainer(sandboxId, container, sandbox));
const { ips } = await runtime.podSandboxStatus(sandboxId);

async function ask(url: string): Promise<string> {
  for (let turn = 0; ; turn++) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
      return (await response.text()).trim();
    } catch (error) {
      if (turn === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const answer = await ask(`http://${ips[0]}:8080/`);
const forwarded = await ask(`http://${node.address}:30124/`);
await runtime[Symbol.asyncDispose]();
await host.dispose();
console.log(JSON.stringify({ prefix: node.criSocket.split("/")[2], answer, forwarded }));
