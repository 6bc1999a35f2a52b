import protobufjs from "protobufjs";
import { beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { readEnvelope } from "../../src/api/protobuf/envelope.js";
import { createProtobufCodec } from "../../src/api/protobuf/index.js";
import { define, definition, pathOf, version } from "./support/definitions.js";
import { everyKind, placed, type SampleKind } from "./support/every-kind.js";
import { configMap, metadataOf } from "./support/manifests.js";
import { Api, useControlPlane } from "./support/subject.js";
import type { Answer, WireCall } from "./support/wire.js";

const cp = useControlPlane({ loopback: true });
const api = new Api(() => cp.inProcess);
const codec = createProtobufCodec();
const protobuf = "application/vnd.kubernetes.protobuf";
const json = "application/json";

type Object = JsonObject & { readonly apiVersion: string; readonly kind: string };

const encoded = (object: unknown): Buffer => codec.encode(object as Object);

/** A request in protobuf alone. */
function send(path: string, { headers, ...call }: WireCall = {}): Promise<Answer> {
  const sent = call.body === undefined ? {} : { "Content-Type": protobuf };
  return cp.wire.send(path, { ...call, headers: { Accept: protobuf, ...sent, ...headers } });
}

function decoded(answer: Answer, code = 200): JsonObject {
  expect(answer.headers["content-type"]).toBe(protobuf);
  const object = codec.decode(answer.body);
  expect(answer.code, String(object["message"])).toBe(code);
  return object;
}

let numbers = 50_000;

async function placeOf(sample: SampleKind): Promise<{ collection: string; namespace: string; body: JsonObject }> {
  const namespace = await api.namespace();
  await api.create("api/v1/serviceaccounts", { metadata: { name: "default", namespace } });
  const [root, ...rest] = [sample.path.slice(0, sample.path.lastIndexOf("/")), sample.path.split("/").at(-1)];
  const collection = sample.namespaced ? `/${root}/namespaces/${namespace}/${rest.join("/")}` : `/${sample.path}`;
  return { collection, namespace, body: placed(sample, ++numbers, namespace, { labels: { sample: namespace } }) };
}

describe("objects of every kind in protobuf", () => {
  test.each(everyKind)("are what they are in JSON: $path", async (sample) => {
    const { collection, namespace, body } = await placeOf(sample);
    const made = decoded(await send(collection, { method: "POST", body: encoded(body) }), 201);
    const path = `${collection}/${String(metadataOf(body)["name"])}`;
    const read = async (): Promise<JsonObject> => (await cp.wire.send(path, { headers: { Accept: json } })).json();
    // A definition gets its conditions from the server.
    if (sample.kind === "CustomResourceDefinition")
      await expect.poll(read).toMatchObject({ status: { storedVersions: ["v1"], conditions: [{}, {}] } });
    const asJson = await read();
    if (sample.kind !== "CustomResourceDefinition") expect(made).toEqual(asJson);
    const got = decoded(await send(path));
    expect(got).toEqual(asJson);
    // The same in, the same out: nothing was lost on the way, so nothing is written.
    expect(decoded(await send(path, { method: "PUT", body: encoded(got) }))).toEqual(asJson);

    const list = `${collection}?labelSelector=sample%3D${namespace}`;
    const lists = [decoded(await send(list)), (await cp.wire.send(list, { headers: { Accept: json } })).json()];
    expect(lists[0]).toEqual(lists[1]);
    expect(lists[0]).toMatchObject({ kind: `${sample.kind}List`, items: [{ metadata: metadataOf(asJson) }] });

    const patch = (type: string, change: unknown): Promise<Answer> =>
      send(path, { method: "PATCH", body: JSON.stringify(change), headers: { "Content-Type": type } });
    const annotated = { metadata: { annotations: { by: "merge" } } };
    expect(decoded(await patch("application/merge-patch+json", annotated))).toEqual(await read());
    const { apiVersion, kind } = body;
    const intent = { apiVersion, kind, metadata: { name: metadataOf(body)["name"], annotations: { apply: "1" } } };
    const applied = await send(`${path}?fieldManager=tool`, {
      method: "PATCH",
      body: JSON.stringify(intent),
      headers: { "Content-Type": "application/apply-patch+yaml" },
    });
    const result = decoded(applied);
    expect(result).toEqual(await read());
    expect(result).toMatchObject({ metadata: { annotations: { by: "merge", apply: "1" } } });
  });

  test.each(everyKind)("are watched as they are read: $path", async (sample) => {
    const { collection, namespace, body } = await placeOf(sample);
    const query = `labelSelector=sample%3D${namespace}`;
    const before = decoded(await send(`${collection}?${query}`));
    const { stream } = await cp.wire.open(
      `${collection}?watch=1&${query}&resourceVersion=${String(metadataOf(before)["resourceVersion"])}`,
      { headers: { Accept: `${protobuf};stream=watch` } },
    );
    decoded(await send(collection, { method: "POST", body: encoded(body) }), 201);
    for await (const { type, object } of framesOf(stream)) {
      const path = `${collection}/${String(metadataOf(body)["name"])}?resourceVersion=0`;
      expect(type).toBe("ADDED");
      expect(metadataOf(object)).toMatchObject({ name: metadataOf(body)["name"], labels: { sample: namespace } });
      if (sample.kind !== "CustomResourceDefinition") {
        expect(object).toEqual((await cp.wire.send(path, { headers: { Accept: json } })).json());
      }
      break;
    }
  });
});

/** The events of a watch in protobuf: four bytes of length, then a WatchEvent of its type and the object's bytes. */
async function* framesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<{ type: string; object: JsonObject }> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of stream) {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) {
      const frame = bytes.subarray(4, 4 + bytes.readUInt32BE(0));
      bytes = bytes.subarray(4 + frame.length);
      const typeEnd = 2 + (frame[1] ?? 0);
      // The object is a RawExtension, whose only field is the envelope's bytes.
      const envelope = frame.indexOf("k8s\0");
      yield { type: frame.toString("utf8", 2, typeEnd), object: codec.decode(frame.subarray(envelope)) };
    }
  }
}

