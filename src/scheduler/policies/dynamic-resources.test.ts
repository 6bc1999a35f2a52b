import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Device,
  deviceClasses,
  nodes,
  pods,
  type ResourceClaim,
  resourceClaims,
  resourceSlices,
} from "../../api/index.js";
import { makeNode, makePod } from "../../testing/builders.js";
import { SchedulerWorld, until } from "../../testing/scheduler-world.fixture.js";
import type { SchedulingPolicy } from "../framework/policy.js";
import { defaultPolicies } from "./default-policies.js";

const driver = "gpu.example.com";
const key = { namespace: "default", name: "a" };

let world: SchedulerWorld;

beforeEach(async () => {
  world = await SchedulerWorld.start();
  await world.client.create(deviceClasses, {
    apiVersion: "resource.k8s.io/v1",
    kind: "DeviceClass",
    metadata: { name: "gpu" },
    spec: {},
  });
});

afterEach(() => world.stop());

async function nodeWith(name: string, devices: readonly Device[]): Promise<void> {
  await world.create(nodes, makeNode(name));
  await world.client.create(resourceSlices, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { name },
    spec: { driver, nodeName: name, pool: { name, generation: 1, resourceSliceCount: 1 }, devices },
  });
}

async function podWithClaim(name: string): Promise<void> {
  await world.client.create(resourceClaims, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name, namespace: "default" },
    spec: { devices: { requests: [{ name: "gpu", exactly: { deviceClassName: "gpu" } }] } },
  });
  await world.create(pods, makePod(name, { spec: { resourceClaims: [{ name: "gpu", resourceClaimName: name }] } }));
}

async function claim(): Promise<ResourceClaim> {
  return world.client.get(resourceClaims, key);
}

async function setStatus(status: object): Promise<void> {
  await world.client.patch(resourceClaims, key, { type: "merge", body: { status } }, { subresource: "status" });
}

const condition = (type: string): object => ({
  type,
  status: "True",
  reason: "Told",
  message: "",
  lastTransitionTime: "2026-01-01T00:00:00Z",
});

describe("devices that have to be made ready", () => {
  const device: Device = {
    name: "far",
    bindsToNode: true,
    bindingConditions: ["Attached"],
    bindingFailureConditions: ["Broken"],
  };
  const told = (type: string, pool: string): object => ({
    devices: [{ driver, pool, device: "far", conditions: [condition(type)] }],
  });

  async function allocated(): Promise<string> {
    await until(async () => (await claim()).status?.allocation !== undefined);
    return (await claim()).status?.allocation?.devices?.results?.[0]?.pool ?? "";
  }

  test("hold the binding up until their driver says that they are", async () => {
    await nodeWith("one", [device]);
    await world.schedule();
    await podWithClaim("a");
    const pool = await allocated();
    expect((await claim()).status?.allocation).toMatchObject({
      allocationTimestamp: expect.any(String),
      devices: { results: [{ bindingConditions: ["Attached"], bindingFailureConditions: ["Broken"] }] },
    });
    await world.clock.advance(5_000);
    expect(await world.bound("a")).toBe(false);
    await setStatus(told("Attached", pool));
    await until(async () => {
      await world.clock.advance(100);
      return world.bound("a");
    });
  });

  test("that will not be are given back, and others are found", async () => {
    await nodeWith("one", [device]);
    await world.schedule();
    await podWithClaim("a");
    const pool = await allocated();
    await nodeWith("two", [{ name: "near" }]);
    await setStatus(told("Broken", pool));
    await until(async () => {
      await world.clock.advance(1_000);
      return world.bound("a");
    });
    expect((await world.pod("a")).spec?.nodeName).toBe("two");
    expect(world.events.join("\n")).toContain('a FailedScheduling: claim a binding failed: reason=Told, message=""');
    expect((await claim()).status?.devices).toBeUndefined();
  });

  test("are kept for nobody while nobody waits for them", async () => {
    await nodeWith("one", [device]);
    await world.schedule();
    await podWithClaim("a");
    const pool = await allocated();
    await until(async () => (await claim()).status?.reservedFor?.length === 1);
    await world.client.patch(nodes, { name: "one" }, { type: "merge", body: { spec: { unschedulable: true } } });
    await setStatus(told("Broken", pool));
    await until(async () => {
      await world.clock.advance(100);
      return (await claim()).status?.reservedFor === undefined;
    });
  });

  test("are waited for no longer than bindingTimeout", async () => {
    await nodeWith("one", [device]);
    await world.schedule();
    await podWithClaim("a");
    await allocated();
    await nodeWith("two", [{ name: "near" }]);
    await until(async () => {
      await world.clock.advance(60_000);
      return world.bound("a");
    });
    expect(world.events.join("\n")).toContain("a FailedScheduling: device binding timeout");
  });
});

