import { describe, expect, test } from "vitest";
import type { JsonObject, RequestOptions } from "../../src/api/index.js";
import { compactionKey } from "../../src/apiserver/compactor.js";
import { configMap, namesOf } from "./support/objects.js";
import { Api, describeApi, failure, useControlPlane } from "./support/subject.js";

const cp = useControlPlane();
const configMaps = "api/v1/configmaps";

async function filled(api: Api, ...names: readonly string[]): Promise<string> {
  const namespace = await api.namespace();
  for (const name of names) await api.create(configMaps, configMap(namespace, name));
  return namespace;
}

const metadataOf = (list: JsonObject): JsonObject => list["metadata"] as JsonObject;
const revisionOf = (object: JsonObject): string => String(metadataOf(object)["resourceVersion"]);

describeApi("a list", cp, (api) => {
  test("of nothing has no items, and its own kind and resourceVersion", async () => {
    const namespace = await api.namespace();
    const list = await api.call("list", "api/v1/secrets", { namespace });
    expect(list).toEqual({
      kind: "SecretList",
      apiVersion: "v1",
      metadata: { resourceVersion: expect.stringMatching(/^[0-9]+$/) },
      items: [],
    });
  });

  test("has its items in the order of their names, and across namespaces of namespace and name", async () => {
    const first = await filled(api, "b", "a", "a-b", "a.b", "a0");
    const second = await filled(api, "c");
    const list = await api.call("list", configMaps, { namespace: first });
    expect(namesOf(list)).toEqual(["a", "a-b", "a.b", "a0", "b"]);
    const all = await api.call("list", configMaps);
    const [one, two] = [first, second].sort();
    const places = (all["items"] as JsonObject[]).map((item) => metadataOf(item)["namespace"]);
    expect(places.lastIndexOf(one)).toBeLessThan(places.indexOf(two));
  });

  test("of one name by field selector has that object, or none", async () => {
    const namespace = await filled(api, "a", "b");
    const byName = (name: string) =>
      api.call("list", configMaps, { namespace, options: { fieldSelector: `metadata.name=${name}` } });
    expect(namesOf(await byName("b"))).toEqual(["b"]);
    expect(namesOf(await byName("c"))).toEqual([]);
    expect(metadataOf(await byName("b"))).toEqual({ resourceVersion: expect.any(String) });
  });

  test("of one namespace by field selector is that of the namespace", async () => {
    const namespace = await filled(api, "a", "b");
    const list = await api.call("list", configMaps, { options: { fieldSelector: `metadata.namespace=${namespace}` } });
    expect(namesOf(list)).toEqual(["a", "b"]);
  });
});

