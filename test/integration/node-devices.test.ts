import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nodes, type Pod, pods } from "../../src/api/index.js";
import { type ControlPlane, startControlPlane } from "../../src/cluster/control-plane.js";
import { CriRuntime } from "../../src/runtime/cri/index.js";
import { eventually } from "./support/cli-program.js";
import { startTestDevicePlugin, type TestDevicePlugin } from "./support/device-plugin.js";
import { startTestHost, type TestHost } from "./support/real-host.js";
import { TestAgent } from "./support/test-agent.js";

// A node on containerd, and a device plugin on its sockets.

const disks = "example.com/disk";
let host: TestHost;
let rootDir: string;
let runtime: CriRuntime;
let cp: ControlPlane;
let plugin: TestDevicePlugin;
let agent: TestAgent;

beforeAll(async () => {
  host = await startTestHost(["devices"]);
  rootDir = await mkdtemp(join(tmpdir(), "node-devices-"));
  runtime = new CriRuntime({ socket: host.node.criSocket });
  cp = await startControlPlane({ controllers: [], scheduler: false });
  agent = await TestAgent.start({
    client: cp.client,
    runtime,
    nodeName: "n1",
    rootDir,
    cgroupRoot: host.node.cgroupRoot,
    eviction: { hard: {} },
  });
  const devices = { "disk-a": "Healthy", "disk-b": "Healthy", "disk-c": "Unhealthy" } as const;
  plugin = await startTestDevicePlugin({ resourceName: disks, rootDir, devices });
}, 60_000);

afterAll(async () => {
  if (cp !== undefined) for (const { metadata } of (await cp.client.list(pods, {})).items) await remove(metadata.name);
  await agent?.stop();
  await plugin?.[Symbol.asyncDispose]();
  await cp?.[Symbol.asyncDispose]();
  await runtime?.[Symbol.asyncDispose]();
  if (rootDir !== undefined) await rm(rootDir, { recursive: true, force: true });
  await host?.[Symbol.asyncDispose]();
}, 60_000);

const get = (name: string): Promise<Pod> => cp.client.get(pods, { namespace: "default", name });
const inPhase = (name: string, phase: string): Promise<Pod> =>
  eventually(async () => {
    const pod = await get(name);
    return pod.status?.phase === phase ? pod : undefined;
  }, `${name} is ${phase}`);

/** As `capacity/allocatable`. */
const shows = (resource: string, counts: string): Promise<true> =>
  eventually(async () => {
    const { status } = await cp.client.get(nodes, { name: "n1" });
    return `${status?.capacity?.[resource]}/${status?.allocatable?.[resource]}` === counts ? true : undefined;
  }, `the node has ${counts} of ${resource}`);

async function create(name: string, count: string, command = "exec sleep 3600", init?: string): Promise<void> {
  const limited = (limit: string) => ({ limits: { [disks]: limit }, requests: { [disks]: limit } });
  const container = { image: "busybox:1", command: ["sh", "-c", command] };
  await cp.client.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: {
      nodeName: "n1",
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 1,
      ...(init === undefined
        ? {}
        : { initContainers: [{ ...container, name: "init", command: ["true"], resources: limited(init) }] }),
      containers: [{ ...container, name: "main", env: [{ name: "TAKEN", value: "pod" }], resources: limited(count) }],
    },
  });
}

async function remove(name: string): Promise<void> {
  await cp.client.delete(pods, { namespace: "default", name }, { gracePeriodSeconds: 1 });
  await eventually(async () => {
    const { items } = await cp.client.list(pods, {});
    return items.some(({ metadata }) => metadata.name === name) ? undefined : true;
  }, `${name} is gone`);
}

const shell = async (name: string, command: string): Promise<string> => {
  const id = (await get(name)).status?.containerStatuses?.[0]?.containerID?.replace("containerd://", "") ?? "";
  const { stdout, stderr } = await runtime.execSync(id, ["sh", "-c", command], 5);
  return Buffer.concat([stdout, stderr]).toString();
};

test("a plugin of another version, or of no resource of its own, is told why it cannot register", async () => {
  await expect(plugin.register("v1alpha")).rejects.toThrow(
    'requested API version "v1alpha" is not supported by kubelet. Supported version is [v1beta1]',
  );
  await using own = await startTestDevicePlugin({ resourceName: "kubernetes.io/disk", rootDir, devices: {} });
  await expect(own.register()).rejects.toThrow('the ResourceName "kubernetes.io/disk" is invalid');
});

test("the node has what a plugin says that it has", async () => {
  await plugin.register();
  await shows(disks, "3/2");
});

test("a container gets the devices that its plugin prefers, and all that goes with them", async () => {
  await create("one", "1");
  await inPhase("one", "Running");
  expect(plugin.calls).toEqual(["prefer disk-b", "allocate disk-b", "start disk-b"]);
  expect(await shell("one", "echo $DISKS $TAKEN; test -c /dev/disk-b && echo gone > /dev/disk-b && echo written")).toBe(
    "disk-b pod\nwritten\n",
  );
  expect(await shell("one", "touch /etc/disk-host")).toMatch(/Read-only file system/);
});

test("what is taken is not given twice, and a pod that asks for more is turned away", async () => {
  await create("greedy", "2");
  expect((await inPhase("greedy", "Failed")).status).toMatchObject({
    reason: `OutOf${disks}`,
    message: `Pod was rejected: Node didn't have enough resource: ${disks}, requested: 2, used: 1, capacity: 2`,
  });
  await remove("greedy");
});

test("what an init container had goes to the main one", async () => {
  plugin.calls.length = 0;
  await create("after", "1", "exec sleep 3600", "1");
  await inPhase("after", "Running");
  expect(plugin.calls.filter((call) => !call.startsWith("start"))).toEqual([
    "prefer disk-a",
    "allocate disk-a",
    "allocate disk-a",
  ]);
  await remove("after");
});

test("a device that fails is no longer given away, and its container goes on", async () => {
  plugin.update({ "disk-a": "Unhealthy", "disk-b": "Unhealthy" });
  await shows(disks, "2/0");
  expect(await shell("one", "echo $DISKS")).toBe("disk-b\n");
  plugin.update({ "disk-a": "Healthy", "disk-b": "Healthy" });
  await shows(disks, "2/2");
});

test("an agent that is started again knows who has what, once the plugin is back", async () => {
  await agent.stop();
  await agent.start();
  await shows(disks, "0/0");
  await plugin.register();
  await shows(disks, "2/2");
  plugin.calls.length = 0;
  await create("two", "1");
  await inPhase("two", "Running");
  expect(plugin.calls).toEqual(["prefer disk-a", "allocate disk-a", "start disk-a"]);
  expect((await get("one")).status?.containerStatuses?.[0]?.restartCount).toBe(0);
  await create("late", "1");
  expect((await inPhase("late", "Failed")).status?.reason).toBe(`OutOf${disks}`);
  for (const name of ["one", "two", "late"]) await remove(name);
}, 30_000);

test("a plugin that ends takes its devices' health with it, until it is back", async () => {
  await plugin[Symbol.asyncDispose]();
  await shows(disks, "2/0");
  await plugin.register();
  await shows(disks, "2/2");
});

test("a plugin may announce itself where all plugins do", async () => {
  const resource = "example.com/port";
  await using announced = await startTestDevicePlugin({
    resourceName: resource,
    rootDir,
    devices: { p1: "Healthy" },
    announced: true,
  });
  await shows(resource, "1/1");
  await eventually(
    async () => (announced.calls.includes('told {"pluginRegistered":true,"error":""}') ? true : undefined),
    "it is told",
  );
});
