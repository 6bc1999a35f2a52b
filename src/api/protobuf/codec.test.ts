import { describe, expect, it } from "vitest";
import { messages } from "../gen/protobuf.js";
import { seeded } from "../random-objects.fixture.js";
import { createProtobufCodec } from "./codec.js";
import { readMessage } from "./decode.js";
import { MessageTable } from "./message.js";
import { randomMessage } from "./random-message.fixture.js";
import { WireReader } from "./wire-reader.js";

const codec = createProtobufCodec();

/** `0a 03 "web"`: bytes in hex, texts in quotes. */
function bytes(text: string): Buffer {
  const parts = text.match(/"[^"]*"|[0-9a-f]{2}/g) ?? [];
  return Buffer.concat(
    parts.map((part) => (part.startsWith('"') ? Buffer.from(part.slice(1, -1)) : Buffer.from(part, "hex"))),
  );
}

function prefixed(tag: string, value: Buffer): Buffer {
  expect(value.length).toBeLessThan(128);
  return Buffer.concat([bytes(tag), Buffer.from([value.length]), value]);
}

function envelope(apiVersion: string, kind: string, raw: Buffer): Buffer {
  const type = Buffer.concat([prefixed("0a", Buffer.from(apiVersion)), prefixed("12", Buffer.from(kind))]);
  return Buffer.concat([bytes('"k8s" 00'), prefixed("0a", type), prefixed("12", raw), bytes("1a 00 22 00")]);
}

interface Vector {
  readonly name: string;
  readonly object: { readonly apiVersion: string; readonly kind: string; readonly [key: string]: unknown };
  readonly raw: string;
}

// Each derived by hand from the field numbers of the .proto files.
const vectors: readonly Vector[] = [
  {
    name: "a pod with a map, a time and a quantity",
    object: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "web", namespace: "a", creationTimestamp: "2024-01-01T00:00:00Z", labels: { a: "1", b: "2" } },
      spec: { containers: [{ name: "c", image: "i", resources: { limits: { cpu: "500m" } } }], hostNetwork: true },
    },
    raw: `0a 22  0a 03 "web"  1a 01 "a"  42 08 08 80 81 c8 ac 06 10 00
            5a 06 0a 01 "a" 12 01 "1"  5a 06 0a 01 "b" 12 01 "2"
          12 1b  12 17 0a 01 "c" 12 01 "i" 42 0f 0a 0d 0a 03 "cpu" 12 06 0a 04 "500m"  58 01`,
  },
  {
    name: "numbers and names of ports",
    object: {
      apiVersion: "v1",
      kind: "Service",
      spec: {
        ports: [
          { port: 80, targetPort: 8080 },
          { port: 81, targetPort: "http" },
        ],
      },
    },
    raw: `12 1d  0a 0b 18 50 22 07 08 00 10 90 3f 1a 00
                 0a 0e 18 51 22 0a 08 01 10 00 1a 04 "http"`,
  },
  {
    name: "a micro time",
    object: { apiVersion: "coordination.k8s.io/v1", kind: "Lease", spec: { renewTime: "1970-01-01T00:00:01.000002Z" } },
    raw: "12 07 22 05 08 01 10 d0 0f",
  },
  {
    name: "bytes",
    object: { apiVersion: "v1", kind: "Secret", data: { k: "AQI=" } },
    raw: '12 07 0a 01 "k" 12 02 01 02',
  },
  {
    name: "fields that JSON has one level higher",
    object: { apiVersion: "v1", kind: "Pod", spec: { volumes: [{ name: "v", emptyDir: {} }] } },
    raw: '12 09 0a 07 0a 01 "v" 12 02 12 00',
  },
  {
    name: "a negative number in ten bytes",
    object: { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", value: -1 },
    raw: "10 ff ff ff ff ff ff ff ff ff 01",
  },
  {
    name: "JSON in bytes",
    object: { apiVersion: "apps/v1", kind: "ControllerRevision", data: { a: 1 }, revision: 2 },
    raw: "12 09 0a 07 7b 22 61 22 3a 31 7d 18 02",
  },
  {
    name: "lists of strings in a map",
    object: {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenReview",
      status: { authenticated: true, user: { extra: { k: ["a", "b"] } } },
    },
    raw: '1a 11  08 01  12 0d 22 0b 0a 01 "k" 12 06 0a 01 "a" 0a 01 "b"',
  },
];

