import { expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { conditionsOf, define, definition, definitions, pathOf, version } from "./support/definitions.js";
import { metadataOf } from "./support/manifests.js";
import { namesOf } from "./support/objects.js";
import { type Api, describeApi, failure, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane({ prepare: unstructured });
const text = { type: "string" };

/** A definition from before schemas had to be structural, as an old server has left it in the store. */
async function unstructured(store: { create(key: string, value: Buffer): Promise<unknown> }): Promise<void> {
  const schema = { openAPIV3Schema: { properties: { spec: { properties: { a: { type: "string" } } } } } };
  const given = definition("olds", "Old", [{ name: "v1", served: true, storage: true, schema }], {
    preserveUnknownFields: true,
  });
  const key = "/registry/apiextensions.k8s.io/customresourcedefinitions/olds.olds.example.com";
  await store.create(key, Buffer.from(JSON.stringify(given)));
}

async function fresh(api: Api): Promise<string> {
  return `kinds${(await api.namespace()).replace(/\D/g, "")}`;
}

const one = (properties: object = { a: text }, more: object = {}): object[] => [
  version("v1", { ...properties }, { storage: true, ...more }),
];
const nameOf = (plural: string): string => `${plural}.${plural}.example.com`;
const instance = (plural: string, name: string, more: object = {}): JsonObject => ({
  apiVersion: `${plural}.example.com/v1`,
  kind: "Thing",
  metadata: { name },
  ...more,
});

describeApi("a definition that is deleted", controlPlane, (api) => {
  test("stays until its objects are gone, which may have finalizers, and lets no new ones come", async () => {
    const plural = await fresh(api);
    const name = nameOf(plural);
    const made = await define(api, definition(plural, "Thing", one()));
    expect(metadataOf(made)["finalizers"]).toBeUndefined();
    const namespace = await api.namespace();
    await api.call("create", pathOf(plural), { namespace, body: instance(plural, "free") });
    const held = { metadata: { name: "held", finalizers: ["example.com/hold"] } };
    await api.call("create", pathOf(plural), { namespace, body: instance(plural, "held", held) });

    const marked = await api.call("delete", definitions, { name });
    expect(metadataOf(marked)).toMatchObject({
      finalizers: ["customresourcecleanup.apiextensions.k8s.io"],
      deletionTimestamp: expect.any(String),
    });
    await expect
      .poll(async () => (await conditionsOf(api, name))["Terminating"])
      .toMatchObject({
        status: "True",
        reason: "InstanceDeletionInProgress",
        message: "CustomResource deletion is in progress",
      });
    await expect.poll(async () => namesOf(await api.call("list", pathOf(plural), { namespace }))).toEqual(["held"]);
    expect(await conditionsOf(api, name)).toMatchObject({
      NamesAccepted: { status: "True" },
      Established: { status: "True" },
    });

    const late = api.call("create", pathOf(plural), { namespace, body: instance(plural, "late") });
    expect(await failure(late)).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      code: 405,
      reason: "MethodNotAllowed",
      message: "create not allowed while custom resource definition is terminating",
      details: { group: `${plural}.example.com`, kind: plural },
    });
    const { resources } = (await controlPlane.wire.send(`/apis/${plural}.example.com/v1`)).json() as {
      resources: { name: string; verbs: string[] }[];
    };
    expect(resources.find((each) => each.name === plural)?.verbs).toEqual([
      "delete",
      "deletecollection",
      "get",
      "list",
      "watch",
    ]);

    const body = { metadata: { finalizers: null } };
    await api.call("patch", pathOf(plural), { namespace, name: "held", patchType: "merge", body });
    await expect
      .poll(() =>
        failure(api.call("get", definitions, { name })).then(
          ({ reason }) => reason,
          () => "there",
        ),
      )
      .toBe("NotFound");
    await expect
      .poll(() =>
        failure(api.call("list", pathOf(plural), { namespace })).then(
          ({ code }) => code,
          () => "there",
        ),
      )
      .toBe(404);
  });

  test("ends the watches of its objects, after it has told of their deletion", async () => {
    const plural = await fresh(api);
    await define(api, definition(plural, "Thing", one()));
    const namespace = await api.namespace();
    await api.call("create", pathOf(plural), { namespace, body: instance(plural, "a") });
    const events = api.watch(pathOf(plural), { namespace });
    expect((await events.next()).value).toMatchObject({ type: "ADDED" });
    await api.call("delete", definitions, { name: nameOf(plural) });
    const seen: string[] = [];
    for await (const { type } of events) seen.push(type);
    expect(seen).toEqual(["DELETED"]);
  });

  test("and made again has none of the old objects", async () => {
    const plural = await fresh(api);
    await define(api, definition(plural, "Thing", one()));
    const namespace = await api.namespace();
    await api.call("create", pathOf(plural), { namespace, body: instance(plural, "a") });
    await api.call("delete", definitions, { name: nameOf(plural) });
    await expect
      .poll(() =>
        failure(api.call("get", definitions, { name: nameOf(plural) })).then(
          ({ code }) => code,
          () => 200,
        ),
      )
      .toBe(404);
    await define(api, definition(plural, "Thing", one()));
    expect(namesOf(await api.call("list", pathOf(plural), { namespace }))).toEqual([]);
  });

  test("by a dry run stays as it is", async () => {
    const plural = await fresh(api);
    await define(api, definition(plural, "Thing", one()));
    await api.call("delete", definitions, { name: nameOf(plural), options: { dryRun: ["All"] } });
    const now = await api.call("get", definitions, { name: nameOf(plural) });
    expect(metadataOf(now)).not.toHaveProperty("deletionTimestamp");
    expect(await conditionsOf(api, nameOf(plural))).not.toHaveProperty("Terminating");
  });
});

