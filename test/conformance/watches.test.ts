import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { JsonObject, RequestOptions, WatchEvent } from "../../src/api/index.js";
import { configMap } from "./support/objects.js";
import { type Api, describeApi, failure, useControlPlane } from "./support/subject.js";

const cp = useControlPlane();
const configMaps = "api/v1/configmaps";

const revisionOf = (object: object): string =>
  String(((object as JsonObject)["metadata"] as JsonObject)["resourceVersion"]);
const nameOf = ({ object }: WatchEvent): string => `${object.metadata.name}`;

/** Changes a label of an object, or its data. */
const put = (
  api: Api,
  namespace: string,
  name: string,
  data: Record<string, string>,
  labels = {},
): Promise<JsonObject> =>
  api.call("update", configMaps, { namespace, name, body: configMap(namespace, name, data, labels) });

/** The next events of a watch; the watch goes on. */
async function take(events: AsyncIterator<WatchEvent>, count: number): Promise<readonly WatchEvent[]> {
  const taken: WatchEvent[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done) throw new Error(`the watch ended after ${taken.length} events`);
    taken.push(value);
  }
  return taken;
}

async function all(events: AsyncIterable<WatchEvent>): Promise<readonly WatchEvent[]> {
  const taken: WatchEvent[] = [];
  for await (const event of events) taken.push(event);
  return taken;
}

