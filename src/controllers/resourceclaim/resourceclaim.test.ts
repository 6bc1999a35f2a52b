import { describe, expect, it, test } from "vitest";
import {
  type New,
  type Pod,
  pods,
  type ResourceClaim,
  resourceClaims,
  resourceClaimTemplates,
} from "../../api/index.js";
import { statusErrors } from "../../api/status.js";
import { makePod } from "../../testing/builders.js";
import { Scenario } from "../../testing/controller-scenario.js";
import { garbageCollector } from "../garbagecollector/garbagecollector.js";
import { generateNameFor } from "./pod-claims.js";
import { resourceClaimController } from "./resourceclaim.js";

const devices = { requests: [{ name: "gpu", exactly: { deviceClassName: "gpu" } }] };
const template = {
  apiVersion: "resource.k8s.io/v1",
  kind: "ResourceClaimTemplate",
  metadata: { name: "one-gpu", namespace: "default" },
  spec: { metadata: { labels: { app: "web" }, annotations: { why: "test" } }, spec: { devices } },
} as const;
const fromTemplate = [{ name: "gpu", resourceClaimTemplateName: "one-gpu" }];
const finalizer = "resource.kubernetes.io/delete-protection";
const allocation = { devices: { results: [{ request: "gpu", driver: "d.example.com", pool: "p", device: "gpu-0" }] } };

async function started(): Promise<Scenario> {
  const scenario = new Scenario({ controllers: [resourceClaimController, garbageCollector] });
  scenario.kubelet = false;
  await scenario.start();
  return scenario;
}

const claim = (name: string): New<ResourceClaim> => ({
  apiVersion: "resource.k8s.io/v1",
  kind: "ResourceClaim",
  metadata: { name, namespace: "default" },
  spec: { devices },
});

/** What a scheduler does. */
async function allocate(scenario: Scenario, name: string, ...users: readonly Pod[]): Promise<void> {
  await scenario.change(resourceClaims, name, { metadata: { finalizers: [finalizer] } });
  const reservedFor = users.map(({ metadata: { name, uid } }) => ({ resource: "pods", name, uid }));
  await scenario.change(resourceClaims, name, { status: { allocation, reservedFor } }, "status");
}

const finish = (scenario: Scenario, name: string): Promise<Pod> =>
  scenario.change(pods, name, { status: { phase: "Succeeded" } }, "status");

const only = async (scenario: Scenario): Promise<ResourceClaim | undefined> => {
  const all = await scenario.list(resourceClaims);
  expect(all.length).toBeLessThan(2);
  return all[0];
};

describe("claims from templates", () => {
  it("are made for the pod, which is told of them", async () => {
    const scenario = await started();
    await scenario.create(resourceClaimTemplates, template);
    const pod = await scenario.create(pods, makePod("web", { spec: { resourceClaims: fromTemplate } }));
    await scenario.settle();
    const made = await only(scenario);
    expect(made).toMatchObject({
      metadata: {
        generateName: "web-gpu-",
        labels: { app: "web" },
        annotations: { why: "test", "resource.kubernetes.io/pod-claim-name": "gpu" },
        ownerReferences: [{ kind: "Pod", name: "web", uid: pod.metadata.uid, controller: true }],
      },
      spec: { devices },
    });
    const { status, metadata } = (await scenario.get(pods, "web")) as Pod;
    expect(status?.resourceClaimStatuses).toEqual([{ name: "gpu", resourceClaimName: made?.metadata.name }]);
    expect(metadata.managedFields).toContainEqual(
      expect.objectContaining({ manager: "ResourceClaimController", operation: "Apply", subresource: "status" }),
    );
  });

  it("wait for the template, of which the pod's events tell", async () => {
    const scenario = await started();
    await scenario.create(pods, makePod("web", { spec: { resourceClaims: fromTemplate } }));
    await scenario.settle();
    expect(await scenario.eventsOf("web")).toEqual([
      'FailedResourceClaimCreation: PodResourceClaim gpu: resource claim template "one-gpu": resourceclaimtemplate.resource.k8s.io "one-gpu" not found',
    ]);
    await scenario.create(resourceClaimTemplates, template);
    await scenario.advance(10_000);
    expect(await only(scenario)).toBeDefined();
  });

  it("are made once, though the pod could not be told", async () => {
    const scenario = await started();
    await scenario.create(resourceClaimTemplates, template);
    let failures = 3;
    scenario.api.intercept = ({ verb, subresource }) => {
      if (verb === "patch" && subresource === "status" && failures-- > 0) throw statusErrors.internal("away");
    };
    await scenario.create(pods, makePod("web", { spec: { resourceClaims: fromTemplate } }));
    await scenario.advance(10_000);
    expect(failures).toBeLessThan(0);
    const made = await only(scenario);
    expect((await scenario.get(pods, "web"))?.status?.resourceClaimStatuses?.[0]?.resourceClaimName).toBe(
      made?.metadata.name,
    );
  });

  it("are made again when somebody deletes them, beside the others of the pod", async () => {
    const scenario = await started();
    await scenario.create(resourceClaimTemplates, template);
    const two = [...fromTemplate, { name: "other", resourceClaimTemplateName: "one-gpu" }];
    await scenario.create(pods, makePod("web", { spec: { resourceClaims: two } }));
    await scenario.settle();
    const [first, second] = await scenario.list(resourceClaims);
    await scenario.delete(resourceClaims, first?.metadata.name ?? "");
    await scenario.advance(10_000);
    const [kept, anew] = await scenario.list(resourceClaims);
    expect(kept?.metadata.uid).toBe(second?.metadata.uid);
    const statuses = (await scenario.get(pods, "web"))?.status?.resourceClaimStatuses ?? [];
    expect(Object.fromEntries(statuses.map(({ name, resourceClaimName }) => [name, resourceClaimName]))).toEqual({
      gpu: anew?.metadata.name,
      other: kept?.metadata.name,
    });
  });

  it("are deleted when the pod has finished", async () => {
    const scenario = await started();
    await scenario.create(resourceClaimTemplates, template);
    const pod = await scenario.create(pods, makePod("web", { nodeName: "n", spec: { resourceClaims: fromTemplate } }));
    await scenario.settle();
    await allocate(scenario, (await only(scenario))?.metadata.name ?? "", pod);
    await scenario.settle();
    expect((await only(scenario))?.status?.reservedFor).toHaveLength(1);
    await finish(scenario, "web");
    await scenario.advance(10_000);
    expect(await only(scenario)).toBeUndefined();
    expect(await scenario.get(pods, "web")).toBeDefined();
  });

  it("go with the pod", async () => {
    const scenario = await started();
    await scenario.create(resourceClaimTemplates, template);
    const pod = await scenario.create(pods, makePod("web", { spec: { resourceClaims: fromTemplate } }));
    await scenario.settle();
    await allocate(scenario, (await only(scenario))?.metadata.name ?? "", pod);
    await scenario.delete(pods, "web", { gracePeriodSeconds: 0 });
    await scenario.advance(10_000);
    expect(await only(scenario)).toBeUndefined();
  });

  it("are not needed where the pod's status says so", async () => {
    const scenario = await started();
    await scenario.create(pods, makePod("web", { spec: { resourceClaims: fromTemplate } }));
    await scenario.change(pods, "web", { status: { resourceClaimStatuses: [{ name: "gpu" }] } }, "status");
    await scenario.create(resourceClaimTemplates, template);
    await scenario.advance(10_000);
    expect(await only(scenario)).toBeUndefined();
  });
});

