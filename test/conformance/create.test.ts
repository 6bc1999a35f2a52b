import { expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { configMap, metadataOf } from "./support/manifests.js";
import { describeApi, failure, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane();
const configMaps = "api/v1/configmaps";

describeApi("create", controlPlane, (api) => {
  test("fills in what only the server knows, and nobody owns it", async () => {
    const namespace = await api.namespace();
    const given = { uid: "mine", creationTimestamp: "2020-01-01T00:00:00Z", selfLink: "/x", generation: 7 };
    const deletion = { deletionTimestamp: "2020-01-01T00:00:00Z", deletionGracePeriodSeconds: 3 };
    const made = await api.create(configMaps, configMap("a", { metadata: { namespace, ...given, ...deletion } }));
    expect(metadataOf(made)).toEqual({
      name: "a",
      namespace,
      uid: expect.not.stringMatching("mine"),
      resourceVersion: expect.stringMatching(/^[0-9]+$/),
      creationTimestamp: expect.not.stringMatching("2020"),
      // Kinds that count no generations keep what they are given.
      generation: 7,
    });
  });

  test("makes a name of generateName: five characters after 58 of it", async () => {
    const namespace = await api.namespace();
    const generateName = `${"x".repeat(70)}-`;
    const made = await api.create(configMaps, configMap("", { metadata: { namespace, generateName } }));
    expect(metadataOf(made)["name"]).toMatch(/^x{58}[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  test("a name that is taken is AlreadyExists, in other words when generateName is set too, or its object is going", async () => {
    const namespace = await api.namespace();
    const create = (metadata: object): Promise<JsonObject> =>
      api.create(configMaps, configMap("a", { metadata: { namespace, ...metadata } }));
    await create({ finalizers: ["example.com/hold"] });
    expect(await failure(create({}))).toMatchObject({
      code: 409,
      reason: "AlreadyExists",
      message: 'configmaps "a" already exists',
      details: { name: "a", kind: "configmaps" },
    });
    expect(await failure(create({ generateName: "b-" }))).toMatchObject({
      code: 409,
      reason: "AlreadyExists",
      message: 'configmaps "a" already exists, the server was not able to generate a unique name for the object',
      details: { name: "a", kind: "configmaps", retryAfterSeconds: 1 },
    });
    await api.call("delete", configMaps, { namespace, name: "a" });
    expect((await failure(create({}))).message).toBe('object is being deleted: configmaps "a" already exists');
    expect(
      (
        await failure(
          api.create(configMaps, configMap("a", { metadata: { namespace } }), { options: { dryRun: ["All"] } }),
        )
      ).message,
    ).toContain("already exists");
  });

  test("a dry run answers as the real one, and stores nothing", async () => {
    const namespace = await api.namespace();
    const given = configMap("dry", { metadata: { namespace } });
    const made = await api.create(configMaps, given, { options: { dryRun: ["All"] } });
    expect(metadataOf(made)).toMatchObject({ name: "dry", uid: expect.any(String) });
    expect(metadataOf(made)).not.toHaveProperty("resourceVersion");
    expect((await failure(api.call("get", configMaps, { namespace, name: "dry" }))).reason).toBe("NotFound");
  });

  test.each([
    {
      name: "dryRun",
      options: { dryRun: ["None"] },
      message: 'dryRun: Unsupported value: ["None"]: supported values: "All"',
    },
    {
      name: "fieldValidation",
      options: { fieldValidation: "strict" },
      message: 'fieldValidation: Unsupported value: "strict": supported values: "", "Ignore", "Strict", "Warn"',
    },
    {
      name: "fieldManager, too long",
      options: { fieldManager: "m".repeat(129) },
      message: "fieldManager: Too long: may not be more than 128 bytes",
    },
    {
      name: "fieldManager, not printable",
      options: { fieldManager: "é\t" },
      message: 'fieldManager: Invalid value: "é\\t": invalid character U+0009 (at position 2)',
    },
  ])("refuses options that make no sense: $name", async ({ options, message }) => {
    const attempt = api.create(configMaps, configMap("o", { metadata: { namespace: "default" } }), { options });
    expect(await failure(attempt)).toMatchObject({
      code: 422,
      reason: "Invalid",
      message: `CreateOptions.meta.k8s.io "" is invalid: ${message}`,
      details: { group: "meta.k8s.io", kind: "CreateOptions" },
    });
  });

  const dns =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
  test.each([
    {
      name: "kind, of the same version",
      body: { apiVersion: "v1", kind: "Secret", metadata: { name: "x" } },
      code: 400,
      message:
        'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion',
    },
    {
      name: "kind, of another group",
      body: { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "x" } },
      code: 400,
      message:
        'Deployment in version "v1" cannot be handled as a ConfigMap: converting (v1.Deployment) to (core.ConfigMap): unknown conversion',
    },
    {
      name: "kind, that there is not",
      body: { apiVersion: "v1", kind: "Nonsense", metadata: { name: "x" } },
      code: 400,
      message:
        'Nonsense in version "v1" cannot be handled as a ConfigMap: no kind "Nonsense" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
    },
    {
      name: "version",
      body: { apiVersion: "v9", kind: "ConfigMap", metadata: { name: "x" } },
      code: 400,
      message:
        'ConfigMap in version "v9" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v9" in scheme "pkg/api/legacyscheme/scheme.go:30"',
    },
    {
      name: "namespace",
      body: configMap("x", { metadata: { namespace: "elsewhere" } }),
      code: 400,
      message: "the namespace of the provided object does not match the namespace sent on the request",
    },
    {
      name: "type of metadata",
      body: { apiVersion: "v1", kind: "ConfigMap", metadata: [] },
      code: 400,
      message:
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal array into Go struct field ConfigMap.metadata of type v1.ObjectMeta',
    },
    {
      name: "type of a field",
      body: configMap("x", { data: { a: 1 } }),
      code: 400,
      message:
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string',
    },
    {
      name: "type of body",
      body: [],
      code: 400,
      message:
        'the object provided is unrecognized (must be of type ConfigMap): couldn\'t get version/kind; json parse error: json: cannot unmarshal array into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (5b5d)',
    },
    {
      name: "no name",
      body: null,
      code: 422,
      message: 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
    },
    {
      name: "name",
      body: configMap("A_b"),
      code: 422,
      message: `ConfigMap "A_b" is invalid: metadata.name: Invalid value: "A_b": ${dns}`,
    },
    {
      name: "generation",
      body: configMap("x", { metadata: { generation: -1 } }),
      code: 422,
      message: 'ConfigMap "x" is invalid: metadata.generation: Invalid value: -1: must be greater than or equal to 0',
    },
    {
      name: "resourceVersion",
      body: configMap("x", { metadata: { resourceVersion: "7" } }),
      code: 500,
      message: "resourceVersion should not be set on objects to be created",
    },
  ])("refuses what is wrong: $name", async ({ body, code, message }) => {
    const attempt = api.call("create", configMaps, { namespace: "default", body });
    expect(await failure(attempt)).toMatchObject({ code, message });
  });

  test("takes what upstream takes: no kind, a resourceVersion that is no number, a namespace in a cluster-scoped object", async () => {
    const namespace = await api.namespace();
    const bare = await api.call("create", configMaps, { namespace, body: { metadata: { name: "bare" } } });
    expect(bare).toMatchObject({ apiVersion: "v1", kind: "ConfigMap" });
    await api.create(configMaps, configMap("a", { metadata: { namespace, resourceVersion: "abc" } }));
    const role = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", rules: [] };
    const body = { ...role, metadata: { name: `in-${namespace}`, namespace } };
    const made = await api.call("create", "apis/rbac.authorization.k8s.io/v1/clusterroles", { body });
    expect(metadataOf(made)).not.toHaveProperty("namespace");
  });

  test("keeps one of owner references that are the same", async () => {
    const namespace = await api.namespace();
    const owner = { apiVersion: "v1", kind: "ConfigMap", name: "o", uid: "u1" };
    const ownerReferences = [owner, { ...owner, name: "p" }, owner];
    const made = await api.create(configMaps, configMap("a", { metadata: { namespace, ownerReferences } }));
    expect(metadataOf(made)["ownerReferences"]).toEqual([owner, { ...owner, name: "p" }]);
  });

  test("calls a Job without labels by those of its pods, which it has generated", async () => {
    const template = { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } };
    const job = { apiVersion: "batch/v1", kind: "Job", metadata: { name: "j" }, spec: { template } };
    const made = await api.call("create", "apis/batch/v1/jobs", { namespace: await api.namespace(), body: job });
    const { uid } = metadataOf(made);
    const labels = {
      "batch.kubernetes.io/controller-uid": uid,
      "batch.kubernetes.io/job-name": "j",
      "controller-uid": uid,
      "job-name": "j",
    };
    expect(made).toMatchObject({ metadata: { labels }, spec: { template: { metadata: { labels } } } });
  });
});
