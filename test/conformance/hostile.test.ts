import { once } from "node:events";
import type { ClientHttp2Session } from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { configMap } from "./support/objects.js";
import { Api, useControlPlane } from "./support/subject.js";

const cp = useControlPlane();
const api = new Api(() => cp.inProcess);
const configMaps = "/api/v1/configmaps";

/** Whatever was done to it, the server goes on. */
afterEach(async () => {
  expect((await cp.wire.send("/readyz")).text).toBe("ok");
  expect((await cp.wire.send("/api/v1/namespaces/default")).code).toBe(200);
});

function bare(protocol: string): Promise<TLSSocket> {
  const { url, ca, certificate: cert, key } = cp.wire.options;
  const { hostname: host, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host, port: Number(port), ca, cert, key, ALPNProtocols: [protocol] }, () =>
      resolve(socket),
    );
    socket.once("error", reject);
    socket.on("error", () => {});
  });
}

describe("a selector", () => {
  const long = "a".repeat(30_000);
  const selectors: { name: string; query: string; code: number }[] = [
    { name: "with a key of 30,000 characters", query: `labelSelector=${long}`, code: 400 },
    { name: "with a value of 30,000 characters", query: `labelSelector=a%3D${long}`, code: 400 },
    {
      name: "with 4,000 requirements",
      query: `labelSelector=${Array.from({ length: 4000 }, (_, at) => `a${at}`).join(",")}`,
      code: 400,
    },
    {
      name: "with thousands of values",
      query: `labelSelector=a+in+(${Array.from({ length: 5000 }, (_, at) => `v${at}`).join(",")})`,
      code: 200,
    },
    { name: "that expressions would take for ever to match", query: `labelSelector=${"-".repeat(10_000)}!`, code: 400 },
    { name: "of nested brackets", query: `labelSelector=${"(".repeat(10_000)}`, code: 400 },
    { name: "of field escapes", query: `fieldSelector=metadata.name%3D${"%5C%5C".repeat(3_000)}`, code: 200 },
    {
      name: "of many fields",
      query: `fieldSelector=${Array.from({ length: 3000 }, (_, at) => `metadata.name!%3Da${at}`).join(",")}`,
      code: 400,
    },
    {
      name: "of names that every object has in JavaScript",
      query: "labelSelector=constructor,toString",
      code: 200,
    },
    { name: "of fields that every object has in JavaScript", query: "fieldSelector=constructor%3Dx", code: 400 },
  ];
  // One that took for ever would hold up this very process: nothing could end the test.
  test.each(selectors)("$name is answered", async ({ query, code }) => {
    const answer = await cp.wire.send(`${configMaps}?${query}`);
    expect(answer.code).toBe(code);
    if (code === 200) expect(answer.json()["items"]).toEqual([]);
    else expect(answer.json()).toMatchObject({ kind: "Status", reason: "BadRequest" });
  });
});

describe("a request", () => {
  const large: { name: string; path: string; headers?: Record<string, string> }[] = [
    { name: "with a path of 200,000 characters", path: `/api/v1/${"x".repeat(200_000)}` },
    { name: "with a header of 200,000 characters", path: configMaps, headers: { "X-Large": "x".repeat(200_000) } },
    {
      name: "with 3,000 headers",
      path: configMaps,
      headers: Object.fromEntries(Array.from({ length: 3000 }, (_, at) => [`X-${at}`, "x".repeat(50)])),
    },
  ];
  test.each(large)("$name is refused or cut", async ({ path, headers = {} }) => {
    const code = await cp.wire.send(path, { headers }).then(
      (answer) => answer.code,
      () => "cut",
    );
    expect([400, 404, 431, "cut"]).toContain(code);
    const second = await cp.wire.send2(path, { headers }).then(
      (answer) => answer.code,
      () => "cut",
    );
    expect([400, 404, 431, "cut"]).toContain(second);
  });

  test("of 2,000 segments is not found", async () => {
    expect((await cp.wire.send(`/api/v1/${"a/".repeat(2000)}b`)).code).toBe(404);
  });

  test("with two lengths, or a length and chunks, is refused", async () => {
    const bodies = ["Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5\r\nTransfer-Encoding: chunked"];
    for (const lengths of bodies) {
      const socket = await bare("http/1.1");
      socket.write(
        `POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${lengths}\r\n\r\n0\r\n\r\nGET /`,
      );
      let text = "";
      socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
      await once(socket, "close");
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
    }
  });
});

describe("HTTP/2", () => {
  test("with more streams than allowed answers those that are", async () => {
    const session = cp.wire.connect();
    const answers = await Promise.all(Array.from({ length: 600 }, () => ask(session, "/api/v1/namespaces/default")));
    session.destroy();
    expect(answers.filter((code) => code === 200).length).toBeGreaterThanOrEqual(250);
    for (const code of answers) expect([200, 429, "refused"]).toContain(code);
  });
});