describe("answers in protobuf", () => {
  const wrong: { name: string; call: () => Promise<Answer>; code: number; reason: string }[] = [
    {
      name: "what is not there",
      call: () => send("/api/v1/namespaces/default/configmaps/none"),
      code: 404,
      reason: "NotFound",
    },
    {
      name: "a name that is none",
      call: () => send("/api/v1/namespaces/default/configmaps", { method: "POST", body: encoded(configMap("A B")) }),
      code: 422,
      reason: "Invalid",
    },
    {
      name: "a selector that is none",
      call: () => send("/api/v1/configmaps?labelSelector=%28"),
      code: 400,
      reason: "BadRequest",
    },
    {
      name: "bytes that are none of an object",
      call: () => send("/api/v1/namespaces/default/configmaps", { method: "POST", body: Buffer.from("k8s\0nonsense") }),
      code: 400,
      reason: "BadRequest",
    },
    {
      name: "JSON that says it is protobuf",
      call: () =>
        send("/api/v1/namespaces/default/configmaps", { method: "POST", body: JSON.stringify(configMap("a")) }),
      code: 400,
      reason: "BadRequest",
    },
    {
      name: "a patch in protobuf",
      call: () => send("/api/v1/namespaces/default", { method: "PATCH", body: encoded(configMap("a")) }),
      code: 415,
      reason: "UnsupportedMediaType",
    },
  ];
  test.each(wrong)("are a Status too, of $name", async ({ call, code, reason }) => {
    expect(decoded(await call(), code)).toMatchObject({
      apiVersion: "v1",
      kind: "Status",
      status: "Failure",
      code,
      reason,
    });
  });

  test("say what went well: the Status of a delete", async () => {
    const namespace = await api.namespace();
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    await send(path, { method: "POST", body: encoded(configMap("a")) });
    const options = encoded({ apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background" });
    expect(decoded(await send(`${path}/a`, { method: "DELETE", body: options }))).toMatchObject({
      kind: "Status",
      status: "Success",
      details: { name: "a", kind: "configmaps" },
    });
  });

  test.each(["/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1"])(
    "of %s say what they say in JSON",
    async (path) => {
      const inJson = (await cp.wire.send(path, { headers: { Accept: json } })).json();
      for (const accept of [protobuf, `${protobuf},${json}`]) {
        const answer = await cp.wire.send(path, { headers: { Accept: accept } });
        expect([answer.code, answer.headers["content-type"]]).toEqual([200, protobuf]);
        const { apiVersion, kind, raw } = readEnvelope(answer.body);
        expect({ apiVersion, kind }).toEqual({ apiVersion: inJson["apiVersion"] ?? "", kind: inJson["kind"] });
        const message = discovered.lookupType(kind).decode(raw);
        const { apiVersion: _, kind: __, ...rest } = inJson;
        expect(withoutNothing(message.toJSON())).toEqual(withoutNothing(rest));
      }
    },
  );

  test("of /version are JSON, whatever is asked for", async () => {
    expect((await send("/version")).headers["content-type"]).toBe(json);
  });
});

const rows = {
  Address: ["string clientCIDR", "string serverAddress"],
  GroupVersion: ["string groupVersion", "string version"],
  Verbs: ["repeated string items"],
  Resource: [
    "string name",
    "bool namespaced",
    "string kind",
    "Verbs verbs",
    "repeated string shortNames",
    "string singularName",
    "repeated string categories",
    "string group",
    "string version",
    "string storageVersionHash",
  ],
  APIVersions: ["repeated string versions", "repeated Address serverAddressByClientCIDRs"],
  APIGroup: [
    "string name",
    "repeated GroupVersion versions",
    "GroupVersion preferredVersion",
    "repeated Address serverAddressByClientCIDRs",
  ],
  APIGroupList: ["repeated APIGroup groups"],
  APIResourceList: ["string groupVersion", "repeated Resource resources"],
};
const discovered = protobufjs.parse(
  `syntax = "proto3"; ${Object.entries(rows)
    .map(([name, fields]) => `message ${name} { ${fields.map((field, at) => `${field} = ${at + 1};`).join(" ")} }`)
    .join(" ")}`,
  { keepCase: true },
).root;

/** What JSON leaves out, or protobuf has one level deeper. */
function withoutNothing(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNothing);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== "" && each !== false)
      .map(([key, each]) => [key, key === "verbs" && !Array.isArray(each) ? each.items : withoutNothing(each)]),
  );
}