describeApi("names of definitions", controlPlane, (api) => {
  const inGroup = (group: string, names: { readonly plural: string; readonly [field: string]: unknown }): JsonObject =>
    ({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `${names.plural}.${group}` },
      spec: { group, scope: "Namespaced", names, versions: one() },
    }) as unknown as JsonObject;

  test.each([
    {
      name: "singular",
      names: { singular: "first" },
      reason: "SingularConflict",
      message: '"first" is already in use',
    },
    {
      name: "plural as a singular",
      names: { singular: "firsts" },
      reason: "SingularConflict",
      message: '"firsts" is already in use',
    },
    {
      name: "short name",
      names: { shortNames: ["f", "s"] },
      reason: "ShortNamesConflict",
      message: '"f" is already in use',
    },
    {
      name: "kind",
      names: { kind: "First", listKind: "Others" },
      reason: "KindConflict",
      message: '"First" is already in use',
    },
    {
      name: "kind of lists",
      names: { listKind: "FirstList" },
      reason: "ListKindConflict",
      message: '"FirstList" is already in use',
    },
  ])("go to whom they were given first, and are free when it goes: $name", async ({ names, reason, message }) => {
    const group = `${await fresh(api)}.example.com`;
    const first = inGroup(group, { plural: "firsts", singular: "first", kind: "First", shortNames: ["f"] });
    await api.create(definitions, first);
    await expect.poll(async () => (await conditionsOf(api, `firsts.${group}`))["Established"]?.["status"]).toBe("True");
    const second = inGroup(group, { plural: "seconds", kind: "Second", ...names });
    await api.create(definitions, second);
    await expect
      .poll(() => conditionsOf(api, `seconds.${group}`))
      .toMatchObject({
        NamesAccepted: { status: "False", reason, message },
        Established: { status: "False", reason: "NotAccepted", message: "not all names are accepted" },
      });
    expect((await controlPlane.wire.send(`/apis/${group}/v1/seconds`)).code).toBe(404);
    await api.call("delete", definitions, { name: `firsts.${group}` });
    await expect
      .poll(() => conditionsOf(api, `seconds.${group}`))
      .toMatchObject({
        NamesAccepted: { status: "True", reason: "NoConflicts", message: "no conflicts found" },
        Established: {
          status: "True",
          reason: "InitialNamesAccepted",
          message: "the initial names have been accepted",
        },
      });
    await expect.poll(async () => (await controlPlane.wire.send(`/apis/${group}/v1/seconds`)).code).toBe(200);
  });

  test("that are established stay served when a change of them conflicts", async () => {
    const group = `${await fresh(api)}.example.com`;
    for (const [plural, kind] of [
      ["firsts", "First"],
      ["seconds", "Second"],
    ] as const) {
      await api.create(definitions, inGroup(group, { plural, kind }));
      await expect
        .poll(async () => (await conditionsOf(api, `${plural}.${group}`))["Established"]?.["status"])
        .toBe("True");
    }
    const body = { spec: { names: { shortNames: ["first"] } } };
    await api.call("patch", definitions, { name: `seconds.${group}`, patchType: "merge", body });
    await expect
      .poll(() => conditionsOf(api, `seconds.${group}`))
      .toMatchObject({
        NamesAccepted: { status: "False", reason: "ShortNamesConflict" },
        Established: { status: "True" },
      });
    expect((await controlPlane.wire.send(`/apis/${group}/v1/seconds`)).code).toBe(200);
  });

  test("are in discovery, with categories and short names", async () => {
    const plural = await fresh(api);
    const names = { plural, kind: "Thing", singular: "thing", shortNames: ["th"], categories: ["all", "things"] };
    const scale = { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" };
    const versions = one({ replicas: { type: "integer" } }, { subresources: { status: {}, scale } });
    await define(api, definition(plural, "Thing", versions, { names }));
    const { resources } = (await controlPlane.wire.send(`/apis/${plural}.example.com/v1`)).json();
    const verbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
    expect(resources).toEqual([
      {
        name: plural,
        singularName: "thing",
        namespaced: true,
        kind: "Thing",
        verbs,
        shortNames: ["th"],
        categories: ["all", "things"],
        storageVersionHash: expect.any(String),
      },
      {
        name: `${plural}/status`,
        singularName: "",
        namespaced: true,
        kind: "Thing",
        verbs: ["get", "patch", "update"],
      },
      {
        name: `${plural}/scale`,
        singularName: "",
        namespaced: true,
        group: "autoscaling",
        version: "v1",
        kind: "Scale",
        verbs: ["get", "patch", "update"],
      },
    ]);
  });

  const refused: { name: string; spec: object; message: string }[] = [
    {
      name: "another name than its own",
      spec: { group: "other.example.com" },
      message:
        'metadata.name: Invalid value: "refusals.refusals.example.com": must be spec.names.plural+"."+spec.group',
    },
    {
      name: "a kind that is no label",
      spec: { names: { plural: "refusals", kind: "Bad_Kind" } },
      message:
        'spec.names.kind: Invalid value: "Bad_Kind": may have mixed case, but should otherwise match: a DNS-1035 label',
    },
    {
      name: "one kind for objects and lists",
      spec: { names: { plural: "refusals", kind: "A", listKind: "A" } },
      message: 'spec.names.listKind: Invalid value: "A": kind and listKind may not be the same',
    },
    {
      name: "a short name that is no label",
      spec: { names: { plural: "refusals", kind: "A", shortNames: ["ok", "N"] } },
      message: 'spec.names.shortNames[1]: Invalid value: "N": a DNS-1035 label',
    },
    { name: "no scope", spec: { scope: undefined }, message: "spec.scope: Required value" },
    {
      name: "a scope that there is not",
      spec: { scope: "Galaxy" },
      message: 'spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"',
    },
    {
      name: "unknown fields that are kept",
      spec: { preserveUnknownFields: true },
      message:
        "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
    },
  ];
  test.each(refused)("are refused with $name", async ({ spec, message }) => {
    expect(await failure(api.create(definitions, definition("refusals", "Refusal", one(), { ...spec })))).toMatchObject(
      {
        code: 422,
        reason: "Invalid",
        message: expect.stringContaining(message),
      },
    );
  });

  test("in a group of Kubernetes need an approval", async () => {
    const given = inGroup("things.k8s.io", { plural: "things", kind: "Thing" });
    expect((await failure(api.create(definitions, given))).message).toBe(
      'CustomResourceDefinition.apiextensions.k8s.io "things.things.k8s.io" is invalid: metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
    );
  });

  test.each([
    { field: "group", change: { group: "other.example.com" }, path: "spec.group" },
    { field: "plural", change: { names: { plural: "others" } }, path: "spec.names.plural" },
    { field: "scope", change: { scope: "Cluster" }, path: "spec.scope" },
    { field: "kind", change: { names: { kind: "Other" } }, path: "spec.names.kind" },
  ])("cannot change once objects may be stored: $field", async ({ change, path }) => {
    const plural = await fresh(api);
    await define(api, definition(plural, "Thing", one()));
    const body = { spec: change };
    const { code, details } = await failure(
      api.call("patch", definitions, { name: nameOf(plural), patchType: "merge", body }),
    );
    expect(code).toBe(422);
    expect(details?.causes).toContainEqual(
      expect.objectContaining({ field: path, message: expect.stringContaining("field is immutable") }),
    );
  });
});

