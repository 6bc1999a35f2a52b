import fastJsonPatch, { type Operation } from "fast-json-patch";
import { beforeAll, expect, test } from "vitest";
import type { JsonObject } from "../../src/api/index.js";
import { diffStrategicMergePatch } from "../../src/api/patch/strategic-diff.js";
import { builtinSchema } from "../../src/api/schema-table.js";
import { define, definition, pathOf, version } from "./support/definitions.js";
import { metadataOf } from "./support/manifests.js";
import { type Choices, forSeeds } from "./support/random.js";
import { Api, type Call, describeApi, failure, type ResourcePath, useControlPlane } from "./support/subject.js";

const controlPlane = useControlPlane();
const free = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

beforeAll(async () => {
  const versions = [version("v1", { free }, { storage: true })];
  await define(new Api(() => controlPlane.inProcess), definition("frees", "Free", versions));
});

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

function randomJson(choices: Choices, depth: number): Json {
  const scalars: Json[] = [true, false, 0, 1, -7, "", "a", "b/c", "~0", "é"];
  if (depth === 0 || choices.chance(3)) return choices.of(scalars);
  if (choices.chance(3)) return Array.from({ length: choices.below(4) }, () => randomJson(choices, depth - 1));
  const keys = choices.some(["a", "b", "c/d", "e~f", "", "metadata"]);
  return Object.fromEntries(keys.map((key) => [key, randomJson(choices, depth - 1)]));
}

function randomMap(choices: Choices, depth: number): { [key: string]: Json } {
  return Object.fromEntries(choices.some(["a", "b", "c", "d/e"]).map((key) => [key, randomJson(choices, depth)]));
}

/** RFC 7396, as it says itself. */
function mergePatched(target: Json, patch: Json): Json {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const isMap = typeof target === "object" && target !== null && !Array.isArray(target);
  const result: { [key: string]: Json } = isMap ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatched(result[key] ?? null, value);
  }
  return result;
}

/** Some of what a merge patch can say about a value: nulls, parts, and other things. */
function randomMergePatch(choices: Choices, target: Json): Json {
  if (typeof target !== "object" || target === null || Array.isArray(target) || choices.chance(6)) {
    return randomJson(choices, 2);
  }
  const patch: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(target)) {
    if (choices.chance(2)) continue;
    patch[key] = choices.chance(3) ? null : randomMergePatch(choices, value);
  }
  return { ...patch, ...(choices.chance(2) ? { new: randomJson(choices, 2) } : {}) };
}

describeApi("laws of JSON patch and merge patch", controlPlane, (api) => {
  const frees = pathOf("frees");
  const made = async (value: Json): Promise<Call & { name: string }> => {
    const at = { namespace: await api.namespace(), name: "a" };
    const body = { apiVersion: "frees.example.com/v1", kind: "Free", metadata: { name: "a" }, spec: { free: value } };
    await api.call("create", frees, { ...at, body });
    return at;
  };
  const freeOf = (object: JsonObject): unknown => (object["spec"] as { free?: unknown }).free;

  test("operations that another library finds lead where it wants", async () => {
    await forSeeds(6902, 40, async (choices) => {
      const from = randomMap(choices, 3);
      const to = randomMap(choices, 3);
      const at = await made(from);
      const operations = fastJsonPatch.compare(from, to).map((each) => ({ ...each, path: `/spec/free${each.path}` }));
      const patch = (body: unknown): Promise<JsonObject> =>
        api.call("patch", frees, { ...at, patchType: "json", body });
      const patched = await patch(operations);
      expect(freeOf(patched)).toEqual(to);
      // What is tested is what is there, or nothing happens.
      const guarded = [
        { op: "test", path: "/spec/free", value: { other: true } },
        { op: "remove", path: "/spec/free" },
      ];
      expect((await failure(patch(guarded))).code).toBe(422);
      expect(await api.call("get", frees, at)).toEqual(patched);
      expect(await patch([{ op: "test", path: "/spec/free", value: to }])).toEqual(patched);
    });
  });

  test("operations at random do what another library does, or fail where it fails", async () => {
    await forSeeds(7000, 60, async (choices) => {
      const from = randomMap(choices, 2);
      const at = await made(from);
      const pointers = ["/a", "/b", "/a/a", "/c/0", "/c/-", "/d~1e", "/b/c~1d"];
      const operations = Array.from({ length: 1 + choices.below(3) }, () => {
        const op = choices.of(["add", "remove", "replace", "copy", "move", "test"]);
        const path = choices.of(pointers);
        const source = choices.of(pointers.slice(0, 4));
        return {
          op,
          path,
          ...(op === "add" || op === "replace" || op === "test" ? { value: randomJson(choices, 1) } : {}),
          ...(op === "copy" || op === "move" ? { from: source } : {}),
        } as Operation;
      });
      let wanted: unknown;
      try {
        const document = { free: structuredClone(from) };
        const moved = operations.map((each) => ({
          ...each,
          path: `/free${each.path}`,
          ...("from" in each ? { from: `/free${each.from}` } : {}),
        }));
        const result = fastJsonPatch.applyPatch(document, moved as Operation[], true).newDocument;
        wanted = (result as { free: unknown }).free;
      } catch {
        wanted = undefined;
      }
      const body = operations.map((each) => ({
        ...each,
        path: `/spec/free${each.path}`,
        ...("from" in each ? { from: `/spec/free${each.from}` } : {}),
      }));
      const attempt = api.call("patch", frees, { ...at, patchType: "json", body });
      if (wanted === undefined) expect([400, 422], JSON.stringify(body)).toContain((await failure(attempt)).code);
      else expect(freeOf(await attempt), JSON.stringify(body)).toEqual(wanted);
    });
  });

  test("merge patches do what RFC 7396 says, once and again", async () => {
    await forSeeds(7396, 60, async (choices) => {
      const from = randomMap(choices, 3);
      const at = await made(from);
      const change = randomMergePatch(choices, from);
      if (typeof change !== "object" || change === null || Array.isArray(change)) return;
      const patch = (): Promise<JsonObject> =>
        api.call("patch", frees, { ...at, patchType: "merge", body: { spec: { free: change } } });
      const once = await patch();
      expect(freeOf(once)).toEqual(mergePatched(from, change));
      expect(await patch()).toEqual(once);
    });
  });
});

