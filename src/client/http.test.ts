import { expect, test } from "vitest";
import type { ApiRequest } from "../api/index.js";
import { accessFrom, formatKubeconfig, parseKubeconfig } from "./kubeconfig.js";
import { httpCall } from "./request-path.js";
import { WatchDecoder } from "./watch-decoder.js";

const pod = { group: "", version: "v1", resource: "pods", namespace: "a" };

test.each<[name: string, request: ApiRequest, method: string, path: string]>([
  ["get", { ...pod, verb: "get", name: "x" }, "GET", "/api/v1/namespaces/a/pods/x"],
  ["list everywhere", { ...pod, namespace: "", verb: "list", options: { limit: 5 } }, "GET", "/api/v1/pods?limit=5"],
  [
    "watch",
    { ...pod, verb: "watch", options: { resourceVersion: "7", allowWatchBookmarks: true, labelSelector: "a=b,c" } },
    "GET",
    "/api/v1/namespaces/a/pods?watch=true&resourceVersion=7&allowWatchBookmarks=true&labelSelector=a%3Db%2Cc",
  ],
  ["create", { ...pod, verb: "create", body: {} }, "POST", "/api/v1/namespaces/a/pods"],
  [
    "bind",
    { ...pod, verb: "create", name: "x", subresource: "binding", body: {} },
    "POST",
    "/api/v1/namespaces/a/pods/x/binding",
  ],
  [
    "status",
    { ...pod, verb: "update", name: "x", subresource: "status", body: {} },
    "PUT",
    "/api/v1/namespaces/a/pods/x/status",
  ],
  [
    "dry run",
    { ...pod, verb: "delete", name: "x", options: { dryRun: ["All"] } },
    "DELETE",
    "/api/v1/namespaces/a/pods/x?dryRun=All",
  ],
  [
    "a group",
    { group: "apps", version: "v1", resource: "deployments", namespace: "a", name: "x/../y", verb: "get" },
    "GET",
    "/apis/apps/v1/namespaces/a/deployments/x%2F..%2Fy",
  ],
  [
    "a namespace",
    { group: "", version: "v1", resource: "namespaces", namespace: "a", name: "a", verb: "get" },
    "GET",
    "/api/v1/namespaces/a",
  ],
])("a request becomes HTTP: %s", (_, request, method, path) => {
  expect(httpCall(request)).toMatchObject({ method, path });
});

test("patches say which kind they are", () => {
  const call = httpCall({ ...pod, verb: "patch", name: "x", patchType: "strategic", body: { a: 1 } });
  expect(call).toMatchObject({
    method: "PATCH",
    contentType: "application/strategic-merge-patch+json",
    body: '{"a":1}',
  });
});

test("a watch is decoded however its bytes are cut", () => {
  const events = Array.from({ length: 20 }, (_, n) => ({ type: "ADDED", object: { metadata: { name: `é${n}` } } }));
  const bytes = Buffer.from(`${events.map((event) => JSON.stringify(event)).join("\n")}\n`);
  for (let size = 1; size < 200; size += 7) {
    const decoder = new WatchDecoder();
    const decoded: unknown[] = [];
    for (let at = 0; at < bytes.length; at += size) decoded.push(...decoder.push(bytes.subarray(at, at + size)).events);
    expect(decoded).toEqual(events);
  }
});

test("an ERROR event is an error behind the events before it", () => {
  const lines =
    '{"type":"ADDED","object":{}}\n{"type":"ERROR","object":{"kind":"Status","reason":"Expired","code":410}}\n';
  const { events, error } = new WatchDecoder().push(Buffer.from(lines));
  expect(events).toHaveLength(1);
  expect(error?.reason).toBe("Expired");
});

test("a kubeconfig that is written can be read", async () => {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const text = await formatKubeconfig({
    name: "here",
    cluster: { server: "https://127.0.0.1:6443", "certificate-authority-data": base64("CA") },
    user: { "client-certificate-data": base64("CERT"), "client-key-data": base64("KEY") },
    namespace: "team",
  });
  const { options, namespace } = await accessFrom(await parseKubeconfig(text));
  expect(namespace).toBe("team");
  expect(options).toMatchObject({
    server: "https://127.0.0.1:6443",
    ca: "CA",
    clientCertificate: "CERT",
    clientKey: "KEY",
  });
});

test.each([
  ["an unknown context", "contexts: []\ncurrent-context: x", 'no context named "x"'],
  ["no context", "{}", "no current context is set"],
  ["no YAML", "a: [", "the kubeconfig is no YAML"],
  ["a list", "[]", "the kubeconfig is no mapping"],
  [
    "a plugin of an API that nobody knows",
    "clusters: [{name: c, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {exec: {command: x}}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x",
    'user "u": exec plugin: invalid apiVersion ""',
  ],
  [
    "a plugin that says not whether it asks people",
    "clusters: [{name: c, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {exec: {command: x, apiVersion: client.authentication.k8s.io/v1}}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x",
    'user "u": exec: interactiveMode must be specified',
  ],
  [
    "a provider",
    "clusters: [{name: c, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {auth-provider: {name: x}}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x",
    'user "u": auth-provider plugins are not supported',
  ],
])("a kubeconfig is refused in one sentence: %s", async (_, text, message) => {
  const access = async () => accessFrom(await parseKubeconfig(text));
  await expect(access()).rejects.toThrow(message);
});
