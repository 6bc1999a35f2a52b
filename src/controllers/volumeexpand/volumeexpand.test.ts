import { expect, test } from "vitest";
import { persistentVolumeClaims, persistentVolumes } from "../../api/index.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { persistentVolumeBinder } from "../persistentvolume/persistentvolume.js";
import { volumeExpandController } from "./volumeexpand.js";

test("a claim that wants to be larger hears whom it waits for", async () => {
  const scenario = new Scenario({ controllers: [persistentVolumeBinder, volumeExpandController] });
  await scenario.start();
  const capacity = { storage: "1Gi" };
  const shared = { accessModes: ["ReadWriteOnce"], storageClassName: "slow" };
  const csi = { driver: "csi.example.com", volumeHandle: "h" };
  await scenario.create(persistentVolumes, {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: "v" },
    spec: { ...shared, capacity, csi },
  });
  await scenario.create(persistentVolumeClaims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "c", namespace: "default" },
    spec: { ...shared, resources: { requests: capacity } },
  });
  await scenario.settle();
  const waiting = "ExternalExpanding: waiting for an external controller to expand this PVC";
  expect((await scenario.get(persistentVolumeClaims, "c"))?.status?.phase).toBe("Bound");
  expect(await scenario.eventsOf("c")).not.toContain(waiting);
  await scenario.change(persistentVolumeClaims, "c", { spec: { resources: { requests: { storage: "2Gi" } } } });
  await scenario.settle();
  expect(await scenario.eventsOf("c")).toContain(waiting);
  expect(scenario.problems).toEqual([]);
});
