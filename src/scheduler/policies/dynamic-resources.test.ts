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
import { SchedulerWorld, until } from "../scheduler.fixture.js";

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
    expect(world.events.join("\n")).toContain(
      "a FailedScheduling: claim a binding failed: device gpu.example.com/one/far has condition Broken",
    );
    expect((await claim()).status?.devices).toBeUndefined();
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