test("an allocation that nobody uses does not keep the pod from other nodes", async () => {
  await nodeWith("one", [{ name: "gpu" }]);
  await podWithClaim("a");
  const matchFields = [{ key: "metadata.name", operator: "In", values: ["gone"] }];
  await setStatus({
    allocation: {
      devices: { results: [{ request: "gpu", driver, pool: "gone", device: "gpu" }] },
      nodeSelector: { nodeSelectorTerms: [{ matchFields }] },
    },
  });
  await world.schedule();
  await until(async () => {
    await world.clock.advance(1_000);
    return world.bound("a");
  });
  expect(world.events.join("\n")).toContain("deallocation of ResourceClaim completed");
  expect((await claim()).status?.allocation?.devices?.results?.[0]?.pool).toBe("one");
});

test("a device that several may have is shared until it is used up", async () => {
  const requestPolicy = { default: "2", validValues: ["2"] };
  await nodeWith("one", [
    { name: "gpu", allowMultipleAllocations: true, capacity: { slots: { value: "5", requestPolicy } } },
  ]);
  await world.schedule();
  for (const name of ["a", "b", "c"]) await podWithClaim(name);
  await until(() => world.unschedulable("c"));
  expect(await world.bound("a")).toBe(true);
  expect(await world.bound("b")).toBe(true);
  const results = await Promise.all(
    ["a", "b"].map(
      async (name) =>
        (await world.client.get(resourceClaims, { ...key, name })).status?.allocation?.devices?.results?.[0],
    ),
  );
  expect(results).toMatchObject([{ consumedCapacity: { slots: "2" } }, { consumedCapacity: { slots: "2" } }]);
  expect(results[0]?.shareID).not.toBe(results[1]?.shareID);
});

describe("when the pod is not bound after all", () => {
  const refuses = (name: string): SchedulingPolicy => ({
    name: "Refuses",
    preBind: async ({ metadata }) => (metadata.name === name ? "not this one" : undefined),
    requeueWhen: [],
  });

  test("its reservation of a claim that it shares goes, and nobody else's", async () => {
    await nodeWith("one", [{ name: "gpu" }]);
    await world.schedule({ policies: [...defaultPolicies(), { policy: refuses("b"), weight: 0 }] });
    await podWithClaim("a");
    await until(() => world.bound("a"));
    const uids = async (): Promise<readonly string[]> =>
      ((await claim()).status?.reservedFor ?? []).map(({ uid }) => uid);
    const before = await uids();
    await world.create(pods, makePod("b", { spec: { resourceClaims: [{ name: "gpu", resourceClaimName: "a" }] } }));
    await until(() => world.unschedulable("b"));
    await until(async () => (await uids()).length === 1);
    expect(await uids()).toEqual(before);
  });

  test("the claim for its extended resources goes", async () => {
    await nodeWith("one", [{ name: "gpu" }]);
    await world.schedule({ policies: [...defaultPolicies(), { policy: refuses("p"), weight: 0 }] });
    const limits = { "deviceclass.resource.kubernetes.io/gpu": "1" };
    const containers = [{ name: "main", image: "x", resources: { limits, requests: limits } }];
    await world.create(pods, makePod("p", { containers }));
    await until(() => world.unschedulable("p"));
    const claims = async (): Promise<number> => (await world.client.list(resourceClaims)).items.length;
    await until(async () => (await claims()) === 0);
  });
});

