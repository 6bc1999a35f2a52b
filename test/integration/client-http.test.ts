import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { configMaps, isStatusError, type KubeObject } from "coxswain/api";
import { createClient, createInformer, HttpTransport } from "coxswain/client";
import { afterEach, expect, test } from "vitest";

let server: Server | undefined;
let transport: HttpTransport | undefined;

afterEach(async () => {
  await transport?.[Symbol.asyncDispose]();
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<HttpTransport> {
  server = createServer(answer);
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  transport = new HttpTransport({ server: `http://127.0.0.1:${port}/base/`, token: () => "secret" });
  return transport;
}

const config = (name: string, resourceVersion: string): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "a", uid: name, resourceVersion, creationTimestamp: "2026-01-01T00:00:00Z" },
});
const json = (response: ServerResponse, code: number, body: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(code, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
};
const status = (code: number, reason: string) => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  reason,
  code,
  message: reason,
});

test("sends what was asked, with the token, below the server's path", async () => {
  const seen: unknown[] = [];
  const client = createClient(
    await serve((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        seen.push([request.method, request.url, request.headers.authorization, request.headers["content-type"], body]);
        json(response, 200, config("x", "2"));
      });
    }),
  );
  await client.patch(configMaps, { namespace: "a", name: "x" }, { type: "merge", body: { data: { a: "é" } } });
  const url = "/base/api/v1/namespaces/a/configmaps/x";
  expect(seen).toEqual([["PATCH", url, "Bearer secret", "application/merge-patch+json", '{"data":{"a":"é"}}']]);
});

test("waits when it is told to, and gives errors as the server's Status", async () => {
  let calls = 0;
  const client = createClient(
    await serve((_, response) => {
      if (++calls < 3) json(response, 429, status(429, "TooManyRequests"), { "retry-after": "0" });
      else json(response, 409, status(409, "Conflict"));
    }),
  );
  await expect(client.get(configMaps, { namespace: "a", name: "x" })).rejects.toSatisfy((error) =>
    isStatusError(error, "Conflict"),
  );
  expect(calls).toBe(3);
});

test("a server that is not there is ServiceUnavailable, a page of a proxy keeps its code", async () => {
  const client = createClient(await serve((_, response) => response.writeHead(403).end("<html>no</html>")));
  await expect(client.get(configMaps, { namespace: "a", name: "x" })).rejects.toSatisfy((error) =>
    isStatusError(error, "Forbidden"),
  );
  const nobody = new HttpTransport({ server: "http://127.0.0.1:1" });
  const asked = createClient(nobody).get(configMaps, { namespace: "a", name: "x" });
  await expect(asked).rejects.toSatisfy((error) => isStatusError(error, "ServiceUnavailable"));
  await nobody[Symbol.asyncDispose]();
});

test("aborting ends a watch without an error and a request with its reason", async () => {
  const client = createClient(
    await serve((request, response) => {
      if (request.url?.includes("watch=true"))
        response.writeHead(200).write(`${JSON.stringify({ type: "ADDED", object: config("x", "1") })}\n`);
    }),
  );
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const { type, object } of client.watch(configMaps, { namespace: "a", signal: stop.signal })) {
    seen.push(`${type} ${object.metadata.name}`);
    stop.abort();
  }
  expect(seen).toEqual(["ADDED x"]);
  const again = new AbortController();
  const reason = new Error("enough");
  const asked = client.get(configMaps, { namespace: "a", name: "x" }, { signal: again.signal });
  setImmediate(() => again.abort(reason));
  await expect(asked).rejects.toThrow();
});

test("an informer lives through cut watches and lost history", async () => {
  const watches: ServerResponse[] = [];
  let list = [config("a", "1"), config("b", "2")];
  let revision = 2;
  let expire = false;
  const client = createClient(
    await serve((request, response) => {
      if (!request.url?.includes("watch=true")) {
        json(response, 200, {
          apiVersion: "v1",
          kind: "ConfigMapList",
          metadata: { resourceVersion: `${revision}` },
          items: list,
        });
      } else if (expire) {
        expire = false;
        response.writeHead(200).end(`${JSON.stringify({ type: "ERROR", object: status(410, "Expired") })}\n`);
      } else {
        watches.push(response);
        response.writeHead(200).flushHeaders();
      }
    }),
  );
  const informer = createInformer({ client, resource: configMaps });
  const stop = new AbortController();
  const running = informer.run(stop.signal);
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await new Promise((resolve) => setImmediate(resolve));
  };
  await informer.whenSynced();
  await until(() => watches.length === 1);
  const added = `${JSON.stringify({ type: "ADDED", object: config("c", "3") })}\n`;
  watches[0]?.write(added.slice(0, 20));
  watches[0]?.write(added.slice(20));
  await until(() => informer.size === 3);
  watches[0]?.destroy();
  await until(() => watches.length === 2);
  expire = true;
  revision = 9;
  list = [config("z", "9")];
  watches[1]?.destroy();
  await until(() => informer.size === 1);
  expect([...informer.keys()]).toEqual(["a/z"]);
  stop.abort();
  await running;
});
