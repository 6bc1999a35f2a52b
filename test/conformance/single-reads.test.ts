import { expect, test } from "vitest";
import { describeApi, failure, useControlPlane } from "./support/subject.js";

const cp = useControlPlane();

const configMap = (namespace: string, name: string, data: Record<string, string> = {}): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace },
  data,
});

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
});
