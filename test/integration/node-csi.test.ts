import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  csiDrivers,
  csiNodes,
  events,
  nodes,
  type PersistentVolumeSpec,
  type Pod,
  type PodSpec,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  secrets,
  volumeAttachments,
} from "../../src/api/index.js";
import { type ControlPlane, startControlPlane } from "../../src/cluster/control-plane.js";
import { mountPointsBelow } from "../../src/internal/mounts.js";
import { CriRuntime } from "../../src/runtime/cri/index.js";
import { eventually } from "./support/cli-program.js";
import { startTestDriver, type TestDriver } from "./support/csi-driver.js";
import { startTestHost, type TestHost } from "./support/real-host.js";
import { TestAgent } from "./support/test-agent.js";

// A node on containerd, and a CSI driver on its sockets that really mounts.

const driverName = "disk.example.com";
let host: TestHost;
let rootDir: string;
let backing: string;
let runtime: CriRuntime;
let cp: ControlPlane;
let driver: TestDriver;
let agent: TestAgent;

beforeAll(async () => {
  host = await startTestHost(["csi"]);
  rootDir = await mkdtemp(join(tmpdir(), "node-csi-"));
  backing = await mkdtemp(join(tmpdir(), "node-csi-disks-"));
  runtime = new CriRuntime({ socket: host.node.criSocket });
  cp = await startControlPlane({ controllers: ["persistentvolume-binder"], scheduler: false });
  agent = await TestAgent.start({
    client: cp.client,
    runtime,
    nodeName: "n1",
    rootDir,
    cgroupRoot: host.node.cgroupRoot,
    eviction: { hard: {} },
  });
  driver = await startTestDriver({ name: driverName, rootDir, backing });
  await eventually(async () => (driver.registrations.length > 0 ? true : undefined), "the driver is registered");
}, 60_000);

afterAll(async () => {
  if (cp !== undefined) for (const { metadata } of (await cp.client.list(pods, {})).items) await remove(metadata.name);
  await agent?.stop();
  await driver?.[Symbol.asyncDispose]();
  await cp?.[Symbol.asyncDispose]();
  await runtime?.[Symbol.asyncDispose]();
  expect(await mountPointsBelow(rootDir)).toEqual([]);
  for (const folder of [rootDir, backing]) if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  await host?.[Symbol.asyncDispose]();
}, 60_000);

const get = (name: string): Promise<Pod> => cp.client.get(pods, { namespace: "default", name });
const isRunning = (name: string): Promise<Pod> =>
  eventually(async () => {
    const pod = await get(name);
    return pod.status?.phase === "Running" ? pod : undefined;
  }, `${name} runs`);

async function start(name: string, script: string, spec: Partial<PodSpec>): Promise<Pod> {
  const forever = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
  const main = {
    name: "main",
    image: "busybox:1",
    command: ["sh", "-c", `${script}; ${forever}`],
    volumeMounts: [{ name: "data", mountPath: "/data" }],
  };
  return cp.client.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: { nodeName: "n1", restartPolicy: "Always", containers: [main], ...spec },
  });
}

async function remove(name: string): Promise<void> {
  await cp.client.delete(pods, { namespace: "default", name }, { gracePeriodSeconds: 1 });
  await eventually(async () => {
    const { items } = await cp.client.list(pods, { namespace: "default" });
    return items.some(({ metadata }) => metadata.name === name) ? undefined : true;
  }, `${name} is gone`);
}

async function volume(name: string, more: Partial<PersistentVolumeSpec["csi"]> = {}): Promise<void> {
  const accessModes = ["ReadWriteOnce"];
  const csi = { driver: driverName, volumeHandle: `disk-${name}`, fsType: "ext4", ...more };
  const metadata = { name };
  const claimRef = { kind: "PersistentVolumeClaim", namespace: "default", name };
  const spec = {
    accessModes,
    capacity: { storage: "1Gi" },
    csi,
    claimRef,
    storageClassName: "",
    mountOptions: ["noatime"],
  };
  await cp.client.create(persistentVolumes, { apiVersion: "v1", kind: "PersistentVolume", metadata, spec });
  await cp.client.create(persistentVolumeClaims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, namespace: "default" },
    spec: { accessModes, resources: { requests: { storage: "1Gi" } }, storageClassName: "", volumeName: name },
  });
}