interface Subject {
  readonly path: ResourcePath;
  readonly schema: string;
  make(choices: Choices): object;
}

const values = ["0", "1", "2"];

function container(choices: Choices, name: string): object {
  const env = choices.some(["A", "B", "C"]).map((key) => ({ name: key, value: choices.of(values) }));
  const ports = choices.some([80, 81, 82]).map((containerPort) => ({ containerPort, name: `p${containerPort}` }));
  const volumeMounts = choices
    .some(["v", "w"])
    .map((volume) => ({ name: volume, mountPath: `/${volume}${choices.of(values)}` }));
  return {
    name,
    image: `image:${choices.of(values)}`,
    ...(env.length > 0 ? { env } : {}),
    ...(ports.length > 0 ? { ports } : {}),
    ...(volumeMounts.length > 0 ? { volumeMounts } : {}),
    ...(choices.chance(2) ? { args: choices.some(["x", "y", "z"]) } : {}),
  };
}

const subjects: readonly Subject[] = [
  {
    path: "apis/apps/v1/deployments",
    schema: "apps.v1.Deployment",
    make(choices) {
      const names = choices.some(["a", "b", "c"]);
      const containers = (names.length === 0 ? ["a"] : names).map((name) => container(choices, name));
      const volumes = ["v", "w"].map((name) => ({ name, emptyDir: choices.chance(2) ? {} : { medium: "Memory" } }));
      const labels = { app: "law" };
      const annotations = Object.fromEntries(
        choices.some(["x.io/a", "x.io/b"]).map((key) => [key, choices.of(values)]),
      );
      const strategy = choices.chance(2)
        ? { type: "Recreate" }
        : { type: "RollingUpdate", rollingUpdate: { maxSurge: choices.below(3), maxUnavailable: 1 } };
      return {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "a", annotations, finalizers: choices.some(["x.io/f", "x.io/g", "x.io/h"]) },
        spec: {
          selector: { matchLabels: labels },
          strategy,
          template: { metadata: { labels }, spec: { containers, volumes } },
        },
      };
    },
  },
  {
    path: "api/v1/services",
    schema: "core.v1.Service",
    make(choices) {
      const ports = choices.some([80, 81, 82]);
      return {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "a" },
        spec: {
          clusterIP: "None",
          ports: (ports.length === 0 ? [80] : ports).map((port) => ({
            port,
            name: `p${port}`,
            targetPort: choices.below(90) + 1,
          })),
          selector: { app: choices.of(values) },
        },
      };
    },
  },
  {
    path: "api/v1/serviceaccounts",
    schema: "core.v1.ServiceAccount",
    make: (choices) => ({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "a" },
      secrets: choices.some(["s", "t", "u"]).map((name) => ({ name })),
      imagePullSecrets: choices.some(["i", "j"]).map((name) => ({ name })),
    }),
  },
];

/** Lists of keyed items in one order, for what a merge leaves open. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(sorted);
    const keyed = items.every((item) => typeof item === "object");
    return keyed ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, child]) => [key, key === "finalizers" ? [...child].sort() : sorted(child)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** What a client wants of an object: everything but what the server keeps about it. */
function contentOf(object: JsonObject): unknown {
  const { annotations = {}, finalizers = [] } = metadataOf(object);
  const { status: _, metadata: __, ...rest } = object;
  return sorted({ ...rest, annotations, finalizers });
}