describeApi("the resourceVersion of a list", cp, (api) => {
  test("unset shows every write that was answered before", async () => {
    const namespace = await api.namespace();
    for (let at = 0; at < 20; at++) {
      const created = await api.create(configMaps, configMap(namespace, `c${at}`));
      const list = await api.call("list", configMaps, { namespace });
      expect(namesOf(list)).toContain(`c${at}`);
      expect(Number(revisionOf(list))).toBeGreaterThanOrEqual(Number(revisionOf(created)));
    }
  });

  test("0 takes what is at hand, and ignores the limit", async () => {
    const namespace = await filled(api, "a", "b", "c");
    const list = await api.call("list", configMaps, { namespace, options: { resourceVersion: "0", limit: 1 } });
    expect(namesOf(list)).toEqual(["a", "b", "c"]);
    expect(metadataOf(list)).not.toHaveProperty("continue");
  });

  const asOf: { name: string; options: (revision: string) => RequestOptions; sees: string[] }[] = [
    { name: "a number", options: (resourceVersion) => ({ resourceVersion }), sees: ["a", "b"] },
    {
      name: "a number with NotOlderThan",
      options: (resourceVersion) => ({ resourceVersion, resourceVersionMatch: "NotOlderThan" }),
      sees: ["a", "b"],
    },
    {
      name: "a number with NotOlderThan and a limit",
      options: (resourceVersion) => ({ resourceVersion, resourceVersionMatch: "NotOlderThan", limit: 10 }),
      sees: ["a", "b"],
    },
    {
      name: "a number with Exact",
      options: (resourceVersion) => ({ resourceVersion, resourceVersionMatch: "Exact" }),
      sees: ["a"],
    },
    {
      name: "a number with Exact and a limit",
      options: (resourceVersion) => ({ resourceVersion, resourceVersionMatch: "Exact", limit: 10 }),
      sees: ["a"],
    },
    { name: "a number with a limit", options: (resourceVersion) => ({ resourceVersion, limit: 10 }), sees: ["a"] },
    {
      name: "0 with NotOlderThan",
      options: () => ({ resourceVersion: "0", resourceVersionMatch: "NotOlderThan" }),
      sees: ["a", "b"],
    },
  ];
  test.each(asOf)("$name", async ({ options, sees }) => {
    const namespace = await api.namespace();
    const { metadata } = await api.create(configMaps, configMap(namespace, "a"));
    await api.create(configMaps, configMap(namespace, "b"));
    const revision = String((metadata as JsonObject)["resourceVersion"]);
    const asked = options(revision);
    const list = await api.call("list", configMaps, { namespace, options: asked });
    expect(namesOf(list)).toEqual(sees);
    if (sees.length === 1) expect(revisionOf(list)).toBe(revision);
    else if (asked.resourceVersion !== "0") {
      expect(Number(revisionOf(list))).toBeGreaterThanOrEqual(Number(revision));
    }
  });

  test("exact shows objects as they were, also those that are gone", async () => {
    const namespace = await filled(api, "gone");
    const before = await api.create(configMaps, configMap(namespace, "changed", { at: "first" }));
    await api.call("update", configMaps, {
      namespace,
      name: "changed",
      body: configMap(namespace, "changed", { at: "second" }),
    });
    await api.call("delete", configMaps, { namespace, name: "gone" });
    const resourceVersion = revisionOf(before);
    const options = { resourceVersion, resourceVersionMatch: "Exact" } as const;
    const list = await api.call("list", configMaps, { namespace, options });
    expect(namesOf(list)).toEqual(["changed", "gone"]);
    expect((list["items"] as JsonObject[])[0]?.["data"]).toEqual({ at: "first" });
    const one = await api.call("list", configMaps, {
      namespace,
      options: { ...options, fieldSelector: "metadata.name=changed" },
    });
    expect((one["items"] as JsonObject[])[0]?.["data"]).toEqual({ at: "first" });
  });
});

