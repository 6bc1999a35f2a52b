import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  events,
  type Pod,
  type PodSpec,
  pods,
  type ResourceClaim,
  resourceClaims,
  resourceSlices,
} from "../../src/api/index.js";
import { type ControlPlane, startControlPlane } from "../../src/cluster/control-plane.js";
import { realClock } from "../../src/internal/clock.js";
import { FakeRuntime } from "../../src/runtime/index.js";
import { eventually } from "./support/cli-program.js";
import { startTestDraPlugin, type TestDraPlugin } from "./support/dra-plugin.js";
import { TestAgent } from "./support/test-agent.js";

// A node without containers, and DRA plugins on its sockets.

const driver = "gpu.example.com";
const given: Record<string, readonly string[] | undefined> = {};
let rootDir: string;
let runtime: FakeRuntime;
let cp: ControlPlane;
let plugin: TestDraPlugin;
let agent: TestAgent;

const registered = (one: TestDraPlugin, times = 1): Promise<true> =>
  eventually(async () => (one.registrations.length >= times ? true : undefined), "the plugin is told");

async function slice(name: string, nodeName = "n1"): Promise<void> {
  const pool = { name: nodeName, generation: 1, resourceSliceCount: 1 };
  await cp.client.create(resourceSlices, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { name },
    spec: { driver, nodeName, pool, devices: [{ name: "d" }] },
  });
}

const slices = async (): Promise<readonly string[]> =>
  (await cp.client.list(resourceSlices)).items.map(({ metadata }) => metadata.name);

beforeAll(async () => {
  rootDir = await mkdtemp(join(tmpdir(), "node-claims-"));
  runtime = new FakeRuntime({
    clock: realClock,
    script({ sandbox, config }) {
      given[`${sandbox.metadata.name}/${config.metadata.name}`] = config.cdiDevices;
      return {};
    },
  });
  cp = await startControlPlane({ controllers: [], scheduler: false });
  for (const node of ["n1", "n2"]) await slice(`left-on-${node}`, node);
  agent = await TestAgent.start({
    ...{ client: cp.client, runtime, nodeName: "n1", rootDir },
    ...{ memoryVolumes: false, devicePlugins: false, eviction: { hard: {} } },
  });
  plugin = await startTestDraPlugin({ driver, rootDir });
  await registered(plugin);
}, 30_000);

afterAll(async () => {
  await agent?.stop();
  await plugin?.[Symbol.asyncDispose]();
  await cp?.[Symbol.asyncDispose]();
  await runtime?.[Symbol.asyncDispose]();
  await rm(rootDir, { recursive: true, force: true });
});

const get = (name: string): Promise<Pod> => cp.client.get(pods, { namespace: "default", name });
const isRunning = (name: string): Promise<Pod> =>
  eventually(async () => {
    const pod = await get(name);
    return pod.status?.phase === "Running" ? pod : undefined;
  }, `${name} runs`);

async function create(name: string, claims: readonly string[], spec: Partial<PodSpec> = {}): Promise<Pod> {
  const uses = claims.map((claim) => ({ name: claim, request: "one" }));
  return cp.client.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: {
      nodeName: "n1",
      terminationGracePeriodSeconds: 1,
      resourceClaims: claims.map((claim) => ({ name: claim, resourceClaimName: claim })),
      containers: [
        { name: "main", image: "i", resources: { claims: uses } },
        { name: "side", image: "i" },
      ],
      ...spec,
    },
  });
}

async function remove(name: string): Promise<void> {
  await cp.client.delete(pods, { namespace: "default", name });
  await eventually(async () => {
    const { items } = await cp.client.list(pods, { namespace: "default" });
    return items.some(({ metadata }) => metadata.name === name) ? undefined : true;
  }, `${name} is gone`);
}

async function claim(name: string): Promise<ResourceClaim> {
  return cp.client.create(resourceClaims, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name, namespace: "default" },
    spec: { devices: { requests: [{ name: "one", exactly: { deviceClassName: "gpu" } }] } },
  });
}

