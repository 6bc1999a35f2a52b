import { describe, expect, test } from "vitest";
import type { JsonObject, KubeObject } from "../../api/index.js";
import { createProtobufCodec } from "../../api/protobuf/index.js";
import type { StoredEvent, StoredObject } from "../request.js";
import { ConvertedObject } from "../watchcache/stored-object.js";
import { answerHealth, healthPath } from "./health.js";
import { acceptsGzip, negotiate, patchTypeOf } from "./negotiate.js";
import { ProtobufObjects } from "./protobuf.js";
import { parseRequestOptions, wantsWatch } from "./query.js";
import { parseRequestInfo } from "./request-info.js";
import { SlabCache } from "./slabs.js";
import { formatWarning } from "./warning.js";

describe("parseRequestInfo", () => {
  test.each([
    ["GET", "/api/v1/pods", { verb: "list", group: "", version: "v1", resource: "pods", namespace: "" }],
    ["GET", "/api/v1/namespaces/a/pods", { verb: "list", namespace: "a", resource: "pods" }],
    ["GET", "/api/v1/namespaces/a/pods/", { verb: "list", namespace: "a", resource: "pods", name: "" }],
    ["GET", "/api/v1/namespaces/a/pods/b", { verb: "get", namespace: "a", resource: "pods", name: "b" }],
    ["PUT", "/api/v1/namespaces/a/pods/b/status", { verb: "update", name: "b", subresource: "status" }],
    ["POST", "/apis/apps/v1/namespaces/a/deployments", { verb: "create", group: "apps", resource: "deployments" }],
    ["DELETE", "/apis/apps/v1/namespaces/a/deployments", { verb: "deletecollection" }],
    ["DELETE", "/apis/apps/v1/namespaces/a/deployments/d", { verb: "delete", name: "d" }],
    ["GET", "/api/v1/namespaces", { verb: "list", resource: "namespaces", namespace: "", name: "" }],
    ["GET", "/api/v1/namespaces/a", { verb: "get", resource: "namespaces", namespace: "a", name: "a" }],
    ["PUT", "/api/v1/namespaces/a/finalize", { resource: "namespaces", name: "a", subresource: "finalize" }],
    ["GET", "/api/v1/watch/namespaces/a/pods/b", { verb: "watch", namespace: "a", resource: "pods", name: "b" }],
    ["GET", "/api/v1/nodes/n/proxy/a%2Fb/c", { resource: "nodes", subresource: "proxy", rest: "/a%2Fb/c" }],
    ["GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode", { name: "system:node" }],
  ])("%s %s", (method, path, expected) => {
    expect(parseRequestInfo(method, path)).toMatchObject({ type: "resource", ...expected });
  });

  test.each(["/", "/api", "/api/", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/healthz", "/openapi/v3"])(
    "%s is no resource",
    (path) => {
      expect(parseRequestInfo("GET", path)).toEqual({ type: "path", verb: "get", path });
    },
  );

  test.each([
    ["/api/v1/pods/..", 404],
    ["/api/v1/namespaces/a/pods/%2e%2e", 404],
    ["/api/v1/namespaces/a/pods/b%2Fc", 404],
    ["/api/v1/namespaces/a//pods", 404],
    ["/api/v1/namespaces/a/pods/b/log/c", 404],
    ["/api/v1/nodes/n/proxy/..%2f..", 404],
    ["/api/v1/namespaces/a/pods/%ff", 400],
    ["api/v1", 400],
  ])("%s is refused with %i", (path, code) => {
    expect(() => parseRequestInfo("GET", path)).toThrowError(expect.objectContaining({ code }));
  });
});

describe("query", () => {
  test("converts as upstream", () => {
    expect(
      parseRequestOptions("limit=5&continue=abc&allowWatchBookmarks=true&dryRun=All&force=0&labelSelector=a%3Db&x=y"),
    ).toEqual({
      limit: 5,
      continue: "abc",
      allowWatchBookmarks: true,
      dryRun: ["All"],
      force: false,
      labelSelector: "a=b",
    });
    expect(wantsWatch("watch=false")).toBe(false);
    expect(wantsWatch("watch")).toBe(true);
  });

  test.each([
    ["limit=1.5", 'strconv.ParseInt: parsing "1.5": invalid syntax'],
    ["timeoutSeconds=99999999999999999999", 'strconv.ParseInt: parsing "99999999999999999999": value out of range'],
  ])("%s is refused", (query, message) => {
    expect(() => parseRequestOptions(query)).toThrowError(message);
  });
});

describe("negotiation", () => {
  test.each([
    ["*/*", { format: "json" }],
    ["application/yaml", { format: "yaml" }],
    ["application/vnd.kubernetes.protobuf, */*", { format: "json" }],
    ["application/json;as=Table;v=v1;g=meta.k8s.io,application/json", { format: "json", as: "Table", asVersion: "v1" }],
    ["application/json;as=Table;v=v2;g=meta.k8s.io,application/json", { format: "json" }],
    ["application/json;q=0.1,application/yaml;q=0.9", { format: "yaml" }],
    [
      "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
      { format: "json", as: "PartialObjectMetadataList", asVersion: "v1" },
    ],
  ])("%s", (header, expected) => {
    expect(negotiate(header)).toEqual(expected);
  });

  const pb = "application/vnd.kubernetes.protobuf";
  const as = (kind: string): string => `;as=${kind};g=meta.k8s.io;v=v1`;

  test.each([
    { header: `${pb},application/json`, builtin: "protobuf", custom: "json" },
    { header: `application/json,${pb}`, builtin: "json", custom: "json" },
    { header: `${pb};q=0.5,application/json;q=0.4`, builtin: "protobuf", custom: "json" },
    { header: `${pb};stream=watch,${pb}`, builtin: "protobuf", custom: undefined },
    { header: `${pb}${as("Table")},application/json${as("Table")}`, builtin: "json", custom: "json" },
    { header: `${pb}${as("PartialObjectMetadata")}`, builtin: "protobuf", custom: "protobuf" },
    { header: `${pb}${as("PartialObjectMetadataList")},${pb}`, builtin: "protobuf", custom: "protobuf" },
  ])("protobuf where there is one: $header", ({ header, builtin, custom }) => {
    expect(negotiate(header, { protobuf: true }).format).toBe(builtin);
    if (custom === undefined) expect(() => negotiate(header)).toThrowError("application/json, application/yaml");
    else expect(negotiate(header).format).toBe(custom);
  });

  test("what cannot be had is 406, what cannot be read 415", () => {
    expect(() => negotiate("text/html;q=1")).toThrowError(expect.objectContaining({ code: 406 }));
    expect(() => patchTypeOf("application/json")).toThrowError(expect.objectContaining({ code: 415 }));
    expect(patchTypeOf("application/merge-patch+json; charset=utf-8")).toBe("merge");
  });

  test("gzip only where it is accepted", () => {
    expect(acceptsGzip("deflate, gzip;q=1.0")).toBe(true);
    expect(acceptsGzip("gzip;q=0")).toBe(false);
    expect(acceptsGzip("xgzip")).toBe(false);
  });
});

test("a warning is quoted and cannot end its header", () => {
  expect(formatWarning('a "b"\r\nSet-Cookie: x')).toBe('299 - "a \\"b\\" Set-Cookie: x"');
});

describe("health", () => {
  const checks = [
    { name: "ping", check: () => undefined },
    { name: "store", endpoints: ["readyz" as const], check: () => "no connection to password@host" },
  ];

  test("tells what failed, and not why", async () => {
    const answer = await answerHealth(checks, "readyz", "", "");
    expect(answer).toEqual({ code: 500, text: "[+]ping ok\n[-]store failed: reason withheld\nreadyz check failed\n" });
    expect(await answerHealth(checks, "livez", "", "verbose")).toEqual({
      code: 200,
      text: "[+]ping ok\nlivez check passed\n",
    });
    expect((await answerHealth(checks, "readyz", "", "exclude=store"))?.code).toBe(200);
    expect(await answerHealth(checks, "readyz", "nope", "")).toBeUndefined();
    expect(healthPath("/readyz/store")).toEqual({ endpoint: "readyz", check: "store" });
    expect(healthPath("/readyz/a/b")).toBeUndefined();
  });
});

describe("objects as protobuf", () => {
  const stored = (name: string, revision: number): StoredObject => {
    const object: KubeObject = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, uid: "", resourceVersion: String(revision), creationTimestamp: "2024-01-01T00:00:00Z" },
    };
    return new ConvertedObject({ key: name, revision }, object as unknown as JsonObject);
  };

  test("are encoded once while they are kept, within the bound", () => {
    const objects = new ProtobufObjects(createProtobufCodec(), 4096);
    const items = Array.from({ length: 1000 }, (_, at) => stored(`p${at}`, at + 1));
    for (const one of items) objects.item(one);
    expect(objects.sizeBytes).toBeLessThanOrEqual(4096);
    const [first, last] = [items[0], items[999]] as [StoredObject, StoredObject];
    expect([objects.has(first), objects.has(last)]).toEqual([false, true]);
    expect(objects.item(last)).toBe(objects.item(last));
  });

  test("go to all watchers in the same bytes", () => {
    const objects = new ProtobufObjects(createProtobufCodec());
    const event: StoredEvent = { type: "ADDED", stored: stored("a", 1), frame: Buffer.alloc(0) };
    expect(objects.joiner.join([event])).toBe(objects.joiner.join([event]));
    const batch = [event, { ...event, type: "DELETED" as const }];
    expect(objects.joiner.join(batch)).toBe(objects.joiner.join(batch));
    expect(objects.joiner.join(batch).readUInt32BE()).toBe(objects.frame(event).length - 4);
  });
});

