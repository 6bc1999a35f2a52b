import { expect, test, vi } from "vitest";
import type { JsonObject, WatchEvent } from "../../src/api/index.js";
import { define, definition, definitions, pathOf, version } from "./support/definitions.js";
import { metadataOf } from "./support/manifests.js";
import { namesOf } from "./support/objects.js";
import { type Api, type Call, describeApi, failure, type ResourcePath, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane();
const text = { type: "string" };
const whole = { type: "integer" };

/** A custom resource of its own, in a namespace of its own. */
class Things {
  readonly api: Api;
  readonly plural: string;
  readonly namespace: string;

  constructor(api: Api, plural: string, namespace: string) {
    this.api = api;
    this.plural = plural;
    this.namespace = namespace;
  }

  static async with(api: Api, properties: object, more: object = {}, spec: object = {}): Promise<Things> {
    const namespace = await api.namespace();
    const plural = `things${namespace.replace(/\D/g, "")}`;
    const versions = [version("v1", { ...properties }, { storage: true, ...more })];
    await define(api, definition(plural, "Thing", versions, { ...spec }));
    return new Things(api, plural, namespace);
  }

  get path(): ResourcePath {
    return pathOf(this.plural);
  }

  body(name: string, spec: object, more: object = {}): object {
    return { apiVersion: `${this.plural}.example.com/v1`, kind: "Thing", metadata: { name }, spec, ...more };
  }

  create(name: string, spec: object, more: object = {}): Promise<JsonObject> {
    return this.call("create", { body: this.body(name, spec, more) });
  }

  merge(name: string, body: object, more: Call = {}): Promise<JsonObject> {
    return this.call("patch", { name, patchType: "merge", body, ...more });
  }

  call(verb: Parameters<Api["call"]>[0], call: Call & { body?: unknown } = {}): Promise<JsonObject> {
    return this.api.call(verb, this.path, { namespace: this.namespace, ...call });
  }

  /** Changes the schema of what is in spec, and waits until the server goes by it. */
  async reshape(properties: object, isNew: () => Promise<boolean>): Promise<void> {
    const name = `${this.plural}.${this.plural}.example.com`;
    const now = await this.api.call("get", definitions, { name });
    const versions = [version("v1", { ...properties }, { storage: true })];
    await this.api.call("update", definitions, {
      name,
      body: { ...now, spec: { ...(now["spec"] as object), versions } },
    });
    await vi.waitFor(async () => expect(await isNew()).toBe(true), { interval: 5 });
  }
}

const invalid = (things: Things, name: string, what: string): string =>
  `Thing.${things.plural}.example.com "${name}" is invalid: ${what}`;

describeApi("selectable fields", controlPlane, (api) => {
  const properties = { color: text, size: whole, on: { type: "boolean" } };
  const selectableFields = [{ jsonPath: ".spec.color" }, { jsonPath: ".spec.size" }, { jsonPath: ".spec.on" }];
  const some = async (): Promise<Things> => {
    const things = await Things.with(api, properties, { selectableFields });
    await things.create("a", { color: "red", size: 1, on: true });
    await things.create("b", { color: "blue", size: 2, on: false });
    await things.create("c", {});
    return things;
  };

  test.each([
    { fieldSelector: "spec.color=red", names: ["a"] },
    { fieldSelector: "spec.color!=red", names: ["b", "c"] },
    { fieldSelector: "spec.size=2", names: ["b"] },
    { fieldSelector: "spec.on=true", names: ["a"] },
    { fieldSelector: "spec.color=", names: ["c"] },
    { fieldSelector: "spec.color=blue,spec.size=2", names: ["b"] },
    { fieldSelector: "spec.color=blue,metadata.name=a", names: [] },
  ])("choose for lists: $fieldSelector", async ({ fieldSelector, names }) => {
    const things = await some();
    expect(namesOf(await things.call("list", { options: { fieldSelector } }))).toEqual(names);
  });

  test("choose for watches, where a change is an entrance or an exit", async () => {
    const things = await some();
    const { namespace } = things;
    const resourceVersion = String(metadataOf(await things.call("list"))["resourceVersion"]);
    await things.merge("b", { spec: { color: "red" } });
    await things.merge("a", { spec: { size: 9 } });
    await things.merge("a", { spec: { color: "green" } });
    await things.call("delete", { name: "b" });
    const seen: unknown[] = [];
    const options = { fieldSelector: "spec.color=red", resourceVersion };
    for await (const { type, object } of api.watch(things.path, { namespace, options })) {
      seen.push(`${type} ${metadataOf(object)["name"]}`);
      if (seen.length === 4) break;
    }
    expect(seen).toEqual(["ADDED b", "MODIFIED a", "DELETED a", "DELETED b"]);
  });

  test("choose what is deleted together", async () => {
    const things = await some();
    await things.call("deletecollection", { options: { fieldSelector: "spec.color=red" } });
    expect(namesOf(await things.call("list"))).toEqual(["b", "c"]);
  });

  test("are none but those of the definition", async () => {
    const things = await some();
    for (const verb of ["list", "deletecollection"] as const) {
      expect(await failure(things.call(verb, { options: { fieldSelector: "spec.other=x" } }))).toMatchObject({
        code: 400,
        reason: "BadRequest",
        message: "field label not supported: spec.other",
      });
    }
    const watch = api.watch(things.path, { namespace: things.namespace, options: { fieldSelector: "spec.other=x" } });
    expect((await failure(watch.next())).message).toBe("field label not supported: spec.other");
  });

  test("are in the OpenAPI document", async () => {
    const things = await some();
    const document = async (): Promise<JsonObject> =>
      (await controlPlane.wire.send(`/openapi/v3/apis/${things.plural}.example.com/v1`)).json();
    const { components } = (await document()) as { components: { schemas: Record<string, JsonObject> } };
    expect(components.schemas[`com.example.${things.plural}.v1.Thing`]?.["x-kubernetes-selectable-fields"]).toEqual([
      { fieldPath: "spec.color" },
      { fieldPath: "spec.size" },
      { fieldPath: "spec.on" },
    ]);
  });

  test.each([
    { name: "no path", fields: [""], message: "[0].jsonPath: Required value" },
    {
      name: "a path that leads nowhere",
      fields: [".spec.other"],
      message: '[0].jsonPath: Invalid value: ".spec.other": is an invalid path: does not refer to a valid field',
    },
    {
      name: "a list",
      fields: [".spec.list"],
      message:
        '[0].jsonPath: Invalid value: ".spec.list": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
    },
    { name: "one field twice", fields: [".spec.a", ".spec.a"], message: '[1].jsonPath: Duplicate value: ".spec.a"' },
    {
      name: "nine fields",
      fields: Array.from("abcdefghi", (letter) => `.spec.${letter}`),
      message: ": Too many: 9: must have at most 8 items",
    },
  ])("are refused with $name", async ({ fields, message }) => {
    const letters = Object.fromEntries(Array.from("abcdefghi", (letter) => [letter, text]));
    const versions = [
      version(
        "v1",
        { ...letters, list: { type: "array", items: text } },
        {
          storage: true,
          selectableFields: fields.map((jsonPath) => ({ jsonPath })),
        },
      ),
    ];
    expect((await failure(api.create(definitions, definition("refusals", "Refusal", versions)))).message).toContain(
      `spec.selectableFields${message}`,
    );
  });
});

describeApi("generations of custom resources", controlPlane, (api) => {
  const status = { replicas: 1 };
  test("count changes of everything but metadata, where status is a field like others", async () => {
    const things = await Things.with(api, { a: text });
    expect(await things.create("a", { a: "1" }, { status })).toMatchObject({ status, metadata: { generation: 1 } });
    expect(metadataOf(await things.merge("a", { metadata: { labels: { x: "y" } } }))["generation"]).toBe(1);
    expect(metadataOf(await things.merge("a", { status: { replicas: 2 } }))["generation"]).toBe(2);
    expect(metadataOf(await things.merge("a", { spec: { a: "2" } }))["generation"]).toBe(3);
    expect((await failure(things.call("get", { name: "a", subresource: "status" }))).code).toBe(404);
  });

  test("count changes of all but metadata and status, where status is a subresource", async () => {
    const things = await Things.with(api, { a: text }, { subresources: { status: {} } });
    const made = await things.create("a", { a: "1" }, { status });
    expect(made).not.toHaveProperty("status");
    const at = { name: "a", subresource: "status" };
    const body = { ...made, status, spec: { a: "2" }, metadata: { ...metadataOf(made), labels: { x: "y" } } };
    const changed = await things.call("update", { ...at, body });
    expect(changed).toMatchObject({ status, spec: { a: "1" }, metadata: { generation: 1 } });
    expect(metadataOf(changed)).not.toHaveProperty("labels");
    expect(metadataOf(await things.merge("a", { status: { replicas: 7 }, spec: { a: "3" } }))["generation"]).toBe(2);
    expect(await things.call("get", at)).toMatchObject({ status, spec: { a: "3" } });
  });
});

describeApi("scale of custom resources", controlPlane, (api) => {
  const scale = {
    specReplicasPath: ".spec.replicas",
    statusReplicasPath: ".status.replicas",
    labelSelectorPath: ".status.selector",
  };
  const subresources = { status: {}, scale };
  const at = { name: "a", subresource: "scale" };

  test("shows and changes the numbers that the definition names", async () => {
    const things = await Things.with(api, { replicas: whole }, { subresources });
    await things.create("a", { replicas: 2 });
    await things.merge("a", { status: { replicas: 1, selector: "app=a" } }, { subresource: "status" });
    const now = await things.call("get", at);
    expect(now).toMatchObject({
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      spec: { replicas: 2 },
      status: { replicas: 1, selector: "app=a" },
      metadata: { name: "a", namespace: things.namespace },
    });
    const up = await things.call("update", { ...at, body: { ...now, spec: { replicas: 5 } } });
    expect(up).toMatchObject({ kind: "Scale", spec: { replicas: 5 } });
    expect(await things.call("get", { name: "a" })).toMatchObject({
      spec: { replicas: 5 },
      metadata: { generation: 2 },
    });
    expect(await failure(things.call("update", { ...at, body: { ...now, spec: { replicas: 6 } } }))).toMatchObject({
      code: 409,
      reason: "Conflict",
    });
  });

  test("without a number in spec is an error of the server", async () => {
    const things = await Things.with(api, { replicas: whole }, { subresources });
    await things.create("a", {});
    expect(await failure(things.call("get", at))).toMatchObject({
      code: 500,
      reason: "InternalError",
      message: 'Internal error occurred: the spec replicas field ".spec.replicas" does not exist',
    });
  });

  test.each([
    { replicas: -1, why: "should be a non-negative integer" },
    { replicas: 2 ** 31, why: "should be less than or equal to 2147483647" },
  ])("refuses $replicas", async ({ replicas, why }) => {
    const things = await Things.with(api, { replicas: whole }, { subresources });
    expect((await failure(things.create("a", { replicas }))).message).toBe(
      invalid(things, "a", `.spec.replicas: Invalid value: ${replicas}: ${why}`),
    );
  });

  test.each([
    { change: { specReplicasPath: undefined }, message: "specReplicasPath: Required value" },
    {
      change: { specReplicasPath: ".status.x" },
      message: 'specReplicasPath: Invalid value: ".status.x": should be a json path under .spec',
    },
    {
      change: { statusReplicasPath: ".spec.x" },
      message: 'statusReplicasPath: Invalid value: ".spec.x": should be a json path under .status',
    },
    {
      change: { labelSelectorPath: ".other.x" },
      message: 'labelSelectorPath: Invalid value: ".other.x": should be a json path under either .spec or .status',
    },
  ])("is refused with other paths: $message", async ({ change, message }) => {
    const versions = [version("v1", {}, { storage: true, subresources: { scale: { ...scale, ...change } } })];
    expect((await failure(api.create(definitions, definition("refusals", "Refusal", versions)))).message).toContain(
      `spec.subresources.scale.${message}`,
    );
  });
});

describeApi("printer columns", controlPlane, (api) => {
  const accept = { Accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
  const tableOf = async (
    things: Things,
  ): Promise<{ columnDefinitions: JsonObject[]; rows: { cells: unknown[] }[] }> => {
    const path = `/${pathOf(things.plural).replace(/\/[^/]+$/, "")}/namespaces/${things.namespace}/${things.plural}`;
    return (await controlPlane.wire.send(path, { headers: accept })).json() as never;
  };

  test("are name and age when there are none", async () => {
    const things = await Things.with(api, { a: text });
    await things.create("a", {});
    const { columnDefinitions, rows } = await tableOf(things);
    expect(columnDefinitions.map(({ name, type }) => [name, type])).toEqual([
      ["Name", "string"],
      ["Age", "date"],
    ]);
    expect(rows[0]?.cells).toEqual(["a", expect.stringMatching(/^\d+s$/)]);
  });

  test("show each type its way, and nothing where there is nothing", async () => {
    const columns = [
      { name: "Text", type: "string", jsonPath: ".spec.text", description: "what it says" },
      { name: "Whole", type: "integer", jsonPath: ".spec.whole", priority: 1 },
      { name: "Number", type: "number", jsonPath: ".spec.number", format: "double" },
      { name: "On", type: "boolean", jsonPath: ".spec.on" },
      { name: "At", type: "date", jsonPath: ".spec.at" },
      { name: "List", type: "string", jsonPath: ".spec.list" },
      { name: "First", type: "string", jsonPath: ".spec.list[0]" },
      { name: "Wrong", type: "integer", jsonPath: ".spec.text" },
    ];
    const properties = {
      text,
      whole,
      number: { type: "number" },
      on: { type: "boolean" },
      at: text,
      list: { type: "array", items: text },
    };
    const things = await Things.with(api, properties, { additionalPrinterColumns: columns });
    await things.create("a", {
      text: "x",
      whole: 3,
      number: 1.5,
      on: true,
      at: "2001-01-01T00:00:00Z",
      list: ["p", "q"],
    });
    await things.create("b", {});
    await things.create("c", { at: "yesterday" });
    const { columnDefinitions, rows } = await tableOf(things);
    expect(columnDefinitions.slice(1, 4)).toEqual([
      { name: "Text", type: "string", format: "", description: "what it says", priority: 0 },
      {
        name: "Whole",
        type: "integer",
        format: "",
        description: "Custom resource definition column (in JSONPath format): .spec.whole",
        priority: 1,
      },
      {
        name: "Number",
        type: "number",
        format: "double",
        description: "Custom resource definition column (in JSONPath format): .spec.number",
        priority: 0,
      },
    ]);
    expect(rows.map(({ cells }) => cells)).toEqual([
      ["a", "x", 3, 1.5, true, expect.stringMatching(/^\d+y/), '["p","q"]', "p", null],
      ["b", null, null, null, null, null, null, null, null],
      ["c", null, null, null, null, "<invalid>", null, null, null],
    ]);
  });

  test.each([
    { column: { type: "string", jsonPath: ".a" }, message: "name: Required value" },
    {
      column: { name: "A", type: "object", jsonPath: ".a" },
      message: 'type: Invalid value: "object": must be one of boolean,date,integer,number,string',
    },
    { column: { name: "A", type: "string", jsonPath: "" }, message: "JSONPath: Required value" },
    {
      column: { name: "A", type: "string", jsonPath: ".a", format: "round" },
      message: 'format: Invalid value: "round": must be one of byte,date,date-time,double,float,int32,int64,password',
    },
  ])("are refused: $message", async ({ column, message }) => {
    const versions = [version("v1", {}, { storage: true, additionalPrinterColumns: [column] })];
    expect((await failure(api.create(definitions, definition("refusals", "Refusal", versions)))).message).toContain(
      `spec.additionalPrinterColumns[0].${message}`,
    );
  });
});

describeApi("values of custom resources", controlPlane, (api) => {
  const embedded = {
    type: "object",
    "x-kubernetes-embedded-resource": true,
    "x-kubernetes-preserve-unknown-fields": true,
  };
  const properties = {
    port: { "x-kubernetes-int-or-string": true },
    note: { type: "string", nullable: true },
    plain: text,
    filled: { type: "string", default: "full" },
    template: embedded,
    parts: {
      type: "array",
      items: { type: "object", required: ["name"], properties: { name: text, port: { ...whole, default: 80 } } },
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name", "port"],
    },
    set: { type: "array", items: whole, "x-kubernetes-list-type": "set" },
  };

  test("are a number or a text, where either is allowed", async () => {
    const things = await Things.with(api, properties);
    expect(await things.create("a", { port: 80 })).toMatchObject({ spec: { port: 80 } });
    expect(await things.create("b", { port: "http" })).toMatchObject({ spec: { port: "http" } });
    expect((await failure(things.create("c", { port: true }))).message).toBe(
      invalid(
        things,
        "c",
        'spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
      ),
    );
  });

  test("are null where that is allowed, the default where there is one, and else refused", async () => {
    const things = await Things.with(api, properties);
    expect((await things.create("a", { note: null, filled: null }))["spec"]).toEqual({ note: null, filled: "full" });
    expect((await failure(things.create("b", { plain: null }))).message).toBe(
      invalid(things, "b", 'spec.plain: Invalid value: "null": spec.plain in body must be of type string: "null"'),
    );
  });

  test("that are objects of their own say what they are, and have metadata", async () => {
    const things = await Things.with(api, properties);
    const template = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p", odd: 1, labels: { a: "b" } },
      spec: { any: 1 },
    };
    const made = await things.create("a", { template });
    expect(made["spec"]).toMatchObject({
      template: { apiVersion: "v1", kind: "Pod", metadata: { name: "p", labels: { a: "b" } }, spec: { any: 1 } },
    });
    expect((made["spec"] as { template: { metadata: object } }).template.metadata).not.toHaveProperty("odd");
    expect((await failure(things.create("b", { template: { metadata: {} } }))).message).toBe(
      invalid(
        things,
        "b",
        "[spec.template.apiVersion: Required value: must not be empty, spec.template.kind: Required value: must not be empty]",
      ),
    );
  });

  test("of lists by keys may not come twice, defaults of keys included", async () => {
    const things = await Things.with(api, properties);
    expect((await failure(things.create("a", { parts: [{ name: "x" }, { name: "x", port: 80 }] }))).message).toBe(
      invalid(things, "a", 'spec.parts[1]: Duplicate value: {"name":"x","port":80}'),
    );
    const made = await things.create("b", { parts: [{ name: "x" }, { name: "x", port: 81 }], set: [2, 1] });
    expect(made["spec"]).toMatchObject({ parts: [{ port: 80 }, { port: 81 }], set: [2, 1] });
    expect((await failure(things.merge("b", { spec: { set: [1, 2, 1] } }))).message).toBe(
      invalid(things, "b", "spec.set[2]: Duplicate value: 1"),
    );
  });

  test("that are no longer valid stay while they stay the same", async () => {
    const things = await Things.with(api, { a: text, b: text, list: { type: "array", items: text } });
    await things.create("a", { a: "long", b: "x", list: ["long"] });
    const short = { type: "string", maxLength: 2 };
    await things.reshape({ a: short, b: short, list: { type: "array", items: short } }, async () => {
      const attempt = things.call("create", { body: things.body("b", { a: "long" }), options: { dryRun: ["All"] } });
      return attempt.then(
        () => false,
        () => true,
      );
    });
    expect(await things.merge("a", { spec: { b: "y" } })).toMatchObject({ spec: { a: "long", b: "y" } });
    expect(await things.merge("a", { metadata: { labels: { x: "y" } } })).toMatchObject({ spec: { a: "long" } });
    expect((await failure(things.merge("a", { spec: { a: "longer" } }))).message).toBe(
      invalid(things, "a", "spec.a: Too long: may not be more than 2 bytes"),
    );
    expect((await failure(things.merge("a", { spec: { list: ["long", "x"] } }))).code).toBe(422);
    expect(await things.merge("a", { spec: { a: "ok" } })).toMatchObject({ spec: { a: "ok" } });
    expect((await failure(things.merge("a", { spec: { a: "long" } }))).code).toBe(422);
  });

  test("that have a new default get it when they are read", async () => {
    const things = await Things.with(api, { a: text });
    const made = await things.create("a", {});
    const isNew = async (): Promise<boolean> =>
      JSON.stringify((await things.call("get", { name: "a" }))["spec"]) !== "{}";
    await things.reshape({ a: { ...text, default: "new" } }, isNew);
    const read = await things.call("get", { name: "a" });
    expect(read).toMatchObject({
      spec: { a: "new" },
      metadata: { resourceVersion: metadataOf(made)["resourceVersion"] },
    });
    const events: WatchEvent[] = [];
    for await (const event of api.watch(things.path, { namespace: things.namespace })) {
      events.push(event);
      break;
    }
    expect(events).toMatchObject([{ type: "ADDED", object: { spec: { a: "new" } } }]);
    expect((await things.call("list"))["items"]).toMatchObject([{ spec: { a: "new" } }]);
  });
});