describeApi("a watch", cp, (api) => {
  test("from a resourceVersion has what happened after it, in order, and what happens", async () => {
    const namespace = await api.namespace();
    const first = await api.create(configMaps, configMap(namespace, "a"));
    const second = await api.create(configMaps, configMap(namespace, "b"));
    const third = await put(api, namespace, "a", { at: "2" });
    await api.call("delete", configMaps, { namespace, name: "b" });
    const options = { resourceVersion: revisionOf(first) };
    const watch = api.watch(configMaps, { namespace, options });
    const events = await take(watch, 3);
    expect(events.map((event) => [event.type, nameOf(event)])).toEqual([
      ["ADDED", "b"],
      ["MODIFIED", "a"],
      ["DELETED", "b"],
    ]);
    expect(events[0]?.object).toEqual(second);
    expect(events[1]?.object).toEqual(third);
    await api.create(configMaps, configMap(namespace, "c"));
    expect((await take(watch, 1)).map((event) => [event.type, nameOf(event)])).toEqual([["ADDED", "c"]]);
    await watch.return(undefined);
  });

  test("shows a deleted object as it last was, at the resourceVersion of the deletion", async () => {
    const namespace = await api.namespace();
    const created = await api.create(configMaps, configMap(namespace, "a", { key: "last" }));
    const watch = api.watch(configMaps, { namespace, options: { resourceVersion: revisionOf(created) } });
    await api.call("delete", configMaps, { namespace, name: "a" });
    const [event] = await take(watch, 1);
    expect(event).toMatchObject({ type: "DELETED", object: { data: { key: "last" }, metadata: { name: "a" } } });
    expect(Number(revisionOf(event?.object ?? {}))).toBeGreaterThan(Number(revisionOf(created)));
    await watch.return(undefined);
  });

  test.each([undefined, "0"])("from resourceVersion %s begins with what exists, as ADDED", async (resourceVersion) => {
    const namespace = await api.namespace();
    const created = await api.create(configMaps, configMap(namespace, "b"));
    await api.create(configMaps, configMap(namespace, "a"));
    const options = resourceVersion === undefined ? {} : { resourceVersion };
    const watch = api.watch(configMaps, { namespace, options });
    const events = await take(watch, 2);
    expect(events.map((event) => [event.type, nameOf(event)])).toEqual([
      ["ADDED", "a"],
      ["ADDED", "b"],
    ]);
    expect(events[1]?.object).toEqual(created);
    await watch.return(undefined);
  });

  test("with a selector sees objects enter as ADDED and leave as DELETED", async () => {
    const namespace = await api.namespace();
    const created = await api.create(configMaps, configMap(namespace, "a", {}, { in: "no" }));
    const options = { resourceVersion: revisionOf(created), labelSelector: "in=yes" };
    const watch = api.watch(configMaps, { namespace, options });
    const entered = await put(api, namespace, "a", { at: "1" }, { in: "yes" });
    const changed = await put(api, namespace, "a", { at: "2" }, { in: "yes" });
    const left = await put(api, namespace, "a", { at: "3" }, { in: "no" });
    const events = await take(watch, 3);
    expect(events[0]).toEqual({ type: "ADDED", object: entered });
    expect(events[1]).toEqual({ type: "MODIFIED", object: changed });
    // As it was when it was last selected, at the resourceVersion of the change that took it away.
    expect(events[2]).toMatchObject({
      type: "DELETED",
      object: { data: { at: "2" }, metadata: { labels: { in: "yes" } } },
    });
    expect(revisionOf(events[2]?.object ?? {})).toBe(revisionOf(left));
    await watch.return(undefined);
  });

  test("of one object sees no other", async () => {
    const namespace = await api.namespace();
    const created = await api.create(configMaps, configMap(namespace, "a"));
    const options = { resourceVersion: revisionOf(created), fieldSelector: "metadata.name=b" };
    const watch = api.watch(configMaps, { namespace, options });
    await put(api, namespace, "a", { at: "1" });
    await api.create(configMaps, configMap(namespace, "b"));
    expect((await take(watch, 1)).map(nameOf)).toEqual(["b"]);
    await watch.return(undefined);
  });

  test("by a field of a pod sees it bound to a node", async () => {
    const namespace = await api.namespace();
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p", namespace },
      spec: { containers: [{ name: "c", image: "i" }] },
    };
    await api.create("api/v1/serviceaccounts", {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "default", namespace },
    });
    const created = await api.create("api/v1/pods", pod);
    const options = { resourceVersion: revisionOf(created), fieldSelector: "spec.nodeName=n1" };
    const watch = api.watch("api/v1/pods", { namespace, options });
    await api.call("create", "api/v1/pods", {
      namespace,
      name: "p",
      subresource: "binding",
      body: { apiVersion: "v1", kind: "Binding", metadata: { name: "p" }, target: { kind: "Node", name: "n1" } },
    });
    expect(await take(watch, 1)).toMatchObject([{ type: "ADDED", object: { spec: { nodeName: "n1" } } }]);
    await watch.return(undefined);
  });

  test("ends by itself when its time is over", async () => {
    const namespace = await api.namespace();
    const events = await all(api.watch(configMaps, { namespace, options: { timeoutSeconds: 1 } }));
    expect(events).toEqual([]);
  });

  test("says before its end how far it has come, where bookmarks are allowed", async () => {
    const namespace = await api.namespace();
    const options = { timeoutSeconds: 1, allowWatchBookmarks: true, resourceVersion: "0" };
    const watch = all(api.watch(configMaps, { namespace, options }));
    const { metadata } = await api.create("api/v1/secrets", {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "a", namespace },
    });
    const events = await watch;
    const mark = events.at(-1);
    expect(mark).toEqual({
      type: "BOOKMARK",
      object: { kind: "ConfigMap", apiVersion: "v1", metadata: { resourceVersion: expect.any(String) } },
    });
    expect(Number(revisionOf(mark?.object ?? {}))).toBeGreaterThanOrEqual(
      Number((metadata as JsonObject)["resourceVersion"]),
    );
  });

  test("from later than now waits for what comes then", async () => {
    const namespace = await api.namespace();
    const created = await api.create(configMaps, configMap(namespace, "a"));
    const resourceVersion = String(Number(revisionOf(created)) + 2);
    const watch = api.watch(configMaps, { namespace, options: { resourceVersion } });
    const next = take(watch, 1);
    await put(api, namespace, "a", { at: "1" });
    await put(api, namespace, "a", { at: "2" });
    const third = await put(api, namespace, "a", { at: "3" });
    expect(await next).toEqual([{ type: "MODIFIED", object: third }]);
    await watch.return(undefined);
  });
});

