import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { builtinDescriptions } from "../api/describe/index.js";
import {
  deviceClasses,
  type KubeObject,
  namespaces,
  nodes,
  type Pod,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type ResourceType,
  resourceClaims,
  resourceSlices,
  storageClasses,
} from "../api/index.js";
import { builtinStrategies } from "../api/kinds/index.js";
import { ApiServer } from "../apiserver/index.js";
import { type Client, createClient, type EventRecorder } from "../client/index.js";
import { seededRandom } from "../internal/random.js";
import { VirtualClock } from "../internal/virtual-clock.js";
import { MemoryStore } from "../store/index.js";
import { makeNode, makePod } from "../testing/builders.js";
import { explanationText } from "./explain.js";
import type { SchedulingPolicy } from "./framework/policy.js";
import { defaultPolicies } from "./policies/default-policies.js";
import { createScheduler, type Scheduler, type SchedulerOptions } from "./scheduler.js";

let clock: VirtualClock;
let client: Client;
let stop: AbortController;
let running: Promise<unknown>[];
let events: string[];
let scheduler: Scheduler;

const recorder: EventRecorder = {
  event: (about, _type, reason, message) => {
    const name = "metadata" in about ? about.metadata?.name : about.name;
    events.push(`${name} ${reason}: ${message}`);
  },
};

beforeEach(async () => {
  clock = new VirtualClock();
  stop = new AbortController();
  events = [];
  const resources = builtinDescriptions(builtinStrategies);
  const server = new ApiServer({ store: new MemoryStore(), resources, clock, random: seededRandom(1) });
  running = [];
  await started((ready) => server.component.run({ signal: stop.signal, ready }));
  client = createClient(server.transport());
  const known = await client.list(namespaces);
  if (!known.items.some(({ metadata }) => metadata.name === "default")) {
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  }
});

afterEach(async () => {
  stop.abort();
  await Promise.all(running);
});

function started(run: (ready: () => void) => Promise<unknown>): Promise<void> {
  return new Promise((ready, fail) => {
    running.push(run(ready).catch(fail));
  });
}

async function schedule(options: Partial<SchedulerOptions> = {}): Promise<void> {
  scheduler = createScheduler({ client, clock, random: seededRandom(2), events: recorder, ...options });
  await started((ready) => scheduler.run({ signal: stop.signal, ready }));
}

async function create<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<T> {
  const { uid: _, ...metadata } = object.metadata;
  return client.create(resource, { ...object, metadata });
}

async function pod(name: string): Promise<Pod> {
  return client.get(pods, { namespace: "default", name });
}

