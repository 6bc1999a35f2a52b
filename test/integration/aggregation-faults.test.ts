import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apiServices, endpointSlices } from "../../src/api/index.js";
import { createClusterPki } from "../../src/apiserver/pki/cluster-pki.js";
import { realClock } from "../../src/internal/clock.js";
import { AggregatedServer, apiService, aggregatedName as name } from "./support/aggregated-server.js";
import { ExtensionServer, group, version } from "./support/extension-server.js";

const base = `/apis/${group}/${version}`;
let aggregated: AggregatedServer;

beforeAll(async () => {
  aggregated = await AggregatedServer.start();
});

afterAll(() => aggregated.stop());

describe("what another server must not be able to do", () => {
  test("a redirect is not passed on", async () => {
    aggregated.extension.intercept = (_, response) => {
      response.writeHead(302, { Location: "https://169.254.169.254/" }).end();
      return true;
    };
    const answer = await aggregated.ask(`${base}/flunders`);
    aggregated.extension.intercept = undefined;
    expect(answer).toMatchObject({ code: 502, headers: { "content-type": "text/plain; charset=utf-8" } });
    expect(answer.body).toBe("the backend attempted to redirect this request, which is not permitted\n");
    expect(answer.headers).not.toHaveProperty("location");
  });

  test("nor on an upgrade, whose connection ends", async () => {
    let closed: Promise<void> = Promise.resolve();
    aggregated.extension.onUpgrade = (_, socket) => {
      closed = new Promise((resolve) => socket.on("close", () => resolve()));
      socket.write("HTTP/1.1 302 Found\r\nLocation: https://169.254.169.254/\r\nContent-Length: 0\r\n\r\n");
    };
    expect(await upgrade("hello")).toContain("502 Bad Gateway");
    await closed;
  });

  test("a refused upgrade is answered as it was, and its connection ends", async () => {
    let closed: Promise<void> = Promise.resolve();
    aggregated.extension.onUpgrade = (_, socket) => {
      closed = new Promise((resolve) => socket.on("close", () => resolve()));
      socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    };
    expect(await upgrade("hello")).toContain("403 Forbidden");
    await closed;
  });

  test("an upgrade streams both ways in the name of who asked", async () => {
    aggregated.extension.onUpgrade = (request, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
      socket.write(`${String(request.headers["x-remote-user"])}:`);
      socket.on("data", (chunk: Buffer) => socket.end(chunk));
    };
    expect(await upgrade("hello")).toMatch(/101 Switching Protocols[\s\S]*kubernetes-admin:hello/);
  });

  test("a body that hides a request stays a body", async () => {
    const hidden = `GET ${base}/hidden HTTP/1.1\r\nHost: x\r\nX-Remote-User: mallory\r\n\r\n`;
    const session = connectHttp2(aggregated.server.https.url, {
      ca: aggregated.pki.ca.certificate,
      cert: aggregated.pki.admin.certificate,
      key: aggregated.pki.admin.key,
    });
    const path = `${base}/namespaces/default/flunders/nobody`;
    await new Promise<void>((resolve, reject) => {
      const stream = session.request({ ":method": "DELETE", ":path": path }, { endStream: false });
      stream.on("error", reject);
      stream.on("close", () => resolve());
      stream.resume();
      stream.end(hidden);
    });
    session.close();
    expect(aggregated.extension.last("/nobody")?.body).toBe(hidden);
    expect(aggregated.extension.last("/hidden")).toBeUndefined();
  });
});

describe("a server that does not answer", () => {
  test("is not held on to when the client has gone", async () => {
    let closed: Promise<void> = Promise.resolve();
    const asked = new Promise<void>((resolve) => {
      aggregated.extension.intercept = (request) => {
        if (!request.url?.endsWith("/hanging")) return false;
        closed = new Promise((resolveClosed) => request.socket.on("close", () => resolveClosed()));
        resolve();
        return true;
      };
    });
    const request = httpsRequest({
      host: "127.0.0.1",
      port: aggregated.server.https.port,
      path: `${base}/namespaces/default/flunders/hanging`,
      agent: false,
      ca: aggregated.pki.ca.certificate,
      cert: aggregated.pki.admin.certificate,
      key: aggregated.pki.admin.key,
    });
    request.on("error", () => {});
    request.end();
    await asked;
    request.destroy();
    await closed;
    aggregated.extension.intercept = undefined;
  });

  test("is told to wait by a client that does not read", async () => {
    const size = 32 * 1024 * 1024;
    let written = 0;
    aggregated.extension.intercept = (request, response) => {
      if (!request.url?.endsWith("/large")) return false;
      response.writeHead(200, { "Content-Type": "application/octet-stream" });
      const chunk = Buffer.alloc(64 * 1024);
      const more = (): void => {
        while (written < size) {
          written += chunk.length;
          if (!response.write(chunk)) return void response.once("drain", more);
        }
        response.end();
      };
      more();
      return true;
    };
    const received = await new Promise<number>((resolve, reject) => {
      const request = httpsRequest({
        host: "127.0.0.1",
        port: aggregated.server.https.port,
        path: `${base}/namespaces/default/flunders/large`,
        agent: false,
        ca: aggregated.pki.ca.certificate,
        cert: aggregated.pki.admin.certificate,
        key: aggregated.pki.admin.key,
      });
      request.on("error", reject);
      request.on("response", (response) => {
        let count = 0;
        // Nothing is read until the writing has come to a halt.
        void halted(() => written).then((held) => {
          expect(held).toBeLessThan(size);
          response.on("data", (chunk: Buffer) => {
            count += chunk.length;
          });
          response.on("end", () => resolve(count));
        }, reject);
      });
      request.end();
    });
    aggregated.extension.intercept = undefined;
    expect(received).toBe(size);
  });
});

