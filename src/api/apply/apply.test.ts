import { describe, expect, it } from "vitest";
import type { JsonObject } from "../object.js";
import { deepFreeze } from "../random-objects.fixture.js";
import type { Schema } from "../schema.js";
import { apply, deployment, entriesOf, later, map, now, ownedBy, pod, refused, update } from "./apply.fixture.js";
import { lastAppliedAnnotation } from "./last-applied.js";
import { managedFieldsOf } from "./managed-object.js";
import { updateManagedFields } from "./update.js";

describe("updateManagedFields", () => {
  it("gives a creator what upstream gives it", () => {
    const object: JsonObject = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", namespace: "default", labels: { app: "web" } },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: "web" } },
        strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } },
        template: {
          metadata: { labels: { app: "web" } },
          spec: {
            containers: [{ name: "c", image: "i", resources: {}, ports: [{ containerPort: 80, protocol: "TCP" }] }],
            securityContext: {},
          },
        },
      },
    };
    const created = update(undefined, object, { schema: deployment, apiVersion: "apps/v1", manager: "kubectl-create" });
    expect(entriesOf(created)).toEqual([
      {
        manager: "kubectl-create",
        operation: "Update",
        apiVersion: "apps/v1",
        time: now,
        fieldsType: "FieldsV1",
        fieldsV1: {
          "f:metadata": { "f:labels": { ".": {}, "f:app": {} } },
          "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:strategy": { "f:rollingUpdate": { ".": {}, "f:maxSurge": {} }, "f:type": {} },
            "f:template": {
              "f:metadata": { "f:labels": { ".": {}, "f:app": {} } },
              "f:spec": {
                "f:containers": {
                  'k:{"name":"c"}': {
                    ".": {},
                    "f:image": {},
                    "f:name": {},
                    "f:ports": {
                      ".": {},
                      'k:{"containerPort":80,"protocol":"TCP"}': { ".": {}, "f:containerPort": {}, "f:protocol": {} },
                    },
                    "f:resources": {},
                  },
                },
                "f:securityContext": {},
              },
            },
          },
        },
      },
    ]);
  });

  it("moves what changed from one manager to the other, and drops what is gone", () => {
    const first = update(undefined, map({ a: "1", b: "1", c: "1" }), { manager: "x" });
    const second = update(first, { ...first, data: { a: "2", b: "1", d: "1" } }, { manager: "y", now: later });
    expect(ownedBy(second, "x")).toEqual({ "f:data": { ".": {}, "f:b": {} } });
    expect(ownedBy(second, "y")).toEqual({ "f:data": { "f:a": {}, "f:d": {} } });
    expect(entriesOf(second).map(({ manager, time }) => [manager, time])).toEqual([
      ["x", now],
      ["y", later],
    ]);
  });

  it("gives back the stored object when nothing changes, and its list when nobody's fields do", () => {
    const first = deepFreeze(update(undefined, map({ a: "1" })));
    expect(update(first, JSON.parse(JSON.stringify(first)), { now: later })).toBe(first);
    const touched = update(first, { ...first, metadata: { ...(first.metadata as object), resourceVersion: "7" } });
    expect(managedFieldsOf(touched)).toBe(managedFieldsOf(first));
  });

  it("takes managers from the object when they can be read, and resets by an empty list or entry", () => {
    const first = update(undefined, map({ a: "1" }), { manager: "x" });
    const metadata = first.metadata as object;
    const renamed = [{ ...entriesOf(first)[0], manager: "z" }];
    expect(entriesOf(update(first, { ...first, metadata: { ...metadata, managedFields: renamed } }))[0]?.manager).toBe(
      "z",
    );
    for (const managedFields of [undefined, [{ manager: "q", operation: "Steal" }], "x"]) {
      expect(entriesOf(update(first, { ...first, metadata: { ...metadata, managedFields } }))).toEqual(
        entriesOf(first),
      );
    }
    const emptied = update(first, { ...first, metadata: { ...metadata, managedFields: [] } });
    expect(Object.hasOwn(emptied.metadata as object, "managedFields")).toBe(false);
    expect(entriesOf(update(undefined, { ...map({ a: "1" }), metadata: { managedFields: [] } }))).toHaveLength(1);
    const reset = update(first, { ...first, metadata: { ...metadata, managedFields: [{}] } });
    expect(Object.hasOwn(reset.metadata as object, "managedFields")).toBe(false);
    expect(managedFieldsOf(update(reset, { ...reset, data: { a: "2" } }))).toBeUndefined();
    const again = apply(reset, map({ a: "1", b: "1" }), { manager: "x" });
    expect(entriesOf(again).map((entry) => entry.manager)).toEqual(["x", "before-first-apply"]);
  });

  it("keeps subresources and versions apart, and leaves out what an endpoint resets", () => {
    const options = { schema: pod, manager: "kubelet", apiVersion: "v1", now };
    const created = updateManagedFields({
      ...options,
      object: { spec: { hostname: "h" }, status: { phase: "Pending" } },
      resetFields: { "f:status": {} },
    });
    expect(ownedBy(created, "kubelet")).toEqual({ "f:spec": { "f:hostname": {} } });
    const running = updateManagedFields({
      ...options,
      old: created,
      object: { ...created, status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } },
      subresource: "status",
    });
    expect(entriesOf(running).map(({ manager, subresource }) => [manager, subresource])).toEqual([
      ["kubelet", undefined],
      ["kubelet", "status"],
    ]);
    expect(entriesOf(running)[1]?.fieldsV1).toEqual({
      "f:status": {
        "f:conditions": { ".": {}, 'k:{"type":"Ready"}': { ".": {}, "f:status": {}, "f:type": {} } },
        "f:phase": {},
      },
    });
  });

  it("merges the oldest of more than ten updaters", () => {
    let object = update(undefined, map({}), { manager: "m0" });
    for (let count = 1; count <= 12; count++) {
      object = update(
        object,
        { ...object, data: { ...(object.data as object), [`k${count}`]: "x" } },
        { manager: `m${count}`, now: `2026-01-01T00:00:${String(count).padStart(2, "0")}Z` },
      );
    }
    const names = entriesOf(object).map((entry) => entry.manager);
    expect(names).toHaveLength(10);
    expect(names[0]).toBe("ancient-changes");
    expect(ownedBy(object, "ancient-changes")).toEqual({ "f:data": { ".": {}, "f:k1": {}, "f:k2": {}, "f:k3": {} } });
  });
});