describe("slabs", () => {
  const item = (name: string, revision: number): StoredObject =>
    new ConvertedObject({ key: name, revision }, { metadata: { name, revision } });
  const joined = (cache: SlabCache, items: readonly StoredObject[]): string => {
    const parts: string[] = [];
    for (let at = 0; at < items.length; ) {
      const slab = cache.next(items, at);
      parts.push(slab.bytes.toString());
      at = slab.end;
    }
    return `[${parts.join(",")}]`;
  };

  test("are the items in order, whatever changed since they were joined", () => {
    const cache = new SlabCache();
    let items = Array.from({ length: 1000 }, (_, at) => item(`p${at}`, at + 1));
    const expected = (): unknown => items.map(({ key, revision }) => ({ metadata: { name: key, revision } }));
    expect(JSON.parse(joined(cache, items))).toEqual(expected());
    items = items.map((one, at) => (at === 500 ? item(one.key, 5000) : one)).filter((_, at) => at !== 100);
    expect(JSON.parse(joined(cache, items))).toEqual(expected());
    items = items.filter((_, at) => at % 3 === 0);
    expect(JSON.parse(joined(cache, items))).toEqual(expected());
  });

  test("are kept between lists, within the bound", () => {
    const cache = new SlabCache(4096);
    const items = Array.from({ length: 1000 }, (_, at) => item(`p${at}`, at + 1));
    joined(cache, items);
    expect(cache.sizeBytes).toBeLessThanOrEqual(4096);
    const roomy = new SlabCache();
    const first = roomy.next(items, 0).bytes;
    expect(roomy.next(items, 0).bytes).toBe(first);
  });
});