/** Resolves with a figure once it has stayed the same for a while. */
async function halted(figure: () => number): Promise<number> {
  let before = -1;
  for (let same = 0; same < 200; same = figure() === before ? same + 1 : 0) {
    before = figure();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return before;
}

/** Asks for another protocol, says something, and gives everything that came back. */
function upgrade(say: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host: "127.0.0.1",
      port: aggregated.server.https.port,
      ca: aggregated.pki.ca.certificate,
      cert: aggregated.pki.admin.certificate,
      key: aggregated.pki.admin.key,
      ALPNProtocols: ["http/1.1"],
    });
    let text = "";
    let said = false;
    socket.on("secureConnect", () =>
      socket.write(
        `GET ${base}/namespaces/default/flunders/a/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`,
      ),
    );
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      if (text.includes(" 101 ") && !said) {
        said = true;
        socket.write(say);
      }
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
  });
}

describe("a server that is not as it should be", () => {
  test("is unavailable by a certificate of somebody else's, and stale in discovery", async () => {
    const other = await createClusterPki({ clock: realClock });
    const foreign = Buffer.from(other.ca.certificate).toString("base64");
    const now = await aggregated.client.get(apiServices, { name });
    await aggregated.client.update(apiServices, {
      ...now,
      spec: { ...apiService({ caBundle: foreign }).spec } as never,
    });
    expect(await aggregated.availability("False")).toContain("x509: certificate signed by unknown authority");
    const answer = await aggregated.ask(`${base}/flunders`);
    expect(answer).toMatchObject({ code: 503, body: "service unavailable\n" });
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    await expect
      .poll(async () => (await aggregated.ask("/apis", { headers: { accept } })).body)
      .toContain('"freshness":"Stale"');
    const again = await aggregated.client.get(apiServices, { name });
    await aggregated.client.update(apiServices, {
      ...again,
      spec: { ...apiService({ caBundle: aggregated.caBundle }).spec } as never,
    });
    expect(await aggregated.availability("True")).toBe("Passed: all checks passed");
  });

  test("is unavailable without its service, port or endpoints", async () => {
    const spec = (service: object) => ({ ...apiService({ caBundle: aggregated.caBundle }).spec, service }) as never;
    const change = async (service: object): Promise<string> => {
      const now = await aggregated.client.get(apiServices, { name });
      await aggregated.client.update(apiServices, { ...now, spec: spec(service) });
      return aggregated.availability("False");
    };
    expect(await change({ namespace: "default", name: "nobody" })).toBe(
      'ServiceNotFound: service/nobody in "default" is not present',
    );
    const now = await aggregated.client.get(apiServices, { name });
    await aggregated.client.update(apiServices, {
      ...now,
      spec: spec({ namespace: "default", name: "wardle", port: 444 }),
    });
    expect(await aggregated.availability("False", name, "ServicePortError")).toBe(
      'ServicePortError: service/wardle in "default" is not listening on port 444',
    );
    const then = await aggregated.client.get(apiServices, { name });
    await aggregated.client.update(apiServices, { ...then, spec: spec({ namespace: "default", name: "wardle" }) });
    await aggregated.availability("True");
  });

  test("that is gone is told of in upstream's words, and comes back", async () => {
    const slice = await aggregated.client.get(endpointSlices, { namespace: "default", name: "wardle-1" });
    const [port] = slice.ports ?? [];
    await aggregated.extension.close();
    const answer = await aggregated.ask(`${base}/flunders`);
    expect(answer).toMatchObject({ code: 503 });
    expect(answer.body).toBe(
      `error trying to reach service: dial tcp 127.0.0.1:${port?.port}: connect: connection refused\n`,
    );
    // A change of its endpoints has it looked at again at once.
    await aggregated.client.update(endpointSlices, {
      ...slice,
      metadata: { ...slice.metadata, annotations: { a: "b" } },
    });
    expect(await aggregated.availability("False")).toMatch(
      /^FailedDiscoveryCheck: failing or missing response from https:/,
    );
    const serving = await aggregated.pki.ca.issue({
      commonName: "x",
      usages: ["server"],
      dnsNames: ["wardle.default.svc"],
    });
    aggregated.extension = new ExtensionServer(aggregated.pki, serving);
    await aggregated.extension.listen(port?.port ?? 0);
    expect(await aggregated.availability("True")).toBe("Passed: all checks passed");
  });
});
