import { describe, expect, test } from "vitest";
import {
  type New,
  type PersistentVolume,
  type PersistentVolumeClaim,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  type StorageClass,
  statusErrors,
  storageClasses,
} from "../../api/index.js";
import { randomInt, seededRandom } from "../../internal/random.js";
import { makePod } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { pvcProtectionController, pvProtectionController } from "../volumeprotection/volumeprotection.js";
import { persistentVolumeBinder } from "./persistentvolume.js";

const controllers = [persistentVolumeBinder, pvcProtectionController, pvProtectionController];

const claim = (name: string, spec: object = {}, storage = "1Gi"): New<PersistentVolumeClaim> => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name, namespace: "default", finalizers: ["kubernetes.io/pvc-protection"] },
  spec: { storageClassName: "", accessModes: ["ReadWriteOnce"], resources: { requests: { storage } }, ...spec },
});

const volume = (name: string, spec: object = {}, storage = "1Gi", metadata: object = {}): New<PersistentVolume> => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name, finalizers: ["kubernetes.io/pv-protection"], ...metadata },
  spec: { accessModes: ["ReadWriteOnce"], capacity: { storage }, hostPath: { path: "/data" }, ...spec },
});

const storageClass = (name: string, more: object = {}): New<StorageClass> => ({
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name },
  provisioner: "example.com/disk",
  ...more,
});

async function begin(): Promise<Scenario> {
  const scenario = new Scenario({ controllers });
  await scenario.start();
  return scenario;
}

async function phases(scenario: Scenario): Promise<Record<string, string>> {
  const all = [...(await scenario.list(persistentVolumeClaims)), ...(await scenario.list(persistentVolumes))];
  return Object.fromEntries(all.map(({ metadata, status }) => [metadata.name, status?.phase ?? ""]));
}

