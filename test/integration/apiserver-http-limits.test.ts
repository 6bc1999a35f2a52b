import { Agent, request as httpsRequest } from "node:https";
import { connect as connectTcp } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createHttpServer } from "../../src/apiserver/http/server.js";
import type { HttpServer, HttpServerOptions } from "../../src/apiserver/http/server-options.js";
import type { ClusterPki } from "../../src/apiserver/pki/cluster-pki.js";
import { type Answer, ApiHttp, added, FakeHandler, optionsFor, stored } from "./support/api-http.js";

let api: ApiHttp;
let pki: ClusterPki;
let handler: FakeHandler;
let server: HttpServer;

beforeAll(async () => {
  api = await ApiHttp.start();
  ({ pki, handler, server } = api);
});

afterAll(() => server.close());

const call = (...args: Parameters<ApiHttp["call"]>): Promise<Answer> => api.call(...args);

describe("hostile requests", () => {
  test.each([
    ["/api/v1/namespaces/default/pods/..%2f..%2fsecrets", 404],
    ["/api/v1/namespaces/../namespaces/kube-system/pods", 404],
    ["/api/v1/namespaces/%2e%2e/pods/x", 404],
    ["/api//v1/pods", 404],
    ["/api/v1/namespaces/default/pods/%zz", 400],
    ["/api/v1/namespaces/default/pods/a%00b", 404],
    ["/healthz/../metrics", 404],
    ["http://elsewhere/api/v1/pods", 400],
  ])("%s is %i", async (path, code) => {
    const before = handler.requests.length;
    const answer = await api.raw(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${code} `));
    expect(handler.requests.length).toBe(before);
  });

  test("a body over the limit is 413, said and unsaid", async () => {
    const body = Buffer.alloc(4 * 1024 * 1024, 0x20);
    const said = await call("/api/v1/namespaces/a/pods", { method: "POST", body }).catch(() => undefined);
    if (said !== undefined) expect(said.code).toBe(413);
    const chunked = await api.raw(
      `POST /api/v1/namespaces/a/pods HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n${" ".repeat(0x400000)}\r\n0\r\n\r\n`,
    );
    expect(chunked).toMatch(/^HTTP\/1.1 413 /);
    expect(chunked).toContain("Request entity too large: limit is 3145728");
  });

  test("deep bodies, YAML bombs and broken text are 400", async () => {
    const post = (body: string, type: string): Promise<Answer> =>
      call("/api/v1/namespaces/a/pods", { method: "POST", headers: { "Content-Type": type }, body });
    expect((await post("[".repeat(100_000), "application/json")).code).toBe(400);
    expect((await post(`${"- ".repeat(50_000)}x`, "application/yaml")).code).toBe(400);
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x]",
      ...Array.from(
        "bcdefghi",
        (letter, at) => `${letter}: &${letter} [${Array(9).fill(`*${"abcdefgh"[at]}`).join(",")}]`,
      ),
    ];
    expect((await post(bomb.join("\n"), "application/yaml")).code).toBe(400);
    expect((await post('{"a":', "application/json")).code).toBe(400);
  });

  test("headers without end are refused", async () => {
    const request = `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Pad: ${"a".repeat(300_000)}\r\n\r\n`;
    let answer = "";
    // Who still sends may find the connection reset before it has read why.
    for (let tries = 0; tries < 20 && answer === ""; tries++) answer = await api.raw(request).catch(() => "");
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
  });

  test("what is no TLS does not disturb", async () => {
    const socket = connectTcp(server.port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\n\r\n"));
    socket.on("error", () => {});
    await new Promise((resolve) => socket.on("close", resolve));
    expect((await call("/healthz")).body.toString()).toBe("ok");
  });
});

describe("limits", () => {
  async function withServer(
    more: Partial<HttpServerOptions>,
    act: (server: HttpServer, fake: FakeHandler) => Promise<void>,
  ) {
    const fake = new FakeHandler();
    const own = createHttpServer(optionsFor(pki, fake, more));
    await own.listen();
    try {
      await act(own, fake);
    } finally {
      await own.close(1000);
    }
  }

  test("too many at once are 429, but not watches, health checks and masters", () =>
    withServer({ inFlight: { reads: 1, writes: 1 } }, async (own, fake) => {
      let release: () => void = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const entered = new Promise<void>((resolve) => {
        fake.onHandle = (request) => {
          resolve();
          return request.name === "slow" ? held : Promise.resolve();
        };
      });
      const slow = call("/api/v1/namespaces/a/pods/slow", { to: own });
      await entered;
      const refused = await call("/api/v1/namespaces/a/pods/b", { to: own });
      expect(refused.code).toBe(429);
      expect(refused.headers["retry-after"]).toBe("1");
      expect((await call("/healthz", { to: own })).code).toBe(200);
      const { certificate: cert, key } = pki.admin;
      expect((await call("/api/v1/nodes/b", { to: own, cert, key, headers: { Authorization: "" } })).code).toBe(200);
      release();
      expect((await slow).code).toBe(200);
      expect((await call("/api/v1/namespaces/a/pods/b", { to: own })).code).toBe(200);
    }));

  test("what takes too long is 504, and its work is aborted", () =>
    withServer({ requestTimeoutMs: 100 }, async (own, fake) => {
      let aborted = false;
      fake.onHandle = (request) =>
        new Promise((resolve) => {
          request.signal?.addEventListener("abort", () => {
            aborted = true;
            resolve();
          });
        });
      const answer = await call("/api/v1/namespaces/a/pods", { to: own, method: "POST", body: "{}" });
      expect(answer.code).toBe(504);
      expect(answer.json()["message"]).toBe("Timeout: request did not complete within the allotted timeout");
      expect(aborted).toBe(true);
    }));

  test("a watcher that takes nothing is cut with bounded memory", () =>
    withServer({ stallTimeoutMs: 200 }, async (own, fake) => {
      const arrived = fake.nextWatch();
      const agent = new Agent();
      const request = httpsRequest({
        host: "127.0.0.1",
        port: own.port,
        path: "/api/v1/pods?watch=1",
        ca: pki.ca.certificate,
        agent,
        headers: { Authorization: "Bearer good" },
      });
      request.on("response", (response) => {
        response.pause();
        response.socket.pause();
        response.on("error", () => {});
      });
      request.on("error", () => {});
      request.end();
      await arrived;
      const watched = fake.requests.at(-1);
      const ended = new Promise<void>((resolve) => watched?.signal?.addEventListener("abort", () => resolve()));
      const queue = fake.watches.at(-1);
      const big = added(stored("big", 1, 1024 * 1024));
      const push = (): void => {
        if (watched?.signal?.aborted) return;
        queue?.push([big]);
        setImmediate(push);
      };
      push();
      await ended;
      agent.destroy();
    }));

  test("closing fails readyz, ends watches and lets requests finish", async () => {
    const fake = new FakeHandler();
    const own = createHttpServer(optionsFor(pki, fake));
    await own.listen();
    expect((await call("/readyz?verbose", { to: own })).body.toString()).toContain("[+]shutdown ok");
    const arrived = fake.nextWatch();
    const watching = call("/api/v1/pods?watch=1", { to: own });
    await arrived;
    const entered = new Promise<void>((resolve) => {
      fake.onHandle = () => {
        resolve();
        return new Promise((done) => setImmediate(done));
      };
    });
    const reading = call("/api/v1/namespaces/a/pods/b", { to: own });
    await entered;
    await own.close();
    expect((await reading).code).toBe(200);
    expect((await watching).code).toBe(200);
    await expect(call("/healthz", { to: own })).rejects.toThrow();
  });
});
