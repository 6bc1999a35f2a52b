import { expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { configMap } from "./support/objects.js";
import { describeApi, failure, useControlPlane } from "./support/subject.js";

const cp = useControlPlane();

describeApi("reading one object", cp, (api) => {
  test("gives back what was created, at its resourceVersion", async () => {
    const namespace = await api.namespace();
    const created = await api.create("api/v1/configmaps", configMap(namespace, "a", { key: "value" }));
    expect(await api.call("get", "api/v1/configmaps", { namespace, name: "a" })).toEqual(created);
  });

  test("of a name that nobody has is NotFound", async () => {
    const namespace = await api.namespace();
    expect(await failure(api.call("get", "api/v1/configmaps", { namespace, name: "none" }))).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: 'configmaps "none" not found',
      reason: "NotFound",
      details: { name: "none", kind: "configmaps" },
      code: 404,
    });
  });

  test.each(["", "0", "1", "now"])("at resourceVersion %j gives what is at least as new", async (from) => {
    const namespace = await api.namespace();
    const created = await api.create("api/v1/configmaps", configMap(namespace, "a", { key: "value" }));
    const now = String((created["metadata"] as JsonObject)["resourceVersion"]);
    const resourceVersion = from === "now" ? now : from;
    const got = await api.call("get", "api/v1/configmaps", { namespace, name: "a", options: { resourceVersion } });
    expect(got).toEqual(created);
  });

  test("at a resourceVersion that has not happened is a Timeout", async () => {
    const namespace = await api.namespace();
    await api.create("api/v1/configmaps", configMap(namespace, "a"));
    const options = { resourceVersion: "18446744073709551615" };
    expect(await failure(api.call("get", "api/v1/configmaps", { namespace, name: "a", options }))).toMatchObject({
      code: 504,
      reason: "Timeout",
      details: { causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }] },
    });
  });

  test("at what is no resourceVersion is an error of the server, as upstream has it", async () => {
    const namespace = await api.namespace();
    const options = { resourceVersion: "-1" };
    const status = await failure(api.call("get", "api/v1/configmaps", { namespace, name: "a", options }));
    expect(status).toMatchObject({
      code: 500,
      message: 'resourceVersion: Invalid value: "-1": strconv.ParseUint: parsing "-1": invalid syntax',
    });
  });

  test("shows an object of either version of its API", async () => {
    const namespace = await api.namespace();
    const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
    const metric = { type: "Utilization", averageUtilization: 80 };
    await api.create("apis/autoscaling/v2/horizontalpodautoscalers", {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "a", namespace },
      spec: {
        maxReplicas: 3,
        scaleTargetRef,
        metrics: [{ type: "Resource", resource: { name: "cpu", target: metric } }],
      },
    });
    const first = await api.call("get", "apis/autoscaling/v1/horizontalpodautoscalers", { namespace, name: "a" });
    expect(first).toMatchObject({ apiVersion: "autoscaling/v1", spec: { targetCPUUtilizationPercentage: 80 } });
  });

  test("of another group or resource is not found", async () => {
    expect(await failure(api.call("get", "apis/none.example.com/v1/things", { name: "a" }))).toMatchObject({
      code: 404,
    });
  });
});