describe("a claim", () => {
  test("gets the smallest volume that does, and both say so", async () => {
    const scenario = await begin();
    await scenario.create(persistentVolumes, volume("large", {}, "10Gi"));
    await scenario.create(persistentVolumes, volume("right", {}, "2Gi"));
    await scenario.create(persistentVolumes, volume("small", {}, "500Mi"));
    await scenario.settle();
    const { metadata } = await scenario.create(persistentVolumeClaims, claim("data"));
    await scenario.settle();
    expect(await phases(scenario)).toEqual({ data: "Bound", right: "Bound", large: "Available", small: "Available" });
    const bound = await scenario.get(persistentVolumeClaims, "data");
    expect(bound?.spec?.volumeName).toBe("right");
    expect(bound?.metadata.annotations).toEqual({
      "pv.kubernetes.io/bind-completed": "yes",
      "pv.kubernetes.io/bound-by-controller": "yes",
    });
    expect(bound?.status).toMatchObject({ accessModes: ["ReadWriteOnce"], capacity: { storage: "2Gi" } });
    const right = await scenario.get(persistentVolumes, "right", "");
    expect(right?.spec?.claimRef).toMatchObject({ kind: "PersistentVolumeClaim", name: "data", uid: metadata.uid });
    expect(right?.metadata.annotations).toEqual({ "pv.kubernetes.io/bound-by-controller": "yes" });
  });

  test("that came first waits, and is told why, until there is a volume", async () => {
    const scenario = await begin();
    await scenario.create(persistentVolumeClaims, claim("data"));
    await scenario.settle();
    expect(await phases(scenario)).toEqual({ data: "Pending" });
    expect(await scenario.eventsOf("data")).toEqual([
      "FailedBinding: no persistent volumes available for this claim and no storage class is set",
    ]);
    await scenario.create(persistentVolumes, volume("late"));
    await scenario.settle();
    expect(await phases(scenario)).toEqual({ data: "Bound", late: "Bound" });
  });

  test.each([
    { name: "mode", spec: { volumeMode: "Block" } },
    { name: "access", spec: { accessModes: ["ReadWriteMany"] } },
    { name: "class", spec: { storageClassName: "fast" } },
    { name: "labels", spec: { selector: { matchLabels: { tier: "gold" } } } },
  ])("does not get a volume of another $name", async ({ spec }) => {
    const scenario = await begin();
    await scenario.create(persistentVolumes, volume("v"));
    await scenario.create(persistentVolumeClaims, claim("data", spec));
    await scenario.settle();
    expect(await phases(scenario)).toEqual({ data: "Pending", v: "Available" });
  });

  test("gets the volume that is reserved for it, or that it names", async () => {
    const scenario = await begin();
    const claimRef = { namespace: "default", name: "data" };
    await scenario.create(persistentVolumes, volume("reserved", { claimRef }, "10Gi"));
    await scenario.create(persistentVolumes, volume("named", {}, "10Gi"));
    await scenario.create(persistentVolumes, volume("small"));
    await scenario.create(persistentVolumeClaims, claim("data"));
    await scenario.create(persistentVolumeClaims, claim("picky", { volumeName: "named" }));
    await scenario.settle();
    expect((await scenario.get(persistentVolumeClaims, "data"))?.spec?.volumeName).toBe("reserved");
    expect(await phases(scenario)).toMatchObject({ data: "Bound", picky: "Bound", small: "Available" });
    expect((await scenario.get(persistentVolumes, "reserved", ""))?.metadata.annotations).toBeUndefined();
  });

  test("is told when the volume it names does not do, or is another's", async () => {
    const scenario = await begin();
    await scenario.create(persistentVolumes, volume("small", {}, "1Mi"));
    await scenario.create(persistentVolumes, volume("taken"));
    await scenario.create(persistentVolumeClaims, claim("first", { volumeName: "taken" }));
    await scenario.settle();
    await scenario.create(persistentVolumeClaims, claim("greedy", { volumeName: "small" }));
    await scenario.create(persistentVolumeClaims, claim("second", { volumeName: "taken" }));
    await scenario.settle();
    expect(await phases(scenario)).toMatchObject({ first: "Bound", greedy: "Pending", second: "Pending" });
    expect(await scenario.eventsOf("greedy")).toEqual([
      'VolumeMismatch: Cannot bind to requested volume "small": requested PV is too small',
    ]);
    expect(await scenario.eventsOf("second")).toEqual([
      'FailedBinding: volume "taken" already bound to a different claim.',
    ]);
  });

  test("of a class is marked for its provisioner, and bound to what that makes", async () => {
    const scenario = await begin();
    await scenario.create(storageClasses, storageClass("fast"));
    const { metadata } = await scenario.create(persistentVolumeClaims, claim("data", { storageClassName: "fast" }));
    await scenario.settle();
    expect((await scenario.get(persistentVolumeClaims, "data"))?.metadata.annotations).toEqual({
      "volume.beta.kubernetes.io/storage-provisioner": "example.com/disk",
      "volume.kubernetes.io/storage-provisioner": "example.com/disk",
    });
    const claimRef = { kind: "PersistentVolumeClaim", namespace: "default", name: "data", uid: metadata.uid };
    await scenario.create(persistentVolumes, volume("made", { storageClassName: "fast", claimRef }));
    await scenario.settle();
    expect(await phases(scenario)).toEqual({ data: "Bound", made: "Bound" });
  });

  test("of a class that waits for a consumer is left alone until the scheduler has chosen", async () => {
    const scenario = await begin();
    const volumeBindingMode = "WaitForFirstConsumer";
    await scenario.create(
      storageClasses,
      storageClass("local", { provisioner: "kubernetes.io/no-provisioner", volumeBindingMode }),
    );
    await scenario.create(persistentVolumes, volume("disk", { storageClassName: "local" }));
    const { metadata } = await scenario.create(persistentVolumeClaims, claim("data", { storageClassName: "local" }));
    await scenario.settle();
    expect(await phases(scenario)).toEqual({ data: "Pending", disk: "Available" });
    expect(await scenario.eventsOf("data")).toEqual([
      "WaitForFirstConsumer: waiting for first consumer to be created before binding",
    ]);
    const claimRef = { kind: "PersistentVolumeClaim", namespace: "default", name: "data", uid: metadata.uid };
    await scenario.change(persistentVolumes, "disk", { spec: { claimRef } }, undefined, "");
    await scenario.settle();
    expect(await phases(scenario)).toEqual({ data: "Bound", disk: "Bound" });
  });

  test("without a class gets the default one, even if that comes later", async () => {
    const scenario = await begin();
    await scenario.create(persistentVolumeClaims, claim("data", { storageClassName: undefined }));
    await scenario.settle();
    const annotations = { "storageclass.kubernetes.io/is-default-class": "true" };
    await scenario.create(storageClasses, { ...storageClass("usual"), metadata: { name: "usual", annotations } });
    await scenario.settle();
    expect((await scenario.get(persistentVolumeClaims, "data"))?.spec?.storageClassName).toBe("usual");
  });

  test("whose volume goes is lost", async () => {
    const scenario = await begin();
    await scenario.create(persistentVolumes, volume("v"));
    await scenario.create(persistentVolumeClaims, claim("data"));
    await scenario.settle();
    await scenario.delete(persistentVolumes, "v", {}, "");
    // Somebody does not wait for the claim.
    await scenario.change(persistentVolumes, "v", { metadata: { finalizers: null } }, undefined, "");
    await scenario.settle();
    expect(await phases(scenario)).toEqual({ data: "Lost" });
    expect(await scenario.eventsOf("data")).toEqual([
      "ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!",
    ]);
  });
});

