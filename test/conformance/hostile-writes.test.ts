import { connect } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { configMap, deployment, metadataOf } from "./support/manifests.js";
import { describeApi, failure, useControlPlane } from "./support/subject.js";
import type { Answer } from "./support/wire.js";

const controlPlane = useControlPlane();
const configMaps = "/api/v1/namespaces/default/configmaps";
const json = { "Content-Type": "application/json" };
const yaml = { "Content-Type": "application/yaml" };

const post = (body: string | Buffer, headers: Readonly<Record<string, string>> = json): Promise<Answer> =>
  controlPlane.wire.send(configMaps, { method: "POST", body, headers });
const messageOf = (answer: Answer): string => String(answer.json()["message"]);
const named = (rest: string): string => `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"h"},${rest}}`;

describe("bodies that mean harm", () => {
  afterEach(async () => {
    // Whatever came, the server goes on.
    expect((await controlPlane.wire.send("/readyz")).text).toBe("ok");
  });

  test.each([
    {
      name: "JSON, 10,000 deep",
      body: named(`"data":${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`),
      message: "exceeded max depth",
    },
    { name: "lists, 100,000 deep", body: "[".repeat(100_000), message: "exceeded max depth" },
    { name: "a lone surrogate", body: named('"data":{"a":"\\ud800"}'), message: "invalid surrogate pair" },
    {
      name: "an integer beyond int64",
      body: named('"data":{"a":92233720368547758080}'),
      message: "cannot unmarshal number",
    },
    {
      name: "text after the object",
      body: `${named('"data":{}')} x`,
      message: "invalid character 'x' after top-level value",
    },
    {
      name: "no end",
      body: '{"apiVersion":',
      message:
        'the object provided is unrecognized (must be of type ConfigMap): couldn\'t get version/kind; json parse error: unexpected end of JSON input ({"apiVersion":)',
    },
    { name: "nothing", body: "", message: "json parse error: unexpected end of JSON input (<empty>)" },
    {
      name: "no JSON at all",
      body: "zzz",
      message: "json parse error: invalid character 'z' looking for beginning of value (7a7a7a)",
    },
  ])("$name", async ({ body, message }) => {
    const answer = await post(body);
    expect(answer.code).toBe(400);
    expect(messageOf(answer)).toContain(message);
  });

  test("invalid UTF-8", async () => {
    const body = Buffer.concat([Buffer.from('{"data":{"a":"'), Buffer.from([0xff]), Buffer.from('"}}')]);
    expect((await post(body)).code).toBe(400);
  });

  test.each([
    {
      name: "aliases of aliases",
      body: `a: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefghij"].map((key, index) => `${key}: &${key} [${Array(9).fill(`*${"abcdefghij"[index]}`).join(",")}]`).join("\n")}`,
    },
    { name: "10,000 levels", body: `${"- ".repeat(10_000)}x` },
    { name: "10,000 brackets", body: "[".repeat(10_000) },
    { name: "an alias of itself", body: "a: &a [*a]" },
  ])("YAML with $name", async ({ body }) => {
    expect((await post(body, yaml)).code).toBe(400);
  });

  test("100 MB: refused by its length, before it came", async () => {
    const { hostname, port } = new URL(controlPlane.cluster.url);
    const { ca, certificate, key } = controlPlane.wire.options;
    const socket = connect({ host: hostname, port: Number(port), ca, cert: certificate, key });
    const head = [
      `POST ${configMaps} HTTP/1.1`,
      "Host: x",
      "Content-Type: application/json",
      `Content-Length: ${100 * 1024 * 1024}`,
      "",
      "{",
    ];
    socket.write(head.join("\r\n"));
    const answer = await new Promise<string>((resolve, reject) => {
      socket.once("data", (data) => resolve(String(data)));
      socket.once("error", reject);
    });
    socket.destroy();
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test("too much without a length", async () => {
    const answer = await post(named(`"data":{"a":"${"x".repeat(4 * 1024 * 1024)}"}`)).catch((error: Error) => error);
    // The server may close before all is sent.
    if (!(answer instanceof Error)) expect(answer.code).toBe(413);
  });

  test.each(["..", ".", "a/b", "a%2fb", "%2e%2e", "a\\b", "A", "-", "a..b", "\u0000", "x".repeat(254)])(
    "a name like %j",
    async (name) => {
      const answer = await post(JSON.stringify(configMap(name)));
      expect(answer.code).toBe(422);
    },
  );

  test.each([`${configMaps}/..%2fsecrets`, `${configMaps}/%2e%2e/secrets/a`, `${configMaps}//a`, `${configMaps}/a%00`])(
    "a path like %s",
    async (path) => {
      const answer = await controlPlane.wire.send(path, { method: "PUT", body: named('"data":{}'), headers: json });
      expect([400, 404, 405]).toContain(answer.code);
    },
  );
});

describeApi("keys that mean harm", controlPlane, (api) => {
  const poison = JSON.parse('{"__proto__":{"polluted":"yes"},"constructor":"c","prototype":"p"}') as object;
  const clean = (): void => expect(({} as { polluted?: string }).polluted).toBeUndefined();

  test.each(["merge", "strategic", "apply", "json"] as const)(
    "reach no prototype through a %s patch",
    async (patchType) => {
      const namespace = await api.namespace();
      await api.create("api/v1/configmaps", configMap("a", { metadata: { namespace } }), {
        options: { fieldManager: "x" },
      });
      const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } };
      const bodies: Readonly<Record<typeof patchType, unknown>> = {
        merge: { ...poison, metadata: { labels: { constructor: "c" }, annotations: poison } },
        strategic: { metadata: { labels: { constructor: "c" } }, data: poison },
        apply: { ...object, data: { constructor: "c", prototype: "p" } },
        json: [
          { op: "add", path: "/data", value: {} },
          { op: "add", path: "/data/constructor", value: "c" },
          { op: "add", path: "/__proto__/polluted", value: "yes" },
        ],
      };
      const options = { fieldManager: "m" };
      const attempt = api.call("patch", "api/v1/configmaps", {
        namespace,
        name: "a",
        patchType,
        body: bodies[patchType],
        options,
      });
      await attempt.catch(() => {});
      clean();
      expect((await api.call("get", "api/v1/configmaps", { namespace, name: "a" }))["kind"]).toBe("ConfigMap");
    },
  );

  test("are data in data", async () => {
    const namespace = await api.namespace();
    const data = JSON.parse('{"__proto__":"x","constructor":"y"}') as object;
    const made = await api.create("api/v1/configmaps", configMap("a", { metadata: { namespace }, data }));
    expect(Object.entries(made["data"] as object).sort()).toEqual(Object.entries(data).sort());
    clean();
  });

  test("are properties like any other in a schema", async () => {
    const properties = JSON.parse('{"__proto__":{"type":"string"},"constructor":{"type":"integer"}}') as object;
    const spec = { type: "object", properties };
    const name = `evils${(await api.namespace()).replace(/\D/g, "")}`;
    const given = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `${name}.evil.example.com` },
      spec: {
        group: "evil.example.com",
        scope: "Cluster",
        names: { plural: name, kind: `Evil${name}` },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", properties: { spec } } },
          },
        ],
      },
    };
    await api.create("apis/apiextensions.k8s.io/v1/customresourcedefinitions", given).catch(() => {});
    clean();
  });

  test("cannot run up work: operations on long lists, copies of copies", async () => {
    const namespace = await api.namespace();
    const path = "apis/apps/v1/deployments";
    await api.create(path, deployment("d", { metadata: { namespace } }));
    const copies = [
      { op: "add", path: "/metadata/annotations", value: { a: "x".repeat(1000) } },
      ...Array.from({ length: 30 }, (_, index) => ({
        op: "copy",
        from: "/metadata",
        path: `/metadata/annotations/k${index}`,
      })),
    ];
    const status = await failure(api.call("patch", path, { namespace, name: "d", patchType: "json", body: copies }));
    expect(status.code).toBe(422);
    expect(metadataOf(await api.call("get", path, { namespace, name: "d" }))["generation"]).toBe(1);
  });
});

