import { afterEach, expect, test } from "vitest";
import { type Node, nodes, type Pod, type PodSpec, pods, type ResourceRequirements } from "../../api/index.js";
import { type Harness, startHarness } from "../../testing/node-harness.js";
import type { EvictionOptions } from "./thresholds.js";
import type { EvictionSignal, NodeUsage, NodeUsageSource, PodUsage, SignalReading } from "./usage.js";

const open: Harness[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const Mi = 2 ** 20;
const Gi = 2 ** 30;
const healthy: readonly [EvictionSignal, SignalReading][] = [
  ["memory.available", { available: 4 * Gi, capacity: 8 * Gi }],
  ["nodefs.available", { available: 50 * Gi, capacity: 100 * Gi }],
  ["nodefs.inodesFree", { available: 500_000, capacity: 1_000_000 }],
  ["imagefs.available", { available: 50 * Gi, capacity: 100 * Gi }],
  ["imagefs.inodesFree", { available: 500_000, capacity: 1_000_000 }],
  ["pid.available", { available: 30_000, capacity: 32_768 }],
];

interface Used {
  readonly memory?: number;
  readonly rootfs?: number;
  readonly logs?: number;
  readonly volumes?: Readonly<Record<string, number>>;
  readonly processes?: number;
}

/** Made-up readings, by signal and by pod name. */
class MadeUpUsage implements NodeUsageSource {
  readonly signals = new Map<EvictionSignal, SignalReading>(healthy);
  readonly used = new Map<string, Used>();
  dedicatedImageFs = false;
  #short: EvictionSignal | undefined;
  #shortWith: number | undefined;

  set(signal: EvictionSignal, available: number): void {
    const { capacity = 0 } = this.signals.get(signal) ?? {};
    this.signals.set(signal, { available, capacity });
  }

  /** It stays so until a pod has gone; then there is as much as ever. */
  shortOf(signal: EvictionSignal, available: number): void {
    this.set(signal, available);
    this.#shortWith = undefined;
    this.#short = signal;
  }

  async read(list: readonly Pod[]): Promise<NodeUsage> {
    if (this.#short !== undefined && list.length > 0) this.#shortWith ??= list.length;
    if (this.#short !== undefined && list.length < (this.#shortWith ?? 0)) {
      this.set(this.#short, healthy.find(([signal]) => signal === this.#short)?.[1].available ?? 0);
      this.#short = undefined;
    }
    const disk = (bytes = 0): { bytes: number; inodes: number } => ({ bytes, inodes: bytes / 4096 });
    const ofPod = ({ metadata, spec }: Pod): PodUsage => {
      const { memory = 0, rootfs, logs, volumes = {}, processes = 1 } = this.used.get(metadata.name) ?? {};
      const usage = { memoryBytes: memory, rootfs: disk(rootfs), logs: disk(logs) };
      return {
        containers: new Map([[spec?.containers[0]?.name ?? "", usage]]),
        volumes: new Map(Object.entries(volumes).map(([name, bytes]) => [name, disk(bytes)])),
        processes,
      };
    };
    const known = list.filter(({ metadata }) => this.used.has(metadata.name));
    const usage = new Map(known.map((pod) => [pod.metadata.uid, ofPod(pod)]));
    return { signals: new Map(this.signals), pods: usage, dedicatedImageFs: this.dedicatedImageFs };
  }
}

interface Setup {
  readonly h: Harness;
  readonly usage: MadeUpUsage;
}

async function setup(eviction: EvictionOptions = {}, script = () => ({})): Promise<Setup> {
  const usage = new MadeUpUsage();
  const h = await startHarness({ script }, { usage, eviction });
  open.push(h);
  return { h, usage };
}

async function run(
  h: Harness,
  name: string,
  requests: ResourceRequirements["requests"],
  more: Partial<PodSpec> = {},
): Promise<void> {
  const containers = [{ name: "main", image: "main:1", resources: requests === undefined ? {} : { requests } }];
  await h.create(name, { containers, ...more });
}

const evicted = async (h: Harness): Promise<string[]> => {
  const { items } = await h.client.list(pods, { namespace: "default" });
  return items.filter(({ status }) => status?.reason === "Evicted").map(({ metadata }) => metadata.name);
};
const condition = async (h: Harness, type: string): Promise<object | undefined> => {
  const node: Node = await h.client.get(nodes, { name: "n1" });
  return node.status?.conditions?.find((one) => one.type === type);
};

test("memory that runs out costs the pod that uses the most beyond what it asked for", async () => {
  const { h, usage } = await setup();
  await run(h, "modest", { memory: "1Gi" });
  await run(h, "greedy", { memory: "100Mi" });
  await run(h, "greedier", { memory: "100Mi" });
  usage.used.set("modest", { memory: 900 * Mi });
  usage.used.set("greedy", { memory: 200 * Mi });
  usage.used.set("greedier", { memory: 300 * Mi + 1 });
  usage.shortOf("memory.available", 50 * Mi);
  await h.clock.advance(30_000);
  expect(await evicted(h)).toEqual(["greedier"]);
  const { status } = await h.get("greedier");
  const message =
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. " +
    "Container main was using 314572801, request is 100Mi, has larger consumption of memory. ";
  expect(status).toMatchObject({ phase: "Failed", reason: "Evicted", message });
  expect(status?.conditions?.find(({ type }) => type === "DisruptionTarget")).toMatchObject({
    status: "True",
    reason: "TerminationByKubelet",
    message,
  });
  expect(h.events).toContain(`Warning Evicted ${message}`);
  expect(h.events).toContain("Warning EvictionThresholdMet Attempting to reclaim memory");
  expect(h.events).toContain("Normal NodeHasInsufficientMemory Node n1 status is now: NodeHasInsufficientMemory");
  expect((await h.runtime.listContainers({ state: "running" })).map(({ labels }) => labels)).toHaveLength(2);
});

test("one pod goes at a time, until there is enough", async () => {
  const { h, usage } = await setup();
  for (const name of ["a", "b", "c"]) await run(h, name, undefined);
  for (const name of ["a", "b", "c"]) usage.used.set(name, { memory: 100 * Mi });
  const original = usage.read.bind(usage);
  // Each pod that has gone gives its memory back.
  usage.read = async (list) => {
    usage.set("memory.available", 30 * Mi + (3 - list.length) * 40 * Mi);
    return original(list);
  };
  await h.clock.advance(30_000);
  expect(await evicted(h)).toHaveLength(2);
});

test.each<[string, Partial<PodSpec>, Partial<PodSpec>, Used, Used]>([
  [
    "the one that exceeds what it asked for before the more important",
    { priority: 5 },
    {},
    { memory: 2 * Gi },
    { memory: Gi / 2 },
  ],
  ["the less important of two that exceed", {}, { priority: 5 }, { memory: 2 * Gi }, { memory: 4 * Gi }],
])("of two pods goes %s", async (_name, first, second, a, b) => {
  const { h, usage } = await setup();
  await run(h, "second", { memory: "1Gi" }, second);
  await run(h, "first", { memory: "1Gi" }, first);
  usage.used.set("first", a);
  usage.used.set("second", b);
  usage.shortOf("memory.available", 50 * Mi);
  await h.clock.advance(30_000);
  expect(await evicted(h)).toEqual(["first"]);
});

test("the node says that it runs short until some time after, and takes in only who may come", async () => {
  const { h, usage } = await setup({ pressureTransitionSeconds: 60 });
  await run(h, "victim", undefined);
  usage.used.set("victim", { memory: Gi });
  usage.set("memory.available", 50 * Mi);
  await h.clock.advance(10_100);
  usage.set("memory.available", Gi);
  await h.clock.advance(100);
  expect(await condition(h, "MemoryPressure")).toMatchObject({
    status: "True",
    reason: "KubeletHasInsufficientMemory",
  });
  await run(h, "best-effort", undefined);
  await run(h, "burstable", { memory: "1Mi" });
  const key = "node.kubernetes.io/memory-pressure";
  await run(h, "tolerant", undefined, { tolerations: [{ key, operator: "Exists", effect: "NoSchedule" }] });
  await run(h, "critical", undefined, { priority: 2_000_001_000 });
  const words = "The node had condition: [MemoryPressure]. ";
  const refused = await h.get("best-effort");
  expect(refused.status).toMatchObject({ phase: "Failed", reason: "Evicted", message: `Pod was rejected: ${words}` });
  expect(h.events).toContain(`Warning Evicted ${words}`);
  expect((await evicted(h)).sort()).toEqual(["best-effort", "victim"]);
  await h.clock.advance(70_000);
  expect(await condition(h, "MemoryPressure")).toMatchObject({ status: "False" });
  expect(h.events).toContain("Normal NodeHasSufficientMemory Node n1 status is now: NodeHasSufficientMemory");
});

test("a full disk lets nobody in, and is first cleaned of images", async () => {
  const { h, usage } = await setup();
  await run(h, "victim", { "ephemeral-storage": "1Gi" });
  await run(h, "other", { "ephemeral-storage": "1Gi" });
  usage.used.set("victim", { rootfs: 2 * Gi, logs: Gi });
  usage.used.set("other", { rootfs: Gi / 2 });
  await h.runtime.pullImage("unused:1");
  await h.clock.advance(8 * 60_000);
  usage.shortOf("nodefs.available", 5 * Gi);
  await h.clock.advance(30_000);
  expect((await h.runtime.listImages()).map(({ repoTags }) => repoTags[0])).toEqual(["main:1"]);
  expect(await evicted(h)).toEqual(["victim"]);
  expect((await h.get("victim")).status?.message).toBe(
    "The node was low on resource: ephemeral-storage. Threshold quantity: 10Gi, available: 5Gi. " +
      "Container main was using 3Gi, request is 1Gi, has larger consumption of ephemeral-storage. ",
  );
  await run(h, "late", { memory: "1Mi" });
  expect((await h.get("late")).status?.message).toBe("Pod was rejected: The node had condition: [DiskPressure]. ");
});

test("a disk that is clean enough without its images costs no pod", async () => {
  const { h, usage } = await setup();
  await run(h, "safe", undefined);
  usage.used.set("safe", { rootfs: Gi });
  await h.runtime.pullImage("unused:1");
  const { removeImage } = h.runtime;
  h.runtime.removeImage = async (reference) => {
    usage.set("imagefs.available", 50 * Gi);
    return removeImage.call(h.runtime, reference);
  };
  await h.clock.advance(8 * 60_000);
  usage.set("imagefs.available", 10 * Gi);
  await h.clock.advance(30_000);
  expect(await evicted(h)).toEqual([]);
  expect(await h.runtime.listImages()).toHaveLength(1);
});

test("processes that run out cost the least important pod, and then the one that has the most", async () => {
  const { h, usage } = await setup({ hard: { "pid.available": "1k" } });
  for (const [name, processes, priority] of [
    ["important", 9000, 10],
    ["few", 10, 0],
    ["many", 500, 0],
  ] as const) {
    await run(h, name, undefined, { priority });
    usage.used.set(name, { processes });
  }
  usage.shortOf("pid.available", 900);
  await h.clock.advance(30_000);
  expect(await evicted(h)).toEqual(["many"]);
  expect((await h.get("many")).status?.message).toBe(
    "The node was low on resource: pids. Threshold quantity: 1k, available: 900. ",
  );
  expect(await condition(h, "PIDPressure")).toMatchObject({ status: "True", reason: "KubeletHasInsufficientPID" });
});

test("a soft threshold waits its grace period, and gives pods theirs", async () => {
  const eviction: EvictionOptions = {
    hard: {},
    soft: { "memory.available": "1Gi" },
    softGracePeriodSeconds: { "memory.available": 60 },
    maxPodGracePeriodSeconds: 20,
  };
  const { h, usage } = await setup(eviction, () => ({ stopAfterMs: 15_000 }));
  await run(h, "victim", undefined);
  usage.used.set("victim", { memory: Gi });
  usage.set("memory.available", 500 * Mi);
  await h.clock.advance(35_000);
  // For a moment there is enough: it begins anew.
  usage.set("memory.available", 2 * Gi);
  await h.clock.advance(10_000);
  usage.set("memory.available", 500 * Mi);
  await h.clock.advance(64_000);
  expect(h.events.filter((event) => event.includes("Evicted"))).toEqual([]);
  await h.clock.advance(10_000);
  expect(h.events.filter((event) => event.includes("Evicted"))).toHaveLength(1);
  expect((await h.get("victim")).status?.phase).toBe("Running");
  await h.clock.advance(16_000);
  expect((await h.get("victim")).status?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(0);
  expect(await evicted(h)).toEqual(["victim"]);
});

test("a hard threshold gives a second", async () => {
  const { h, usage } = await setup({}, () => ({ stopAfterMs: 15_000 }));
  await run(h, "victim", undefined);
  usage.used.set("victim", { memory: Gi });
  usage.set("memory.available", 50 * Mi);
  await h.clock.advance(11_100);
  expect((await h.get("victim")).status?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(137);
});

test("what is to be reclaimed on top is waited for once evicting has begun", async () => {
  const { h, usage } = await setup({ minimumReclaim: { "memory.available": "500Mi" } });
  for (const name of ["a", "b"]) {
    await run(h, name, undefined);
    usage.used.set(name, { memory: Gi });
  }
  usage.set("memory.available", 400 * Mi);
  await h.clock.advance(20_000);
  expect(await evicted(h)).toEqual([]);
  usage.set("memory.available", 90 * Mi);
  await h.clock.advance(10_000);
  usage.set("memory.available", 400 * Mi);
  await h.clock.advance(10_000);
  expect(await evicted(h)).toHaveLength(2);
});

test("what the cluster cannot do without is not evicted", async () => {
  const { h, usage } = await setup();
  await run(h, "critical", undefined, { priority: 2_000_000_000 });
  usage.used.set("critical", { memory: 4 * Gi });
  usage.set("memory.available", 50 * Mi);
  await h.clock.advance(30_000);
  expect(await evicted(h)).toEqual([]);
  expect(h.events.filter((event) => event.includes("EvictionThresholdMet")).length).toBeGreaterThan(0);
});

const storage = (amount: string): ResourceRequirements => ({ limits: { "ephemeral-storage": amount } });

test.each<[string, Partial<PodSpec>, Used, string]>([
  [
    "an emptyDir above its size",
    { volumes: [{ name: "cache", emptyDir: { sizeLimit: "10Mi" } }] },
    { volumes: { cache: 11 * Mi } },
    'Usage of EmptyDir volume "cache" exceeds the limit "10Mi". ',
  ],
  [
    "all of it above the sum of its limits",
    {
      containers: [
        { name: "main", image: "main:1", resources: storage("10Mi") },
        { name: "other", image: "main:1", resources: storage("10Mi") },
      ],
    },
    { rootfs: 9 * Mi, volumes: { cache: 12 * Mi } },
    "Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. ",
  ],
  [
    "a container above its own",
    {
      containers: [
        { name: "main", image: "main:1", resources: storage("10Mi") },
        { name: "other", image: "main:1", resources: storage("90Mi") },
      ],
    },
    { rootfs: 9 * Mi, logs: 2 * Mi },
    'Container main exceeded its local ephemeral storage limit "10Mi". ',
  ],
])("a pod that keeps too much on the node goes: %s", async (_name, spec, used, message) => {
  const { h, usage } = await setup();
  await h.create("hoarder", spec);
  await h.create("neighbour", spec);
  usage.used.set("hoarder", used);
  usage.used.set("neighbour", { rootfs: Mi, volumes: { cache: Mi } });
  await h.clock.advance(11_200);
  const { status } = await h.get("hoarder");
  expect(status).toMatchObject({ phase: "Failed", reason: "Evicted", message });
  // It was not the node's need.
  expect(status?.conditions?.some(({ type }) => type === "DisruptionTarget")).toBe(false);
  expect(await evicted(h)).toEqual(["hoarder"]);
  expect(await condition(h, "DiskPressure")).toMatchObject({ status: "False" });
});

test("with a file system of their own, images' pressure looks at layers and the node's at logs and volumes", async () => {
  const { h, usage } = await setup();
  usage.dedicatedImageFs = true;
  await run(h, "layers", undefined);
  await run(h, "volumes", undefined);
  usage.used.set("layers", { rootfs: 10 * Gi });
  usage.used.set("volumes", { logs: Gi, volumes: { data: Gi } });
  await h.runtime.pullImage("unused:1");
  await h.clock.advance(8 * 60_000);
  usage.shortOf("nodefs.available", 5 * Gi);
  await h.clock.advance(30_000);
  expect(await evicted(h)).toEqual(["volumes"]);
  expect(await h.runtime.listImages()).toHaveLength(2);
});

test("an evicted pod stays Failed for the agent that comes after", async () => {
  const { h, usage } = await setup();
  await run(h, "victim", undefined);
  usage.used.set("victim", { memory: Gi });
  usage.set("memory.available", 50 * Mi);
  await h.clock.advance(11_000);
  usage.set("memory.available", Gi);
  const { status } = await h.get("victim");
  expect(status?.phase).toBe("Failed");
  await h.restart();
  await h.clock.advance(20_000);
  expect((await h.get("victim")).status).toEqual(status);
});

test("readings that fail are tried again", async () => {
  const { h, usage } = await setup();
  await run(h, "victim", undefined);
  usage.used.set("victim", { memory: Gi });
  usage.set("memory.available", 50 * Mi);
  const original = usage.read.bind(usage);
  usage.read = () => Promise.reject(new Error("nobody knows"));
  await h.clock.advance(30_000);
  expect(await evicted(h)).toEqual([]);
  usage.read = original;
  await h.clock.advance(11_000);
  expect(await evicted(h)).toEqual(["victim"]);
});