describeApi("a list that asks for what cannot be", cp, (api) => {
  const forbidden = (field: string, message: string) => ({
    reason: "FieldValueForbidden",
    message: `Forbidden: ${message}`,
    field,
  });
  const unsupported = {
    reason: "FieldValueNotSupported",
    message: 'Unsupported value: "Newest": supported values: "Exact", "NotOlderThan", ""',
    field: "resourceVersionMatch",
  };
  const invalid: { name: string; options: RequestOptions; causes: { message: string; field: string }[] }[] = [
    {
      name: "a match without resourceVersion",
      options: { resourceVersionMatch: "Exact" },
      causes: [
        forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"),
      ],
    },
    {
      name: "exactly whatever is at hand",
      options: { resourceVersion: "0", resourceVersionMatch: "Exact" },
      causes: [forbidden("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')],
    },
    {
      name: "an unknown match",
      options: { resourceVersion: "1", resourceVersionMatch: "Newest" as "Exact" },
      causes: [unsupported],
    },
    {
      name: "an unknown match, without resourceVersion and while it goes on",
      options: { continue: "x", resourceVersionMatch: "Newest" as "Exact" },
      causes: [
        forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"),
        unsupported,
      ],
    },
    {
      name: "initial events",
      options: { sendInitialEvents: true },
      causes: [forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")],
    },
    {
      name: "no initial events",
      options: { sendInitialEvents: false },
      causes: [forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")],
    },
  ];
  test.each(invalid)("$name is Invalid", async ({ options, causes }) => {
    const lines = causes.map(({ field, message }) => `${field}: ${message}`);
    const what = lines.length === 1 ? lines[0] : `[${lines.join(", ")}]`;
    expect(await failure(api.call("list", configMaps, { options }))).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: `ListOptions.meta.k8s.io "" is invalid: ${what}`,
      reason: "Invalid",
      details: { group: "meta.k8s.io", kind: "ListOptions", causes },
      code: 422,
    });
  });

  const bad: { name: string; options: RequestOptions; message: string }[] = [
    {
      name: "a resourceVersion that is no number",
      options: { resourceVersion: "abc" },
      message:
        'invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax',
    },
    {
      name: "a resourceVersion beyond all numbers",
      options: { resourceVersion: "99999999999999999999" },
      message:
        'invalid resource version: resourceVersion: Invalid value: "99999999999999999999": strconv.ParseUint: parsing "99999999999999999999": value out of range',
    },
    {
      name: "a continue token that is no base64",
      options: { continue: "!" },
      message: "invalid continue token: continue key is not valid: illegal base64 data at input byte 0",
    },
    {
      name: "a continue token of another version",
      options: { continue: Buffer.from('{"v":"v2","rv":1,"start":"a"}').toString("base64url") },
      message: "invalid continue token: continue key is not valid: server does not recognize this encoded version v2",
    },
    {
      name: "a continue token at no revision",
      options: { continue: Buffer.from('{"v":"meta.k8s.io/v1","rv":0,"start":"a"}').toString("base64url") },
      message:
        "invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
    },
    {
      name: "a continue token without a key",
      options: { continue: Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":""}').toString("base64url") },
      message: "invalid continue token: continue key is not valid: encoded start key empty (version meta.k8s.io/v1)",
    },
    {
      name: "a continue token that climbs out of its resource",
      options: {
        continue: Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":"a/../../secrets"}').toString("base64url"),
      },
      message: "invalid continue token: continue key is not valid: a/../../secrets",
    },
    {
      name: "a continue token and a resourceVersion",
      options: {
        continue: Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":"a\\u0000"}').toString("base64url"),
        resourceVersion: "1",
      },
      message: "specifying resource version is not allowed when using continue",
    },
    {
      name: "a label selector that is none",
      options: { labelSelector: "a=b,=" },
      message: "found '=', expected: identifier after ','",
    },
    {
      name: "a label selector with a bad key",
      options: { labelSelector: "a/b/c=d" },
      message:
        "unable to parse requirement: <nil>: Invalid value: \"a/b/c\": a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    },
    {
      name: "a field selector that is none",
      options: { fieldSelector: "metadata.name" },
      message: "invalid selector: 'metadata.name'; can't understand 'metadata.name'",
    },
    {
      name: "a field that cannot be selected by",
      options: { fieldSelector: "data.a=b" },
      message: '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
    },
  ];
  test.each(bad)("$name is a BadRequest", async ({ options, message }) => {
    expect(await failure(api.call("list", configMaps, { options }))).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      reason: "BadRequest",
      code: 400,
    });
  });

  test("a resourceVersion that has not happened is a Timeout that tells to come again", async () => {
    const { resourceVersion } = metadataOf(await api.call("list", configMaps)) as { resourceVersion: string };
    const future = String(Number(resourceVersion) + 1_000_000);
    const status = await failure(api.call("list", configMaps, { options: { resourceVersion: future } }));
    expect(status).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: expect.stringMatching(`^Timeout: Too large resource version: ${future}, current: [0-9]+$`),
      reason: "Timeout",
      details: {
        causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
        retryAfterSeconds: 1,
      },
      code: 504,
    });
  });
});

