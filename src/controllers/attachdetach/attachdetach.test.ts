import { describe, expect, it } from "vitest";
import {
  csiDrivers,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type VolumeAttachment,
  volumeAttachments,
} from "../../api/index.js";
import { makeNode, makePod } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { attachDetachController } from "./attachdetach.js";

const driver = "disk.example.com";
const managed = { "volumes.kubernetes.io/controller-managed-attach-detach": "true" };
const inUse = [`kubernetes.io/csi/${driver}^h-disk`];

/** Two nodes, and a claim bound to a disk. */
async function started(
  options: { readonly accessMode?: string; readonly attachRequired?: boolean } = {},
): Promise<Scenario> {
  const { accessMode = "ReadWriteOnce", attachRequired } = options;
  const scenario = new Scenario({ controllers: [attachDetachController] });
  scenario.kubelet = false;
  await scenario.start();
  for (const name of ["a", "b"]) {
    const { status, ...node } = makeNode(name, { annotations: managed });
    await scenario.create(nodes, node);
    await scenario.change(nodes, name, { status }, "status");
  }
  if (attachRequired !== undefined) {
    const metadata = { name: driver };
    await scenario.create(csiDrivers, {
      apiVersion: "storage.k8s.io/v1",
      kind: "CSIDriver",
      metadata,
      spec: { attachRequired },
    });
  }
  const capacity = { storage: "1Gi" };
  const claim = await scenario.create(persistentVolumeClaims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data", namespace: "default" },
    spec: { accessModes: [accessMode], volumeName: "disk", resources: { requests: capacity } },
  });
  await scenario.create(persistentVolumes, {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: "disk" },
    spec: {
      accessModes: [accessMode],
      capacity,
      csi: { driver, volumeHandle: "h-disk" },
      claimRef: { namespace: "default", name: "data", uid: claim.metadata.uid },
    },
  });
  return scenario;
}

const volumes = [{ name: "v", persistentVolumeClaim: { claimName: "data" } }];
const run = (scenario: Scenario, name: string, nodeName: string): Promise<unknown> =>
  scenario.create(pods, makePod(name, { nodeName, spec: { volumes } }));
const end = (scenario: Scenario, name: string): Promise<unknown> =>
  scenario.delete(pods, name, { gracePeriodSeconds: 0 });

/** What a driver does. */
async function attached(scenario: Scenario, status: object = { attached: true }): Promise<void> {
  for (const { metadata } of await scenario.list(volumeAttachments)) {
    await scenario.change(volumeAttachments, metadata.name, { status }, "status");
  }
  await scenario.settle();
}

const attachments = async (scenario: Scenario): Promise<readonly string[]> =>
  (await scenario.list(volumeAttachments)).map(({ spec }: VolumeAttachment) => spec.nodeName);
const onNode = async (scenario: Scenario, name: string): Promise<unknown> =>
  (await scenario.get(nodes, name))?.status?.volumesAttached;

