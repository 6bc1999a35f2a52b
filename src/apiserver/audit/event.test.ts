import { describe, expect, it } from "vitest";
import { ConvertedObject } from "../watchcache/stored-object.js";
import { encodeEvent, eventSize, legacyLine } from "./event.js";
import { makeEvent } from "./fixture.js";
import { recordedBody, recordedList, recordedValue } from "./recorded.js";

const all = { omitManagedFields: false };

describe("encodeEvent", () => {
  it("writes the fields in upstream's order, objects as they came", () => {
    const requestObject = recordedBody({ a: 1 }, Buffer.from('{"a": 1}'), all);
    const event = makeEvent({ ...(requestObject && { requestObject }), annotations: { "a/b": "c" } });
    expect(encodeEvent(event)).toBe(
      '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"id-1","stage":"ResponseComplete",' +
        '"requestURI":"/api/v1/namespaces/default/pods","verb":"list",' +
        '"user":{"username":"jane","groups":["dev","system:authenticated"]},"sourceIPs":["192.0.2.7"],' +
        '"userAgent":"kubectl/v1.36.0","objectRef":{"resource":"pods","namespace":"default","apiVersion":"v1"},' +
        '"responseStatus":{"metadata":{},"code":200},"requestObject":{"a": 1},' +
        '"requestReceivedTimestamp":"2026-01-01T00:00:00.120000Z","stageTimestamp":"2026-01-01T00:00:01.000000Z",' +
        '"annotations":{"a/b":"c"}}',
    );
    expect(JSON.parse(encodeEvent(event))).toEqual(JSON.parse(JSON.stringify(event)));
  });

  it("is about as long as eventSize says", () => {
    const responseObject = recordedValue({ text: "x".repeat(50_000) }, all);
    const event = makeEvent(responseObject && { responseObject });
    expect(Math.abs(eventSize(event) - Buffer.byteLength(encodeEvent(event)))).toBeLessThan(500);
  });
});

describe("legacyLine", () => {
  it("is upstream's", () => {
    expect(legacyLine(makeEvent())).toBe(
      '2026-01-01T00:00:00.12Z AUDIT: id="id-1" stage="ResponseComplete" ip="192.0.2.7" method="list" user="jane" ' +
        'groups="\\"dev\\",\\"system:authenticated\\"" as="<self>" asgroups="<lookup>" user-agent="kubectl/v1.36.0" ' +
        'namespace="default" uri="/api/v1/namespaces/default/pods" response="200"',
    );
  });

  it("says what is not known", () => {
    const { sourceIPs: _, objectRef: __, responseStatus: ___, ...event } = makeEvent({ user: {} });
    const line = legacyLine({ ...event, impersonatedUser: { username: "joe", groups: ["ops"] } });
    for (const part of [
      'ip="<unknown>"',
      'user="<none>" groups="<none>"',
      'as="joe" asgroups="\\"ops\\""',
      'response="<deferred>"',
    ])
      expect(line).toContain(part);
  });
});

describe("what is recorded", () => {
  const managed = { kind: "Pod", metadata: { name: "a", managedFields: [{ manager: "m" }] } };
  const omit = { omitManagedFields: true };

  it.each([
    ["the bytes", '{"b":[1,  2]}', '{"b":[1,  2]}'],
    ["one line of what has several", '{\n"b": 1\r\n}', '{"b":1}'],
  ])("is %s", (_, body, expected) => {
    expect(recordedBody(JSON.parse(body), Buffer.from(body), all)?.json.toString()).toBe(expected);
  });

  it("leaves managed fields out of objects, lists and tables", () => {
    const bytes = Buffer.from(JSON.stringify(managed));
    expect(recordedBody(managed, bytes, omit)?.toJSON()).toEqual({ kind: "Pod", metadata: { name: "a" } });
    expect(recordedValue({ items: [managed] }, omit)?.toJSON()).toEqual({
      items: [{ kind: "Pod", metadata: { name: "a" } }],
    });
    const rows = recordedValue({ rows: [{ cells: [1], object: managed }] }, omit);
    expect(rows?.toJSON()).toEqual({ rows: [{ cells: [1], object: { kind: "Pod", metadata: { name: "a" } } }] });
    expect(recordedValue(managed, all)?.toJSON()).toEqual(managed);
  });

  const listOf = (padding: number, bare: boolean) => {
    const items = ["a", "b"].map(
      (name) =>
        new ConvertedObject(
          { key: name, revision: 1 },
          { kind: "Pod", apiVersion: "v1", metadata: { name, annotations: { pad: "x".repeat(padding) } } },
        ),
    );
    return { apiVersion: "v1", kind: "PodList", metadata: { resourceVersion: "9" }, items, bare };
  };

  it.each([true, false])("has lists as they go over the wire (bare: %s)", (bare) => {
    const recorded = recordedList(listOf(1, bare), all)?.toJSON() as { items: unknown[] };
    expect(recorded).toMatchObject({ kind: "PodList", metadata: { resourceVersion: "9" } });
    expect(recorded.items).toHaveLength(2);
    expect(recorded.items[1]).toMatchObject({ metadata: { name: "b" } });
  });

  it("has nothing of a list that is too large", () => {
    expect(recordedList(listOf(2 * 1024 * 1024, false), all)).toBeUndefined();
  });
});
