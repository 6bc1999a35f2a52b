import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  deviceClasses,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  resourceClaims,
  resourceSlices,
  storageClasses,
} from "../api/index.js";
import { makeNode, makePod } from "../testing/builders.js";
import { SchedulerWorld, until } from "../testing/scheduler-world.fixture.js";
import { explanationText } from "./explain.js";
import type { SchedulingPolicy } from "./framework/policy.js";
import { defaultPolicies } from "./policies/default-policies.js";
import { createScheduler } from "./scheduler.js";

let world: SchedulerWorld;

beforeEach(async () => {
  world = await SchedulerWorld.start();
});

afterEach(() => world.stop());

describe("createScheduler", () => {
  it("binds to the least allocated node, says so, and counts what is not bound by it", async () => {
    await world.create(nodes, makeNode("small", { cpuMillis: 1000 }));
    await world.create(nodes, makeNode("large", { cpuMillis: 4000 }));
    await world.create(pods, makePod("placed", { cpuMillis: 500, nodeName: "small" }));
    await world.schedule();
    await world.create(pods, makePod("a", { cpuMillis: 500 }));
    await until(() => world.bound("a"));
    expect((await world.pod("a")).spec?.nodeName).toBe("large");
    expect(world.events).toEqual(["a Scheduled: Successfully assigned default/a to large"]);
  });

  it("leaves pods of other schedulers, gated pods and finished pods alone", async () => {
    await world.create(nodes, makeNode("one"));
    await world.schedule();
    await world.create(pods, makePod("other", { schedulerName: "mine" }));
    await world.create(pods, makePod("gated", { schedulingGates: ["example.com/wait"] }));
    await world.create(pods, makePod("last"));
    await until(() => world.bound("last"));
    expect(await world.bound("other")).toBe(false);
    expect(await world.bound("gated")).toBe(false);
    const body = { spec: { schedulingGates: [] } };
    await world.client.patch(pods, { namespace: "default", name: "gated" }, { type: "merge", body });
    await until(() => world.bound("gated"));
  });

  it("explains in upstream's words why no node will do, and tries again when one might", async () => {
    await world.create(nodes, makeNode("tiny", { cpuMillis: 100 }));
    await world.create(nodes, makeNode("tainted", { taints: [{ key: "k", value: "v", effect: "NoSchedule" }] }));
    await world.schedule();
    await world.create(pods, makePod("a", { cpuMillis: 200 }));
    await until(() => world.unschedulable("a"));
    const message =
      "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). " +
      "no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.";
    expect(world.events).toEqual([`a FailedScheduling: ${message}`]);
    const condition = (await world.pod("a")).status?.conditions?.find(({ type }) => type === "PodScheduled");
    expect(condition).toMatchObject({ status: "False", reason: "Unschedulable", message });
    expect(world.scheduler.counts).toMatchObject({ active: 0, backoff: 0, resting: 1 });
    await world.create(nodes, makeNode("fits"));
    await until(() => world.bound("a"));
    expect((await world.pod("a")).spec?.nodeName).toBe("fits");
  });

  it("never overcommits a node, however fast pods come", async () => {
    for (const name of ["a", "b", "c"]) await world.create(nodes, makeNode(name, { cpuMillis: 1000 }));
    await world.schedule();
    const names = Array.from({ length: 40 }, (_, index) => `p${index}`);
    await Promise.all(names.map((name) => world.create(pods, makePod(name, { cpuMillis: 100 }))));
    await until(async () => world.scheduler.counts.resting === 10 && world.scheduler.counts.binding === 0);
    const perNode = new Map<string, number>();
    for (const { spec } of (await world.client.list(pods)).items) {
      if (spec?.nodeName) perNode.set(spec.nodeName, (perNode.get(spec.nodeName) ?? 0) + 1);
    }
    expect(Object.fromEntries(perNode)).toEqual({ a: 10, b: 10, c: 10 });
  });

  it("evicts the least important pod that is in the way, and puts the other in its place", async () => {
    await world.create(nodes, makeNode("one", { cpuMillis: 1000 }));
    await world.create(nodes, makeNode("two", { cpuMillis: 1000 }));
    await world.create(pods, makePod("low", { cpuMillis: 800, nodeName: "one" }));
    await world.create(pods, { ...makePod("mid", { cpuMillis: 800, nodeName: "two", spec: { priority: 5 } }) });
    await world.schedule();
    await world.create(pods, makePod("high", { cpuMillis: 500, spec: { priority: 10 } }));
    await until(async () => (await world.pod("high")).status?.nominatedNodeName === "one");
    const victim = await world.pod("low");
    expect(victim.metadata.deletionTimestamp).toBeDefined();
    expect(victim.status?.conditions).toContainEqual(
      expect.objectContaining({ type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler" }),
    );
    await world.client.delete(pods, { namespace: "default", name: "low" }, { gracePeriodSeconds: 0 });
    await until(() => world.bound("high"));
    const high = await world.pod("high");
    expect(high.spec?.nodeName).toBe("one");
    expect(world.events).toContain(`low Preempted: Preempted by pod ${high.metadata.uid} on node one`);
    expect((await world.pod("mid")).metadata.deletionTimestamp).toBeUndefined();
  });

  it("fails the cycle of a pod, not itself, when a policy throws", async () => {
    await world.create(nodes, makeNode("one"));
    const broken: SchedulingPolicy = {
      name: "Broken",
      filter(pod) {
        if (pod.metadata.name === "bad") throw new Error("boom");
        return undefined;
      },
    };
    await world.schedule({ policies: [...defaultPolicies(), broken] });
    await world.create(pods, makePod("bad"));
    await world.create(pods, makePod("good"));
    await until(() => world.bound("good"));
    expect(world.events).toContain('bad FailedScheduling: running "Filter" of policy "Broken": boom');
    world.scheduler.setProfiles([{ policies: defaultPolicies() }]);
    await world.clock.advance(11_000);
    await until(() => world.bound("bad"));
  });

  it("explains every node, with scores and what would help", async () => {
    await world.create(nodes, makeNode("small", { cpuMillis: 1000 }));
    await world.create(nodes, makeNode("large", { cpuMillis: 4000 }));
    await world.schedule();
    const fits = world.scheduler.explain(makePod("a", { cpuMillis: 500, memoryBytes: 2 ** 30 }));
    expect(fits).toMatchObject({ best: ["large"], message: "2/2 nodes are available.", unblockedBy: [] });
    expect(fits?.nodes[0]?.scores.map(({ policy }) => policy)).toContain("NodeResourcesFit");
    const huge = world.scheduler.explain(makePod("b", { cpuMillis: 9000 }));
    expect(huge?.message).toBe("0/2 nodes are available: 2 Insufficient cpu.");
    expect(huge?.unblockedBy).toContainEqual({ resource: "Node", actions: ["Add", "UpdateNodeAllocatable"] });
    expect(huge && explanationText(huge)).toContain("large     -  NodeResourcesFit: Insufficient cpu");
  });

  it("explains what would be evicted, and evicts nothing", async () => {
    await world.create(nodes, makeNode("one", { cpuMillis: 1000 }));
    await world.create(pods, makePod("low", { cpuMillis: 800, nodeName: "one" }));
    await world.schedule();
    const high = world.scheduler.explain(makePod("high", { cpuMillis: 500, priority: 10 }));
    expect(high?.preemption).toEqual({ nodeName: "one", victims: ["default/low"] });
    expect(high && explanationText(high)).toContain("would evict on one: default/low");
    const equal = world.scheduler.explain(makePod("equal", { cpuMillis: 500 }));
    expect(equal?.preemption).toEqual({
      victims: [],
      message:
        "no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
    });
    expect((await world.pod("low")).metadata.deletionTimestamp).toBeUndefined();
    expect(world.scheduler.explain(makePod("small"))?.preemption).toBeUndefined();
  });

  it("finds devices for claims, one for each, and only where they are", async () => {
    for (const name of ["without", "with"])
      await world.create(nodes, makeNode(name, { cpuMillis: name === "with" ? 1000 : 9000 }));
    await world.client.create(deviceClasses, {
      apiVersion: "resource.k8s.io/v1",
      kind: "DeviceClass",
      metadata: { name: "gpu" },
      spec: { selectors: [{ cel: { expression: 'device.driver == "gpu.example.com"' } }] },
    });
    await world.client.create(resourceSlices, {
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
      await world.client.create(resourceClaims, {
        apiVersion: "resource.k8s.io/v1",
        kind: "ResourceClaim",
        metadata: { name, namespace: "default" },
        spec: { devices: { requests: [{ name: "gpu", exactly: { deviceClassName: "gpu" } }] } },
      });
      await world.create(pods, makePod(name, { spec: { resourceClaims: [{ name: "gpu", resourceClaimName: name }] } }));
    };
    await world.schedule();
    await claimed("a");
    await until(() => world.bound("a"));
    const holder = await world.pod("a");
    expect(holder.spec?.nodeName).toBe("with");
    const { metadata, status } = await world.client.get(resourceClaims, { namespace: "default", name: "a" });
    expect(metadata.finalizers).toEqual(["resource.kubernetes.io/delete-protection"]);
    expect(status?.reservedFor).toEqual([{ resource: "pods", name: "a", uid: holder.metadata.uid }]);
    expect(status?.allocation).toMatchObject({
      devices: { results: [{ request: "gpu", driver: "gpu.example.com", pool: "with", device: "gpu-0" }] },
      nodeSelector: { nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", values: ["with"] }] }] },
    });
    await claimed("b");
    await until(() => world.unschedulable("b"));
    expect(world.events.at(-1)).toMatch(
      /^b FailedScheduling: 0\/2 nodes are available: 2 cannot allocate all claims\. still not/,
    );
    // A pod that shares the claim goes to the same node; one whose claim is gone nowhere.
    await world.create(pods, makePod("c", { spec: { resourceClaims: [{ name: "gpu", resourceClaimName: "a" }] } }));
    await until(() => world.bound("c"));
    expect((await world.pod("c")).spec?.nodeName).toBe("with");
    await world.create(pods, makePod("d", { spec: { resourceClaims: [{ name: "gpu", resourceClaimName: "none" }] } }));
    await until(() => world.unschedulable("d"));
    expect(world.events.find((event) => event.startsWith("d "))).toMatch(
      /^d FailedScheduling: 0\/2 nodes are available: resourceclaim "none" not found\./,
    );
    // What it waits for is there again.
    const body = { status: { allocation: null, reservedFor: [] } };
    await world.client.patch(
      resourceClaims,
      { namespace: "default", name: "a" },
      { type: "merge", body },
      { subresource: "status" },
    );
    await world.clock.advance(11_000);
    await until(() => world.bound("b"));
  });

  describe("with volumes that wait for their first consumer", () => {
    const claimKey = { namespace: "default", name: "c" };
    const annotation = "volume.kubernetes.io/selected-node";

    async function waiting(provisioner: string): Promise<void> {
      await world.create(nodes, makeNode("one"));
      await world.client.create(storageClasses, {
        apiVersion: "storage.k8s.io/v1",
        kind: "StorageClass",
        metadata: { name: "wait" },
        provisioner,
        volumeBindingMode: "WaitForFirstConsumer",
      });
      const resources = { requests: { storage: "1Gi" } };
      const spec = { accessModes: ["ReadWriteOnce"], storageClassName: "wait", resources };
      const metadata = { name: "c", namespace: "default" };
      await world.client.create(persistentVolumeClaims, {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata,
        spec,
      });
    }
    const consume = async (): Promise<void> => {
      const volumes = [{ name: "v", persistentVolumeClaim: { claimName: "c" } }];
      await world.create(pods, makePod("a", { spec: { volumes } }));
    };
    /** As the volume controller, or a provisioner, would. */
    const bind = async (volumeName: string): Promise<void> => {
      const metadata = { annotations: { "pv.kubernetes.io/bind-completed": "yes" } };
      const body = { metadata, spec: { volumeName } };
      await world.client.patch(persistentVolumeClaims, claimKey, { type: "merge", body });
    };

    it("reserves a volume for the claim, and binds the pod when they are bound", async () => {
      await waiting("kubernetes.io/no-provisioner");
      await world.client.create(persistentVolumes, {
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
      await world.client.patch(persistentVolumes, { name: "disk" }, available, { subresource: "status" });
      await world.schedule();
      await consume();
      const disk = () => world.client.get(persistentVolumes, { name: "disk" });
      await until(async () => (await disk()).spec?.claimRef !== undefined);
      const { metadata, spec } = await disk();
      expect(metadata.annotations).toEqual({ "pv.kubernetes.io/bound-by-controller": "yes" });
      expect(spec?.claimRef).toMatchObject({ kind: "PersistentVolumeClaim", namespace: "default", name: "c" });
      expect(await world.bound("a")).toBe(false);
      await bind("disk");
      await world.clock.advance(1000);
      await until(() => world.bound("a"));
    });

    it("chooses a node for what is to be made, and chooses anew when that fails", async () => {
      await waiting("example.com/csi");
      await world.schedule();
      await consume();
      const selected = async (): Promise<string | undefined> =>
        (await world.client.get(persistentVolumeClaims, claimKey)).metadata.annotations?.[annotation];
      await until(async () => (await selected()) === "one");
      const body = { metadata: { annotations: { [annotation]: null } } };
      await world.client.patch(persistentVolumeClaims, claimKey, { type: "merge", body });
      for (let turns = 0; turns < 20 && !world.events.some((event) => event.includes("provisioning failed")); turns++) {
        await world.clock.advance(100);
      }
      expect(world.events).toContain('a FailedScheduling: binding volumes: provisioning failed for PVC "c"');
      for (let turns = 0; turns < 20 && (await selected()) === undefined; turns++) await world.clock.advance(1000);
      expect(await selected()).toBe("one");
    });
  });

  it("takes over from a leader that is gone, and schedules what it left", async () => {
    await world.create(nodes, makeNode("one"));
    const election = { namespace: "default", name: "scheduler" };
    const first = new AbortController();
    const { client, clock, recorder } = world;
    const leader = createScheduler({ client, clock, events: recorder, leaderElection: { ...election, identity: "1" } });
    const led = leader.run({ signal: first.signal, ready: () => {} });
    await world.create(pods, makePod("a"));
    await until(() => world.bound("a"));
    await world.schedule({ leaderElection: { ...election, identity: "2" } });
    first.abort();
    await led;
    await world.create(pods, makePod("b"));
    expect(await world.bound("b")).toBe(false);
    for (let tries = 0; tries < 30 && !(await world.bound("b")); tries++) await world.clock.advance(2_000);
    expect(await world.bound("b")).toBe(true);
  });

  it("lets a pod wait at permit until it is allowed", async () => {
    await world.create(nodes, makeNode("one"));
    const gate: SchedulingPolicy = { name: "Gate", permit: () => ({ waitMs: 60_000 }) };
    await world.schedule({ policies: [...defaultPolicies(), gate] });
    const { metadata } = await world.create(pods, makePod("a"));
    await until(() => world.scheduler.waitingPods().length === 1);
    expect(await world.bound("a")).toBe(false);
    world.scheduler.waitingPod(metadata.uid)?.allow("Gate");
    await until(() => world.bound("a"));
  });
});