describe("persistentvolume-attach-detach-controller", () => {
  it("has a volume attached where a pod needs it, and tells the node and the pod", async () => {
    const scenario = await started();
    await run(scenario, "web", "a");
    await scenario.settle();
    const [made] = await scenario.list(volumeAttachments);
    expect(made?.spec).toEqual({ attacher: driver, nodeName: "a", source: { persistentVolumeName: "disk" } });
    // The SHA-256 of handle, driver and node.
    expect(made?.metadata.name).toBe("csi-b7daf4e4d46cf85b3b90c00201a03f0814febac1f064464837791b450a655c1a");
    expect(await onNode(scenario, "a")).toBeUndefined();
    await attached(scenario);
    expect(await onNode(scenario, "a")).toEqual([{ name: inUse[0], devicePath: "" }]);
    expect(await scenario.eventsOf("web")).toEqual([
      'SuccessfulAttachVolume: AttachVolume.Attach succeeded for volume "disk" ',
    ]);
  });

  it("tells why a driver could not", async () => {
    const scenario = await started();
    await run(scenario, "web", "a");
    await scenario.settle();
    await attached(scenario, { attached: false, attachError: { message: "no such disk" } });
    expect(await scenario.eventsOf("web")).toEqual([
      'FailedAttachVolume: AttachVolume.Attach failed for volume "disk" : no such disk',
    ]);
  });

  const unneeded = [
    { name: "a driver that wants no attaching", setup: () => started({ attachRequired: false }) },
    {
      name: "a node that attaches itself",
      setup: async () => {
        const scenario = await started();
        await scenario.change(nodes, "a", { metadata: { annotations: null } });
        return scenario;
      },
    },
  ];

  it.each(unneeded)("leaves volumes of $name alone", async ({ setup }) => {
    const scenario = await setup();
    await run(scenario, "web", "a");
    await scenario.settle();
    expect(await attachments(scenario)).toEqual([]);
  });

  it("has it detached when the last pod is gone and the node has unmounted it", async () => {
    const scenario = await started();
    await run(scenario, "web", "a");
    await run(scenario, "other", "a");
    await scenario.settle();
    await attached(scenario);
    await scenario.change(nodes, "a", { status: { volumesInUse: inUse } }, "status");
    await end(scenario, "web");
    await scenario.advance(1000);
    expect(await attachments(scenario)).toEqual(["a"]);
    await end(scenario, "other");
    await scenario.advance(10 * 60_000, 60_000);
    expect(await attachments(scenario)).toEqual(["a"]);
    await scenario.change(nodes, "a", { status: { volumesInUse: null } }, "status");
    await scenario.settle();
    expect(await attachments(scenario)).toEqual([]);
    expect(await onNode(scenario, "a")).toBeUndefined();
  });

  const lost: readonly {
    readonly name: string;
    readonly lose: (scenario: Scenario) => Promise<unknown>;
    readonly afterMs: number;
  }[] = [
    {
      name: "is not ready, after six minutes",
      lose: (scenario) => {
        const conditions = [{ type: "Ready", status: "Unknown" }];
        return scenario.change(nodes, "a", { status: { conditions } }, "status");
      },
      afterMs: 6 * 60_000,
    },
    {
      name: "is out of service, at once",
      lose: (scenario) => {
        const taints = [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }];
        return scenario.change(nodes, "a", { spec: { taints } });
      },
      afterMs: 0,
    },
    { name: "is gone, at once", lose: (scenario) => scenario.delete(nodes, "a", {}, ""), afterMs: 0 },
  ];

  it.each(lost)("takes a mounted volume from a node that $name", async ({ lose, afterMs }) => {
    const scenario = await started();
    await run(scenario, "web", "a");
    await scenario.settle();
    await attached(scenario);
    await scenario.change(nodes, "a", { status: { volumesInUse: inUse } }, "status");
    await end(scenario, "web");
    await scenario.settle();
    await lose(scenario);
    await scenario.settle();
    if (afterMs > 0) {
      await scenario.advance(afterMs - 10_000, 10_000);
      expect(await attachments(scenario)).toEqual(["a"]);
      await scenario.advance(20_000, 10_000);
    }
    expect(await attachments(scenario)).toEqual([]);
  });

  it("gives a disk to one node at a time", async () => {
    const scenario = await started();
    await run(scenario, "web", "a");
    await scenario.settle();
    await run(scenario, "late", "b");
    await scenario.settle();
    expect(await attachments(scenario)).toEqual(["a"]);
    expect(await scenario.eventsOf("late")).toEqual([
      'FailedAttachVolume: Multi-Attach error for volume "disk" Volume is already exclusively attached to one node and can\'t be attached to another',
    ]);
    await end(scenario, "web");
    await scenario.settle();
    expect(await attachments(scenario)).toEqual(["b"]);
  });

  it("gives one that many may have to all", async () => {
    const scenario = await started({ accessMode: "ReadWriteMany" });
    await run(scenario, "web", "a");
    await run(scenario, "late", "b");
    await scenario.settle();
    expect([...(await attachments(scenario))].sort()).toEqual(["a", "b"]);
  });

  it("leaves alone what people attach", async () => {
    const scenario = await started();
    await scenario.create(volumeAttachments, {
      apiVersion: "storage.k8s.io/v1",
      kind: "VolumeAttachment",
      metadata: { name: "by-hand" },
      spec: { attacher: driver, nodeName: "a", source: { persistentVolumeName: "disk" } },
    });
    await scenario.advance(1000);
    expect(await attachments(scenario)).toEqual(["a"]);
  });
});
