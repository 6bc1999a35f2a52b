import { afterEach, expect, test } from "vitest";
import { type Container, type Pod, pods, type ResourceRequirements } from "../../api/index.js";
import type { FakeUsage } from "../../runtime/index.js";
import { type Harness, startHarness } from "../../testing/node-harness.js";
import type { PodCgroupResources, PodCgroups } from "./pod-cgroups.js";

const open: Harness[] = [];
async function harness(...options: Parameters<typeof startHarness>): Promise<Harness> {
  const made = await startHarness(...options);
  open.push(made);
  return made;
}
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const amounts = (cpu: string, memory: string, more: Partial<ResourceRequirements> = {}): ResourceRequirements => ({
  requests: { cpu, memory },
  ...more,
});
const fixed = (cpu: string, memory: string): ResourceRequirements => amounts(cpu, memory, { limits: { cpu, memory } });

function container(resources: ResourceRequirements, more: Partial<Container> = {}): Container {
  return { name: "main", image: "main:1", resources, ...more };
}

async function resize(h: Harness, name: string, ...resources: ResourceRequirements[]): Promise<void> {
  const pod = await h.get(name);
  const containers = (pod.spec?.containers ?? []).map((one, index) => ({ ...one, resources: resources[index] }));
  const generation = (pod.metadata.generation ?? 1) + 1;
  const body = { metadata: { generation }, spec: { containers } };
  await h.client.patch(pods, { namespace: "default", name }, { type: "merge", body });
  await h.clock.advance(0);
}

const condition = (pod: Pod, type: string): object | undefined =>
  pod.status?.conditions?.find((one) => one.type === type);
const actual = (pod: Pod): ResourceRequirements | undefined => pod.status?.containerStatuses?.[0]?.resources;
const inPod = (h: Harness): string[] => h.events.filter((event) => event.includes("Resize"));
const running = async (h: Harness): Promise<object | undefined> => {
  const [found] = await h.runtime.listContainers({ state: "running" });
  return found === undefined ? undefined : (await h.runtime.containerStatus(found.id)).resources;
};

test("a container gets its new resources without a restart", async () => {
  const h = await harness();
  await h.create("web", { containers: [container(fixed("500m", "256Mi"))] }, { generation: 1 });
  const { containerID } = (await h.get("web")).status?.containerStatuses?.[0] ?? {};
  await resize(h, "web", fixed("1", "512Mi"));
  expect(await running(h)).toMatchObject({ cpuShares: 1024, cpuQuotaUs: 100_000, memoryLimitBytes: 2 ** 29 });
  const pod = await h.get("web");
  expect(pod.status?.containerStatuses?.[0]).toMatchObject({
    containerID,
    restartCount: 0,
    resources: fixed("1", "512Mi"),
    allocatedResources: { cpu: "1", memory: "512Mi" },
  });
  expect(pod.status?.observedGeneration).toBe(2);
  expect(condition(pod, "PodResizeInProgress")).toBeUndefined();
  const summary =
    '{"containers":[{"name":"main","resources":{"limits":{"cpu":"1","memory":"512Mi"},"requests":{"cpu":"1","memory":"512Mi"}}}],"generation":2}';
  expect(inPod(h)).toEqual([
    `Normal ResizeStarted Pod resize started: ${summary}`,
    `Normal ResizeCompleted Pod resize completed: ${summary}`,
  ]);
});

test("a resize that finds no room now waits until there is", async () => {
  const h = await harness();
  await h.create("big", { containers: [container(amounts("3", "1Gi"))] }, { generation: 1 });
  await h.create("web", { containers: [container(amounts("500m", "1Gi"))] }, { generation: 1 });
  await resize(h, "web", amounts("2", "1Gi"));
  const waiting = await h.get("web");
  expect(condition(waiting, "PodResizePending")).toMatchObject({
    status: "True",
    reason: "Deferred",
    message: "Node didn't have enough resource: cpu, requested: 2000, used: 3000, capacity: 4000",
    observedGeneration: 2,
  });
  expect(actual(waiting)).toEqual(amounts("500m", "1Gi"));
  expect(waiting.status?.containerStatuses?.[0]?.allocatedResources).toEqual({ cpu: "500m", memory: "1Gi" });
  // What was promised counts, not what is wanted: there is room for this one.
  await h.create("small", { containers: [container(amounts("500m", "1Gi"))] });
  expect((await h.get("small")).status?.phase).toBe("Running");
  await h.client.delete(pods, { namespace: "default", name: "big" });
  await h.clock.advance(2000);
  const resized = await h.get("web");
  expect(condition(resized, "PodResizePending")).toBeUndefined();
  expect(actual(resized)).toEqual(amounts("2", "1Gi"));
  expect(inPod(h).map((event) => event.split(" ")[1])).toEqual(["ResizeDeferred", "ResizeStarted", "ResizeCompleted"]);
});

