import { expect, test } from "vitest";
import { persistentVolumeClaims, persistentVolumes, volumeAttributesClasses } from "../../api/index.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { vacProtectionController } from "./volumeprotection.js";

async function beginWithClass(): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [vacProtectionController] });
  await scenario.start();
  await scenario.create(volumeAttributesClasses, {
    apiVersion: "storage.k8s.io/v1",
    kind: "VolumeAttributesClass",
    metadata: { name: "gold" },
    driverName: "disk.example.com",
    parameters: { iops: "100" },
  });
  await scenario.settle();
  return scenario;
}

const goldOf = async (scenario: Scenario) => (await scenario.get(volumeAttributesClasses, "gold"))?.metadata;

test("a class of volume attributes that nobody uses goes at once", async () => {
  const scenario = await beginWithClass();
  expect((await goldOf(scenario))?.finalizers).toEqual(["kubernetes.io/vac-protection"]);
  await scenario.delete(volumeAttributesClasses, "gold");
  await scenario.settle();
  expect(await goldOf(scenario)).toBeUndefined();
  await scenario.stop();
});

test("a class of volume attributes stays while a claim wants it, has it or a volume has it", async () => {
  const scenario = await beginWithClass();
  const accessModes = ["ReadWriteOnce"];
  await scenario.create(persistentVolumeClaims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data", namespace: "default" },
    spec: { accessModes, volumeAttributesClassName: "gold", resources: { requests: { storage: "1Gi" } } },
  });
  await scenario.change(
    persistentVolumeClaims,
    "data",
    { status: { phase: "Bound", currentVolumeAttributesClassName: "gold" } },
    "status",
  );
  const csi = { driver: "disk.example.com", volumeHandle: "1" };
  await scenario.create(persistentVolumes, {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: "disk" },
    spec: { accessModes, capacity: { storage: "1Gi" }, volumeAttributesClassName: "gold", csi },
  });
  await scenario.settle();
  await scenario.delete(volumeAttributesClasses, "gold");
  const stays = async (): Promise<boolean> => {
    await scenario.settle();
    return (await goldOf(scenario)) !== undefined;
  };
  expect(await stays()).toBe(true);
  await scenario.change(persistentVolumeClaims, "data", { spec: { volumeAttributesClassName: "silver" } });
  expect(await stays()).toBe(true);
  await scenario.change(
    persistentVolumeClaims,
    "data",
    { status: { currentVolumeAttributesClassName: "silver" } },
    "status",
  );
  expect(await stays()).toBe(true);
  await scenario.delete(persistentVolumes, "disk");
  expect(await stays()).toBe(false);
  await scenario.stop();
});