describe("the wire form", () => {
  it.each(vectors)("is upstream's for $name", ({ object, raw }) => {
    const expected = envelope(object.apiVersion, object.kind, bytes(raw));
    expect(codec.encode(object).toString("hex")).toBe(expected.toString("hex"));
    expect(codec.decode(expected)).toEqual(object);
  });

  it("frames watch events by their length", () => {
    expect(codec.frame("ADDED", bytes("01 02"))).toEqual(bytes('00 00 00 0d 0a 05 "ADDED" 12 04 0a 02 01 02'));
  });

  it("makes a list of items that were encoded before", () => {
    const items = ["a", "b"].map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } }));
    const list = { apiVersion: "v1", kind: "NamespaceList", metadata: { resourceVersion: "7" } };
    const parts = items.map((item) => codec.encodeItem(item));
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    const joined = Buffer.concat([codec.listHead(list, size), ...parts, codec.listTail]);
    expect(joined).toEqual(codec.encode({ ...list, items } as Vector["object"]));
    const metadataOnly = items.map(({ metadata }) => ({ metadata }));
    expect(codec.decode(joined)).toEqual({ ...list, items: metadataOnly });
  });
});

describe("decoding", () => {
  const pod = (raw: string): unknown => codec.decode(envelope("v1", "Pod", bytes(raw)));

  it.each([
    { name: "drops zeros that say nothing", raw: "12 04 58 00 1a 00", is: { spec: {} } },
    {
      name: "keeps zeros that say something",
      raw: "12 03 a8 01 00",
      is: { spec: { automountServiceAccountToken: false } },
    },
  ])("$name", ({ raw, is }) => {
    expect(pod(raw)).toEqual({ apiVersion: "v1", kind: "Pod", ...is });
  });

  it("keeps what is required, and replicas of zero", () => {
    expect(pod('1a 09 42 07 0a 01 "c" 20 00 28 00')).toMatchObject({
      status: { containerStatuses: [{ name: "c", ready: false, restartCount: 0 }] },
    });
    expect(codec.decode(envelope("apps/v1", "Deployment", bytes("12 02 08 00")))).toMatchObject({
      spec: { replicas: 0 },
    });
  });

  it.each([
    {
      id: "core.v1.PodSpec",
      told: ["priority", "enableServiceLinks"],
      untold: ["hostNetwork", "nodeName", "hostname"],
    },
    { id: "core.v1.PersistentVolumeClaimSpec", told: ["storageClassName", "volumeMode"], untold: ["volumeName"] },
    { id: "core.v1.Container", told: ["name", "restartPolicy"], untold: ["image", "tty", "workingDir"] },
    { id: "core.v1.ContainerPort", told: ["containerPort"], untold: ["hostPort", "protocol"] },
    { id: "core.v1.ServicePort", told: ["port", "appProtocol"], untold: ["targetPort", "nodePort"] },
    { id: "core.v1.Probe", told: ["terminationGracePeriodSeconds"], untold: ["initialDelaySeconds", "timeoutSeconds"] },
    { id: "core.v1.SecretKeySelector", told: ["key", "optional"], untold: [] },
    { id: "batch.v1.JobSpec", told: ["suspend", "parallelism", "backoffLimit"], untold: [] },
    { id: "apps.v1.DeploymentSpec", told: ["replicas"], untold: ["paused", "minReadySeconds"] },
    { id: "meta.v1.ObjectMeta", told: ["deletionGracePeriodSeconds"], untold: ["name", "generation"] },
    { id: "meta.v1.Preconditions", told: ["uid", "resourceVersion"], untold: [] },
    { id: "policy.v1.PodDisruptionBudgetSpec", told: ["minAvailable", "maxUnavailable"], untold: [] },
  ])("knows what zero says in $id", ({ id, told, untold }) => {
    const fields = new MessageTable(messages).get(id)?.fields ?? [];
    const keeps = (name: string): unknown => fields.find((field) => field.name === name)?.keepsZero;
    expect(told.map(keeps)).toEqual(told.map(() => true));
    expect(untold.map(keeps)).toEqual(untold.map(() => false));
  });

  it("leaves out a time that is not set", () => {
    expect(pod("0a 02 42 00")).toEqual({ apiVersion: "v1", kind: "Pod", metadata: {} });
  });

  it("skips fields and groups that nobody knows, and joins messages that come in parts", () => {
    expect(pod('a3 3e 08 01 a4 3e  0a 03 0a 01 "a"  0a 03 1a 01 "b" f9 7f 01 02 03 04 05 06 07 08')).toEqual({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "a", namespace: "b" },
    });
  });

  it("takes packed numbers", () => {
    // supplementalGroups, field 4 of the security context, field 14 of the spec.
    expect(pod("12 07 72 05 22 03 01 ac 02")).toMatchObject({
      spec: { securityContext: { supplementalGroups: [1, 300] } },
    });
  });

  it("takes the kind that is expected where the envelope says none, and DeleteOptions of every group", () => {
    const unnamed = bytes('"k8s" 00 12 02 08 00');
    expect(codec.decode(unnamed, { apiVersion: "v1", kind: "DeleteOptions" })).toEqual({
      apiVersion: "v1",
      kind: "DeleteOptions",
      gracePeriodSeconds: 0,
    });
    expect(codec.decode(envelope("apps/v1", "DeleteOptions", bytes('22 0a "Background"')))).toMatchObject({
      propagationPolicy: "Background",
    });
  });

  it("does not change prototypes", () => {
    const value = pod('0a 14 5a 12 0a 09 "__proto__" 12 05 "owned"') as { metadata: { labels: object } };
    expect(Object.getPrototypeOf(value.metadata.labels)).toBe(Object.prototype);
    expect(Object.keys(value.metadata.labels)).toEqual(["__proto__"]);
  });
});

