import { expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { everyKind, placed, type SampleKind } from "./support/every-kind.js";
import { metadataOf } from "./support/manifests.js";
import { namesOf } from "./support/objects.js";
import { type Api, describeApi, failure, type ResourcePath, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane({ loopback: true });

interface Resource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

test("every kind that is stored is among the samples, at each of its versions", async () => {
  const { groups } = (await controlPlane.wire.send("/apis")).json() as {
    groups: { versions: { groupVersion: string }[] }[];
  };
  const paths = [
    "api/v1",
    ...groups.flatMap(({ versions }) => versions.map(({ groupVersion }) => `apis/${groupVersion}`)),
  ];
  const stored: unknown[] = [];
  for (const path of paths) {
    const { resources } = (await controlPlane.wire.send(`/${path}`)).json() as unknown as { resources: Resource[] };
    for (const { name, kind, namespaced, verbs } of resources) {
      if (verbs.includes("watch")) stored.push({ path: `${path}/${name}`, kind, namespaced });
    }
  }
  const known = everyKind.map(({ path, kind, namespaced }) => ({ path, kind, namespaced }));
  const byPath = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  expect(known.sort(byPath)).toEqual(stored.sort(byPath));
});

let last = 0;

/** One object of a kind, in a place of its own, found again by its label. */
class Subject {
  readonly api: Api;
  readonly sample: SampleKind;
  readonly namespace: string;
  readonly number = ++last;

  constructor(api: Api, sample: SampleKind, namespace: string) {
    this.api = api;
    this.sample = sample;
    this.namespace = namespace;
  }

  get path(): ResourcePath {
    return this.sample.path;
  }

  get where(): { namespace?: string } {
    return this.sample.namespaced ? { namespace: this.namespace } : {};
  }

  get at(): { namespace?: string; name: string } {
    return { ...this.where, name: String(metadataOf(this.body())["name"]) };
  }

  get selected(): { labelSelector: string } {
    return { labelSelector: `sample=${this.namespace}` };
  }

  body(at = this.number): JsonObject {
    return placed(this.sample, at, this.namespace, { labels: { sample: this.namespace } });
  }

  async create(): Promise<JsonObject> {
    return this.settled(await this.api.call("create", this.path, { ...this.where, body: this.body() }));
  }

  async apply(): Promise<JsonObject> {
    const options = { fieldManager: "tool" };
    return this.settled(
      await this.api.call("patch", this.path, { ...this.at, patchType: "apply", body: this.body(), options }),
    );
  }

  /** A definition gets its conditions from the server itself. */
  async settled(object: JsonObject): Promise<JsonObject> {
    if (this.sample.kind !== "CustomResourceDefinition") return object;
    await expect
      .poll(() => this.api.call("get", this.path, this.at))
      .toMatchObject({
        status: { conditions: [{ type: "NamesAccepted" }, { type: "Established", status: "True" }] },
      });
    return this.api.call("get", this.path, this.at);
  }
}

describeApi("objects of every kind", controlPlane, (api) => {
  const subjectOf = async (sample: SampleKind): Promise<Subject> => {
    const namespace = await api.namespace();
    // Pods need one.
    await api.create("api/v1/serviceaccounts", { metadata: { name: "default", namespace } });
    return new Subject(api, sample, namespace);
  };

  test.each(everyKind)("are created, read, listed and watched: $path", async (sample) => {
    const subject = await subjectOf(sample);
    const { path, at, where, selected } = subject;
    const dry = await api.call("create", path, { ...where, body: subject.body(), options: { dryRun: ["All"] } });
    expect((await failure(api.call("get", path, at))).reason).toBe("NotFound");
    const before = await api.call("list", path, { ...where, options: selected });
    const { apiVersion } = subject.body() as { apiVersion: string };
    expect(before).toMatchObject({ apiVersion, kind: `${sample.kind}List`, items: [] });
    const made = await subject.create();
    expect(made).toMatchObject({ apiVersion, kind: sample.kind });
    expect(metadataOf(made)).toMatchObject({
      ...at,
      uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      resourceVersion: expect.stringMatching(/^\d+$/),
      creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    });
    // Nothing is there that JSON does not have.
    expect(made).toStrictEqual(JSON.parse(JSON.stringify(made)));
    expect(Object.keys(dry).sort()).toEqual(Object.keys(made).sort());
    expect(await api.call("get", path, at)).toEqual(made);
    expect(namesOf(await api.call("list", path, { ...where, options: selected }))).toEqual([at.name]);
    expect((await failure(api.call("create", path, { ...where, body: subject.body() }))).reason).toBe("AlreadyExists");
    const resourceVersion = String(metadataOf(before)["resourceVersion"]);
    for await (const { type, object } of api.watch(path, { ...where, options: { ...selected, resourceVersion } })) {
      expect(type).toBe("ADDED");
      expect(metadataOf(object)["uid"]).toBe(metadataOf(made)["uid"]);
      break;
    }
  });

  test.each(everyKind)("are updated, patched and applied: $path", async (sample) => {
    const subject = await subjectOf(sample);
    const { path, at } = subject;
    const made = await subject.create();
    expect(await api.call("update", path, { ...at, body: made })).toEqual(made);
    const body = { ...made, metadata: { ...metadataOf(made), annotations: { by: "update" } } };
    const updated = await api.call("update", path, { ...at, body });
    expect(metadataOf(updated)).toMatchObject({ annotations: { by: "update" }, uid: metadataOf(made)["uid"] });
    // Annotations of a Deployment count, for they are copied to its ReplicaSets.
    const counted = sample.kind === "Deployment" ? 2 : metadataOf(made)["generation"];
    expect(metadataOf(updated)["generation"]).toBe(counted);
    expect(await failure(api.call("update", path, { ...at, body }))).toMatchObject({ code: 409, reason: "Conflict" });
    const annotations = async (
      patchType: "merge" | "json" | "strategic" | "apply",
      change: unknown,
      options = {},
    ): Promise<unknown> =>
      metadataOf(await api.call("patch", path, { ...at, patchType, body: change, options }))["annotations"];
    expect(await annotations("merge", { metadata: { annotations: { merge: "1" } } })).toMatchObject({ merge: "1" });
    expect(await annotations("strategic", { metadata: { annotations: { merge: null } } })).not.toHaveProperty("merge");
    const operations = [{ op: "add", path: "/metadata/annotations/json", value: "1" }];
    expect(await annotations("json", operations)).toMatchObject({ json: "1", by: "update" });
    const { apiVersion, kind } = made;
    const intent = { apiVersion, kind, metadata: { ...at, annotations: { apply: "1" } } };
    expect(await annotations("apply", intent, { fieldManager: "tool" })).toMatchObject({ apply: "1", json: "1" });
    const once = await api.call("get", path, at);
    await annotations("apply", intent, { fieldManager: "tool" });
    expect(await api.call("get", path, at)).toEqual(once);
    const less = { apiVersion, kind, metadata: at };
    expect(await annotations("apply", less, { fieldManager: "tool" })).not.toHaveProperty("apply");
  });

  test.each(everyKind)("come into being by being applied: $path", async (sample) => {
    const subject = await subjectOf(sample);
    const made = await subject.apply();
    const { managedFields } = metadataOf(made) as { managedFields: JsonObject[] };
    expect(managedFields[0]).toMatchObject({ manager: "tool", operation: "Apply" });
    expect(await subject.apply()).toEqual(made);
  });

  test.each(everyKind)("refuse what they have no field for, or warn of it: $path", async (sample) => {
    const subject = await subjectOf(sample);
    const { path, where } = subject;
    const body = { ...subject.body(), nonsense: 1 };
    const strict = api.call("create", path, {
      ...where,
      body,
      options: { fieldValidation: "Strict", dryRun: ["All"] },
    });
    expect(await failure(strict)).toMatchObject({
      code: 400,
      reason: "BadRequest",
      message: expect.stringContaining('unknown field "nonsense"'),
    });
    const ignore = { ...where, body, options: { fieldValidation: "Ignore", dryRun: ["All"] } } as const;
    expect(await api.call("create", path, ignore)).not.toHaveProperty("nonsense");
  });

  test.each(everyKind)("are deleted, by preconditions and together: $path", async (sample) => {
    const subject = await subjectOf(sample);
    const { path, at, where, selected } = subject;
    const made = await subject.create();
    const wrong = { preconditions: { uid: "another" } };
    expect(await failure(api.call("delete", path, { ...at, body: wrong }))).toMatchObject({
      code: 409,
      message: expect.stringContaining(`the UID in the precondition (another) does not match the UID in record`),
    });
    await api.call("delete", path, { ...at, options: { dryRun: ["All"] } });
    expect(await api.call("get", path, at)).toEqual(made);
    // What protects objects of some kinds until nobody uses them is the work of controllers.
    const free = { metadata: { finalizers: null } };
    const options = { ...selected, resourceVersion: String(metadataOf(made)["resourceVersion"]) };
    await api.call("patch", path, { ...at, patchType: "merge", body: free });
    const preconditions = { uid: metadataOf(made)["uid"] };
    await api.call("delete", path, { ...at, body: { preconditions, propagationPolicy: "Background" } });
    if (sample.kind === "Namespace") {
      expect((await api.call("get", path, at))["status"]).toEqual({ phase: "Terminating" });
      return;
    }
    for await (const { type, object } of api.watch(path, { ...where, options })) {
      expect(metadataOf(object)["uid"]).toBe(metadataOf(made)["uid"]);
      if (type === "DELETED") break;
    }
    expect((await failure(api.call("get", path, at))).code).toBe(404);

    const several = [++last, ++last];
    for (const number of several) await api.call("create", path, { ...where, body: subject.body(number) });
    await api.call("deletecollection", path, {
      ...where,
      options: selected,
      body: { propagationPolicy: "Background" },
    });
    const left = (await api.call("list", path, { ...where, options: selected }))["items"] as JsonObject[];
    for (const object of left) {
      expect(metadataOf(object)).toHaveProperty("deletionTimestamp");
      const name = String(metadataOf(object)["name"]);
      await api.call("patch", path, { ...where, name, patchType: "merge", body: free });
    }
    expect(namesOf(await api.call("list", path, { ...where, options: selected }))).toEqual([]);
  });
});
