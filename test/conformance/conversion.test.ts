import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { define, definition, definitions, pathOf, version } from "./support/definitions.js";
import { metadataOf } from "./support/manifests.js";
import { namesOf } from "./support/objects.js";
import { Api, describeApi, failure, useControlPlane } from "./support/subject.js";
import { WebhookServer } from "./support/webhook.js";

const controlPlane = useControlPlane({ loopback: true });
const text = { type: "string" };
const v1 = pathOf("addresses", "v1");
const v2 = pathOf("addresses", "v2");
const group = "addresses.example.com";

interface Review {
  readonly request: { readonly uid: string; readonly desiredAPIVersion: string; readonly objects: JsonObject[] };
}

/** v1 has `spec.hostPort`, v2 has it in two fields. */
function convert(object: JsonObject, apiVersion: string): JsonObject {
  const spec = object["spec"] as { hostPort?: string; host?: string; port?: string } | undefined;
  if (spec === undefined) return { ...object, apiVersion };
  const joined = spec.hostPort ?? `${spec.host ?? ""}:${spec.port ?? ""}`;
  const [host = "", port = ""] = joined.split(":");
  return { ...object, apiVersion, spec: apiVersion.endsWith("/v2") ? { host, port } : { hostPort: joined } };
}

/** The right answer, and what may be changed about it. */
function answerTo(
  review: JsonObject,
  change: { response?: object; object?: (object: JsonObject) => unknown; review?: object } = {},
): object {
  const { request } = review as unknown as Review;
  const { object: alter = (object) => object } = change;
  const convertedObjects = request.objects.map((object) => alter(convert(object, request.desiredAPIVersion)));
  const response = { uid: request.uid, result: { status: "Success" }, convertedObjects, ...change.response };
  return { apiVersion: "apiextensions.k8s.io/v1", kind: "ConversionReview", response, ...change.review };
}

let webhook: WebhookServer;

beforeAll(async () => {
  webhook = await WebhookServer.start(controlPlane.cluster.pki.ca, answerTo);
  const conversion = {
    strategy: "Webhook",
    webhook: { conversionReviewVersions: ["v1"], clientConfig: webhook.clientConfig },
  };
  const versions = [
    version("v1", { hostPort: text }, { storage: true, subresources: { status: {} } }),
    version("v2", { host: text, port: text }, { subresources: { status: {} } }),
  ];
  await define(new Api(() => controlPlane.inProcess), definition("addresses", "Address", versions, { conversion }));
});

afterAll(() => webhook[Symbol.asyncDispose]());

beforeEach(() => {
  webhook.answer = answerTo;
  webhook.reviews.length = 0;
});

const address = (name: string, spec: object, version = "v2", metadata: object = {}): object => ({
  apiVersion: `${group}/${version}`,
  kind: "Address",
  metadata: { name, ...metadata },
  spec,
});
const split = { host: "a", port: "1" };