describeApi("laws of strategic merge patch", controlPlane, (api) => {
  test.each(subjects)(
    "a difference leads from any object to any other, once and again: $path",
    async ({ path, schema, make }) => {
      await forSeeds(4242, 25, async (choices) => {
        const at = { namespace: await api.namespace(), name: "a" };
        const from = make(choices);
        const to = make(choices);
        const live = await api.call("create", path, { ...at, body: from });
        const body = diffStrategicMergePatch(builtinSchema(schema), from, to) ?? {};
        const patch = (): Promise<JsonObject> => api.call("patch", path, { ...at, patchType: "strategic", body });
        // What the server has given it, and a PUT must not leave away.
        const { resourceVersion } = metadataOf(live);
        const { clusterIPs } = (live["spec"] ?? {}) as { clusterIPs?: unknown };
        const { metadata, spec } = to as { metadata: object; spec?: object };
        const whole = {
          ...to,
          metadata: { ...metadata, resourceVersion },
          ...(clusterIPs === undefined ? {} : { spec: { ...spec, clusterIPs } }),
        };
        const target = await api.call("update", path, { ...at, body: whole, options: { dryRun: ["All"] } });
        const once = await patch();
        expect(contentOf(once), JSON.stringify(body)).toEqual(contentOf(target));
        expect(await patch()).toEqual(once);
        expect(await api.call("patch", path, { ...at, patchType: "strategic", body: {} })).toEqual(once);
      });
    },
  );

  test("three ways: what the client had and wants no more goes, what others did stays", async () => {
    await forSeeds(909, 25, async (choices) => {
      const [{ path, schema, make }] = subjects as [Subject];
      const at = { namespace: await api.namespace(), name: "a" };
      const original = make(choices) as JsonObject;
      const modified = make(choices) as JsonObject;
      await api.call("create", path, { ...at, body: original });
      // Somebody else adds a container, an annotation and a finalizer meanwhile.
      const theirs = {
        metadata: { annotations: { "other.io/a": "1" }, finalizers: ["other.io/f"] },
        spec: { template: { spec: { containers: [{ name: "other", image: "other:1" }] } } },
      };
      const live = await api.call("patch", path, { ...at, patchType: "strategic", body: theirs });
      const body = diffStrategicMergePatch(builtinSchema(schema), original, modified) ?? {};
      const patched = await api.call("patch", path, { ...at, patchType: "strategic", body });
      const target = await api.call("patch", path, {
        ...at,
        name: "b",
        patchType: "apply",
        body: { ...modified, metadata: { ...metadataOf(modified), name: "b" } },
        options: { fieldManager: "f", dryRun: ["All"] },
      });
      const containersOf = (object: JsonObject): { name: string }[] =>
        (object["spec"] as { template: { spec: { containers: { name: string }[] } } }).template.spec.containers;
      const own = containersOf(patched).filter(({ name }) => name !== "other");
      expect(sorted(own)).toEqual(sorted(containersOf(target)));
      expect(containersOf(patched).find(({ name }) => name === "other")).toEqual(
        containersOf(live).find(({ name }) => name === "other"),
      );
      expect(metadataOf(patched)["annotations"]).toEqual({
        ...(metadataOf(modified)["annotations"] as object),
        "other.io/a": "1",
      });
      expect([...(metadataOf(patched)["finalizers"] as string[])].sort()).toEqual(
        [...(metadataOf(modified)["finalizers"] as string[]), "other.io/f"].sort(),
      );
    });
  });

  test("orders items as $setElementOrder says, and leaves the others where they fit", async () => {
    const [{ path }] = subjects as [Subject];
    await forSeeds(1313, 25, async (choices) => {
      const at = { namespace: await api.namespace(), name: "a" };
      const names = ["a", "b", "c", "d"];
      const labels = { app: "law" };
      const spec = { containers: names.map((name) => ({ name, image: "i" })) };
      const object = {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "a", finalizers: ["x.io/1", "x.io/2", "x.io/3"] },
      };
      await api.call("create", path, {
        ...at,
        body: { ...object, spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } } },
      });
      const order = choices.some(names);
      if (order.length === 0) return;
      const body = {
        metadata: { "$deleteFromPrimitiveList/finalizers": ["x.io/2"] },
        spec: {
          strategy: { $retainKeys: ["type"], type: "Recreate" },
          template: { spec: { "$setElementOrder/containers": order.map((name) => ({ name })) } },
        },
      };
      const patched = await api.call("patch", path, { ...at, patchType: "strategic", body });
      const { containers } = (patched["spec"] as { template: { spec: { containers: { name: string }[] } } }).template
        .spec;
      const now = containers.map(({ name }) => name);
      expect(now.filter((name) => order.includes(name))).toEqual(order);
      expect(now.filter((name) => !order.includes(name))).toEqual(names.filter((name) => !order.includes(name)));
      expect((patched["spec"] as { strategy: object }).strategy).toEqual({ type: "Recreate" });
      expect(metadataOf(patched)["finalizers"]).toEqual(["x.io/1", "x.io/3"]);
      expect(await api.call("patch", path, { ...at, patchType: "strategic", body })).toEqual(patched);
    });
  });
});