test("those that wait get room by priority, those that give some first", async () => {
  const h = await harness();
  await h.create("big", { containers: [container(amounts("3", "1Gi"))] });
  const make = (name: string, priority: number, resources: ResourceRequirements): Promise<Pod> =>
    h.create(name, { priority, containers: [container(resources)] });
  await make("early", 0, amounts("200m", "1Gi"));
  await make("urgent", 100, amounts("200m", "1Gi"));
  await make("fixed", 0, fixed("200m", "1Gi"));
  await resize(h, "early", amounts("1500m", "1Gi"));
  await h.clock.advance(1000);
  await resize(h, "fixed", fixed("1500m", "1Gi"));
  await resize(h, "urgent", amounts("1500m", "1Gi"));
  await resize(h, "big", amounts("600m", "1Gi"));
  const started = inPod(h).filter((event) => event.includes("ResizeStarted"));
  expect(started).toHaveLength(3);
  const cpus = await Promise.all(
    ["big", "urgent", "fixed", "early"].map(async (name) => actual(await h.get(name))?.requests?.cpu),
  );
  expect(cpus).toEqual(["600m", "1500m", "1500m", "200m"]);
});

test.each([
  ["memory", amounts("1", "9Gi"), "memory, requested: 9663676416, capacity: 8589934592"],
  ["cpu", amounts("5", "1Gi"), "cpu, requested: 5000, capacity: 4000"],
])("more %s than the node has is infeasible, until less is wanted", async (_name, wanted, words) => {
  const h = await harness();
  await h.create("web", { containers: [container(amounts("500m", "1Gi"))] }, { generation: 1 });
  await resize(h, "web", wanted);
  const message = `Node didn't have enough capacity: ${words}`;
  const refused = condition(await h.get("web"), "PodResizePending");
  expect(refused).toMatchObject({ reason: "Infeasible", message });
  await resize(h, "web", amounts("500m", "1Gi"));
  expect(condition(await h.get("web"), "PodResizePending")).toBeUndefined();
  expect(inPod(h)).toHaveLength(1);
  expect(inPod(h)[0]).toMatch(
    /^Warning ResizeInfeasible Pod resize Infeasible: \{"containers":.*"generation":2,"error":"Node/,
  );
});

test("a container whose policy says so is started anew with its new resources", async () => {
  const h = await harness({ script: () => ({ stopExitCode: 1 }) });
  const resizePolicy = [
    { resourceName: "cpu", restartPolicy: "NotRequired" },
    { resourceName: "memory", restartPolicy: "RestartContainer" },
  ];
  const main = container(fixed("1", "1Gi"), { resizePolicy });
  await h.create("web", { containers: [main] }, { generation: 1 });
  await resize(h, "web", fixed("2", "1Gi"));
  expect((await h.get("web")).status?.containerStatuses?.[0]?.restartCount).toBe(0);
  for (const [restarts, memory] of [
    [1, "2Gi"],
    [2, "1Gi"],
    [3, "3Gi"],
  ] as const) {
    await resize(h, "web", fixed("2", memory));
    // At once: nothing has failed.
    expect((await h.get("web")).status?.containerStatuses?.[0]).toMatchObject({
      restartCount: restarts,
      state: { running: {} },
      resources: fixed("2", memory),
    });
  }
  expect(await running(h)).toMatchObject({ memoryLimitBytes: 3 * 2 ** 30, cpuQuotaUs: 200_000 });
  expect(h.events).toContain("Normal Killing Container main resize requires restart");
});

test("a memory limit below what is in use is not set before less is used", async () => {
  let usage: FakeUsage = { memoryWorkingSetBytes: 200 * 2 ** 20, memoryUsageBytes: 300 * 2 ** 20 };
  const h = await harness({ script: () => ({ usage: () => usage }) });
  await h.create("web", { containers: [container(fixed("1", "1Gi"))] }, { generation: 1 });
  await resize(h, "web", fixed("1", "256Mi"));
  const pod = await h.get("web");
  const sentence = "memory limit (268435456) below current usage (314572800)";
  const message = `cannot decrease memory limits: [attempting to set pod ${sentence}, attempting to set container "main" ${sentence}]`;
  expect(condition(pod, "PodResizeInProgress")).toMatchObject({ status: "True", reason: "Error", message });
  expect(actual(pod)).toEqual(fixed("1", "1Gi"));
  expect(pod.status?.containerStatuses?.[0]?.allocatedResources).toEqual({ cpu: "1", memory: "256Mi" });
  await h.clock.advance(60_000);
  expect(inPod(h).map((event) => event.split(" ")[1])).toEqual(["ResizeStarted", "ResizeError"]);
  usage = { memoryWorkingSetBytes: 2 ** 20, memoryUsageBytes: 2 ** 20 };
  await h.clock.advance(11_000);
  const done = await h.get("web");
  expect(condition(done, "PodResizeInProgress")).toBeUndefined();
  expect(actual(done)).toEqual(fixed("1", "256Mi"));
});

test("what the runtime refuses is told and tried again, and what was done before is kept", async () => {
  let refuses = true;
  const h = await harness({
    updateError: (_config, { cpuQuotaUs }) => (refuses && cpuQuotaUs === 200_000 ? "the kernel says no" : undefined),
  });
  await h.create("web", { containers: [container(fixed("1", "1Gi"))] }, { generation: 1 });
  await resize(h, "web", fixed("2", "2Gi"));
  const pod = await h.get("web");
  expect(condition(pod, "PodResizeInProgress")).toMatchObject({ reason: "Error", message: "the kernel says no" });
  expect(actual(pod)).toEqual(fixed("1", "2Gi"));
  refuses = false;
  await h.clock.advance(11_000);
  expect(actual(await h.get("web"))).toEqual(fixed("2", "2Gi"));
});

test("an agent that comes after keeps what pods were promised, and goes on with what was begun", async () => {
  let refuses = true;
  const h = await harness({ updateError: () => (refuses ? "not now" : undefined) });
  await h.create("big", { containers: [container(amounts("3", "1Gi"))] });
  await h.create("waits", { containers: [container(amounts("400m", "1Gi"))] }, { generation: 1 });
  await h.create("begun", { containers: [container(fixed("200m", "1Gi"))] }, { generation: 1 });
  await resize(h, "begun", fixed("400m", "1Gi"));
  await resize(h, "waits", amounts("2", "1Gi"));
  const before = condition(await h.get("waits"), "PodResizePending");
  await h.clock.advance(5000);
  await h.restart();
  await h.clock.advance(11_000);
  const waits = await h.get("waits");
  expect(condition(waits, "PodResizePending")).toEqual(before);
  expect(actual(waits)).toEqual(amounts("400m", "1Gi"));
  refuses = false;
  await h.clock.advance(11_000);
  expect(actual(await h.get("begun"))).toEqual(fixed("400m", "1Gi"));
  expect(inPod(h).filter((event) => event.includes("ResizeDeferred"))).toHaveLength(1);
});

test("a pod that was resized away from what it asked for is not taken for a new one", async () => {
  const h = await harness();
  await h.create("web", { containers: [container(amounts("1", "1Gi"))] });
  for (let turn = 0; turn < 3; turn++) {
    await resize(h, "web", amounts(turn % 2 === 0 ? "4" : "1", "1Gi"));
    await h.restart();
  }
  expect(actual(await h.get("web"))).toEqual(amounts("4", "1Gi"));
  await h.create("none-left", { containers: [container(amounts("1", "1Gi"))] });
  expect((await h.get("none-left")).status?.reason).toBe("OutOfcpu");
});

/** Control groups of pods as numbers, with what was done to them. */
class RecordedCgroups implements PodCgroups {
  readonly steps: string[] = [];
  readonly groups = new Map<string, PodCgroupResources>();
  async create(path: string): Promise<void> {
    const none = Number.POSITIVE_INFINITY;
    if (!this.groups.has(path)) this.groups.set(path, { cpuShares: 1024, cpuQuotaUs: none, memoryLimitBytes: none });
  }
  async read(path: string): Promise<PodCgroupResources> {
    const found = this.groups.get(path);
    if (found === undefined) throw new Error(`no control group ${path}`);
    return found;
  }
  async write(path: string, resources: Partial<PodCgroupResources>): Promise<void> {
    this.groups.set(path, { ...(await this.read(path)), ...resources });
    for (const [name, amount] of Object.entries(resources)) this.steps.push(`pod ${name} ${amount}`);
  }
  async processes(): Promise<undefined> {}
  async remove(path: string): Promise<void> {
    this.groups.delete(path);
  }
}

test("a pod's control group grows before its containers and shrinks after them, and so do these among each other", async () => {
  const cgroups = new RecordedCgroups();
  const h = await harness(
    {
      updateError: ({ metadata }, { cpuQuotaUs, memoryLimitBytes = 0 }) => {
        cgroups.steps.push(`${metadata.name} ${cpuQuotaUs} ${memoryLimitBytes / 2 ** 20}`);
        return undefined;
      },
    },
    { cgroupRoot: "/pods", podCgroups: cgroups },
  );
  const limits = (cpu: string, memory: string): ResourceRequirements => ({
    requests: { cpu: "100m", memory: "64Mi" },
    limits: { cpu, memory },
  });
  const other = { name: "other", image: "other:1", resources: limits("1", "100Mi") };
  await h.create("web", { containers: [container(limits("1", "100Mi")), other] }, { generation: 1, uid: "u1" });
  const { uid } = (await h.get("web")).metadata;
  const path = `/pods/burstable/pod${uid}`;
  const megabytes = 2 ** 20;
  expect(cgroups.groups.get(path)).toEqual({ cpuShares: 204, cpuQuotaUs: 200_000, memoryLimitBytes: 200 * megabytes });
  cgroups.steps.length = 0;
  // Memory: more in all, from one to the other; CPU: less in all.
  await resize(h, "web", limits("500m", "300Mi"), limits("700m", "50Mi"));
  expect(cgroups.steps).toEqual([
    `pod memoryLimitBytes ${350 * megabytes}`,
    "other 100000 50",
    "main 100000 300",
    "main 50000 300",
    "other 70000 50",
    "pod cpuQuotaUs 120000",
  ]);
  await h.client.delete(pods, { namespace: "default", name: "web" }, { gracePeriodSeconds: 0 });
  await h.clock.advance(2000);
  expect(cgroups.groups.size).toBe(0);
});

test("what the pod has as a whole is resized too", async () => {
  const cgroups = new RecordedCgroups();
  const h = await harness({}, { cgroupRoot: "/pods", podCgroups: cgroups });
  const spec = { containers: [container({})], resources: fixed("1", "1Gi") };
  await h.create("web", spec, { generation: 1 });
  const body = { metadata: { generation: 2 }, spec: { resources: fixed("2", "2Gi") } };
  await h.client.patch(pods, { namespace: "default", name: "web" }, { type: "merge", body });
  await h.clock.advance(0);
  const after = { cpuShares: 2048, cpuQuotaUs: 200_000, memoryLimitBytes: 2 ** 31 };
  expect([...cgroups.groups.values()]).toEqual([after]);
  const { status } = await h.get("web");
  expect(status?.resources).toEqual(fixed("2", "2Gi"));
  expect(status?.allocatedResources).toEqual({ cpu: "2", memory: "2Gi" });
  expect(inPod(h).map((event) => event.split(" ")[1])).toEqual(["ResizeStarted", "ResizeCompleted"]);
});