describe("extended resources that devices stand for", () => {
  const asking = (limits: Readonly<Record<string, string>>) => ({
    containers: [{ name: "main", image: "x", resources: { limits, requests: limits } }],
  });
  const gpus = asking({ "example.com/gpu": "2" });
  const extendedClaims = async (): Promise<readonly ResourceClaim[]> =>
    (await world.client.list(resourceClaims, { namespace: "default" })).items;

  beforeEach(async () => {
    const body = { spec: { extendedResourceName: "example.com/gpu" } };
    await world.client.patch(deviceClasses, { name: "gpu" }, { type: "merge", body });
  });

  test("are allocated by a claim of the pod's own, on a node that has the devices", async () => {
    await nodeWith("none", []);
    await nodeWith("one", [{ name: "a" }]);
    await nodeWith("two", [{ name: "a" }, { name: "b" }]);
    await world.schedule();
    await world.create(pods, makePod("p", gpus));
    await until(() => world.bound("p"));
    const pod = await world.pod("p");
    expect(pod.spec?.nodeName).toBe("two");
    const [made] = await extendedClaims();
    expect(made?.metadata).toMatchObject({
      name: expect.stringMatching(/^p-extended-resources-/),
      annotations: { "resource.kubernetes.io/extended-resource-claim": "true" },
      ownerReferences: [{ kind: "Pod", name: "p", uid: pod.metadata.uid, controller: true }],
    });
    expect(made?.spec.devices?.requests).toEqual([
      { name: "container-0-request-0", exactly: expect.objectContaining({ deviceClassName: "gpu", count: 2 }) },
    ]);
    expect(made?.status?.allocation?.devices?.results?.map(({ device }) => device)).toEqual(["a", "b"]);
    expect(made?.status?.reservedFor).toMatchObject([{ uid: pod.metadata.uid }]);
    expect(pod.status?.extendedResourceClaimStatus).toEqual({
      resourceClaimName: made?.metadata.name,
      requestMappings: [
        { containerName: "main", resourceName: "example.com/gpu", requestName: "container-0-request-0" },
      ],
    });
    await world.create(pods, makePod("q", gpus));
    await until(() => world.unschedulable("q"));
    expect(world.events.at(-1)).toContain("0/3 nodes are available: 3 cannot allocate all claims.");
  });

  test("are those of the node where it has some itself", async () => {
    await world.create(nodes, makeNode("plugin", { resources: { "example.com/gpu": "2" } }));
    await world.schedule();
    await world.create(pods, makePod("p", gpus));
    await until(() => world.bound("p"));
    expect(await extendedClaims()).toEqual([]);
    await world.create(pods, makePod("q", gpus));
    await until(() => world.unschedulable("q"));
    expect(world.events.at(-1)).toContain("1 Insufficient example.com/gpu");
  });

  test("can be asked for by the name of the class", async () => {
    await nodeWith("one", [{ name: "a" }]);
    await world.schedule();
    await world.create(pods, makePod("p", asking({ "deviceclass.resource.kubernetes.io/gpu": "1" })));
    await until(() => world.bound("p"));
    expect(await extendedClaims()).toHaveLength(1);
  });

  test("wait for the class that stands for them", async () => {
    await nodeWith("one", [{ name: "a" }]);
    await world.schedule();
    await world.create(pods, makePod("p", asking({ "example.com/late": "1" })));
    await until(() => world.unschedulable("p"));
    const body = { spec: { extendedResourceName: "example.com/late" } };
    await world.client.patch(deviceClasses, { name: "gpu" }, { type: "merge", body });
    await until(async () => {
      await world.clock.advance(1_000);
      return world.bound("p");
    });
  });

  test("a claim that an earlier attempt left is deleted, and another made", async () => {
    await nodeWith("one", [{ name: "a" }, { name: "b" }]);
    const { uid } = (await world.create(pods, makePod("p", gpus))).metadata;
    await world.client.create(resourceClaims, {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceClaim",
      metadata: {
        name: "left",
        namespace: "default",
        annotations: { "resource.kubernetes.io/extended-resource-claim": "true" },
        ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "p", uid, controller: true }],
        finalizers: ["resource.kubernetes.io/delete-protection"],
      },
      spec: { devices: { requests: [{ name: "r", exactly: { deviceClassName: "gpu" } }] } },
    });
    await world.schedule();
    await until(async () => {
      await world.clock.advance(1_000);
      return world.bound("p");
    });
    expect((await extendedClaims()).map(({ metadata }) => metadata.name)).toEqual([
      expect.stringMatching(/^p-extended-resources-/),
    ]);
  });
});

test("a node with devices for the first alternative is preferred", async () => {
  await nodeWith("one", [{ name: "small" }]);
  await nodeWith("two", [{ name: "a" }, { name: "b" }]);
  await nodeWith("three", [{ name: "small" }]);
  await world.schedule();
  for (const name of ["a", "b"]) {
    await world.client.create(resourceClaims, {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceClaim",
      metadata: { name, namespace: "default" },
      spec: {
        devices: {
          requests: [
            {
              name: "gpu",
              firstAvailable: [
                { name: "two", deviceClassName: "gpu", count: 2 },
                { name: "one", deviceClassName: "gpu" },
              ],
            },
          ],
        },
      },
    });
    await world.create(pods, makePod(name, { spec: { resourceClaims: [{ name: "gpu", resourceClaimName: name }] } }));
    await until(() => world.bound(name));
  }
  expect((await world.pod("a")).spec?.nodeName).toBe("two");
  expect((await world.pod("b")).spec?.nodeName).not.toBe("two");
});