describe("a volume", () => {
  test.each([
    { policy: "Retain", phase: "Released" },
    { policy: "Delete", phase: "Failed" },
  ])("with the policy $policy becomes $phase when its claim is gone", async ({ policy, phase }) => {
    const scenario = await begin();
    await scenario.create(persistentVolumes, volume("v", { persistentVolumeReclaimPolicy: policy }));
    await scenario.create(persistentVolumeClaims, claim("data"));
    await scenario.settle();
    await scenario.delete(persistentVolumeClaims, "data");
    await scenario.settle();
    expect(await phases(scenario)).toEqual({ v: phase });
    await scenario.create(persistentVolumeClaims, claim("data"));
    await scenario.settle();
    expect(await phases(scenario)).toEqual({ v: phase, data: "Pending" });
  });

  test("that a provisioner made is left for it to delete", async () => {
    const scenario = await begin();
    const metadata = { annotations: { "pv.kubernetes.io/provisioned-by": "example.com/disk" } };
    await scenario.create(persistentVolumes, volume("v", { persistentVolumeReclaimPolicy: "Delete" }, "1Gi", metadata));
    await scenario.create(persistentVolumeClaims, claim("data"));
    await scenario.settle();
    await scenario.delete(persistentVolumeClaims, "data");
    await scenario.settle();
    expect(await phases(scenario)).toEqual({ v: "Released" });
  });
});

describe("protection", () => {
  test("keeps a claim while a pod with a node uses it, and a volume while it is bound", async () => {
    const scenario = await begin();
    await scenario.create(persistentVolumes, volume("v"));
    await scenario.create(persistentVolumeClaims, claim("data"));
    const volumes = [{ name: "d", persistentVolumeClaim: { claimName: "data" } }];
    await scenario.create(pods, makePod("user", { nodeName: "n", spec: { volumes } }));
    await scenario.settle();
    await scenario.delete(persistentVolumeClaims, "data");
    await scenario.delete(persistentVolumes, "v", {}, "");
    await scenario.settle();
    expect(await phases(scenario)).toEqual({ data: "Bound", v: "Bound" });
    await scenario.delete(pods, "user");
    await scenario.settle();
    expect(await phases(scenario)).toEqual({});
  });

  test("does not keep a claim for a pod without a node", async () => {
    const scenario = await begin();
    const volumes = [{ name: "d", persistentVolumeClaim: { claimName: "data" } }];
    await scenario.create(persistentVolumeClaims, claim("data"));
    await scenario.create(pods, makePod("waiting", { spec: { volumes } }));
    await scenario.settle();
    await scenario.delete(persistentVolumeClaims, "data");
    await scenario.settle();
    expect(await phases(scenario)).toEqual({});
  });

  test("is given to what came without it", async () => {
    const scenario = await begin();
    const metadata = { name: "data", namespace: "default" };
    await scenario.create(persistentVolumeClaims, { ...claim("data"), metadata });
    await scenario.settle();
    expect((await scenario.get(persistentVolumeClaims, "data"))?.metadata.finalizers).toEqual([
      "kubernetes.io/pvc-protection",
    ]);
  });
});

test.each(Array.from({ length: 8 }, (_, seed) => seed))(
  "whatever comes, goes and fails, a volume is of one claim and a claim of one volume (seed %i)",
  async (seed) => {
    const random = seededRandom(seed);
    const scenario = new Scenario({ controllers });
    await scenario.start();
    scenario.api.intercept = ({ verb, resource }) => {
      if (verb !== "update" || !resource.startsWith("persistentvolume") || random.next() > 0.2) return;
      throw statusErrors.serviceUnavailable("now and then");
    };
    for (let step = 0; step < 40; step++) {
      const name = `${step}`;
      const storage = `${1 + randomInt(random, 4)}Gi`;
      const dice = random.next();
      if (dice < 0.4) await scenario.create(persistentVolumes, volume(`v${name}`, {}, storage));
      else if (dice < 0.8) await scenario.create(persistentVolumeClaims, claim(`c${name}`, {}, storage));
      else if (dice < 0.9) {
        const [some] = await scenario.list(persistentVolumeClaims);
        // Its last finalizer may go just now.
        if (some !== undefined) await scenario.delete(persistentVolumeClaims, some.metadata.name).catch(() => {});
      } else await scenario.restart();
      if (random.next() < 0.3) await scenario.advance(2000);
    }
    scenario.api.intercept = undefined;
    await scenario.advance(120_000, 20_000);
    const claims = await scenario.list(persistentVolumeClaims);
    const volumes = await scenario.list(persistentVolumes);
    for (const { metadata, spec, status } of claims) {
      if (status?.phase !== "Bound") continue;
      const its = volumes.filter((one) => one.spec?.claimRef?.uid === metadata.uid);
      expect(its.map((one) => [one.metadata.name, one.status?.phase])).toEqual([[spec?.volumeName, "Bound"]]);
    }
    const wanted = (one: PersistentVolumeClaim): number =>
      Number.parseInt(one.spec?.resources?.requests?.["storage"] ?? "0", 10);
    const offered = (one: PersistentVolume): number => Number.parseInt(one.spec?.capacity?.["storage"] ?? "0", 10);
    const free = volumes.filter(({ status }) => status?.phase === "Available").map(offered);
    for (const one of claims.filter(({ status }) => status?.phase !== "Bound")) {
      expect(
        free.filter((storage) => storage >= wanted(one)),
        one.metadata.name,
      ).toEqual([]);
    }
    expect(claims.length).toBeGreaterThan(5);
  },
);
