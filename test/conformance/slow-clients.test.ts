import { once } from "node:events";
import type { ClientHttp2Stream } from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { metadataOf } from "./support/manifests.js";
import { configMap, namesOf } from "./support/objects.js";
import { Api, useControlPlane } from "./support/subject.js";

const cp = useControlPlane();
const api = new Api(() => cp.inProcess);
const sockets = new Set<TLSSocket>();

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});

/** A connection of its own, on which nothing is read before somebody asks for it. */
async function bare(): Promise<TLSSocket> {
  const { url, ca, certificate: cert, key } = cp.wire.options;
  const { hostname: host, port } = new URL(url);
  const socket = connectTls({
    host,
    port: Number(port),
    ca,
    cert,
    key,
    ALPNProtocols: ["http/1.1"],
  });
  socket.on("error", () => {});
  sockets.add(socket);
  await once(socket, "secureConnect");
  return socket;
}

/** All that comes until the other side ends. */
async function rest(socket: TLSSocket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.resume();
  if (!socket.destroyed) await once(socket, "close");
  return Buffer.concat(chunks).toString();
}

/** Sends text byte by byte. Whenever some went, somebody else is answered. */
async function trickle(socket: TLSSocket, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at++) {
    await new Promise<void>((sent) => socket.write(bytes.subarray(at, at + 1), () => sent()));
    if (at % 20 === 0) await othersAreAnswered();
  }
}

async function othersAreAnswered(): Promise<void> {
  expect((await cp.wire.send("/api/v1/namespaces/default")).code).toBe(200);
  expect((await cp.wire.send2("/api/v1/namespaces/default")).code).toBe(200);
}

