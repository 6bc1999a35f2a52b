import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Container, type Node, nodes, type Pod, type PodSpec, pods } from "../../src/api/index.js";
import { type ControlPlane, startControlPlane } from "../../src/cluster/control-plane.js";
import { realClock } from "../../src/internal/clock.js";
import { silentLogger } from "../../src/internal/logger.js";
import { diskUsage } from "../../src/node/eviction/disk-usage.js";
import { HostUsage } from "../../src/node/eviction/host-usage.js";
import { ImageCollector } from "../../src/node/images/image-collector.js";
import { hostPodCgroups } from "../../src/node/resize/pod-cgroups.js";
import { CriRuntime } from "../../src/runtime/cri/index.js";
import { eventually } from "./support/cli-program.js";
import { startTestHost, type TestHost } from "./support/real-host.js";
import { TestAgent } from "./support/test-agent.js";

// A node on containerd whose volumes and logs are on a small file system of their own, which pods fill.

const run = promisify(execFile);
const megabyte = 2 ** 20;
const never = new AbortController().signal;

let host: TestHost;
let folder: string;
let runtime: CriRuntime;
let cp: ControlPlane;
let agent: TestAgent;

beforeAll(async () => {
  host = await startTestHost(["pressure"]);
  folder = await mkdtemp(join(tmpdir(), "node-pressure-"));
  await run("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", folder]);
  runtime = new CriRuntime({ socket: host.node.criSocket });
  cp = await startControlPlane({ controllers: ["nodelifecycle"], scheduler: false });
  agent = await TestAgent.start({
    client: cp.client,
    runtime,
    nodeName: "small",
    rootDir: folder,
    cgroupRoot: host.node.cgroupRoot,
    statusIntervalMs: 1000,
    eviction: {
      hard: { "nodefs.available": "20%" },
      pressureTransitionSeconds: 3,
      intervalMs: 300,
      volumesIntervalMs: 300,
    },
    imageCollection: { highThresholdPercent: 100 },
  });
}, 60_000);

afterAll(async () => {
  if (cp !== undefined) for (const { metadata } of (await cp.client.list(pods, {})).items) await remove(metadata.name);
  await agent?.stop();
  await cp?.[Symbol.asyncDispose]();
  await runtime?.[Symbol.asyncDispose]();
  if (folder !== undefined) {
    await run("umount", [folder]);
    await rm(folder, { recursive: true, force: true });
  }
  await host?.[Symbol.asyncDispose]();
}, 60_000);

const get = (name: string): Promise<Pod> => cp.client.get(pods, { namespace: "default", name });
const evicted = (name: string): Promise<Pod> =>
  eventually(async () => {
    const pod = await get(name);
    return pod.status?.phase === "Failed" ? pod : undefined;
  }, `${name} is evicted`);

async function start(
  name: string,
  script: string,
  more: Partial<Container> = {},
  spec: Partial<PodSpec> = {},
): Promise<Pod> {
  const forever = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
  const main = { name: "main", image: "busybox:1", command: ["sh", "-c", `${script}; ${forever}`], ...more };
  return cp.client.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: { nodeName: "small", restartPolicy: "Always", containers: [main], ...spec },
  });
}

async function remove(name: string): Promise<void> {
  await cp.client.delete(pods, { namespace: "default", name }, { gracePeriodSeconds: 1 });
  await eventually(async () => {
    const { items } = await cp.client.list(pods, { namespace: "default" });
    return items.some(({ metadata }) => metadata.name === name) ? undefined : true;
  }, `${name} is gone`);
}

const fills = (path: string, megabytes: number): string => `head -c ${megabytes * megabyte} /dev/zero > ${path}`;
const volume = (sizeLimit?: string): [Partial<Container>, Partial<PodSpec>] => [
  { volumeMounts: [{ name: "data", mountPath: "/data" }] },
  { volumes: [{ name: "data", emptyDir: sizeLimit === undefined ? {} : { sizeLimit } }] },
];

test("an emptyDir that grows above its size costs its pod, and goes with it", async () => {
  await start("modest", fills("/data/file", 2), ...volume("4Mi"));
  const { metadata } = await start("hoarder", fills("/data/file", 6), ...volume("4Mi"));
  const { status } = await evicted("hoarder");
  expect(status).toMatchObject({
    reason: "Evicted",
    message: 'Usage of EmptyDir volume "data" exceeds the limit "4Mi". ',
  });
  expect(status?.containerStatuses?.[0]?.state?.terminated).toBeDefined();
  await eventually(async () => {
    const left = await readdir(join(folder, "pods", metadata.uid, "volumes")).catch(() => []);
    return left.length === 0 ? true : undefined;
  }, "its volume is gone");
  expect((await get("modest")).status?.phase).toBe("Running");
  await remove("hoarder");
  await remove("modest");
});

test("a container that writes more than it may into its own layer costs its pod", async () => {
  const resources = { limits: { "ephemeral-storage": "4Mi" } };
  await start("writer", fills("/file", 8), { resources });
  const { status } = await evicted("writer");
  expect(status?.message).toBe("Pod ephemeral local storage usage exceeds the total limit of containers 4Mi. ");
  await remove("writer");
});

