import { expect, test } from "vitest";
import { deviceClasses, pods, resourceClaims, resourceClaimTemplates, resourceSlices } from "../api/index.js";
import { VirtualClock } from "../internal/virtual-clock.js";
import { makePod } from "../testing/builders.js";
import { startControlPlane } from "./control-plane.js";

test("a pod gets a device by a claim from a template, and gives both back when it has finished", async () => {
  const clock = new VirtualClock();
  const runtime = { script: () => ({ exitAfterMs: 60_000 }) };
  await using cp = await startControlPlane({ clock, nodes: { names: ["plain", "gifted"], runtime } });
  const { client } = cp;
  const advance = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 1000) {
      await clock.advance(1000);
      await cp.settled();
    }
  };
  await client.create(deviceClasses, {
    apiVersion: "resource.k8s.io/v1",
    kind: "DeviceClass",
    metadata: { name: "gpu" },
    spec: { selectors: [{ cel: { expression: 'device.driver == "gpu.example.com"' } }] },
  });
  await client.create(resourceSlices, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { name: "gifted-gpus" },
    spec: {
      driver: "gpu.example.com",
      nodeName: "gifted",
      pool: { name: "gifted", generation: 1, resourceSliceCount: 1 },
      devices: [{ name: "gpu-0" }],
    },
  });
  await client.create(resourceClaimTemplates, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaimTemplate",
    metadata: { name: "one-gpu", namespace: "default" },
    spec: { spec: { devices: { requests: [{ name: "gpu", exactly: { deviceClassName: "gpu" } }] } } },
  });
  const spec = { restartPolicy: "Never", resourceClaims: [{ name: "gpu", resourceClaimTemplateName: "one-gpu" }] };
  const create = (name: string): Promise<unknown> => client.create(pods, makePod(name, { spec }));
  const phases = async (): Promise<unknown> =>
    Object.fromEntries((await client.list(pods)).items.map(({ metadata, status }) => [metadata.name, status?.phase]));
  await create("first");
  await advance(10_000);
  const first = await client.get(pods, { namespace: "default", name: "first" });
  expect(first.spec?.nodeName).toBe("gifted");
  const [claim, ...others] = (await client.list(resourceClaims)).items;
  expect(others).toEqual([]);
  expect(first.status?.resourceClaimStatuses).toEqual([{ name: "gpu", resourceClaimName: claim?.metadata.name }]);
  expect(claim?.status?.reservedFor).toEqual([{ resource: "pods", name: "first", uid: first.metadata.uid }]);
  expect(claim?.status?.allocation?.devices?.results).toMatchObject([{ pool: "gifted", device: "gpu-0" }]);
  expect(claim?.metadata.finalizers).toEqual(["resource.kubernetes.io/delete-protection"]);
  // There is one device only.
  await create("second");
  await advance(10_000);
  expect(await phases()).toEqual({ first: "Running", second: "Pending" });
  await advance(60_000);
  expect(await phases()).toEqual({ first: "Succeeded", second: "Running" });
  expect((await client.list(resourceClaims)).items).toMatchObject([
    { metadata: { generateName: "second-gpu-" }, status: { reservedFor: [{ name: "second" }] } },
  ]);
  await advance(60_000);
  expect(await phases()).toEqual({ first: "Succeeded", second: "Succeeded" });
  expect((await client.list(resourceClaims)).items).toEqual([]);
});
