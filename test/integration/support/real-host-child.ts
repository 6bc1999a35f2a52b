import { createRealHost } from "../../../src/cluster/real/index.js";
import { CriRuntime } from "../../../src/runtime/cri/index.js";

/** Starts a host with a running pod, says so, and waits to be killed. */
const [stateDir = ""] = process.argv.slice(2);
const host = await createRealHost({ stateDir, nodes: [{ name: "one" }, { name: "two" }] });
for (const node of host.nodes) {
  const runtime = new CriRuntime({ socket: node.criSocket });
  const namespaces = { network: "pod", pid: "container", ipc: "pod" } as const;
  const sandbox = {
    metadata: { name: "left", namespace: "default", uid: "left", attempt: 0 },
    hostname: "left",
    portMappings: [],
    labels: {},
    annotations: {},
    cgroupParent: `${node.cgroupRoot}/pod-left`,
    security: { namespaces },
  };
  const image = await runtime.pullImage("busybox");
  const sandboxId = await runtime.runPodSandbox(sandbox);
  const container = {
    metadata: { name: "c", attempt: 0 },
    image,
    command: ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"],
    args: [],
    env: [],
    mounts: [],
    labels: {},
    annotations: {},
    security: { namespaces },
  };
  await runtime.startContainer(await runtime.createContainer(sandboxId, container, sandbox));
}
console.log(JSON.stringify({ runDir: host.nodes[0]?.criSocket.split("/").slice(0, 3).join("/") }));
setInterval(() => undefined, 1000);