describe("text of bodies", () => {
  test("that comes twice or that nobody knows is told of in the order of the text", async () => {
    const body =
      '{"zip":1,"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"t","name":"u"},"data":{"a":"1","a":"2"}}';
    const strict = await controlPlane.wire.send(`${configMaps}?fieldValidation=Strict`, {
      method: "POST",
      body,
      headers: json,
    });
    expect(strict.code).toBe(400);
    expect(messageOf(strict)).toBe(
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "zip", duplicate field "metadata.name", duplicate field "data.a"',
    );
    const warned = await post(body);
    expect(warned.code).toBe(201);
    expect(warned.headers["warning"]).toBe(
      '299 - "unknown field \\"zip\\"", 299 - "duplicate field \\"metadata.name\\"", 299 - "duplicate field \\"data.a\\""',
    );
    expect(warned.json()).toMatchObject({ metadata: { name: "u" }, data: { a: "2" } });
    const ignored = await controlPlane.wire.send(`${configMaps}/u?fieldValidation=Ignore`, {
      method: "PUT",
      body: body.replaceAll('"t"', '"u"'),
      headers: json,
    });
    expect(ignored.headers).not.toHaveProperty("warning");
  });

  test("in YAML is told of in YAML's words, line by line in warnings", async () => {
    const body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yam}\ndata:\n  a: b\n  a: c\nzip: 1\n";
    const strict = await controlPlane.wire.send(`${configMaps}?fieldValidation=Strict`, {
      method: "POST",
      body,
      headers: yaml,
    });
    expect(messageOf(strict)).toBe(
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: yaml: unmarshal errors:\n  line 6: key "a" already set in map, unknown field "zip"',
    );
    const warned = await post(body, yaml);
    expect(warned.headers["warning"]).toBe(
      '299 - "line 6: key \\"a\\" already set in map", 299 - "unknown field \\"zip\\""',
    );
    const apply = {
      method: "PATCH",
      headers: { "Content-Type": "application/apply-patch+yaml" },
      body: body.replace("zip: 1\n", ""),
    };
    const refused = await controlPlane.wire.send(
      `${configMaps}/yam?fieldManager=m&force=true&fieldValidation=Strict`,
      apply,
    );
    expect(messageOf(refused)).toBe(
      'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 6: key "a" already set in map',
    );
    const applied = await controlPlane.wire.send(`${configMaps}/yam?fieldManager=m&force=true`, apply);
    expect(applied.headers["warning"]).toBe('299 - "line 6: key \\"a\\" already set in map"');
  });

  test("of patches is told of by what it is", async () => {
    await post(JSON.stringify(configMap("p", { data: { a: "1" } })));
    const send = (type: string, body: string, query = ""): Promise<Answer> =>
      controlPlane.wire.send(`${configMaps}/p${query}`, {
        method: "PATCH",
        body,
        headers: { "Content-Type": `application/${type}` },
      });
    expect(messageOf(await send("json-patch+json", "["))).toBe("error decoding patch: unexpected end of JSON input");
    expect(messageOf(await send("merge-patch+json", "["))).toBe("error decoding patch: unexpected end of JSON input");
    expect(messageOf(await send("strategic-merge-patch+json", "["))).toBe("unexpected end of JSON input");
    expect(
      (await send("json-patch+json", '[{"op":"test","path":"/data/a","value":"1","why":0}]')).headers["warning"],
    ).toBe('299 - "json patch unknown field \\"[0].why\\""');
    expect((await send("merge-patch+json", '{"data":{"b":"1","b":"2"},"zip":1}')).headers["warning"]).toBe(
      '299 - "duplicate field \\"data.b\\"", 299 - "unknown field \\"zip\\""',
    );
    expect((await send("json", "{}")).code).toBe(415);
  });

  test("owner references that are there twice are warned of", async () => {
    const owner = { apiVersion: "v1", kind: "ConfigMap", name: "o", uid: "u1" };
    const answer = await post(JSON.stringify(configMap("owned", { metadata: { ownerReferences: [owner, owner] } })));
    expect(answer.headers["warning"]).toBe(
      '299 - ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: u1"',
    );
  });

  test("answers say 201 for what was made, and 200 for what was changed", async () => {
    const apply = (): Promise<Answer> =>
      controlPlane.wire.send(`${configMaps}/codes?fieldManager=m`, {
        method: "PATCH",
        body: JSON.stringify(configMap("codes")),
        headers: { "Content-Type": "application/apply-patch+yaml" },
      });
    expect((await apply()).code).toBe(201);
    expect((await apply()).code).toBe(200);
    const leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases/codes";
    const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "codes" } };
    const put = (body: unknown): Promise<Answer> =>
      controlPlane.wire.send(leases, { method: "PUT", body: JSON.stringify(body), headers: json });
    const made = await put(lease);
    expect(made.code).toBe(201);
    expect((await put(made.json())).code).toBe(200);
    // Whoever wants dependents to go first is told that the deletion goes on.
    const held = configMap("held", { metadata: { finalizers: ["example.com/hold"] } });
    await post(JSON.stringify(held));
    const remove = (options: object): Promise<Answer> =>
      controlPlane.wire.send(`${configMaps}/held`, { method: "DELETE", body: JSON.stringify(options), headers: json });
    expect((await remove({})).code).toBe(200);
    expect((await remove({ orphanDependents: false })).code).toBe(202);
  });

  test("the user agent names the manager, up to 128 bytes of what can be printed", async () => {
    const headers = { ...json, "User-Agent": `${Buffer.from("w\u00e9rker").toString("latin1")}/1.0 (x)` };
    // As bytes: text would make Node encode the headers like the body.
    const answer = await post(Buffer.from(JSON.stringify(configMap("agent", { data: { a: "b" } }))), headers);
    expect(metadataOf(answer.json())["managedFields"]).toMatchObject([{ manager: "wérker", operation: "Update" }]);
  });
});