/** As the scheduler does it. */
async function allocate(claimed: ResourceClaim, ...users: readonly Pod[]): Promise<void> {
  const results = [{ request: "one", driver, pool: "n1", device: "d" }];
  const reservedFor = users.map(({ metadata }) => ({ resource: "pods", name: metadata.name, uid: metadata.uid }));
  const status = { allocation: { devices: { results } }, reservedFor };
  await cp.client.update(resourceClaims, { ...claimed, status }, { subresource: "status" });
}

const warnings = async (pod: string): Promise<readonly string[]> => {
  const { items } = await cp.client.list(events, { namespace: "default" });
  return items.filter(({ regarding }) => regarding?.name === pod).map(({ reason, note }) => `${reason} ${note}`);
};

const warned = (pod: string, warning: string): Promise<true> =>
  eventually(async () => ((await warnings(pod)).includes(warning) ? true : undefined), warning);

test("a node that starts withdraws what was offered on it, and on no other", async () => {
  await eventually(async () => ((await slices()).length === 1 ? true : undefined), "one slice is left");
  expect(await slices()).toEqual(["left-on-n2"]);
});

test("a pod waits for its claim, and then the container that names it gets its device", async () => {
  const claimed = await claim("one");
  const pod = await create("waits", ["one"]);
  const prefix = "FailedPrepareDynamicResources Failed to prepare dynamic resources: prepare dynamic resources:";
  await warned(
    "waits",
    `${prefix} pod waits (${pod.metadata.uid}) is not allowed to use ResourceClaim one (${claimed.metadata.uid})`,
  );
  expect((await get("waits")).status?.containerStatuses?.[0]?.state).toEqual({
    waiting: { reason: "ContainerCreating" },
  });
  plugin.problem = "too hot";
  await allocate(claimed, pod);
  await warned("waits", `${prefix} NodePrepareResources failed for ResourceClaim one: too hot`);
  plugin.problem = undefined;
  await isRunning("waits");
  expect(given).toMatchObject({ "waits/main": ["example.com/device=one"], "waits/side": undefined });
  expect(new Set(plugin.calls.splice(0))).toEqual(new Set(["prepare default/one"]));
});

test("an agent that is started again knows what is prepared, and puts it back when its pod has ended", async () => {
  await agent.stop();
  await agent.start();
  await registered(plugin, 2);
  await isRunning("waits");
  expect(plugin.calls).toEqual([]);
  await remove("waits");
  expect(plugin.calls.splice(0)).toEqual(["unprepare default/one"]);
});

test("plugins of no version that is known are told so, older ones are called by their version, and the newest one counts", async () => {
  await using odd = await startTestDraPlugin({ driver: "odd.example.com", rootDir, versions: ["v1alpha4.DRAPlugin"] });
  await registered(odd);
  expect(odd.registrations[0]?.error).toMatch(
    /^RegisterPlugin error -- plugin validation failed with err: invalid supported gRPC versions of DRA driver plugin odd\.example\.com at endpoint .*: none of services supported by the plugin \(\["v1alpha4\.DRAPlugin"\]\) are supported by the kubelet \(\["v1\.DRAPlugin" "v1beta1\.DRAPlugin"\]\)$/,
  );
  await using older = await startTestDraPlugin({ driver, rootDir, instance: "2", service: "v1beta1.DRAPlugin" });
  await registered(older);
  expect(older.registrations).toEqual([{ pluginRegistered: true, error: "" }]);
  plugin.calls.length = 0;
  const pod = await create("beta", ["three"]);
  await allocate(await claim("three"), pod);
  await isRunning("beta");
  expect(older.calls).toEqual(["prepare default/three"]);
  await older[Symbol.asyncDispose]();
  // What is left of the driver puts back what the other made ready.
  await remove("beta");
  expect(plugin.calls).toEqual(["unprepare default/three"]);
});