describe("a client that sends slowly", () => {
  test("is answered when its headers are there", async () => {
    const socket = await bare();
    await trickle(socket, "GET /api/v1/namespaces/default HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(await rest(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*"kind":"Namespace"/);
  });

  test.each([
    { name: "by length", headers: (body: string) => `Content-Length: ${body.length}`, frame: (body: string) => body },
    {
      name: "in chunks",
      headers: () => "Transfer-Encoding: chunked",
      frame: (body: string) => `${[...body].map((each) => `1\r\n${each}\r\n`).join("")}0\r\n\r\n`,
    },
  ])("is answered when its body is there, $name, and nothing is made before", async ({ headers, frame }) => {
    const namespace = await api.namespace();
    const body = JSON.stringify(configMap(namespace, "slow", { a: "b" }));
    const socket = await bare();
    socket.write(
      `POST /api/v1/namespaces/${namespace}/configmaps HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n${headers(body)}\r\n\r\n`,
    );
    const framed = frame(body);
    await trickle(socket, framed.slice(0, -1));
    expect(namesOf(await api.call("list", "api/v1/configmaps", { namespace }))).toEqual([]);
    socket.write(framed.slice(-1));
    expect(await rest(socket)).toMatch(/^HTTP\/1\.1 201 Created\r\n/);
    expect(namesOf(await api.call("list", "api/v1/configmaps", { namespace }))).toEqual(["slow"]);
  });

  test.each(["end", "destroy"] as const)("and goes in the middle of its body (%s) has made nothing", async (way) => {
    const namespace = await api.namespace();
    const socket = await bare();
    socket.write(
      `POST /api/v1/namespaces/${namespace}/configmaps HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"half"}}`,
    );
    await othersAreAnswered();
    socket[way]();
    const text = await rest(socket);
    expect(text === "" || /^HTTP\/1\.1 400 /.test(text), text).toBe(true);
    expect(namesOf(await api.call("list", "api/v1/configmaps", { namespace }))).toEqual([]);
  });

  test("and has ended its side is answered, and then let go", async () => {
    const socket = await bare();
    socket.end("GET /api/v1/namespaces/default HTTP/1.1\r\nHost: x\r\n\r\n");
    const text = await rest(socket);
    // Upstream takes the end for the client's leaving: it may answer or not, but it never waits.
    expect(text === "" || /^HTTP\/1\.1 200 OK\r\n/.test(text), text).toBe(true);
    await othersAreAnswered();
  });

  test("in many connections holds up nobody", async () => {
    const waiting = await Promise.all(Array.from({ length: 60 }, () => bare()));
    for (const socket of waiting) socket.write("POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Le");
    for (let turn = 0; turn < 5; turn++) await othersAreAnswered();
  });
});

describe("a client that reads slowly", () => {
  const fill = async (namespace: string, count: number): Promise<void> => {
    const text = "x".repeat(100_000);
    for (let at = 0; at < count; at++) {
      await api.create("api/v1/configmaps", configMap(namespace, `cm-${String(at).padStart(3, "0")}`, { text }));
    }
  };

  test("gets its long list as it was when it asked, and holds up nobody", async () => {
    const namespace = await api.namespace();
    await fill(namespace, 100);
    const socket = await bare();
    socket.write(`GET /api/v1/namespaces/${namespace}/configmaps HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    await once(socket, "readable");
    await othersAreAnswered();
    await api.call("deletecollection", "api/v1/configmaps", { namespace });
    await api.create("api/v1/configmaps", configMap(namespace, "later"));
    const text = await rest(socket);
    const list = JSON.parse(bodyOf(text)) as JsonObject;
    expect(namesOf(list)).toEqual(Array.from({ length: 100 }, (_, at) => `cm-${String(at).padStart(3, "0")}`));
    expect(namesOf(await api.call("list", "api/v1/configmaps", { namespace }))).toEqual(["later"]);
  });

  test("on one stream of a connection does not hold up the others", async () => {
    const namespace = await api.namespace();
    await fill(namespace, 30);
    const session = cp.wire.connect();
    await once(session, "connect");
    // Else the client's own bound for all its streams together would hold them up.
    session.setLocalWindowSize(64 * 1024 * 1024);
    const stalled: ClientHttp2Stream[] = [];
    for (let at = 0; at < 20; at++) {
      const stream = session.request({ ":path": `/api/v1/namespaces/${namespace}/configmaps` });
      await once(stream, "response");
      stalled.push(stream.pause());
    }
    const other = session.request({ ":path": "/api/v1/namespaces/default" });
    const [headers] = (await once(other, "response")) as [Record<string, unknown>];
    expect(headers[":status"]).toBe(200);
    other.resume();
    await once(other, "end");
    // To the end, each of them: Node's own client is known to crash when it drops streams with much unread.
    for (const stream of stalled) {
      let size = 0;
      stream.on("data", (chunk: Buffer) => (size += chunk.length));
      stream.resume();
      await once(stream, "end");
      expect(size).toBeGreaterThan(3_000_000);
    }
    session.close();
  });

  test("and never reads its watch is cut after 20,000 events, and goes on where it was", async () => {
    const namespace = await api.namespace();
    const made = await api.create("api/v1/configmaps", configMap(namespace, "busy"));
    const from = String(metadataOf(made)["resourceVersion"]);
    const socket = await bare();
    socket.write(
      `GET /api/v1/namespaces/${namespace}/configmaps?watch=1&resourceVersion=${from} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    await once(socket, "readable");
    const key = `/registry/configmaps/${namespace}/busy`;
    const padding = "x".repeat(500);
    let revision = Number(from);
    const writes = 45_000;
    for (let at = 1; at <= writes; at++) {
      const value = Buffer.from(JSON.stringify({ ...configMap(namespace, "busy", { at: `${at}`, padding }) }));
      ({ revision } = await cp.store.update(key, value, revision));
      // Stores are faster than any client: the server must have its turn to send.
      if (at % 500 === 0) await othersAreAnswered();
    }
    const events = bodyOf(await rest(socket))
      .split("\n")
      .filter((line) => line.startsWith('{"type"'))
      .map((line) => JSON.parse(line) as { type: string; object: JsonObject & { data: { at: string } } });
    // It ended before all was said, with none left out and none twice.
    expect(events.length).toBeGreaterThan(0);
    expect(events.length).toBeLessThan(writes);
    expect(events.map(({ object }) => Number(object.data.at))).toEqual(events.map((_, at) => at + 1));
    const last = events.at(-1)?.object as JsonObject;
    const resourceVersion = String(metadataOf(last)["resourceVersion"]);
    let next = events.length;
    const watch = api.watch("api/v1/configmaps", { namespace, options: { resourceVersion } });
    try {
      for await (const { type, object } of watch) {
        expect(type).toBe("MODIFIED");
        expect(Number((object as unknown as { data: { at: string } }).data.at)).toBe(++next);
        if (next === writes) break;
      }
    } catch (error) {
      // What it missed may be too old by then: it is told, and lists again.
      expect(error).toMatchObject({ status: { code: 410, reason: "Expired" } });
    }
    expect((await api.call("get", "api/v1/configmaps", { namespace, name: "busy" }))["data"]).toMatchObject({
      at: `${writes}`,
    });
  }, 60_000);
});

/** The body of an answer in chunks or by its length. */
function bodyOf(text: string): string {
  const at = text.indexOf("\r\n\r\n");
  const head = text.slice(0, at);
  let left = text.slice(at + 4);
  if (!/transfer-encoding: chunked/i.test(head)) return left;
  const parts: string[] = [];
  for (;;) {
    const end = left.indexOf("\r\n");
    const size = Number.parseInt(left.slice(0, end), 16);
    if (!(size > 0)) return parts.join("");
    parts.push(left.slice(end + 2, end + 2 + size));
    left = left.slice(end + 4 + size);
  }
}