describeApi("a list in pieces", cp, (api) => {
  const names = ["a", "b", "c", "d", "e"];

  test("says how many are left and where to go on, all at one resourceVersion", async () => {
    const namespace = await filled(api, ...names);
    const first = await api.call("list", configMaps, { namespace, options: { limit: 2 } });
    expect(namesOf(first)).toEqual(["a", "b"]);
    expect(metadataOf(first)).toEqual({
      resourceVersion: expect.any(String),
      continue: expect.any(String),
      remainingItemCount: 3,
    });
    await api.create(configMaps, configMap(namespace, "bb"));
    await api.call("delete", configMaps, { namespace, name: "e" });
    const next = String(metadataOf(first)["continue"]);
    const second = await api.call("list", configMaps, { namespace, options: { limit: 2, continue: next } });
    expect(namesOf(second)).toEqual(["c", "d"]);
    expect(metadataOf(second)).toMatchObject({ resourceVersion: revisionOf(first), remainingItemCount: 1 });
    const after = String(metadataOf(second)["continue"]);
    const last = await api.call("list", configMaps, { namespace, options: { limit: 2, continue: after } });
    expect(namesOf(last)).toEqual(["e"]);
    expect(metadataOf(last)).toEqual({ resourceVersion: revisionOf(first) });
  });

  test("takes a resourceVersion of 0 beside the token for none", async () => {
    const namespace = await filled(api, ...names);
    const first = await api.call("list", configMaps, { namespace, options: { limit: 3 } });
    const options = { continue: String(metadataOf(first)["continue"]), resourceVersion: "0" };
    expect(namesOf(await api.call("list", configMaps, { namespace, options }))).toEqual(["d", "e"]);
  });

  test("does not count what is left when it selects", async () => {
    const namespace = await api.namespace();
    for (const name of names) await api.create(configMaps, configMap(namespace, name, {}, { odd: "yes" }));
    const options = { limit: 2, labelSelector: "odd=yes" };
    const seen: (readonly string[])[] = [];
    let token: string | undefined;
    do {
      const list = await api.call("list", configMaps, {
        namespace,
        options: token === undefined ? options : { ...options, continue: token },
      });
      seen.push(namesOf(list));
      expect(metadataOf(list)).not.toHaveProperty("remainingItemCount");
      token = metadataOf(list)["continue"] as string | undefined;
    } while (token !== undefined);
    expect(seen).toEqual([["a", "b"], ["c", "d"], ["e"]]);
  });

  test("of past the end is whole", async () => {
    const namespace = await filled(api, ...names);
    const list = await api.call("list", configMaps, { namespace, options: { limit: 5 } });
    expect(namesOf(list)).toEqual(names);
    expect(metadataOf(list)).toEqual({ resourceVersion: expect.any(String) });
  });

  test("goes on inconsistently, if the client wants, when its history is compacted", async () => {
    const namespace = await filled(api, ...names);
    const first = await api.call("list", configMaps, { namespace, options: { limit: 2 } });
    await api.create(configMaps, configMap(namespace, "f"));
    const token = String(metadataOf(first)["continue"]);
    await cp.store.compact(await cp.store.revision());
    const options = { limit: 2, continue: token };
    const status = await failure(api.call("list", configMaps, { namespace, options }));
    expect(status).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: { continue: expect.any(String) },
      status: "Failure",
      message:
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
      reason: "Expired",
      code: 410,
    });
    const rest = await api.call("list", configMaps, {
      namespace,
      options: { limit: 2, continue: String(status.metadata.continue) },
    });
    expect(namesOf(rest)).toEqual(["c", "d"]);
    expect(Number(revisionOf(rest))).toBeGreaterThan(Number(revisionOf(first)));
    expect(metadataOf(rest)).toMatchObject({ remainingItemCount: 2 });
  });

  test("is over when one of the servers forgets history, even if nothing of it has changed", async () => {
    const namespace = await filled(api, ...names);
    const first = await api.call("list", configMaps, { namespace, options: { limit: 2 } });
    await api.namespace();
    const revision = await cp.store.revision();
    const before = await cp.store.get(compactionKey);
    const value = Buffer.from(String(revision));
    await (before === undefined
      ? cp.store.create(compactionKey, value)
      : cp.store.update(compactionKey, value, before.revision));
    await cp.store.compact(revision);
    await api.namespace();
    const options = { limit: 2, continue: String(metadataOf(first)["continue"]) };
    const status = await failure(api.call("list", configMaps, { namespace, options }));
    expect(status).toMatchObject({ code: 410, reason: "Expired", metadata: { continue: expect.any(String) } });
    const rest = await api.call("list", configMaps, {
      namespace,
      options: { continue: String(status.metadata.continue) },
    });
    expect(namesOf(rest)).toEqual(["c", "d", "e"]);
  });

  test("at a compacted resourceVersion is Expired", async () => {
    const namespace = await api.namespace();
    const { metadata } = await api.create(configMaps, configMap(namespace, "a"));
    await api.create(configMaps, configMap(namespace, "b"));
    await cp.store.compact(await cp.store.revision());
    const resourceVersion = String((metadata as JsonObject)["resourceVersion"]);
    const options = { resourceVersion, resourceVersionMatch: "Exact" } as const;
    expect(await failure(api.call("list", configMaps, { namespace, options }))).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: "The resourceVersion for the provided list is too old.",
      reason: "Expired",
      code: 410,
    });
  });
});