function ask(session: ClientHttp2Session, path: string): Promise<number | string> {
  return new Promise((resolve) => {
    const stream = session.request({ ":path": path });
    stream.on("response", (headers) => resolve(Number(headers[":status"])));
    stream.on("error", () => resolve("refused"));
    stream.resume();
  });
}

describe("a client that does not read", () => {
  test("costs no more than its buffers, and its watch can be resumed elsewhere", async () => {
    const namespace = await api.namespace();
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const first = await api.create("api/v1/configmaps", configMap(namespace, "a"));
    const from = String((first["metadata"] as JsonObject)["resourceVersion"]);
    const socket = await bare("http/1.1");
    socket.pause();
    socket.write(`GET ${path}?watch=1&resourceVersion=${from} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const before = process.memoryUsage().rss;
    const data = { text: "x".repeat(100_000) };
    for (let at = 0; at < 300; at++) {
      const body = configMap(namespace, "a", { ...data, at: `${at}` });
      await api.call("update", "api/v1/configmaps", { namespace, name: "a", body });
    }
    // 300 versions of 100 kB: held once, by the history, which is bounded by itself.
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
    socket.destroy();
    const resumed = api.watch("api/v1/configmaps", { namespace, options: { resourceVersion: from } });
    let seen = 0;
    for await (const event of resumed) {
      expect(event.type).toBe("MODIFIED");
      if (++seen === 300) break;
    }
    expect(seen).toBe(300);
  }, 30_000);

  test("and sends more requests ahead than any program does is cut", async () => {
    const socket = await bare("http/1.1");
    socket.resume();
    socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000));
    await once(socket, "close");
  });

  test("and asks for more and more lists holds up nobody, and is answered once", async () => {
    const namespace = await api.namespace();
    await api.create("api/v1/configmaps", configMap(namespace, "big", { text: "x".repeat(900_000) }));
    const sockets = await Promise.all(Array.from({ length: 30 }, () => bare("http/1.1")));
    const before = process.memoryUsage().rss;
    for (const socket of sockets) {
      socket.pause();
      socket.write(`GET /api/v1/namespaces/${namespace}/configmaps HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(20));
    }
    for (let at = 0; at < 20; at++) expect((await cp.wire.send("/api/v1/namespaces/default")).code).toBe(200);
    // 600 answers of 900 kB are asked for, of which 30 are begun.
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
    for (const socket of sockets) socket.destroy();
  });
});

describe("a watch of a custom resource", () => {
  const crd = (columns: readonly object[]): JsonObject => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList" },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        },
      ],
    },
  });
  const crds = "apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  const widgets = "apis/example.com/v1/widgets";
  const widget = (namespace: string, name: string): JsonObject => ({
    apiVersion: "example.com/v1",
    kind: "Widget",
    metadata: { name, namespace },
  });

  test("goes on when its definition changes, and ends when it goes", async () => {
    const namespace = await api.namespace();
    const created = await api.create(crds, crd([]));
    await expect.poll(async () => (await cp.wire.send("/apis/example.com/v1/widgets")).code).toBe(200);
    const list = (await cp.wire.send("/apis/example.com/v1/widgets")).json();
    expect(list).toMatchObject({ kind: "WidgetList", apiVersion: "example.com/v1", items: [] });
    const watch = api.watch(widgets, { namespace });
    await api.create(widgets, widget(namespace, "a"));
    expect((await watch.next()).value).toMatchObject({ type: "ADDED", object: { metadata: { name: "a" } } });
    const { resourceVersion } = created["metadata"] as { resourceVersion: string };
    const changed = crd([{ name: "Size", type: "integer", jsonPath: ".spec.size" }]);
    const current = await api.call("get", crds, { name: "widgets.example.com" });
    expect(resourceVersion).toEqual(expect.any(String));
    await api.call("update", crds, {
      name: "widgets.example.com",
      body: { ...changed, metadata: current["metadata"] },
    });
    await api.create(widgets, widget(namespace, "b"));
    const { text } = await cp.wire.send(`/apis/example.com/v1/namespaces/${namespace}/widgets`);
    // Items of custom resources say what they are.
    expect(text).toMatch(
      /"items":\[\{"kind":"Widget","apiVersion":"example.com\/v1"|"items":\[\{"apiVersion":"example.com\/v1","kind":"Widget"/,
    );
    let ended = false;
    const rest: string[] = [];
    const reading = (async () => {
      for await (const event of watch) rest.push(`${event.type} ${event.object.metadata.name}`);
      ended = true;
    })().catch(() => {
      ended = true;
    });
    await api.call("delete", crds, { name: "widgets.example.com" });
    await reading;
    expect(ended).toBe(true);
    expect(rest[0] === "ADDED b" || rest.length === 0).toBe(true);
    await expect
      .poll(async () => (await cp.wire.send("/apis/example.com/v1/widgets")).text)
      .toBe("404 page not found\n");
  });
});