describeApi("initial events", cp, (api) => {
  const streamed = {
    sendInitialEvents: true,
    resourceVersionMatch: "NotOlderThan",
    allowWatchBookmarks: true,
  } as const;

  test.each([undefined, "0", "now"])("end with a bookmark, from resourceVersion %s", async (from) => {
    const namespace = await api.namespace();
    await api.create(configMaps, configMap(namespace, "a"));
    const latest = revisionOf(await api.create(configMaps, configMap(namespace, "b")));
    const resourceVersion = from === "now" ? latest : from;
    const options = resourceVersion === undefined ? streamed : { ...streamed, resourceVersion };
    const watch = api.watch(configMaps, { namespace, options });
    const [a, b, mark] = await take(watch, 3);
    expect([a, b].map((event) => event && [event.type, nameOf(event)])).toEqual([
      ["ADDED", "a"],
      ["ADDED", "b"],
    ]);
    expect(mark).toEqual({
      type: "BOOKMARK",
      object: {
        kind: "ConfigMap",
        apiVersion: "v1",
        metadata: { resourceVersion: expect.any(String), annotations: { "k8s.io/initial-events-end": "true" } },
      },
    });
    expect(Number(revisionOf(mark?.object ?? {}))).toBeGreaterThanOrEqual(Number(latest));
    await api.create(configMaps, configMap(namespace, "c"));
    expect((await take(watch, 1)).map(nameOf)).toEqual(["c"]);
    await watch.return(undefined);
  });

  test("of nothing are the bookmark alone", async () => {
    const namespace = await api.namespace();
    const watch = api.watch(configMaps, { namespace, options: streamed });
    expect(await take(watch, 1)).toMatchObject([{ type: "BOOKMARK" }]);
    await watch.return(undefined);
  });

  test("are left away where the client says so", async () => {
    const namespace = await api.namespace();
    await api.create(configMaps, configMap(namespace, "a"));
    const options = { sendInitialEvents: false, resourceVersionMatch: "NotOlderThan" } as const;
    const watch = api.watch(configMaps, { namespace, options: { ...options, timeoutSeconds: 1 } });
    expect(await all(watch)).toEqual([]);
  });

  const invalid: {
    name: string;
    options: RequestOptions;
    causes: { reason: string; message: string; field: string }[];
  }[] = [
    {
      name: "initial events without a match",
      options: { sendInitialEvents: true },
      causes: [forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")],
    },
    {
      name: "initial events that match exactly",
      options: { sendInitialEvents: true, resourceVersionMatch: "Exact", resourceVersion: "1" },
      causes: [
        forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        {
          reason: "FieldValueNotSupported",
          message: 'Unsupported value: "Exact": supported values: "NotOlderThan"',
          field: "resourceVersionMatch",
        },
      ],
    },
    {
      name: "a match without initial events",
      options: { resourceVersionMatch: "NotOlderThan", resourceVersion: "1" },
      causes: [forbidden("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")],
    },
    {
      name: "a match and a continue token",
      options: { ...streamed, continue: "x" },
      causes: [forbidden("resourceVersionMatch is forbidden when continue is provided")],
    },
  ];
  test.each(invalid)("$name is Invalid", async ({ options, causes }) => {
    const status = await failure(take(api.watch(configMaps, { options }), 1));
    expect(status).toMatchObject({
      reason: "Invalid",
      code: 422,
      details: { group: "meta.k8s.io", kind: "ListOptions", causes },
    });
  });

  test("at a resourceVersion that has not happened are a Timeout", async () => {
    const options = { ...streamed, resourceVersion: "100000000" };
    const status = await failure(take(api.watch(configMaps, { options }), 1));
    expect(status).toMatchObject({ reason: "Timeout", code: 504, details: { retryAfterSeconds: 1 } });
  });
});

function forbidden(message: string): { reason: string; message: string; field: string } {
  return { reason: "FieldValueForbidden", message: `Forbidden: ${message}`, field: "resourceVersionMatch" };
}

const late = useControlPlane({
  prepare: async (store) => {
    for (const key of ["a", "b", "c"]) await store.create(`/registry/configmaps/old/${key}`, storedConfigMap(key));
    await store.compact(await store.revision());
  },
});

const storedConfigMap = (name: string): Buffer =>
  Buffer.from(JSON.stringify({ kind: "ConfigMap", apiVersion: "v1", metadata: { name, namespace: "old" } }));

describeApi("a watch that cannot be", late, (api) => {
  test("is Expired from before all history", async () => {
    const status = await failure(take(api.watch(configMaps, { options: { resourceVersion: "1" } }), 1));
    expect(status).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: expect.stringMatching(/^too old resource version: 1 \([0-9]+\)$/),
      reason: "Expired",
      code: 410,
    });
  });

  test("is an error of the server from what is no resourceVersion", async () => {
    const status = await failure(take(api.watch(configMaps, { options: { resourceVersion: "abc" } }), 1));
    expect(status).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: 'resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax',
      code: 500,
    });
  });
});