/** Turns of the event loop until it holds; a hang is the test's time-out. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

const bound = async (name: string): Promise<boolean> => Boolean((await pod(name)).spec?.nodeName);
const unschedulable = async (name: string): Promise<boolean> =>
  (await pod(name)).status?.conditions?.some(({ type, status }) => type === "PodScheduled" && status === "False") ??
  false;

describe("createScheduler", () => {
  it("binds to the least allocated node, says so, and counts what is not bound by it", async () => {
    await create(nodes, makeNode("small", { cpuMillis: 1000 }));
    await create(nodes, makeNode("large", { cpuMillis: 4000 }));
    await create(pods, makePod("placed", { cpuMillis: 500, nodeName: "small" }));
    await schedule();
    await create(pods, makePod("a", { cpuMillis: 500 }));
    await until(() => bound("a"));
    expect((await pod("a")).spec?.nodeName).toBe("large");
    expect(events).toEqual(["a Scheduled: Successfully assigned default/a to large"]);
  });

  it("leaves pods of other schedulers, gated pods and finished pods alone", async () => {
    await create(nodes, makeNode("one"));
    await schedule();
    await create(pods, makePod("other", { schedulerName: "mine" }));
    await create(pods, makePod("gated", { schedulingGates: ["example.com/wait"] }));
    await create(pods, makePod("last"));
    await until(() => bound("last"));
    expect(await bound("other")).toBe(false);
    expect(await bound("gated")).toBe(false);
    const body = { spec: { schedulingGates: [] } };
    await client.patch(pods, { namespace: "default", name: "gated" }, { type: "merge", body });
    await until(() => bound("gated"));
  });

  it("explains in upstream's words why no node will do, and tries again when one might", async () => {
    await create(nodes, makeNode("tiny", { cpuMillis: 100 }));
    await create(nodes, makeNode("tainted", { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] }));
    await schedule();
    await create(pods, makePod("a", { cpuMillis: 200 }));
    await until(() => unschedulable("a"));
    const message =
      "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). " +
      "no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.";
    expect(events).toEqual([`a FailedScheduling: ${message}`]);
    const condition = (await pod("a")).status?.conditions?.find(({ type }) => type === "PodScheduled");
    expect(condition).toMatchObject({ status: "False", reason: "Unschedulable", message });
    expect(scheduler.counts).toMatchObject({ active: 0, backoff: 0, resting: 1 });
    await create(nodes, makeNode("fits"));
    await until(() => bound("a"));
    expect((await pod("a")).spec?.nodeName).toBe("fits");
  });

  it("never overcommits a node, however fast pods come", async () => {
    for (const name of ["a", "b", "c"]) await create(nodes, makeNode(name, { cpuMillis: 1000 }));
    await schedule();
    const names = Array.from({ length: 40 }, (_, index) => `p${index}`);
    await Promise.all(names.map((name) => create(pods, makePod(name, { cpuMillis: 100 }))));
    await until(async () => scheduler.counts.resting === 10 && scheduler.counts.binding === 0);
    const perNode = new Map<string, number>();
    for (const { spec } of (await client.list(pods)).items) {
      if (spec?.nodeName) perNode.set(spec.nodeName, (perNode.get(spec.nodeName) ?? 0) + 1);
    }
    expect(Object.fromEntries(perNode)).toEqual({ a: 10, b: 10, c: 10 });
  });

  it("evicts the least important pod that is in the way, and puts the other in its place", async () => {
    await create(nodes, makeNode("one", { cpuMillis: 1000 }));
    await create(nodes, makeNode("two", { cpuMillis: 1000 }));
    await create(pods, makePod("low", { cpuMillis: 800, nodeName: "one" }));
    await create(pods, { ...makePod("mid", { cpuMillis: 800, nodeName: "two", spec: { priority: 5 } }) });
    await schedule();
    await create(pods, makePod("high", { cpuMillis: 500, spec: { priority: 10 } }));
    await until(async () => (await pod("high")).status?.nominatedNodeName === "one");
    const victim = await pod("low");
    expect(victim.metadata.deletionTimestamp).toBeDefined();
    expect(victim.status?.conditions).toContainEqual(
      expect.objectContaining({ type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler" }),
    );
    await client.delete(pods, { namespace: "default", name: "low" }, { gracePeriodSeconds: 0 });
    await until(() => bound("high"));
    const high = await pod("high");
    expect(high.spec?.nodeName).toBe("one");
    expect(events).toContain(`low Preempted: Preempted by pod ${high.metadata.uid} on node one`);
    expect((await pod("mid")).metadata.deletionTimestamp).toBeUndefined();
  });

  it("fails the cycle of a pod, not itself, when a policy throws", async () => {
    await create(nodes, makeNode("one"));
    const broken: SchedulingPolicy = {
      name: "Broken",
      filter(pod) {
        if (pod.metadata.name === "bad") throw new Error("boom");
        return undefined;
      },
    };
    await schedule({ policies: [...defaultPolicies(), broken] });
    await create(pods, makePod("bad"));
    await create(pods, makePod("good"));
    await until(() => bound("good"));
    expect(events).toContain('bad FailedScheduling: running "Filter" of policy "Broken": boom');
    scheduler.setProfiles([{ policies: defaultPolicies() }]);
    await clock.advance(11_000);
    await until(() => bound("bad"));
  });

  it("explains every node, with scores and what would help", async () => {
    await create(nodes, makeNode("small", { cpuMillis: 1000 }));
    await create(nodes, makeNode("large", { cpuMillis: 4000 }));
    await schedule();
    const fits = scheduler.explain(makePod("a", { cpuMillis: 500, memoryBytes: 2 ** 30 }));
    expect(fits).toMatchObject({ best: ["large"], message: "2/2 nodes are available.", unblockedBy: [] });
    expect(fits?.nodes[0]?.scores.map(({ policy }) => policy)).toContain("NodeResourcesFit");
    const huge = scheduler.explain(makePod("b", { cpuMillis: 9000 }));
    expect(huge?.message).toBe("0/2 nodes are available: 2 Insufficient cpu.");
    expect(huge?.unblockedBy).toContainEqual({ resource: "Node", actions: ["Add", "UpdateNodeAllocatable"] });
    expect(huge && explanationText(huge)).toContain("large     -  NodeResourcesFit: Insufficient cpu");
  });

  it("explains what would be evicted, and evicts nothing", async () => {
    await create(nodes, makeNode("one", { cpuMillis: 1000 }));
    await create(pods, makePod("low", { cpuMillis: 800, nodeName: "one" }));
    await schedule();
    const high = scheduler.explain(makePod("high", { cpuMillis: 500, priority: 10 }));
    expect(high?.preemption).toEqual({ nodeName: "one", victims: ["default/low"] });
    expect(high && explanationText(high)).toContain("would evict on one: default/low");
    const equal = scheduler.explain(makePod("equal", { cpuMillis: 500 }));
    expect(equal?.preemption).toEqual({
      victims: [],
      message:
        "no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
    });
    expect((await pod("low")).metadata.deletionTimestamp).toBeUndefined();
    expect(scheduler.explain(makePod("small"))?.preemption).toBeUndefined();
  });

  it("finds devices for claims, one for each, and only where they are", async () => {
    for (const name of ["without", "with"])
      await create(nodes, makeNode(name, { cpuMillis: name === "with" ? 1000 : 9000 }));
    await client.create(deviceClasses, {
      apiVersion: "resource.k8s.io/v1",
      kind: "DeviceClass",
      metadata: { name: "gpu" },
      spec: { selectors: [{ cel: { expression: 'device.driver == "gpu.example.com"' } }] },
    });
    await client.create(resourceSlices, {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceSlice",
      metadata: { name: "with-gpus" },
      spec: {
        driver: "gpu.example.com",
        nodeName: "with",
        pool: { name: "with", generation: 1, resourceSliceCount: 1 },
        devices: [{ name: "gpu-0" }],
      },
    });
    const claimed = async (name: string): Promise<void> => {
      await client.create(resourceClaims, {
        apiVersion: "resource.k8s.io/v1",
        kind: "ResourceClaim",
        metadata: { name, namespace: "default" },
        spec: { devices: { requests: [{ name: "gpu", exactly: { deviceClassName: "gpu" } }] } },
      });
      await create(pods, makePod(name, { spec: { resourceClaims: [{ name: "gpu", resourceClaimName: name }] } }));
    };
    await schedule();
    await claimed("a");
    await until(() => bound("a"));
    const holder = await pod("a");
    expect(holder.spec?.nodeName).toBe("with");
    const { metadata, status } = await client.get(resourceClaims, { namespace: "default", name: "a" });
    expect(metadata.finalizers).toEqual(["resource.kubernetes.io/delete-protection"]);
    expect(status?.reservedFor).toEqual([{ resource: "pods", name: "a", uid: holder.metadata.uid }]);
    expect(status?.allocation).toMatchObject({
      devices: { results: [{ request: "gpu", driver: "gpu.example.com", pool: "with", device: "gpu-0" }] },
      nodeSelector: { nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", values: ["with"] }] }] },
    });
    await claimed("b");
    await until(() => unschedulable("b"));
    expect(events.at(-1)).toMatch(
      /^b FailedScheduling: 0\/2 nodes are available: 2 cannot allocate all claims\. still not/,
    );
    // A pod that shares the claim goes to the same node; one whose claim is gone nowhere.
    await create(pods, makePod("c", { spec: { resourceClaims: [{ name: "gpu", resourceClaimName: "a" }] } }));
    await until(() => bound("c"));
    expect((await pod("c")).spec?.nodeName).toBe("with");
    await create(pods, makePod("d", { spec: { resourceClaims: [{ name: "gpu", resourceClaimName: "none" }] } }));
    await until(() => unschedulable("d"));
    expect(events.find((event) => event.startsWith("d "))).toMatch(
      /^d FailedScheduling: 0\/2 nodes are available: resourceclaim "none" not found\./,
    );
    // What it waits for is there again.
    const body = { status: { allocation: null, reservedFor: [] } };
    await client.patch(
      resourceClaims,
      { namespace: "default", name: "a" },
      { type: "merge", body },
      { subresource: "status" },
    );
    await clock.advance(11_000);
    await until(() => bound("b"));
  });

  describe("with volumes that wait for their first consumer", () => {
    const claimKey = { namespace: "default", name: "c" };
    const annotation = "volume.kubernetes.io/selected-node";

    async function waiting(provisioner: string): Promise<void> {
      await create(nodes, makeNode("one"));
      await client.create(storageClasses, {
        apiVersion: "storage.k8s.io/v1",
        kind: "StorageClass",
        metadata: { name: "wait" },
        provisioner,
        volumeBindingMode: "WaitForFirstConsumer",
      });
      const resources = { requests: { storage: "1Gi" } };
      const spec = { accessModes: ["ReadWriteOnce"], storageClassName: "wait", resources };
      const metadata = { name: "c", namespace: "default" };
      await client.create(persistentVolumeClaims, { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, spec });
    }
    const consume = async (): Promise<void> => {
      const volumes = [{ name: "v", persistentVolumeClaim: { claimName: "c" } }];
      await create(pods, makePod("a", { spec: { volumes } }));
    };
    /** As the volume controller, or a provisioner, would. */
    const bind = async (volumeName: string): Promise<void> => {
      const metadata = { annotations: { "pv.kubernetes.io/bind-completed": "yes" } };
      const body = { metadata, spec: { volumeName } };
      await client.patch(persistentVolumeClaims, claimKey, { type: "merge", body });
    };

    it("reserves a volume for the claim, and binds the pod when they are bound", async () => {
      await waiting("kubernetes.io/no-provisioner");
      await client.create(persistentVolumes, {
        apiVersion: "v1",
        kind: "PersistentVolume",
        metadata: { name: "disk" },
        spec: {
          capacity: { storage: "2Gi" },
          accessModes: ["ReadWriteOnce"],
          storageClassName: "wait",
          local: { path: "/disk" },
          nodeAffinity: {
            required: {
              nodeSelectorTerms: [
                { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: ["one"] }] },
              ],
            },
          },
        },
      });
      const available = { type: "merge", body: { status: { phase: "Available" } } } as const;
      await client.patch(persistentVolumes, { name: "disk" }, available, { subresource: "status" });
      await schedule();
      await consume();
      const disk = () => client.get(persistentVolumes, { name: "disk" });
      await until(async () => (await disk()).spec?.claimRef !== undefined);
      const { metadata, spec } = await disk();
      expect(metadata.annotations).toEqual({ "pv.kubernetes.io/bound-by-controller": "yes" });
      expect(spec?.claimRef).toMatchObject({ kind: "PersistentVolumeClaim", namespace: "default", name: "c" });
      expect(await bound("a")).toBe(false);
      await bind("disk");
      await clock.advance(1000);
      await until(() => bound("a"));
    });

    it("chooses a node for what is to be made, and chooses anew when that fails", async () => {
      await waiting("example.com/csi");
      await schedule();
      await consume();
      const selected = async (): Promise<string | undefined> =>
        (await client.get(persistentVolumeClaims, claimKey)).metadata.annotations?.[annotation];
      await until(async () => (await selected()) === "one");
      const body = { metadata: { annotations: { [annotation]: null } } };
      await client.patch(persistentVolumeClaims, claimKey, { type: "merge", body });
      for (let turns = 0; turns < 20 && !events.some((event) => event.includes("provisioning failed")); turns++) {
        await clock.advance(100);
      }
      expect(events).toContain('a FailedScheduling: binding volumes: provisioning failed for PVC "c"');
      for (let turns = 0; turns < 20 && (await selected()) === undefined; turns++) await clock.advance(1000);
      expect(await selected()).toBe("one");
    });
  });

  it("takes over from a leader that is gone, and schedules what it left", async () => {
    await create(nodes, makeNode("one"));
    const election = { namespace: "default", name: "scheduler" };
    const first = new AbortController();
    const leader = createScheduler({ client, clock, events: recorder, leaderElection: { ...election, identity: "1" } });
    const led = leader.run({ signal: first.signal, ready: () => {} });
    await create(pods, makePod("a"));
    await until(() => bound("a"));
    await schedule({ leaderElection: { ...election, identity: "2" } });
    first.abort();
    await led;
    await create(pods, makePod("b"));
    expect(await bound("b")).toBe(false);
    for (let tries = 0; tries < 30 && !(await bound("b")); tries++) await clock.advance(2_000);
    expect(await bound("b")).toBe(true);
  });

  it("lets a pod wait at permit until it is allowed", async () => {
    await create(nodes, makeNode("one"));
    const gate: SchedulingPolicy = { name: "Gate", permit: () => ({ waitMs: 60_000 }) };
    await schedule({ policies: [...defaultPolicies(), gate] });
    const { metadata } = await create(pods, makePod("a"));
    await until(() => scheduler.waitingPods().length === 1);
    expect(await bound("a")).toBe(false);
    scheduler.waitingPod(metadata.uid)?.allow("Gate");
    await until(() => bound("a"));
  });
});