describe("hostile input", () => {
  const raw = (text: string): Buffer => envelope("v1", "Pod", bytes(text));
  /** A schema whose `not`, field 28, has a `not`, and so on. */
  const deep = (levels: number): Buffer => {
    let schema = Buffer.alloc(0);
    for (let level = 0; level < levels; level++) {
      const { length } = schema;
      const size = length < 128 ? [length] : [(length & 127) | 128, length >> 7];
      schema = Buffer.concat([Buffer.from([0xe2, 0x01, ...size]), schema]);
    }
    return schema;
  };

  it.each([
    { name: "nothing", body: Buffer.alloc(0), message: "empty data" },
    {
      name: "JSON",
      body: Buffer.from("{}"),
      message: "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
    },
    { name: "a length beyond the body", body: bytes('"k8s" 00 12 ff ff ff ff 0f'), message: "unexpected EOF" },
    { name: "a length beyond its message", body: raw("0a 02 0a 7f"), message: "unexpected EOF" },
    { name: "a number that never ends", body: raw(`58 ${"ff ".repeat(12)}`), message: "proto: integer overflow" },
    { name: "a number that is cut off", body: raw("12 02 58 80"), message: "unexpected EOF" },
    { name: "field number zero", body: raw("02 00"), message: "proto: illegal tag 0 (wire type 2)" },
    { name: "the wrong wire type", body: raw("08 01"), message: "proto: wrong wireType = 0 for field metadata" },
    { name: "an illegal wire type", body: raw("a7 3e"), message: "proto: illegal wireType 7" },
    { name: "an end without a group", body: raw("a4 3e"), message: "proto: wiretype end group for non-group" },
    { name: "text that is not UTF-8", body: raw("0a 04 0a 02 c3 28"), message: "proto: invalid UTF-8 in a string" },
    {
      name: "a number beyond 2^53",
      body: raw("12 0a 20 ff ff ff ff ff ff ff ff 7f"),
      message: "proto: integer 9223372036854775807 is beyond 2^53",
    },
    { name: "a time beyond all years", body: raw("0a 0a 42 08 08 ff ff ff ff ff ff 03"), message: /out of range/ },
    {
      name: "a kind that nobody knows",
      body: envelope("v1", "Pot", Buffer.alloc(0)),
      message: 'no kind "Pot" is registered for version "v1"',
    },
    {
      name: "a definition that is no kind",
      body: envelope("v1", "PodSpec", Buffer.alloc(0)),
      message: /no kind "PodSpec"/,
    },
    {
      name: "groups in groups",
      body: Buffer.concat([bytes('"k8s" 00'), Buffer.alloc(5000, 0x5b)]),
      message: "exceeded max depth",
    },
  ])("refuses $name", ({ body, message }) => {
    expect(() => codec.decode(body)).toThrowError(expect.objectContaining({ name: "DecodeError" }));
    expect(() => codec.decode(body)).toThrowError(message);
  });

  it("refuses messages that nest too deep", () => {
    const type = new MessageTable(messages).get("apiextensions.v1.JSONSchemaProps");
    if (type === undefined) throw new Error("no schemas");
    expect(() => readMessage(new WireReader(deep(90)), type, {})).not.toThrow();
    expect(() => readMessage(new WireReader(deep(120)), type, {})).toThrowError("exceeded max depth");
  });

  it("reads any bytes or says why not", () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const next = seeded(seed);
    const type = new MessageTable(messages).get("core.v1.Pod");
    if (type === undefined) throw new Error("no pods");
    for (let round = 0; round < 300; round++) {
      const body = codec.encode({ apiVersion: "v1", kind: "Pod", ...randomMessage(next, type, 4) });
      for (let flips = 1 + next(4); flips > 0; flips--) body[4 + next(body.length - 4)] = next(256);
      try {
        codec.decode(body.subarray(0, body.length - next(3)));
      } catch (error) {
        expect(error, `seed ${seed}`).toMatchObject({ name: "DecodeError" });
      }
    }
  });
});