const claim = (claimName: string): Partial<PodSpec> => ({
  volumes: [{ name: "data", persistentVolumeClaim: { claimName } }],
});

const called = (method: string): TestDriver["calls"] => driver.calls.filter((call) => call.method === method);

test("a driver that makes itself known is in the API, with what it says of the node", async () => {
  expect(driver.registrations).toEqual([{ pluginRegistered: true, error: "" }]);
  const { spec, metadata } = await cp.client.get(csiNodes, { name: "n1" });
  expect(spec.drivers).toEqual([
    {
      name: driverName,
      nodeID: `${driverName}-node`,
      topologyKeys: [`topology.${driverName}/zone`],
      allocatable: { count: 7 },
    },
  ]);
  expect(metadata.ownerReferences?.[0]).toMatchObject({ kind: "Node", name: "n1" });
  const node = await cp.client.get(nodes, { name: "n1" });
  expect(node.metadata.annotations?.["csi.volume.kubernetes.io/nodeid"]).toBe(`{"${driverName}":"${driverName}-node"}`);
  expect(node.metadata.labels?.[`topology.${driverName}/zone`]).toBe("z1");
});

test("a volume waits for its attachment, is staged once and published for each pod, and goes with the last", async () => {
  const credentials = { apiVersion: "v1", kind: "Secret" } as const;
  const data = { password: Buffer.from("sesame").toString("base64") };
  await cp.client.create(secrets, { ...credentials, metadata: { name: "disk", namespace: "default" }, data });
  await volume("shared", {
    nodeStageSecretRef: { name: "disk", namespace: "default" },
    volumeAttributes: { colour: "blue" },
  });
  await start("writer", "echo kept > /data/file", claim("shared"));
  const name = `csi-${createHash("sha256").update(`disk-shared${driverName}n1`).digest("hex")}`;
  await eventually(async () => {
    const { items } = await cp.client.list(events, { namespace: "default" });
    const words = `MountVolume.SetUp failed for volume "data" : volume attachment is being waited for: ${name}`;
    return items.some(({ note }) => note === words) ? true : undefined;
  }, "it is told that the volume waits");
  expect(called("NodeStageVolume")).toEqual([]);
  const attachment = await cp.client.create(volumeAttachments, {
    apiVersion: "storage.k8s.io/v1",
    kind: "VolumeAttachment",
    metadata: { name },
    spec: { attacher: driverName, nodeName: "n1", source: { persistentVolumeName: "shared" } },
  });
  const status = { attached: true, attachmentMetadata: { device: "/dev/test" } };
  await cp.client.update(volumeAttachments, { ...attachment, status }, { subresource: "status" });
  const { metadata } = await isRunning("writer");
  const [stage] = called("NodeStageVolume");
  const [publish] = called("NodePublishVolume");
  const mount = { fsType: "ext4", mountFlags: ["noatime"] };
  expect(stage?.request).toMatchObject({
    volumeId: "disk-shared",
    publishContext: { device: "/dev/test" },
    secrets: { password: "sesame" },
    volumeContext: { colour: "blue" },
    volumeCapability: { mount, accessMode: { mode: "SINGLE_NODE_WRITER" } },
  });
  expect(publish?.request).toMatchObject({
    volumeId: "disk-shared",
    publishContext: { device: "/dev/test" },
    stagingTargetPath: stage?.request.stagingTargetPath,
    targetPath: join(rootDir, "pods", metadata.uid, "volumes/kubernetes.io~csi/shared/mount"),
    readonly: false,
    secrets: {},
  });
  await eventually(async () => {
    const text = await readFile(join(backing, "disk-shared", "file"), "utf8").catch(() => "");
    return text === "kept\n" ? true : undefined;
  }, "what the container wrote is on the disk");
  const reader = { volumes: [{ name: "data", persistentVolumeClaim: { claimName: "shared", readOnly: true } }] };
  await start("reader", "touch /data/more && exit 3", reader);
  await isRunning("reader");
  expect(called("NodePublishVolume")[1]?.request).toMatchObject({ readonly: true });
  expect(await readdir(join(backing, "disk-shared"))).toEqual(["file"]);
  await remove("writer");
  expect(called("NodeUnpublishVolume")).toHaveLength(1);
  expect(called("NodeUnstageVolume")).toEqual([]);
  await remove("reader");
  expect(called("NodeUnpublishVolume")).toHaveLength(2);
  expect(called("NodeUnstageVolume")[0]?.request).toMatchObject({
    volumeId: "disk-shared",
    stagingTargetPath: stage?.request.stagingTargetPath,
  });
  expect(await mountPointsBelow(rootDir)).toEqual([]);
  expect(await readFile(join(backing, "disk-shared", "file"), "utf8")).toBe("kept\n");
});