describe("serverSideApply", () => {
  it("creates, changes, and removes what is no longer applied", () => {
    const created = apply(undefined, map({ a: "1", b: "1" }));
    expect(created.data).toEqual({ a: "1", b: "1" });
    expect(entriesOf(created)).toEqual([
      {
        manager: "a",
        operation: "Apply",
        apiVersion: "v1",
        time: now,
        fieldsType: "FieldsV1",
        fieldsV1: { "f:data": { "f:a": {}, "f:b": {} } },
      },
    ]);
    const changed = apply(created, map({ a: "2" }), { now: later });
    expect(changed.data).toEqual({ a: "2" });
    expect(ownedBy(changed, "a")).toEqual({ "f:data": { "f:a": {} } });
    const { data: _, ...bare } = map({});
    expect(apply(changed, bare)).not.toHaveProperty("data");
  });

  it("writes nothing when nothing changes", () => {
    const created = apply(undefined, map({ a: "1" }));
    expect(apply(created, map({ a: "1" }), { now: later })).toBe(created);
  });

  it("names one conflict, and many", () => {
    const live = update(
      undefined,
      { apiVersion: "apps/v1", kind: "Deployment", spec: { replicas: 1, paused: true } },
      {
        schema: deployment,
        apiVersion: "apps/v1",
        manager: "kubectl-client-side-apply",
      },
    );
    const who = { schema: deployment, apiVersion: "apps/v1" };
    const one = refused(() => apply(live, { kind: "Deployment", spec: { replicas: 2 } }, who));
    expect(one.status).toMatchObject({
      code: 409,
      reason: "Conflict",
      message: 'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas',
      details: {
        causes: [
          {
            reason: "FieldManagerConflict",
            message: 'conflict with "kubectl-client-side-apply" using apps/v1',
            field: ".spec.replicas",
          },
        ],
      },
    });
    const two = refused(() => apply(live, { kind: "Deployment", spec: { replicas: 2, paused: false } }, who));
    expect(two.status.message).toBe(
      'Apply failed with 2 conflicts: conflicts with "kubectl-client-side-apply" using apps/v1:\n- .spec.paused\n- .spec.replicas',
    );
    const forced = apply(live, { kind: "Deployment", spec: { replicas: 2 } }, { ...who, force: true });
    expect(ownedBy(forced, "a")).toEqual({ "f:spec": { "f:replicas": {} } });
    expect(ownedBy(forced, "kubectl-client-side-apply")).toEqual({ "f:spec": { "f:paused": {} } });
  });

  it("shares ownership of equal values, and removes with the last owner", () => {
    const first = apply(undefined, map({ a: "1", b: "1" }), { manager: "a" });
    const second = apply(first, map({ a: "1" }), { manager: "b" });
    const third = apply(second, map({ b: "1" }), { manager: "a" });
    expect(third.data).toEqual({ a: "1", b: "1" });
    const fourth = apply(third, { kind: "ConfigMap", metadata: { name: "m" }, data: { c: "1" } }, { manager: "b" });
    expect(fourth.data).toEqual({ b: "1", c: "1" });
  });

  it("merges keyed lists in the applied order, and leaves the items of others", () => {
    const container = (name: string, rest: object = {}): object => ({ name, ...rest });
    const podOf = (...containers: object[]): JsonObject => ({ kind: "Pod", spec: { containers } });
    const who = { schema: pod };
    const live = update(undefined, podOf(container("x", { image: "1" }), container("y")), who);
    const applied = apply(live, podOf(container("n"), container("y", { image: "2" })), who);
    expect(applied.spec).toEqual({
      containers: [container("x", { image: "1" }), container("n"), container("y", { image: "2" })],
    });
    expect(ownedBy(applied, "a")).toEqual({
      "f:spec": {
        "f:containers": {
          'k:{"name":"n"}': { ".": {}, "f:name": {} },
          'k:{"name":"y"}': { ".": {}, "f:image": {}, "f:name": {} },
        },
      },
    });
    const gone = apply(applied, podOf(container("y", { image: "2" })), who);
    expect(gone.spec).toEqual({ containers: [container("x", { image: "1" }), container("y", { image: "2" })] });
  });

  it("takes sets item by item, and atomic lists and maps as one", () => {
    const who = { schema: pod, manager: "a" };
    const live = update(
      undefined,
      { kind: "Pod", metadata: { finalizers: ["f1"] }, spec: { nodeSelector: { a: "1" } } },
      who,
    );
    const applied = apply(live, { kind: "Pod", metadata: { finalizers: ["f2"] } }, who);
    expect((applied.metadata as { finalizers: unknown }).finalizers).toEqual(["f1", "f2"]);
    expect(ownedBy(applied, "a")).toEqual({ "f:metadata": { "f:finalizers": { 'v:"f2"': {} } } });
    const conflict = refused(() =>
      apply(applied, { kind: "Pod", spec: { nodeSelector: { b: "1" } } }, { schema: pod, manager: "c" }),
    );
    expect(conflict.status.message).toContain(": .spec.nodeSelector");
  });

  it.each([
    {
      name: "duplicate keys",
      applied: {
        kind: "Pod",
        metadata: { name: "p", namespace: "n" },
        spec: { containers: [{ name: "a" }, { name: "a" }] },
      },
      message:
        'failed to create typed patch object (n/p; /v1, Kind=Pod): .spec.containers: duplicate entries for key [name="a"]',
    },
    {
      name: "unknown field",
      applied: { kind: "Pod", metadata: { name: "p", namespace: "n" }, spec: { foo: 1 } },
      message: "failed to create typed patch object (n/p; /v1, Kind=Pod): .spec.foo: field not declared in schema",
    },
    {
      name: "missing key",
      applied: { kind: "Pod", metadata: { name: "p", namespace: "n" }, spec: { containers: [{ image: "a" }] } },
      message:
        'failed to create typed patch object (n/p; /v1, Kind=Pod): .spec.containers: element 0: associative list with keys has an element that omits key field "name" (and doesn\'t have default value)',
    },
    {
      name: "managedFields",
      applied: { kind: "Pod", metadata: { managedFields: [{ manager: "x" }] } },
      message: "metadata.managedFields must be nil",
    },
    {
      name: "another version",
      applied: { apiVersion: "v2", kind: "Pod" },
      message: "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1",
    },
  ])("refuses: $name", ({ applied, message }) => {
    expect(refused(() => apply(undefined, applied, { schema: pod })).status.message).toBe(message);
  });

  it("lets kubectl take over from its client-side apply", () => {
    const annotated = (data: Record<string, string>, applied: unknown): JsonObject => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "m", annotations: { [lastAppliedAnnotation]: JSON.stringify(applied) } },
      data,
    });
    const before = { apiVersion: "v1", ...map({ a: "1", b: "1" }) };
    const live = update(undefined, annotated({ a: "1", b: "2" }, before), { manager: "kubectl-client-side-apply" });
    const taken = apply(live, map({ a: "3" }), { manager: "kubectl" });
    expect(taken.data).toEqual({ a: "3", b: "2" });
    const metadata = taken.metadata as { annotations: Record<string, string> };
    expect(JSON.parse(metadata.annotations[lastAppliedAnnotation] ?? "")).toEqual({
      apiVersion: "v1",
      ...map({ a: "3" }),
    });
    expect(refused(() => apply(live, map({ b: "3" }), { manager: "kubectl" })).status.code).toBe(409);
    expect(refused(() => apply(live, map({ a: "3" }), { manager: "other" })).status.code).toBe(409);
  });

  it("applies custom resources, field by field where they are free", () => {
    const string: Schema = { type: "string" };
    const schema: Schema = {
      type: "object",
      properties: new Map<string, Schema>([
        ["apiVersion", string],
        ["kind", string],
        [
          "metadata",
          {
            type: "object",
            properties: new Map([
              ["name", string],
              ["labels", { type: "object", additional: string }],
            ]),
          },
        ],
        ["spec", { type: "object", preserveUnknown: true, properties: new Map([["known", string]]) }],
      ]),
    };
    const who = { schema, apiVersion: "example.com/v1" };
    const custom = (spec: object): JsonObject => ({
      apiVersion: "example.com/v1",
      kind: "Foo",
      metadata: { name: "f" },
      spec,
    });
    const live = update(undefined, custom({ known: "a", free: { deep: { x: 1 }, list: [{ a: 1 }] } }), who);
    expect(ownedBy(live, "u")).toEqual({
      "f:spec": { ".": {}, "f:free": { ".": {}, "f:deep": { ".": {}, "f:x": {} }, "f:list": {} }, "f:known": {} },
    });
    const applied = apply(live, custom({ free: { deep: { y: 2 } } }), who);
    expect(applied.spec).toEqual({ known: "a", free: { deep: { x: 1, y: 2 }, list: [{ a: 1 }] } });
    expect(ownedBy(applied, "a")).toEqual({ "f:spec": { "f:free": { ".": {}, "f:deep": { ".": {}, "f:y": {} } } } });
    expect(apply(applied, custom({ known: "b" }), { ...who, force: true }).spec).toEqual({
      known: "b",
      free: { deep: { x: 1 }, list: [{ a: 1 }] },
    });
    expect(refused(() => apply(live, custom({ free: { list: [] } }), who)).status.message).toBe(
      'Apply failed with 1 conflict: conflict with "u" using example.com/v1: .spec.free.list',
    );
  });

  it("takes __proto__ in maps as data", () => {
    const hostile = JSON.parse('{"kind":"ConfigMap","data":{"__proto__":"x","constructor":"y"}}') as JsonObject;
    const applied = apply(apply(undefined, map({ a: "1" })), hostile, { manager: "b" });
    expect(Object.getPrototypeOf(applied.data)).toBe(Object.prototype);
    expect(Object.keys(applied.data as object).sort()).toEqual(["__proto__", "a", "constructor"]);
    const back = apply(applied, map({}), { manager: "b" });
    expect(Object.keys(back.data as object)).toEqual(["a"]);
  });
});
