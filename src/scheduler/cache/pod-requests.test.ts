import { expect, test } from "vitest";
import type { ContainerStatus, Pod, PodCondition, ResourceRequirements } from "../../api/index.js";
import { makePod } from "../../testing/builders.js";
import { QuantityCache } from "../framework/resources.js";
import { podRequests } from "./pod-requests.js";

type Amounts = { readonly [name: string]: string };

const status = (name: string, allocatedResources: Amounts, actual: Amounts): ContainerStatus => ({
  name,
  image: "",
  imageID: "",
  ready: true,
  restartCount: 0,
  allocatedResources,
  resources: { requests: actual },
});
const pending = (reason: string): readonly PodCondition[] => [{ type: "PodResizePending", status: "True", reason }];

function pod(requests: ResourceRequirements["requests"], more: Partial<NonNullable<Pod["status"]>>): Pod {
  const made = makePod("web");
  const containers = [{ name: "main", image: "main:1", resources: { requests: requests ?? {} } }];
  return { ...made, spec: { ...made.spec, containers }, status: more };
}

const [one, two, three] = [{ cpu: "1" }, { cpu: "2" }, { cpu: "3" }] as const;

test.each([
  ["wanted is the most", three, two, one, undefined, 3000],
  ["promised is the most", one, three, two, undefined, 3000],
  ["held is the most", one, two, three, undefined, 3000],
  ["what waits for room counts", three, one, one, "Deferred", 3000],
  ["what will never be does not count", three, one, two, "Infeasible", 2000],
])("a pod under resize takes what is most: %s", (_name, wanted, promised, held, reason, cpuMillis) => {
  const conditions = reason === undefined ? [] : pending(reason);
  const containerStatuses = [status("main", promised, held)];
  const { requests } = podRequests(pod(wanted, { containerStatuses, conditions }), new QuantityCache());
  expect(requests.get("cpu")).toBe(cpuMillis);
});

test("sidecars and the pod as a whole are resized too", () => {
  const made = makePod("web");
  const sidecar = { name: "side", image: "side:1", restartPolicy: "Always", resources: { requests: one } };
  const containers = [{ name: "main", image: "main:1" }];
  const base: Pod = { ...made, spec: { ...made.spec, containers, initContainers: [sidecar] } };
  const initContainerStatuses = [status("side", two, one)];
  const beside = podRequests({ ...base, status: { initContainerStatuses } }, new QuantityCache());
  expect(beside.requests.get("cpu")).toBe(2000);
  const spec = { ...base.spec, containers, resources: { requests: one } };
  const whole: Pod = { ...base, spec, status: { allocatedResources: three, resources: { requests: two } } };
  expect(podRequests(whole, new QuantityCache()).requests.get("cpu")).toBe(3000);
});