describe("a watch on the wire", () => {
  const frames = async (answer: Promise<{ stream: NodeJS.ReadableStream }>, count: number): Promise<JsonObject[]> => {
    const { stream } = await answer;
    const lines: JsonObject[] = [];
    for await (const line of createInterface({ input: stream })) {
      lines.push(JSON.parse(line) as JsonObject);
      if (lines.length === count) break;
    }
    (stream as Readable).destroy();
    return lines;
  };

  test("is a line of JSON for each event", async () => {
    const { code, headers, stream } = await cp.wire.open("/api/v1/namespaces?watch=1");
    expect([code, headers["content-type"], headers["transfer-encoding"]]).toEqual([200, "application/json", "chunked"]);
    expect(headers["cache-control"]).toBe("no-cache, private");
    const [chunk] = (await once(stream, "data")) as [Buffer];
    stream.destroy();
    expect(chunk.toString()).toMatch(/^\{"type":"ADDED","object":\{"kind":"Namespace","apiVersion":"v1","metadata":/);
    expect(chunk.toString()).toMatch(/\}\}\n(\{"type"|$)/);
  });

  test("that is Expired is an ERROR event of an answer that is otherwise well", async () => {
    const { code, headers, text: body } = await late.wire.send("/api/v1/configmaps?watch=1&resourceVersion=1");
    expect([code, headers["content-type"]]).toEqual([200, "application/json"]);
    expect(JSON.parse(body)).toMatchObject({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } });
  });

  test("of an answer that begins is there before the first event", async () => {
    const { resourceVersion } = (await cp.wire.send("/api/v1/secrets")).json()["metadata"] as JsonObject;
    const { code, stream } = await cp.wire.open(`/api/v1/secrets?watch=1&resourceVersion=${resourceVersion}`);
    expect(code).toBe(200);
    stream.destroy();
  });

  const deprecated = [
    { path: "/api/v1/watch/namespaces/default", first: { kind: "Namespace", metadata: { name: "default" } } },
    { path: "/api/v1/watch/namespaces/default/services", first: { kind: "Service", metadata: { name: "kubernetes" } } },
    { path: "/api/v1/watch/namespaces/default/services/kubernetes", first: { metadata: { name: "kubernetes" } } },
    { path: "/api/v1/watch/services", first: { kind: "Service" } },
    {
      path: "/api/v1/watch/namespaces/default/services/kubernetes?fieldSelector=metadata.name%3Dkubernetes",
      first: { metadata: { name: "kubernetes" } },
    },
  ];
  test.each(deprecated)("the old way: $path", async ({ path, first }) => {
    const [event] = await frames(cp.wire.open(path), 1);
    expect(event).toMatchObject({ type: "ADDED", object: first });
  });

  test("the old way of one object takes no selector of another", async () => {
    const path = "/api/v1/watch/namespaces/default/services/kubernetes?fieldSelector=metadata.name%3Dother";
    const { code, json } = await cp.wire.send(path);
    expect([code, json()["message"]]).toEqual([400, "fieldSelector metadata.name doesn't match requested name"]);
  });

  test("of a name that is not by selector is a get", async () => {
    const { json } = await cp.wire.send("/api/v1/namespaces/default/services/kubernetes?watch=true");
    expect(json()).toMatchObject({ kind: "Service", metadata: { name: "kubernetes" } });
  });

  test("as a Table has the columns once", async () => {
    const headers = { Accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
    const answer = cp.wire.open("/api/v1/namespaces?watch=1&labelSelector=kubernetes.io/metadata.name", { headers });
    const [first, second] = await frames(answer, 2);
    expect(first).toMatchObject({
      type: "ADDED",
      object: {
        kind: "Table",
        columnDefinitions: [{ name: "Name" }, {}, {}],
        rows: [{ cells: [expect.any(String), "Active", expect.any(String)] }],
      },
    });
    expect(second).toMatchObject({ object: { columnDefinitions: null, rows: [{}] } });
  });

  test("as metadata", async () => {
    const headers = { Accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io" };
    const path = "/api/v1/namespaces?watch=1&fieldSelector=metadata.name%3Ddefault";
    const [event] = await frames(cp.wire.open(path, { headers }), 1);
    expect(event?.["object"]).toEqual({
      kind: "PartialObjectMetadata",
      apiVersion: "meta.k8s.io/v1",
      metadata: expect.objectContaining({ name: "default" }),
    });
  });

  test("as protobuf is a length and a WatchEvent for each event", async () => {
    const headers = { Accept: "application/vnd.kubernetes.protobuf" };
    const { headers: answered, stream } = await cp.wire.open("/api/v1/namespaces?watch=1", { headers });
    expect(answered["content-type"]).toBe("application/vnd.kubernetes.protobuf;stream=watch");
    const [bytes] = (await once(stream, "data")) as [Buffer];
    stream.destroy();
    const first = bytes.subarray(4, 4 + bytes.readUInt32BE());
    // Field 1 of a WatchEvent is its type; field 2 a RawExtension, whose field 1 is the object in its envelope.
    expect(first.subarray(0, 7)).toEqual(Buffer.from([0x0a, 5, ...Buffer.from("ADDED")]));
    expect(first.includes(Buffer.from("k8s\0"))).toBe(true);
  });

  test("as YAML is not, because it has no frames", async () => {
    const { code } = await cp.wire.send("/api/v1/namespaces?watch=1&timeoutSeconds=1", {
      headers: { Accept: "application/yaml" },
    });
    expect(code).toBe(406);
  });
});

describe("a watch over WebSocket", () => {
  const open = (path: string, protocols: readonly string[] = []): WebSocket => {
    const { url, ca, certificate: cert, key } = cp.wire.options;
    return new WebSocket(`${url.replace("https", "wss")}${path}`, [...protocols], { ca, cert, key });
  };
  const first = (socket: WebSocket): Promise<{ data: Buffer; binary: boolean }> =>
    new Promise((resolve, reject) => {
      socket.once("message", (data: Buffer, binary) => resolve({ data, binary }));
      socket.once("error", reject);
    });

  test("has one event in each message of text", async () => {
    const socket = open("/api/v1/namespaces?watch=1");
    const { data, binary } = await first(socket);
    socket.terminate();
    expect(binary).toBe(false);
    expect(JSON.parse(data.toString())).toMatchObject({ type: "ADDED", object: { kind: "Namespace" } });
  });

  test("ends when its time is over", async () => {
    const socket = open("/api/v1/secrets?watch=1&timeoutSeconds=1");
    const code = await new Promise((resolve) => socket.once("close", resolve));
    expect(code).toBe(1000);
  });
});