describeApi("conditions of definitions", controlPlane, (api) => {
  test("tell of a schema that is not structural", async () => {
    await expect
      .poll(async () => (await conditionsOf(api, nameOf("olds")))["NonStructuralSchema"])
      .toMatchObject({
        status: "True",
        reason: "Violations",
        message: expect.stringContaining(
          "spec.versions[0].schema.openAPIV3Schema.type: Required value: must not be empty at the root",
        ),
      });
  });

  test("keep their time while they stay as they are", async () => {
    const plural = await fresh(api);
    const before = (await define(api, definition(plural, "Thing", one())))["status"];
    await api.call("patch", definitions, {
      name: nameOf(plural),
      patchType: "merge",
      body: { spec: { names: { shortNames: ["x"] } } },
    });
    await expect
      .poll(async () => (await api.call("get", definitions, { name: nameOf(plural) }))["status"])
      .toEqual({
        ...(before as object),
        acceptedNames: { ...(before as { acceptedNames: object }).acceptedNames, shortNames: ["x"] },
      });
  });
});

describeApi("a deprecated version", controlPlane, (api) => {
  test.each([
    {
      name: "in words of the server",
      deprecationWarning: undefined,
      says: (group: string) => `${group}/v1beta1 Thing is deprecated; use ${group}/v1 Thing`,
    },
    { name: "in its own words", deprecationWarning: "go away", says: () => "go away" },
  ])("is warned of $name, in every answer", async ({ deprecationWarning, says }) => {
    const plural = await fresh(api);
    const group = `${plural}.example.com`;
    const old = { deprecated: true, ...(deprecationWarning === undefined ? {} : { deprecationWarning }) };
    await define(api, definition(plural, "Thing", [...one(), version("v1beta1", { a: text }, old)]));
    const namespace = await api.namespace();
    for (const path of ["", "/nothing"]) {
      const { headers } = await controlPlane.wire.send(
        `/apis/${group}/v1beta1/namespaces/${namespace}/${plural}${path}`,
      );
      expect(headers["warning"]).toBe(`299 - ${JSON.stringify(says(group))}`);
    }
    const { headers } = await controlPlane.wire.send(`/apis/${group}/v1/namespaces/${namespace}/${plural}`);
    expect(headers["warning"]).toBeUndefined();
  });

  test.each([
    {
      name: "of a version that is not deprecated",
      more: { deprecationWarning: "x" },
      why: "can only be set for deprecated versions",
    },
    { name: "that is empty", more: { deprecated: true, deprecationWarning: "" }, why: "must not be an empty string" },
    {
      name: "that is too long",
      more: { deprecated: true, deprecationWarning: "x".repeat(257) },
      why: "must be <= 256 characters long",
    },
    {
      name: "of two lines",
      more: { deprecated: true, deprecationWarning: "a\nb" },
      why: "must only contain printable UTF-8 characters; non-printable character found at index 1",
    },
  ])("has no warning $name", async ({ more, why }) => {
    const given = definition("refusals", "Refusal", one({ a: text }, more));
    expect((await failure(api.create(definitions, given))).message).toContain(
      `spec.versions[0].deprecationWarning: Invalid value: ${JSON.stringify(more.deprecationWarning)}: ${why}`,
    );
  });
});

describeApi("custom resources of the cluster", controlPlane, (api) => {
  test("are in no namespace, and are not selected by one", async () => {
    const plural = await fresh(api);
    await define(api, definition(plural, "Thing", one(), { scope: "Cluster" }));
    await api.call("create", pathOf(plural), { body: instance(plural, "a") });
    expect(metadataOf(await api.call("get", pathOf(plural), { name: "a" }))).not.toHaveProperty("namespace");
    const options = { fieldSelector: "metadata.namespace=x" };
    expect((await failure(api.call("list", pathOf(plural), { options }))).message).toBe(
      "field label not supported: metadata.namespace",
    );
    const path = `/apis/${plural}.example.com/v1/namespaces/default/${plural}`;
    expect((await controlPlane.wire.send(path)).code).toBe(404);
  });
});