describeApi("conversion by a webhook", controlPlane, (api) => {
  const place = async (): Promise<{ namespace: string; name: string }> => ({
    namespace: await api.namespace(),
    name: "a",
  });
  const made = async (): Promise<{ namespace: string; name: string }> => {
    const at = await place();
    await api.call("create", v1, { ...at, body: address("a", { hostPort: "a:1" }, "v1") });
    webhook.reviews.length = 0;
    return at;
  };

  test("is asked in a ConversionReview, and not about what is in the right version already", async () => {
    const at = await made();
    expect(await api.call("get", v1, at)).toMatchObject({ spec: { hostPort: "a:1" } });
    expect(webhook.reviews).toEqual([]);
    expect(await api.call("get", v2, at)).toMatchObject({ apiVersion: `${group}/v2`, kind: "Address", spec: split });
    expect(webhook.reviews).toEqual([
      {
        apiVersion: "apiextensions.k8s.io/v1",
        kind: "ConversionReview",
        request: {
          uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
          desiredAPIVersion: `${group}/v2`,
          objects: [expect.objectContaining({ apiVersion: `${group}/v1`, spec: { hostPort: "a:1" } })],
        },
      },
    ]);
  });

  test("shows in lists and watches what is stored in another version", async () => {
    const { namespace } = await place();
    for (const name of ["a", "b"]) {
      await api.call("create", v1, { namespace, body: address(name, { hostPort: `${name}:1` }, "v1") });
    }
    const list = await api.call("list", v2, { namespace });
    expect(list["items"]).toMatchObject([
      { apiVersion: `${group}/v2`, spec: { host: "a" } },
      { apiVersion: `${group}/v2`, spec: { host: "b" } },
    ]);
    const since = { resourceVersion: String(metadataOf(list)["resourceVersion"]) };
    const changed = { namespace, name: "b", patchType: "merge" as const, body: { spec: { hostPort: "c:2" } } };
    await api.call("patch", v1, changed);
    await api.call("delete", v1, { namespace, name: "a" });
    const seen: unknown[] = [];
    for await (const { type, object } of api.watch(v2, { namespace, options: since })) {
      seen.push([type, (object as unknown as JsonObject)["apiVersion"], (object as unknown as JsonObject)["spec"]]);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([
      ["MODIFIED", `${group}/v2`, { host: "c", port: "2" }],
      ["DELETED", `${group}/v2`, split],
    ]);
  });

  test("stores what is written in another version, by create, update and every patch", async () => {
    const at = await place();
    const stored = async (): Promise<unknown> => (await api.call("get", v1, at))["spec"];
    const object = await api.call("create", v2, { ...at, body: address("a", split) });
    expect(object).toMatchObject({ apiVersion: `${group}/v2`, spec: split, metadata: { generation: 1 } });
    expect(await stored()).toEqual({ hostPort: "a:1" });
    const updated = await api.call("update", v2, { ...at, body: { ...object, spec: { ...split, port: "2" } } });
    expect(updated).toMatchObject({ spec: { host: "a", port: "2" }, metadata: { generation: 2 } });
    expect(await stored()).toEqual({ hostPort: "a:2" });
    await api.call("patch", v2, { ...at, patchType: "merge", body: { spec: { port: "3" } } });
    expect(await stored()).toEqual({ hostPort: "a:3" });
    const operations = [{ op: "replace", path: "/spec/host", value: "b" }];
    await api.call("patch", v2, { ...at, patchType: "json", body: operations });
    expect(await stored()).toEqual({ hostPort: "b:3" });
    const options = { fieldManager: "tool", force: true };
    const applied = { ...at, patchType: "apply" as const, body: address("a", { port: "4" }), options };
    expect(await api.call("patch", v2, applied)).toMatchObject({ spec: { host: "b", port: "4" } });
    expect(await stored()).toEqual({ hostPort: "b:4" });
    const status = { ...at, subresource: "status", patchType: "merge" as const, body: { status: { replicas: 3 } } };
    expect(await api.call("patch", v2, status)).toMatchObject({ status: { replicas: 3 }, spec: { port: "4" } });
  });

  test("by an apply that changes nothing writes nothing", async () => {
    const at = await place();
    const options = { fieldManager: "tool" };
    const apply = (): Promise<JsonObject> =>
      api.call("patch", v2, { ...at, patchType: "apply", body: address("a", split), options });
    expect(await apply()).toEqual(await apply());
  });

  test("of a dry run shows the outcome, and stores nothing", async () => {
    const at = await place();
    const dry = { dryRun: ["All"] as const };
    expect(await api.call("create", v2, { ...at, body: address("a", split), options: dry })).toMatchObject({
      spec: split,
    });
    expect((await failure(api.call("get", v2, at))).code).toBe(404);
    await api.call("create", v2, { ...at, body: address("a", split) });
    const body = { spec: { port: "9" } };
    expect(await api.call("patch", v2, { ...at, patchType: "merge", body, options: dry })).toMatchObject({
      spec: { host: "a", port: "9" },
    });
    expect(await api.call("get", v1, at)).toMatchObject({ spec: { hostPort: "a:1" } });
  });

  test("may set labels and annotations, and no other metadata", async () => {
    const at = await made();
    webhook.answer = (review) =>
      answerTo(review, {
        object: (object) => ({
          ...object,
          metadata: { ...metadataOf(object), labels: { from: "webhook" }, generation: 99, finalizers: ["x.io/y"] },
        }),
      });
    const metadata = metadataOf(await api.call("get", v2, at));
    expect(metadata).toMatchObject({ labels: { from: "webhook" }, generation: 1 });
    expect(metadata).not.toHaveProperty("finalizers");
  });

  const wrong = `conversion webhook for ${group}/v1, Kind=Address`;
  const metadata = (change: object) => (object: JsonObject) => ({
    ...object,
    metadata: { ...metadataOf(object), ...change },
  });
  test.each([
    {
      name: "fails with a message",
      answer: (review: JsonObject) =>
        answerTo(review, { response: { result: { status: "Failed", message: "no mood" }, convertedObjects: [] } }),
      message: `${wrong} failed: no mood`,
    },
    {
      name: "fails without a message",
      answer: (review: JsonObject) => answerTo(review, { response: { result: {} } }),
      message: `${wrong} failed: response.result.status was '', not 'Success'`,
    },
    {
      name: "answers another question",
      answer: (review: JsonObject) => answerTo(review, { response: { uid: "u" } }),
      message: new RegExp(`^${wrong} failed: expected response.uid="[0-9a-f-]{36}", got "u"$`),
    },
    {
      name: "answers without a response",
      answer: (review: JsonObject) => answerTo(review, { review: { response: undefined } }),
      message: `${wrong} failed: no response provided`,
    },
    {
      name: "answers in another version",
      answer: (review: JsonObject) => answerTo(review, { review: { apiVersion: "apiextensions.k8s.io/v1beta1" } }),
      message: `${wrong} failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got apiextensions.k8s.io/v1beta1, Kind=ConversionReview`,
    },
    {
      name: "answers with too few objects",
      answer: (review: JsonObject) => answerTo(review, { response: { convertedObjects: [] } }),
      message: `${wrong} returned 0 objects, expected 1`,
    },
    {
      name: "leaves the version as it was",
      answer: (review: JsonObject) =>
        answerTo(review, { object: (object) => ({ ...object, apiVersion: `${group}/v1` }) }),
      message: `${wrong} returned invalid object at index 0: invalid groupVersion (expected ${group}/v2, received ${group}/v1)`,
    },
    {
      name: "changes the kind",
      answer: (review: JsonObject) => answerTo(review, { object: (object) => ({ ...object, kind: "Other" }) }),
      message: `${wrong} returned invalid object at index 0: invalid kind (expected Address, received Other)`,
    },
    {
      name: "changes the name",
      answer: (review: JsonObject) => answerTo(review, { object: metadata({ name: "b" }) }),
      message: `${wrong} returned invalid object: must have the same name: a != b`,
    },
    {
      name: "changes the uid",
      answer: (review: JsonObject) => answerTo(review, { object: metadata({ uid: "u" }) }),
      message: new RegExp(`^${wrong} returned invalid object: must have the same UID: [0-9a-f-]{36} != u$`),
    },
    {
      name: "sets a label that is none",
      answer: (review: JsonObject) => answerTo(review, { object: metadata({ labels: { a: "b c" } }) }),
      message: new RegExp(`^${wrong} returned invalid metadata: metadata.labels: Invalid value: "b c": a valid label`),
    },
    {
      name: "sets a label to a number",
      answer: (review: JsonObject) => answerTo(review, { object: metadata({ labels: { a: 1 } }) }),
      message: `${wrong} returned invalid metadata: metadata.labels[a] must be a string, but is int64 in converted object`,
    },
    {
      name: "breaks",
      answer: () => 500,
      message: `${wrong} failed: an error on the server ("no mood") has prevented the request from succeeding`,
    },
    {
      name: "is not there",
      answer: () => 404,
      message: `${wrong} failed: the server could not find the requested resource`,
    },
  ])("that $name fails reads and writes in that version, and no others", async ({ answer, message }) => {
    const at = await made();
    webhook.answer = answer;
    const text = expect.stringMatching(message);
    const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", code: 500 };
    const expected = { ...status, message: typeof message === "string" ? message : text };
    expect(await failure(api.call("get", v2, at))).toEqual(expected);
    expect(await failure(api.call("list", v2, { namespace: at.namespace }))).toEqual(expected);
    const body = { spec: { port: "9" } };
    expect(await failure(api.call("patch", v2, { ...at, patchType: "merge", body }))).toEqual(expected);
    expect(await api.call("get", v1, at)).toMatchObject({ spec: { hostPort: "a:1" } });
    await api.call("delete", v1, at);
  });

  test("that fails lets nothing be created in that version", async () => {
    const at = await place();
    webhook.answer = () => 503;
    expect(await failure(api.call("create", v2, { ...at, body: address("a", split) }))).toMatchObject({
      code: 500,
      message: `conversion webhook for ${group}/v2, Kind=Address failed: the server is currently unable to handle the request`,
    });
    expect((await failure(api.call("get", v1, at))).code).toBe(404);
  });

  test("that fails ends the watches in that version, which can be resumed, and no others", async () => {
    const at = await made();
    const since = String(metadataOf(await api.call("get", v1, at))["resourceVersion"]);
    const options = { resourceVersion: since };
    const old = api.watch(v1, { namespace: at.namespace, options });
    const other = api.watch(v2, { namespace: at.namespace, options });
    const failed = failure(other.next());
    webhook.answer = () => 500;
    await api.call("patch", v1, { ...at, patchType: "merge", body: { spec: { hostPort: "b:2" } } });
    expect((await old.next()).value).toMatchObject({ type: "MODIFIED", object: { spec: { hostPort: "b:2" } } });
    expect(await failed).toMatchObject({ code: 500, message: expect.stringContaining(wrong) });
    webhook.answer = answerTo;
    for await (const { type, object } of api.watch(v2, { namespace: at.namespace, options })) {
      expect([type, (object as unknown as JsonObject)["spec"]]).toEqual(["MODIFIED", { host: "b", port: "2" }]);
      break;
    }
  });

  test("may speak v1beta1, where neither version nor uid of the answer count", async () => {
    const plural = `olds${(await api.namespace()).replace(/\D/g, "")}`;
    const conversion = {
      strategy: "Webhook",
      webhook: { conversionReviewVersions: ["v3", "v1beta1", "v1"], clientConfig: webhook.clientConfig },
    };
    const versions = [version("v1", { hostPort: text }, { storage: true }), version("v2", { host: text, port: text })];
    await define(api, definition(plural, "Old", versions, { conversion }));
    const namespace = await api.namespace();
    const body = { ...address("a", { hostPort: "a:1" }), apiVersion: `${plural}.example.com/v1`, kind: "Old" };
    await api.call("create", pathOf(plural, "v1"), { namespace, body });
    webhook.answer = (review) => answerTo(review, { response: { uid: "u" }, review: { kind: "", apiVersion: "" } });
    expect(await api.call("get", pathOf(plural, "v2"), { namespace, name: "a" })).toMatchObject({ spec: split });
    expect(webhook.reviews).toMatchObject([{ apiVersion: "apiextensions.k8s.io/v1beta1" }]);
  });

  test.each([
    {
      name: "no webhook",
      conversion: { strategy: "Webhook" },
      message: "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
    },
    {
      name: "no version that there is",
      conversion: {
        strategy: "Webhook",
        webhook: { conversionReviewVersions: ["v9"], clientConfig: { url: "https://127.0.0.1/" } },
      },
      message:
        'spec.conversion.conversionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1',
    },
    {
      name: "an address that is not HTTPS",
      conversion: {
        strategy: "Webhook",
        webhook: { conversionReviewVersions: ["v1"], clientConfig: { url: "http://127.0.0.1/" } },
      },
      message:
        "spec.conversion.webhookClientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
    },
    {
      name: "a webhook that is not to be asked",
      conversion: {
        strategy: "None",
        webhook: { conversionReviewVersions: ["v1"], clientConfig: { url: "https://a/" } },
      },
      message: "spec.conversion.webhookClientConfig: Forbidden: should not be set when strategy is not set to Webhook",
    },
    {
      name: "a strategy that there is not",
      conversion: { strategy: "Magic" },
      message: 'spec.conversion.strategy: Unsupported value: "Magic": supported values: "None", "Webhook"',
    },
  ])("is refused with $name", async ({ conversion, message }) => {
    const given = definition("refusals", "Refusal", [version("v1", {}, { storage: true })], { conversion });
    expect(await failure(api.create(definitions, given))).toMatchObject({
      code: 422,
      message: expect.stringContaining(message),
    });
  });
});

describeApi("versions", controlPlane, (api) => {
  const fresh = async (): Promise<string> => `sorts${(await api.namespace()).replace(/\D/g, "")}`;
  const two = (storage: "v1" | "v2", properties: object = { a: text }): object[] =>
    ["v1", "v2"].map((name) => version(name, { ...properties }, { storage: name === storage }));
  const put = async (name: string, versions: object[]): Promise<JsonObject> => {
    const now = await api.call("get", definitions, { name });
    return api.call("update", definitions, { name, body: { ...now, spec: { ...(now["spec"] as object), versions } } });
  };

  test("without conversion differ in their name and their schema", async () => {
    const plural = await fresh();
    const versions = [version("v1", { a: text }, { storage: true }), version("v2", { a: text, b: text })];
    await define(api, definition(plural, "Sort", versions));
    const namespace = await api.namespace();
    const sort = { apiVersion: `${plural}.example.com/v2`, kind: "Sort", metadata: { name: "a" } };
    await api.call("create", pathOf(plural, "v2"), { namespace, body: { ...sort, spec: { a: "1", b: "2" } } });
    expect(await api.call("get", pathOf(plural, "v2"), { namespace, name: "a" })).toMatchObject({
      apiVersion: `${plural}.example.com/v2`,
      spec: { a: "1", b: "2" },
    });
    // Upstream prunes what is read by the schema of the version that is asked for.
    expect(await api.call("get", pathOf(plural, "v1"), { namespace, name: "a" })).toMatchObject({
      apiVersion: `${plural}.example.com/v1`,
      spec: { a: "1" },
    });
  });

  test("that were ever stored are remembered until a client says that none is left", async () => {
    const plural = await fresh();
    const name = `${plural}.${plural}.example.com`;
    const first = await define(api, definition(plural, "Sort", two("v1")));
    expect(first["status"]).toMatchObject({ storedVersions: ["v1"] });
    const namespace = await api.namespace();
    const sort = { apiVersion: `${plural}.example.com/v1`, kind: "Sort", metadata: { name: "a" }, spec: { a: "1" } };
    await api.call("create", pathOf(plural), { namespace, body: sort });
    expect((await put(name, two("v2")))["status"]).toMatchObject({ storedVersions: ["v1", "v2"] });
    const only = [version("v2", { a: text }, { storage: true })];
    expect(await failure(put(name, only))).toMatchObject({
      code: 422,
      message: `CustomResourceDefinition.apiextensions.k8s.io "${name}" is invalid: status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions`,
    });
    const stored = async (): Promise<unknown> => {
      const { entries } = await controlPlane.store.range(`/registry/${plural}.example.com/${plural}/`);
      return entries.map(({ value }) => (JSON.parse(value.toString()) as JsonObject)["apiVersion"]);
    };
    expect(await stored()).toEqual([`${plural}.example.com/v1`]);
    // To migrate is to write each object again as it is, which is a write because its stored version differs.
    const old = await api.call("get", pathOf(plural, "v2"), { namespace, name: "a" });
    const rewritten = await api.call("update", pathOf(plural, "v2"), { namespace, name: "a", body: old });
    expect(metadataOf(rewritten)["resourceVersion"]).not.toBe(metadataOf(old)["resourceVersion"]);
    expect(metadataOf(rewritten)["generation"]).toBe(1);
    expect(await stored()).toEqual([`${plural}.example.com/v2`]);
    const status = { status: { storedVersions: ["v2"] } };
    await api.call("patch", definitions, { name, subresource: "status", patchType: "merge", body: status });
    expect((await put(name, only))["status"]).toMatchObject({ storedVersions: ["v2"] });
    await expect
      .poll(() =>
        failure(api.call("list", pathOf(plural), { namespace })).then(
          ({ code }) => code,
          () => 200,
        ),
      )
      .toBe(404);
    expect(namesOf(await api.call("list", pathOf(plural, "v2"), { namespace }))).toEqual(["a"]);
  });

  test("that are not served are not there, though they are stored", async () => {
    const plural = await fresh();
    const versions = [version("v1", { a: text }, { storage: true, served: false }), version("v2", { a: text })];
    await define(api, definition(plural, "Sort", versions));
    const namespace = await api.namespace();
    const body = { apiVersion: `${plural}.example.com/v2`, kind: "Sort", metadata: { name: "a" }, spec: { a: "1" } };
    await api.call("create", pathOf(plural, "v2"), { namespace, body });
    expect((await failure(api.call("get", pathOf(plural), { namespace, name: "a" }))).code).toBe(404);
    const entries = [
      ...((await controlPlane.wire.send(`/apis/${plural}.example.com`)).json()["versions"] as unknown[]),
    ];
    expect(entries).toEqual([{ groupVersion: `${plural}.example.com/v2`, version: "v2" }]);
  });

  test.each([
    {
      name: "no version to store",
      versions: [version("v1", {})],
      message: "must have exactly one version marked as storage version",
    },
    {
      name: "two versions to store",
      versions: [version("v1", {}, { storage: true }), version("v2", {}, { storage: true })],
      message: "must have exactly one version marked as storage version",
    },
    {
      name: "one version twice",
      versions: [version("v1", {}, { storage: true }), version("v1", {})],
      message: "must contain unique version names",
    },
    {
      name: "a version that is no label",
      versions: [version("V1", {}, { storage: true })],
      message: 'spec.versions[0].name: Invalid value: "V1": a DNS-1035 label must consist of',
    },
  ])("are refused with $name", async ({ versions, message }) => {
    expect(await failure(api.create(definitions, definition("refusals", "Refusal", versions)))).toMatchObject({
      code: 422,
      message: expect.stringContaining(message),
    });
  });
});