test("a volume of the pod's own is given with the pod's name; an agent that comes after takes it down", async () => {
  await cp.client.create(csiDrivers, {
    apiVersion: "storage.k8s.io/v1",
    kind: "CSIDriver",
    metadata: { name: driverName },
    spec: {
      attachRequired: false,
      podInfoOnMount: true,
      volumeLifecycleModes: ["Persistent", "Ephemeral"],
      fsGroupPolicy: "File",
    },
  });
  const csi = { driver: driverName, volumeAttributes: { size: "1" } };
  const before = called("NodeStageVolume").length;
  await start("inline", "echo mine > /data/own", {
    volumes: [{ name: "data", csi }],
    securityContext: { fsGroup: 4242 },
  });
  const { metadata } = await isRunning("inline");
  const { request } = called("NodePublishVolume").at(-1) ?? {};
  expect(request.volumeId).toMatch(/^csi-[0-9a-f]{64}$/);
  expect(request.volumeContext).toMatchObject({
    size: "1",
    "csi.storage.k8s.io/pod.name": "inline",
    "csi.storage.k8s.io/pod.namespace": "default",
    "csi.storage.k8s.io/pod.uid": metadata.uid,
    "csi.storage.k8s.io/ephemeral": "true",
  });
  expect(called("NodeStageVolume")).toHaveLength(before);
  const folder = await stat(join(backing, request.volumeId));
  expect([folder.gid, folder.mode & 0o7777]).toEqual([4242, 0o2775]);
  await agent.stop();
  await agent.start();
  driver.failNext("NodeUnpublishVolume");
  await eventually(async () => (driver.registrations.length > 1 ? true : undefined), "the driver is registered again");
  await remove("inline");
  expect(await mountPointsBelow(join(rootDir, "pods"))).toEqual([]);
  // What a driver could not take down was not removed with the pod.
  expect(await readFile(join(backing, request.volumeId, "own"), "utf8")).toBe("mine\n");
});

test("what a driver refuses is tried again", async () => {
  await volume("flaky");
  driver.failNext("NodePublishVolume");
  await start("patient", "true", claim("flaky"));
  await isRunning("patient");
  expect(called("NodePublishVolume").filter(({ request }) => request.volumeId === "disk-flaky")).toHaveLength(2);
  await remove("patient");
});

test("a driver of another kind is told why it is not taken, and one that goes is there no more", async () => {
  const old = await startTestDriver({ name: "old.example.com", rootDir, backing, versions: ["0.3.0"] });
  await eventually(async () => (old.registrations.length > 0 ? true : undefined), "it is told");
  expect(old.registrations[0]).toEqual({
    pluginRegistered: false,
    error: "the driver old.example.com supports none of CSI's versions 1, but 0.3.0",
  });
  await old[Symbol.asyncDispose]();
  await mkdir(join(rootDir, "plugins_registry"), { recursive: true });
  await writeFile(join(rootDir, "plugins_registry", "no-socket"), "");
  const passing = await startTestDriver({ name: "passing.example.com", rootDir, backing });
  const names = async (): Promise<readonly string[]> =>
    ((await cp.client.get(csiNodes, { name: "n1" })).spec.drivers ?? []).map(({ name }) => name).sort();
  const until = (wanted: readonly string[]): Promise<true> =>
    eventually(async () => ((await names()).join() === wanted.join() ? true : undefined), `drivers are ${wanted}`);
  await until([driverName, "passing.example.com"]);
  await passing.unregister();
  await until([driverName]);
  await passing[Symbol.asyncDispose]();
});
