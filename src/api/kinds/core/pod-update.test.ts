import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../object.js";
import { created, updated, withPath } from "../testing.js";

const pod: JsonObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "default" },
  spec: { containers: [{ name: "c", image: "nginx:1" }] },
};

type Change = readonly [path: string, value: unknown];
interface Row {
  readonly name: string;
  readonly changes: readonly Change[];
  readonly errors: readonly string[];
}

function changed(base: JsonObject, changes: readonly Change[]): JsonObject {
  return changes.reduce((object, [path, value]) => withPath(object, path, value), base);
}

describe("updating a pod", () => {
  const old = withPath(created("/pods", pod).object, "spec.nodeName", "n");
  const unchangeable =
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n";

  it.each<Row>([
    { name: "nothing", changes: [], errors: [] },
    { name: "labels", changes: [["metadata.labels", { a: "b" }]], errors: [] },
    { name: "an image", changes: [["spec.containers.0.image", "nginx:2"]], errors: [] },
    { name: "a deadline where there was none", changes: [["spec.activeDeadlineSeconds", 60]], errors: [] },
    { name: "another toleration", changes: [["spec.tolerations", [{ key: "a", operator: "Exists" }]]], errors: [] },
    {
      name: "one container more",
      changes: [["spec.containers.1", { name: "d", image: "x:1" }]],
      errors: ["spec.containers: Forbidden: pod updates may not add or remove containers"],
    },
    {
      name: "no image",
      changes: [["spec.containers.0.image", ""]],
      errors: ["spec.containers[0].image: Required value"],
    },
  ])("$name", ({ changes, errors }) => {
    expect(updated("/pods", changed(old, changes), old).errors).toEqual(errors);
  });

  it.each([
    ["another node", "spec.nodeName", "m"],
    ["a command", "spec.containers.0.command", ["sh"]],
    ["another grace period", "spec.terminationGracePeriodSeconds", 1],
    ["privilege", "spec.containers.0.securityContext", { privileged: true }],
    ["a resource", "spec.containers.0.resources", { limits: { cpu: "1" } }],
  ])("not %s", (_name, path, value) => {
    const { errors } = updated("/pods", withPath(old, path, value), old);
    expect(errors).toHaveLength(1);
    expect(errors[0]?.startsWith(unchangeable)).toBe(true);
  });

  it("deadlines only get shorter, tolerations only more, gates only fewer", () => {
    const strict = changed(old, [
      ["spec.activeDeadlineSeconds", 60],
      ["spec.tolerations", [{ key: "a", operator: "Exists" }]],
      ["spec.nodeName", undefined],
    ]);
    const next = changed(strict, [
      ["spec.tolerations", []],
      ["spec.schedulingGates", [{ name: "g" }]],
    ]);
    expect(updated("/pods", next, strict).errors).toEqual([
      "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
      "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'g'",
    ]);
    // With a longer deadline nothing else is looked at.
    expect(updated("/pods", withPath(next, "spec.activeDeadlineSeconds", 61), strict).errors).toEqual([
      "spec.activeDeadlineSeconds: Invalid value: 61: must be less than or equal to previous value",
    ]);
  });

  it("a gated pod may be told where to go, but not to go elsewhere", () => {
    const gated = changed(old, [
      ["spec.nodeName", undefined],
      ["spec.schedulingGates", [{ name: "g" }]],
      ["spec.nodeSelector", { disk: "ssd" }],
    ]);
    expect(updated("/pods", withPath(gated, "spec.nodeSelector", { disk: "ssd", zone: "" }), gated).errors).toEqual([]);
    expect(updated("/pods", withPath(gated, "spec.nodeSelector", { zone: "a" }), gated).errors).toEqual([
      'spec.nodeSelector: Invalid value: {"zone":"a"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)',
    ]);
  });

  it("the ephemeralcontainers subresource adds containers and leaves all else alone", () => {
    const next = changed(old, [
      ["spec.ephemeralContainers", [{ name: "debug", image: "busybox:1", targetContainerName: "c" }]],
      ["spec.nodeName", "other"],
      ["metadata.labels", { sneaky: "yes" }],
    ]);
    const { object, errors } = updated("/pods", next, old, "ephemeralcontainers");
    expect(errors).toEqual([]);
    expect(object).toMatchObject({ spec: { nodeName: "n", ephemeralContainers: [{ name: "debug" }] } });
    expect(object).not.toHaveProperty("metadata.labels");
    expect(updated("/pods", old, object, "ephemeralcontainers").errors).toEqual([
      'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed\n',
    ]);
  });

  it("the resize subresource changes cpu and memory within the class of service", () => {
    const burstable = created("/pods", withPath(pod, "spec.containers.0.resources", { requests: { cpu: "1" } })).object;
    const more = changed(burstable, [
      ["spec.containers.0.resources", { requests: { cpu: "2" } }],
      ["spec.containers.0.image", "other:1"],
    ]);
    const { object, errors } = updated("/pods", more, burstable, "resize");
    expect(errors).toEqual([]);
    expect(object).toMatchObject({
      spec: { containers: [{ image: "nginx:1", resources: { requests: { cpu: "2" } } }] },
    });
    const none = withPath(burstable, "spec.containers.0.resources", {});
    expect(updated("/pods", none, burstable, "resize").errors).toEqual([
      'spec: Invalid value: "BestEffort": Pod QOS Class may not change as a result of resizing',
      "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed",
    ]);
  });

  it("the class of service stays as it is", () => {
    const next = withPath(old, "status.qosClass", "Guaranteed");
    expect(updated("/pods", next, old, "status").errors).toEqual([
      'status.qosClass: Invalid value: "Guaranteed": field is immutable',
    ]);
    const without = withPath(old, "status", { phase: "Running" });
    expect(updated("/pods", without, old, "status").object).toMatchObject({ status: { qosClass: "BestEffort" } });
  });
});
