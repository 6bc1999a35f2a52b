import { gunzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import type { JsonObject } from "../../src/api/index.js";
import { configMap } from "./support/objects.js";
import { Api, useControlPlane } from "./support/subject.js";
import type { Answer } from "./support/wire.js";

const cp = useControlPlane();
const api = new Api(() => cp.https);
let namespace = "";
let list = "";
let one = "";

beforeAll(async () => {
  namespace = await api.namespace();
  list = `/api/v1/namespaces/${namespace}/configmaps`;
  one = `${list}/a`;
  await api.create("api/v1/configmaps", configMap(namespace, "a", { key: "value" }));
  await api.create("api/v1/configmaps", configMap(namespace, "b"));
});

const get = (path: string, accept: string, more: Record<string, string> = {}): Promise<Answer> =>
  cp.wire.send(path, { headers: { Accept: accept, ...more } });
const table = "application/json;as=Table;v=v1;g=meta.k8s.io";
const protobuf = "application/vnd.kubernetes.protobuf";
const allTypes = `application/json, application/yaml, ${protobuf}`;

describe("a Table", () => {
  test("of a list that is streamed does not exist, other forms do", async () => {
    const options = {
      watch: "true",
      sendInitialEvents: "true",
      resourceVersionMatch: "NotOlderThan",
      timeoutSeconds: "1",
    };
    const path = `${list}?${new URLSearchParams({ ...options, allowWatchBookmarks: "true" })}`;
    const { code, json } = await get(path, table);
    expect([code, json()["reason"]]).toEqual([406, "NotAcceptable"]);
    const { text } = await get(path, `${table},application/json`);
    expect(text).toContain('"type":"ADDED","object":{"kind":"ConfigMap"');
    expect(text).not.toContain('"kind":"Table"');
  });

  test.each([
    ["a review", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"],
    ["a binding", "/api/v1/namespaces/default/pods/none/binding"],
    ["a token", "/api/v1/namespaces/default/serviceaccounts/default/token"],
  ])("of %s does not exist: it is no object that is kept", async (_, path) => {
    const body = Buffer.from(JSON.stringify({ spec: { nonResourceAttributes: { path: "/", verb: "get" } } }));
    const headers = { Accept: table, "Content-Type": "application/json" };
    const { code, json } = await cp.wire.send(path, { method: "POST", headers, body });
    const message = `only the following media types are accepted: ${allTypes}`;
    expect([code, json()["reason"], json()["message"]]).toEqual([406, "NotAcceptable", message]);
    const either = await cp.wire.send(path, {
      method: "POST",
      headers: { ...headers, Accept: `${table},application/json` },
      body,
    });
    expect(either.json()["kind"]).not.toBe("Table");
  });

  test.each(["v1", "v1beta1"])("of meta.k8s.io/%s has cells and the metadata of each object", async (version) => {
    const { code, headers, json } = await get(list, `application/json;as=Table;v=${version};g=meta.k8s.io`);
    expect([code, headers["content-type"]]).toEqual([200, "application/json"]);
    const answer = json();
    expect(Object.keys(answer)).toEqual(["kind", "apiVersion", "metadata", "columnDefinitions", "rows"]);
    expect(answer).toMatchObject({
      kind: "Table",
      apiVersion: `meta.k8s.io/${version}`,
      metadata: { resourceVersion: expect.any(String) },
      columnDefinitions: [
        { name: "Name", type: "string", format: "name", priority: 0 },
        { name: "Data" },
        { name: "Age" },
      ],
    });
    const [row] = answer["rows"] as JsonObject[];
    expect(row).toEqual({
      cells: ["a", 1, expect.any(String)],
      object: {
        kind: "PartialObjectMetadata",
        apiVersion: `meta.k8s.io/${version}`,
        metadata: expect.objectContaining({ name: "a", namespace }),
      },
    });
  });

  test("has whole objects, which say what they are, or none", async () => {
    const rows = async (include: string): Promise<JsonObject[]> =>
      (await get(`${list}?includeObject=${include}`, table)).json()["rows"] as JsonObject[];
    expect((await rows("Object"))[0]?.["object"]).toMatchObject({
      kind: "ConfigMap",
      apiVersion: "v1",
      data: { key: "value" },
    });
    expect((await rows("None"))[0]).toEqual({ cells: ["a", 1, expect.any(String)], object: null });
    expect(await rows("")).toEqual(await rows("Metadata"));
  });

  test("refuses another includeObject", async () => {
    const { code, json } = await get(`${list}?includeObject=All`, table);
    expect([code, json()["message"]]).toEqual([
      400,
      "Unable to convert to Table as requested: includeObject: Invalid value: \"All\": must be 'Metadata', 'Object', 'None', or empty",
    ]);
  });

  test("of one object has one row and its resourceVersion; of nothing none", async () => {
    const single = (await get(one, table)).json();
    const object = await api.call("get", "api/v1/configmaps", { namespace, name: "a" });
    expect(single).toMatchObject({
      metadata: { resourceVersion: (object["metadata"] as JsonObject)["resourceVersion"] },
      rows: [{ cells: ["a", 1, expect.any(String)] }],
    });
    const empty = (await get(`/api/v1/namespaces/${namespace}/secrets`, table)).json();
    expect(empty["rows"]).toEqual([]);
    expect((empty["columnDefinitions"] as JsonObject[]).map(({ name }) => name)).toEqual([
      "Name",
      "Type",
      "Data",
      "Age",
    ]);
  });

  test("goes on where a list in pieces does", async () => {
    const first = (await get(`${list}?limit=1`, table)).json();
    const { continue: token, remainingItemCount } = first["metadata"] as JsonObject;
    expect([(first["rows"] as JsonObject[]).length, remainingItemCount]).toEqual([1, 1]);
    const next = (await get(`${list}?limit=1&continue=${token}`, table)).json();
    expect((next["rows"] as JsonObject[])[0]?.["cells"]).toEqual(["b", 0, expect.any(String)]);
  });

  test("has a YAML form and no protobuf form", async () => {
    const yaml = await get(list, "application/yaml;as=Table;v=v1;g=meta.k8s.io");
    expect(yaml.headers["content-type"]).toBe("application/yaml");
    expect(parseYaml(yaml.text)).toMatchObject({ kind: "Table", rows: [{}, {}] });
    expect((await get(list, `${protobuf};as=Table;v=v1;g=meta.k8s.io`)).code).toBe(406);
    const either = await get(list, `${protobuf};as=Table;v=v1;g=meta.k8s.io,${table}`);
    expect(either.json()["kind"]).toBe("Table");
  });

  test("of what is not there is a Status", async () => {
    const { code, json } = await get(`${list}/none`, table);
    expect([code, json()["kind"]]).toEqual([404, "Status"]);
  });
});

describe("metadata alone", () => {
  const as = (kind: string, version = "v1"): string => `application/json;as=${kind};v=${version};g=meta.k8s.io`;

  test.each(["v1", "v1beta1"])("of one object, in meta.k8s.io/%s", async (version) => {
    const answer = (await get(one, as("PartialObjectMetadata", version))).json();
    expect(Object.keys(answer)).toEqual(["kind", "apiVersion", "metadata"]);
    expect(answer).toMatchObject({
      kind: "PartialObjectMetadata",
      apiVersion: `meta.k8s.io/${version}`,
      metadata: { name: "a", namespace, uid: expect.any(String) },
    });
  });

  test("of a list", async () => {
    expect((await get(list, as("PartialObjectMetadataList"))).json()).toMatchObject({
      kind: "PartialObjectMetadataList",
      apiVersion: "meta.k8s.io/v1",
      metadata: { resourceVersion: expect.any(String) },
      items: [
        { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: { name: "a" } },
        { metadata: { name: "b" } },
      ],
    });
  });

  const wrong = [
    { name: "a list as one object", path: () => list, kind: "PartialObjectMetadata" },
    { name: "one object as a list", path: () => one, kind: "PartialObjectMetadataList" },
  ];
  test.each(wrong)("refuses $name", async ({ path, kind }) => {
    const { code, json } = await get(path(), as(kind));
    const message =
      kind === "PartialObjectMetadata"
        ? "you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)"
        : "you requested PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)";
    expect([code, json()["reason"], json()["message"]]).toEqual([406, "NotAcceptable", message]);
  });

  test("has a protobuf form", async () => {
    const { code, headers, body } = await get(list, `${protobuf};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io`);
    expect([code, headers["content-type"]]).toEqual([200, protobuf]);
    expect(body.subarray(0, 4).toString("latin1")).toBe("k8s\0");
  });
});

describe("what is accepted", () => {
  const formats: { name: string; accept: string; type: string }[] = [
    { name: "anything", accept: "*/*", type: "application/json" },
    { name: "any application", accept: "application/*", type: "application/json" },
    { name: "YAML", accept: "application/yaml", type: "application/yaml" },
    { name: "protobuf", accept: protobuf, type: protobuf },
    { name: "the first of two that are alike", accept: "application/yaml,application/json", type: "application/yaml" },
    {
      name: "the better by quality",
      accept: "application/json;q=0.5,application/yaml;q=0.8",
      type: "application/yaml",
    },
    { name: "what is named before what is not", accept: "*/*,application/yaml", type: "application/yaml" },
    { name: "the first that there is", accept: "text/html,application/xml;q=0.9,*/*;q=0.8", type: "application/json" },
    {
      name: "an unknown form only where there is no other",
      accept: "application/json;as=Chart;v=v1;g=meta.k8s.io,application/yaml",
      type: "application/yaml",
    },
    { name: "a charset", accept: "application/json;charset=utf-8", type: "application/json" },
  ];
  test.each(formats)("$name", async ({ accept, type }) => {
    const { code, headers } = await get(one, accept);
    expect([code, headers["content-type"]]).toEqual([200, type]);
  });

  test.each(["text/html", "application/xml", "application/json;as=Chart;v=v1;g=meta.k8s.io", "nonsense"])(
    "%s is not",
    async (accept) => {
      const { code, headers, json } = await get(one, accept);
      expect([code, headers["content-type"]]).toEqual([406, "application/json"]);
      expect(json()).toEqual({
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Failure",
        message: `only the following media types are accepted: ${allTypes}`,
        reason: "NotAcceptable",
        code: 406,
      });
    },
  );

  test("of a body is JSON, YAML and protobuf", async () => {
    const headers = { "Content-Type": "text/plain" };
    const { code, json } = await cp.wire.send(list, { method: "POST", headers, body: "{}" });
    expect(code).toBe(415);
    expect(json()).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: `the body of the request was in an unknown format - accepted media types include: ${allTypes}`,
      reason: "UnsupportedMediaType",
      code: 415,
    });
  });
});

