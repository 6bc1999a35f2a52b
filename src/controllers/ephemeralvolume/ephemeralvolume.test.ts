import { expect, test } from "vitest";
import { persistentVolumeClaims, pods } from "../../api/index.js";
import { makePod } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { garbageCollector } from "../garbagecollector/garbagecollector.js";
import { ephemeralVolumeController } from "./ephemeralvolume.js";

const spec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
const volumes = [
  { name: "scratch", ephemeral: { volumeClaimTemplate: { metadata: { labels: { app: "web" } }, spec } } },
  { name: "other", emptyDir: {} },
];

test("a pod's ephemeral volume gets a claim that goes with the pod", async () => {
  const scenario = new Scenario({ controllers: [ephemeralVolumeController, garbageCollector] });
  await scenario.start();
  const pod = await scenario.create(pods, makePod("web", { nodeName: "n", spec: { volumes } }));
  await scenario.settle();
  const claims = await scenario.list(persistentVolumeClaims);
  expect(claims).toMatchObject([
    {
      metadata: {
        name: "web-scratch",
        labels: { app: "web" },
        ownerReferences: [{ kind: "Pod", name: "web", uid: pod.metadata.uid, controller: true }],
      },
      spec,
    },
  ]);
  await scenario.delete(pods, "web");
  await scenario.settle();
  expect(await scenario.list(persistentVolumeClaims)).toEqual([]);
});

test("a claim of that name that is somebody else's is left alone, and the pod told", async () => {
  const scenario = new Scenario({ controllers: [ephemeralVolumeController] });
  await scenario.start();
  const metadata = { name: "web-scratch", namespace: "default" };
  await scenario.create(persistentVolumeClaims, { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, spec });
  await scenario.create(pods, makePod("web", { nodeName: "n", spec: { volumes } }));
  await scenario.settle();
  expect((await scenario.list(persistentVolumeClaims))[0]?.metadata.ownerReferences).toBeUndefined();
  expect(await scenario.eventsOf("web")).toEqual([
    "EphemeralVolumeConflict: PVC default/web-scratch was not created for pod default/web (pod is not owner)",
  ]);
});