describe("claims that people made", () => {
  const named = [{ name: "gpu", resourceClaimName: "shared" }];

  it("keep their devices while one pod uses them, and give them back after the last", async () => {
    const scenario = await started();
    const create = (name: string): Promise<Pod> =>
      scenario.create(pods, makePod(name, { nodeName: "n", spec: { resourceClaims: named } }));
    const both = [await create("a"), await create("b")];
    await scenario.create(resourceClaims, claim("shared"));
    await allocate(scenario, "shared", ...both);
    await finish(scenario, "a");
    await scenario.settle();
    expect((await only(scenario))?.status).toEqual({
      allocation: expect.objectContaining(allocation),
      reservedFor: [{ resource: "pods", name: "b", uid: both[1]?.metadata.uid }],
    });
    await scenario.delete(pods, "b", { gracePeriodSeconds: 0 });
    await scenario.settle();
    const left = await only(scenario);
    expect(left?.status).toEqual({});
    expect(left?.metadata.finalizers).toBeUndefined();
  });

  it("are reserved for pods that were given a node past the scheduler", async () => {
    const scenario = await started();
    await scenario.create(resourceClaims, claim("shared"));
    await allocate(scenario, "shared");
    const { metadata } = await scenario.create(pods, makePod("a", { nodeName: "n", spec: { resourceClaims: named } }));
    await scenario.settle();
    expect((await only(scenario))?.status?.reservedFor).toEqual([{ resource: "pods", name: "a", uid: metadata.uid }]);
  });

  it("are not taken from a pod of the same name that came later", async () => {
    const scenario = await started();
    const first = await scenario.create(pods, makePod("a", { spec: { resourceClaims: named } }));
    await scenario.create(resourceClaims, claim("shared"));
    await allocate(scenario, "shared", first);
    await scenario.stop();
    await scenario.delete(pods, "a", { gracePeriodSeconds: 0 });
    await scenario.create(pods, makePod("a", { spec: { resourceClaims: named } }));
    await scenario.start();
    await scenario.settle();
    expect((await only(scenario))?.status).toEqual({});
  });

  it("may go when they are deleted, though something was allocated for nobody", async () => {
    const scenario = await started();
    await scenario.create(resourceClaims, claim("shared"));
    await allocate(scenario, "shared");
    await scenario.settle();
    expect((await only(scenario))?.status?.allocation).toBeDefined();
    await scenario.delete(resourceClaims, "shared");
    await scenario.settle();
    expect(await only(scenario)).toBeUndefined();
  });
});

const names = [
  { name: "short names stay whole", pod: "web", claim: "gpu", made: "web-gpu-" },
  {
    name: "long ones are cut in proportion",
    pod: "p".repeat(90),
    claim: "c".repeat(10),
    made: `${"p".repeat(50)}-ccccc`,
  },
];

test.each(names)("$name", ({ pod, claim, made }) => {
  expect(generateNameFor(pod, claim)).toBe(made);
});
