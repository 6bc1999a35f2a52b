import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { customResourceDefinitions, isStatusError } from "../../api/index.js";
import { MemoryStore } from "../../store/index.js";
import {
  crontab,
  crontabDefinition,
  crontabSchema,
  crontabs,
  define,
  isEstablished,
  type Served,
  serve,
  waitFor,
} from "../../testing/custom-resources.fixture.js";

let served: Served;

beforeEach(async () => {
  served = await serve();
});

afterEach(async () => {
  await served[Symbol.asyncDispose]();
});

const at = (name: string) => ({ namespace: "default", name });

describe("custom resources", () => {
  it("are served once their definition is established, with defaults, pruned and with generations", async () => {
    const { client } = served;
    const definition = await define(client, crontabDefinition());
    expect(definition.status?.conditions?.map(({ type, status, reason }) => [type, status, reason])).toEqual([
      ["NamesAccepted", "True", "NoConflicts"],
      ["Established", "True", "InitialNamesAccepted"],
    ]);
    expect(definition.status?.acceptedNames).toEqual({
      plural: "crontabs",
      singular: "crontab",
      kind: "CronTab",
      listKind: "CronTabList",
      shortNames: ["ct"],
    });
    expect(definition.status?.storedVersions).toEqual(["v1"]);
    const created = await client.create(crontabs(), crontab("one", { image: "web:1", unknown: { a: 1 } }));
    expect(created["spec"]).toEqual({ image: "web:1", replicas: 1 });
    expect(created.metadata.generation).toBe(1);
    const changed = await client.patch(crontabs(), at("one"), { type: "merge", body: { spec: { replicas: 3 } } });
    expect(changed.metadata.generation).toBe(2);
    const list = await client.list(crontabs(), { namespace: "default" });
    expect(list.kind).toBe("CronTabList");
    expect(list.items).toHaveLength(1);
  });

  it("are validated in upstream's words", async () => {
    const { client } = served;
    await define(client, crontabDefinition());
    const create = (spec: object) => client.create(crontabs(), crontab("one", { ...spec }));
    await expect(create({ replicas: "x" })).rejects.toThrow(
      'CronTab.stable.example.com "one" is invalid: spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
    );
    await expect(create({ cronSpec: "* *", replicas: 15 })).rejects.toThrow(
      "spec.replicas: Invalid value: 15: spec.replicas in body should be less than or equal to 10",
    );
  });

  it("refuse what is not of use for them", async () => {
    const { client } = served;
    await define(client, crontabDefinition());
    const created = await client.create(crontabs(), crontab("one"));
    const strategic = client.patch(crontabs(), at("one"), { type: "strategic", body: { spec: { image: "b" } } });
    await expect(strategic).rejects.toSatisfy((error) => isStatusError(error) && error.code === 415);
    const unconditional = client.update(crontabs(), {
      ...created,
      metadata: { ...created.metadata, resourceVersion: "" },
    });
    await expect(unconditional).rejects.toThrow("metadata.resourceVersion: Invalid value: 0");
    const strict = client.create(crontabs(), crontab("two", { bogus: 1 }), { fieldValidation: "Strict" });
    await expect(strict).rejects.toThrow('strict decoding error: unknown field "spec.bogus"');
  });

  it("have a status and a scale of their own", async () => {
    const { client } = served;
    const scale = {
      specReplicasPath: ".spec.replicas",
      statusReplicasPath: ".status.replicas",
      labelSelectorPath: ".status.labelSelector",
    };
    await define(client, crontabDefinition({ version: { subresources: { status: {}, scale } } }));
    const created = await client.create(crontabs(), { ...crontab("one", { image: "a" }), status: { replicas: 9 } });
    expect(created["status"]).toBeUndefined();
    const next = {
      ...created,
      metadata: { ...created.metadata, labels: { a: "b" } },
      spec: { image: "changed" },
      status: { replicas: 2, labelSelector: "app=x" },
    };
    const updated = await client.update(crontabs(), next, { subresource: "status" });
    expect(updated["status"]).toEqual({ replicas: 2, labelSelector: "app=x" });
    expect(updated["spec"]).toEqual({ image: "a", replicas: 1 });
    expect(updated.metadata.labels).toBeUndefined();
    expect(updated.metadata.generation).toBe(1);
    const result = await served.server.transport().request({
      verb: "patch",
      ...crontabs(),
      ...at("one"),
      subresource: "scale",
      patchType: "merge",
      body: { spec: { replicas: 4 } },
    });
    expect(result).toMatchObject({ kind: "Scale", spec: { replicas: 4 }, status: { replicas: 2, selector: "app=x" } });
    expect((await client.get(crontabs(), at("one"))).metadata.generation).toBe(2);
  });

  it("count a status as any field where it is no subresource", async () => {
    const { client } = served;
    await define(client, crontabDefinition());
    const created = await client.create(crontabs(), { ...crontab("one"), status: { replicas: 1 } });
    expect(created["status"]).toEqual({ replicas: 1 });
    const changed = await client.update(crontabs(), { ...created, status: { replicas: 2 } });
    expect(changed.metadata.generation).toBe(2);
  });

  it("are selected by the fields that the definition names", async () => {
    const { client } = served;
    await define(client, crontabDefinition({ version: { selectableFields: [{ jsonPath: ".spec.image" }] } }));
    for (const image of ["a", "b"]) await client.create(crontabs(), crontab(image, { image }));
    const found = await client.list(crontabs(), { namespace: "default", fieldSelector: "spec.image=b" });
    expect(found.items.map(({ metadata }) => metadata.name)).toEqual(["b"]);
    const other = client.list(crontabs(), { namespace: "default", fieldSelector: "spec.replicas=1" });
    await expect(other).rejects.toThrow("field label not supported: spec.replicas");
  });

  it("follow a changed schema without ending watches", async () => {
    const { client } = served;
    const definition = await define(client, crontabDefinition());
    await client.create(crontabs(), crontab("one"));
    const { properties = {} } = crontabSchema;
    const spec = {
      ...properties["spec"],
      properties: { ...properties["spec"]?.properties, extra: { type: "string", default: "x" } },
    };
    const versions = [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { ...crontabSchema, properties: { ...properties, spec } } },
      },
    ];
    await client.update(customResourceDefinitions, { ...definition, spec: { ...definition.spec, versions } });
    // What was stored before gets the default when it is read.
    await expect
      .poll(async () => (await client.get(crontabs(), at("one")))["spec"])
      .toEqual({ replicas: 1, extra: "x" });
  });

  it("go with their definition, and hold it as long as they are held themselves", async () => {
    const { client } = served;
    await define(client, crontabDefinition());
    await client.create(crontabs(), crontab("free"));
    const held = crontab("held");
    await client.create(crontabs(), { ...held, metadata: { ...held.metadata, finalizers: ["example.com/hold"] } });
    const gone = await client.delete(customResourceDefinitions, { name: "crontabs.stable.example.com" });
    expect(gone).toBeDefined();
    const terminating = await waitFor(client, "crontabs.stable.example.com", ({ status }) =>
      Boolean(
        status?.conditions?.some(
          ({ type, reason }) => type === "Terminating" && reason === "InstanceDeletionInProgress",
        ),
      ),
    );
    expect(terminating.metadata.finalizers).toEqual(["customresourcecleanup.apiextensions.k8s.io"]);
    await expect.poll(async () => (await client.list(crontabs(), {})).items.length).toBe(1);
    await expect(client.create(crontabs(), crontab("late"))).rejects.toSatisfy((error) =>
      isStatusError(error, "MethodNotAllowed"),
    );
    await client.patch(crontabs(), at("held"), { type: "merge", body: { metadata: { finalizers: null } } });
    const name = { name: "crontabs.stable.example.com" };
    await expect
      .poll(() => client.get(customResourceDefinitions, name).catch((error) => isStatusError(error, "NotFound")))
      .toBe(true);
    await expect.poll(() => client.list(crontabs(), {}).catch((error) => isStatusError(error, "NotFound"))).toBe(true);
    // The same definition again finds nothing of the old one.
    await define(client, crontabDefinition());
    expect((await client.list(crontabs(), {})).items).toEqual([]);
  });
});