describe("the form of an answer", () => {
  test("is dense for programs, and ends with a line feed", async () => {
    const { text, headers, json } = await get(one, "application/json");
    expect(text).toBe(`${JSON.stringify(json())}\n`);
    expect(headers["content-length"]).toBe(String(Buffer.byteLength(text)));
  });

  const dressed: { name: string; query: string; agent?: string; pretty: boolean }[] = [
    { name: "pretty=true", query: "?pretty=true", pretty: true },
    { name: "pretty=1", query: "?pretty=1", pretty: true },
    { name: "pretty=false for curl", query: "?pretty=false", agent: "curl/8.0", pretty: false },
    { name: "pretty=yes, which is no boolean", query: "?pretty=yes", pretty: false },
    { name: "curl", query: "", agent: "curl/8.0", pretty: true },
    { name: "Wget", query: "", agent: "Wget/1.2", pretty: true },
    { name: "a browser", query: "", agent: "Mozilla/5.0 (X11)", pretty: true },
    { name: "kubectl", query: "", agent: "kubectl/v1.36", pretty: false },
  ];
  test.each(dressed)("with $name: pretty is $pretty", async ({ query, agent = "x", pretty }) => {
    for (const path of [one, list]) {
      const { text, json } = await get(`${path}${query}`, "application/json", { "User-Agent": agent });
      expect(text).toBe(`${JSON.stringify(json(), null, pretty ? 2 : undefined)}\n`);
    }
  });

  test("is pretty where the type says so", async () => {
    expect((await get(one, "application/json;pretty=1")).text).toMatch(/^\{\n {2}"kind": "ConfigMap",\n/);
  });

  test("never has a selfLink", async () => {
    expect((await get(list, "application/json")).text).not.toContain("selfLink");
  });

  test("is a Status in YAML also where nothing was looked at yet", async () => {
    const unknown = await get("/api/v1/things", "application/yaml");
    expect([unknown.code, unknown.headers["content-type"]]).toEqual([404, "application/yaml"]);
    expect(parseYaml(unknown.text)).toMatchObject({ kind: "Status", reason: "NotFound" });
    const headers = { Accept: "application/yaml", Authorization: "Bearer bad" };
    const refused = await cp.wire.send(one, { anonymous: true, headers });
    expect([refused.code, refused.headers["content-type"]]).toEqual([401, "application/yaml"]);
  });

  test("is a Status in YAML or protobuf too, where that was asked for", async () => {
    const yaml = await get(`${list}/none`, "application/yaml");
    expect([yaml.code, yaml.headers["content-type"]]).toEqual([404, "application/yaml"]);
    expect(parseYaml(yaml.text)).toMatchObject({ kind: "Status", reason: "NotFound" });
    const binary = await get(`${list}/none`, protobuf);
    expect([binary.code, binary.headers["content-type"]]).toEqual([404, protobuf]);
    expect(binary.body.subarray(0, 4).toString("latin1")).toBe("k8s\0");
  });
});

describe("compression", () => {
  beforeAll(async () => {
    const big = configMap(namespace, "big", { key: "x".repeat(200_000) });
    await api.create("api/v1/configmaps", big);
  });

  test.each(["gzip", "deflate, gzip", "gzip, br"])("of a large answer for whoever accepts %s", async (encoding) => {
    for (const path of [list, `${list}/big`]) {
      const plain = await get(path, "application/json");
      const packed = await get(path, "application/json", { "Accept-Encoding": encoding });
      expect([packed.headers["content-encoding"], packed.headers["vary"]]).toEqual(["gzip", "Accept-Encoding"]);
      expect(packed.body.length).toBeLessThan(10_000);
      expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
    }
  });

  test("not of a small one, nor for others", async () => {
    expect((await get(one, "application/json", { "Accept-Encoding": "gzip" })).headers).not.toHaveProperty(
      "content-encoding",
    );
    expect((await get(list, "application/json", { "Accept-Encoding": "br" })).headers).not.toHaveProperty(
      "content-encoding",
    );
  });
});