describe("custom resources in protobuf", () => {
  const path = "/apis/plains.example.com/v1/namespaces/default/plains";
  const plain = { apiVersion: "plains.example.com/v1", kind: "Plain", metadata: { name: "a" } };

  beforeAll(async () => {
    await define(api, definition("plains", "Plain", [version("v1", { a: { type: "string" } }, { storage: true })]));
    await api.call("create", pathOf("plains"), { namespace: "default", body: plain });
  });

  test("are not: 406 for who takes nothing else, JSON for who does", async () => {
    const refused = await send(`${path}/a`);
    expect(refused.code).toBe(406);
    expect(refused.text).toContain("only the following media types are accepted: application/json, application/yaml");
    const both = await cp.wire.send(`${path}/a`, { headers: { Accept: `${protobuf},application/json` } });
    expect(both.headers["content-type"]).toBe(json);
    expect(both.json()).toMatchObject(plain);
    const list = await cp.wire.send(path, { headers: { Accept: `${protobuf};q=0.9,application/yaml;q=0.5` } });
    expect(list.headers["content-type"]).toBe("application/yaml");
  });

  test("are not read: 415", async () => {
    const body = encoded(configMap("b"));
    const answer = await cp.wire.send(path, {
      method: "POST",
      body,
      headers: { "Content-Type": protobuf, Accept: json },
    });
    expect(answer.code).toBe(415);
    expect(answer.json()).toMatchObject({
      reason: "UnsupportedMediaType",
      message: expect.stringContaining("application/json"),
    });
  });

  test("have metadata, and may be deleted with options, in protobuf", async () => {
    const accept = `${protobuf};as=PartialObjectMetadata;v=v1;g=meta.k8s.io`;
    const answer = await cp.wire.send(`${path}/a`, { headers: { Accept: accept } });
    expect(codec.decode(answer.body)).toMatchObject({ kind: "PartialObjectMetadata", metadata: { name: "a" } });
  });
});