describe("definitions", () => {
  it("do not get names that another one has, until that one goes", async () => {
    const { client } = served;
    await define(client, crontabDefinition());
    const second = crontabDefinition({ plural: "crons", kind: "CronTab" });
    const conflicting = await define(client, second, ({ status }) => (status?.conditions?.length ?? 0) > 0);
    expect(conflicting.status?.conditions).toMatchObject([
      {
        type: "NamesAccepted",
        status: "False",
        reason: "ListKindConflict",
        message: '"CronTabList" is already in use',
      },
      { type: "Established", status: "False", reason: "NotAccepted", message: "not all names are accepted" },
    ]);
    await client.delete(customResourceDefinitions, { name: "crontabs.stable.example.com" });
    const established = await waitFor(client, "crons.stable.example.com", isEstablished);
    expect(established.status?.acceptedNames?.kind).toBe("CronTab");
  });

  it("are refused when their schema is not structural or their rules do not compile", async () => {
    const { client } = served;
    const refused = (schema: object) => client.create(customResourceDefinitions, crontabDefinition({ schema }));
    await expect(refused({ type: "object", properties: { spec: { properties: {} } } })).rejects.toThrow(
      "spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields",
    );
    const rules = [{ rule: "self.nope > 1" }];
    await expect(refused({ ...crontabSchema, "x-kubernetes-validations": rules })).rejects.toThrow(
      "compilation failed: ERROR: <input>:1:5: undefined field 'nope'",
    );
  });

  it("are served by every server of a store, also by one that starts later", async () => {
    const store = new MemoryStore();
    await using first = await serve({}, store);
    await using second = await serve({}, store);
    await define(first.client, crontabDefinition());
    await first.client.create(crontabs(), crontab("one"));
    await expect
      .poll(() =>
        second.client.get(crontabs(), at("one")).then(
          ({ metadata }) => metadata.name,
          () => "not yet",
        ),
      )
      .toBe("one");
    await using third = await serve({}, store);
    expect((await third.client.get(crontabs(), at("one"))).metadata.name).toBe("one");
  });

  it("warn with every answer at a deprecated version", async () => {
    const { client, server } = served;
    const schema = { openAPIV3Schema: crontabSchema };
    const versions = [
      { name: "v1beta1", served: true, storage: false, deprecated: true, schema },
      { name: "v1", served: true, storage: true, schema },
    ];
    await define(client, crontabDefinition({ spec: { versions } }));
    const warnings: string[] = [];
    const user = { username: "somebody", groups: [] };
    await server.handle({ verb: "list", ...crontabs("v1beta1"), user, warn: (text) => warnings.push(text) });
    expect(warnings).toEqual(["stable.example.com/v1beta1 CronTab is deprecated; use stable.example.com/v1 CronTab"]);
  });

  it("keep a condition for groups of the project", async () => {
    const { client } = served;
    const definition = crontabDefinition({ spec: { group: "stable.k8s.io" } });
    const annotations = { "api-approved.kubernetes.io": "unapproved, a test" };
    const created = await define(client, {
      ...definition,
      metadata: { name: "crontabs.stable.k8s.io", annotations },
    });
    expect(created.status?.conditions).toContainEqual(
      expect.objectContaining({
        type: "KubernetesAPIApprovalPolicyConformant",
        status: "False",
        reason: "UnapprovedAnnotation",
        message: 'not approved: "unapproved, a test"',
      }),
    );
  });
});