test("a full disk costs the pod that fills it, and keeps others away until it is past", async () => {
  await start("small", fills("/data/file", 2), ...volume());
  await start("large", fills("/data/file", 55), ...volume());
  const { status } = await evicted("large");
  expect(status?.message).toMatch(
    /^The node was low on resource: ephemeral-storage\. Threshold quantity: 13421772, available: \d+(Ki)?\. $/,
  );
  expect(status?.conditions?.find(({ type }) => type === "DisruptionTarget")).toMatchObject({
    status: "True",
    reason: "TerminationByKubelet",
    message: status?.message,
  });
  const node = (): Promise<Node> => cp.client.get(nodes, { name: "small" });
  const pressure = async (): Promise<string> => {
    const { status: now, spec } = await node();
    const is = now?.conditions?.find(({ type }) => type === "DiskPressure")?.status;
    const taint = spec?.taints?.find(({ key }) => key === "node.kubernetes.io/disk-pressure");
    return `${is} ${taint?.effect}`;
  };
  const until = (wanted: string): Promise<true> =>
    eventually(async () => ((await pressure()) === wanted ? true : undefined), `pressure is ${wanted}`);
  await until("True NoSchedule");
  await start("late", "true");
  expect((await evicted("late")).status?.message).toBe("Pod was rejected: The node had condition: [DiskPressure]. ");
  await until("False undefined");
  await start("later", "true");
  await eventually(async () => ((await get("later")).status?.phase === "Running" ? true : undefined), "later runs");
  expect((await get("small")).status?.phase).toBe("Running");
  for (const name of ["small", "large", "late", "later"]) await remove(name);
});

test("what a pod uses is read from the kernel", async () => {
  const pod = await start("user", `${fills("/dev/shm/held", 20)}; ${fills("/data/file", 3)}; echo done`, ...volume());
  const cgroups = await hostPodCgroups();
  const usage = new HostUsage({
    ...{ runtime, clock: realClock, logger: silentLogger, rootDir: folder, logRoot: join(folder, "logs"), cgroups },
    cgroupRoot: host.node.cgroupRoot,
    volumeDir: (uid, name) => join(folder, "pods", uid, "volumes/kubernetes.io~empty-dir", name),
    volumesIntervalMs: 0,
  });
  const found = await eventually(async () => {
    const read = await usage.read([pod], never);
    const used = read.pods.get(pod.metadata.uid);
    const container = used?.containers.get("main");
    return container !== undefined && container.logs.bytes > 0 && container.memoryBytes > 20 * megabyte
      ? { ...read, used, container }
      : undefined;
  }, "its usage is known");
  expect(found.used?.volumes.get("data")?.bytes).toBeGreaterThanOrEqual(3 * megabyte);
  expect(found.used?.volumes.get("data")?.bytes).toBeLessThan(4 * megabyte);
  // The sandbox's own process, the shell, and what it sleeps by.
  expect(found.used?.processes).toBeGreaterThanOrEqual(2);
  expect(found.used?.processes).toBeLessThan(10);
  expect(found.container.memoryBytes).toBeLessThan(40 * megabyte);
  expect(found.dedicatedImageFs).toBe(true);
  for (const [signal, { available, capacity }] of found.signals) {
    expect(available, signal).toBeGreaterThan(0);
    expect(available, signal).toBeLessThanOrEqual(capacity);
  }
  expect(found.signals.get("nodefs.available")?.capacity).toBe(64 * megabyte);
  expect([...found.signals.keys()]).toEqual(expect.arrayContaining(["memory.available", "pid.available"]));
  await remove("user");
});

test("disk usage counts files once and stays on the file system", async () => {
  const top = join(folder, "measured");
  await mkdir(join(top, "deep", "deeper"), { recursive: true });
  await mkdir(join(top, "mount"));
  const sizes = { "deep/a": 100_000, "deep/deeper/b": 50_000 };
  for (const [name, bytes] of Object.entries(sizes)) {
    await run("sh", ["-c", `head -c ${bytes} /dev/zero > ${join(top, name)}`]);
  }
  await run("ln", [join(top, "deep/a"), join(top, "deep/again")]);
  await run("ln", ["-s", "/", join(top, "elsewhere")]);
  await run("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", join(top, "mount")]);
  try {
    await run("sh", ["-c", `head -c 4000000 /dev/zero > ${join(top, "mount", "big")}`]);
    const { bytes, inodes } = await diskUsage(top);
    const { stdout } = await run("du", ["-sx", "--block-size=1", top]);
    expect(bytes).toBe(Number.parseInt(stdout, 10));
    // Three folders, two files, one link; what is mounted belongs to another file system.
    expect(inodes).toBe(6);
    expect(await diskUsage(join(top, "nowhere"))).toEqual({ bytes: 0, inodes: 0 });
  } finally {
    await run("umount", [join(top, "mount")]);
    await rm(top, { recursive: true });
  }
});

test("images that no container uses go, and pods can be started all the same", async () => {
  await start("user", "true");
  await eventually(async () => ((await get("user")).status?.phase === "Running" ? true : undefined), "user runs");
  for (const image of ["coxswain/web:1", "coxswain/web:2"]) await runtime.pullImage(image);
  const collector = new ImageCollector({
    ...{ runtime, clock: realClock, logger: silentLogger },
    options: { minimumAgeSeconds: 0 },
    fileSystem: async () => ({ available: 1, capacity: 100 }),
    nodeEvent() {},
    onRemoved() {},
  });
  const tags = async (): Promise<string> => (await runtime.listImages()).flatMap(({ repoTags }) => repoTags).join(" ");
  expect(await tags()).toMatch(/web:1.*web:2|web:2.*web:1/);
  await collector.removeUnused(never);
  expect(await tags()).not.toContain("web");
  expect(await tags()).toContain("busybox:1");
  await start("next", "true");
  await eventually(async () => ((await get("next")).status?.phase === "Running" ? true : undefined), "next runs");
  expect((await stat(folder)).isDirectory()).toBe(true);
  await remove("user");
  await remove("next");
});