describe("a list on the wire", () => {
  const api = new Api(() => cp.https);

  test("says what its items are, and they do not", async () => {
    const namespace = await filled(api, "a", "b");
    const { text, headers, json } = await cp.wire.send(`/api/v1/namespaces/${namespace}/configmaps`);
    expect(headers["content-type"]).toBe("application/json");
    expect(text).toMatch(
      /^\{"kind":"ConfigMapList","apiVersion":"v1","metadata":\{"resourceVersion":"[0-9]+"\},"items":\[\{"metadata":/,
    );
    expect(text.endsWith("]}\n")).toBe(true);
    expect(Number(headers["content-length"])).toBe(Buffer.byteLength(text));
    for (const item of json()["items"] as JsonObject[]) expect(Object.keys(item)).toEqual(["metadata"]);
  });

  test.each(["", "?pretty=true"])("leaves them out of every dress%s", async (query) => {
    const namespace = await filled(api, "a");
    const path = `/api/v1/namespaces/${namespace}/configmaps${query}`;
    const [item] = (await cp.wire.send(path)).json()["items"] as JsonObject[];
    expect(item).not.toHaveProperty("kind");
    const yaml = await cp.wire.send(path, { headers: { Accept: "application/yaml" } });
    expect(yaml.headers["content-type"]).toBe("application/yaml");
    expect(yaml.text).not.toMatch(/kind: ConfigMap\n/);
  });

  test("of another version than the stored one does the same", async () => {
    const hpa = {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "a", namespace: await api.namespace() },
      spec: { maxReplicas: 3, scaleTargetRef: { kind: "Deployment", name: "a", apiVersion: "apps/v1" } },
    };
    await api.create("apis/autoscaling/v2/horizontalpodautoscalers", hpa);
    const path = `/apis/autoscaling/v1/namespaces/${hpa.metadata.namespace}/horizontalpodautoscalers`;
    const { json, text, headers } = await cp.wire.send(path);
    expect(json()).toMatchObject({ kind: "HorizontalPodAutoscalerList", apiVersion: "autoscaling/v1" });
    const [item] = json()["items"] as JsonObject[];
    expect(item).toMatchObject({ metadata: { name: "a" }, spec: { maxReplicas: 3 } });
    expect(item).not.toHaveProperty("kind");
    expect(Number(headers["content-length"])).toBe(Buffer.byteLength(text));
  });
});
