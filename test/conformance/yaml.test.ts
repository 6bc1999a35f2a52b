import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { JsonObject } from "../../src/api/index.js";
import { everyKind, placed } from "./support/every-kind.js";
import { metadataOf } from "./support/manifests.js";
import { Api, useControlPlane } from "./support/subject.js";
import type { Answer } from "./support/wire.js";

const cp = useControlPlane({ loopback: true });
const api = new Api(() => cp.inProcess);
const yaml = { "Content-Type": "application/yaml", Accept: "application/yaml" };

function parsed(answer: Answer, code: number): JsonObject {
  expect(answer.code, answer.text).toBe(code);
  expect(answer.headers["content-type"]).toBe("application/yaml");
  return parse(answer.text) as JsonObject;
}

test.each(everyKind)("objects are in YAML what they are in JSON: $path", async (sample) => {
  const namespace = await api.namespace();
  await api.create("api/v1/serviceaccounts", { metadata: { name: "default", namespace } });
  const body = placed(sample, 30_000, namespace, { labels: { sample: namespace } });
  const end = sample.path.lastIndexOf("/");
  const place = sample.namespaced ? `/namespaces/${namespace}` : "";
  const collection = `/${sample.path.slice(0, end)}${place}${sample.path.slice(end)}`;
  const path = `${collection}/${String(metadataOf(body)["name"])}`;
  const send = (at: string, method = "GET", sent?: string, type = "application/yaml"): Promise<Answer> =>
    cp.wire.send(at, {
      method,
      headers: { ...yaml, "Content-Type": type },
      ...(sent === undefined ? {} : { body: sent }),
    });
  const made = parsed(await send(collection, "POST", stringify(body)), 201);
  // A definition gets its conditions from the server.
  if (sample.kind === "CustomResourceDefinition") {
    await expect.poll(async () => parsed(await send(path), 200)).toMatchObject({ status: { conditions: [{}, {}] } });
  }
  const json = (await cp.wire.send(path)).json();
  if (sample.kind !== "CustomResourceDefinition") expect(made).toEqual(json);
  expect(parsed(await send(path), 200)).toEqual(json);
  expect(parsed(await send(path, "PUT", stringify(json)), 200)).toEqual(json);
  const list = `${collection}?labelSelector=sample%3D${namespace}`;
  expect(parsed(await send(list), 200)).toEqual((await cp.wire.send(list)).json());
  const { apiVersion, kind } = body;
  const intent = { apiVersion, kind, metadata: { name: metadataOf(body)["name"], annotations: { by: "apply" } } };
  const apply = "application/apply-patch+yaml";
  const applied = parsed(await send(`${path}?fieldManager=tool`, "PATCH", stringify(intent), apply), 200);
  expect(metadataOf(applied)).toMatchObject({ annotations: { by: "apply" } });
});

test("text of YAML that JSON has no form for is read as Go reads it", async () => {
  const namespace = await api.namespace();
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const text = `
# A comment, an anchor and a merge.
apiVersion: v1
kind: ConfigMap
metadata: &meta
  name: forms
  labels: {plain: "yes", quoted: 'on'}
data:
  folded: >-
    one
    two
  literal: |
    one
    two
  number: "0x10"
  commit: e5
  dot: .
  dots: -.
  version: 1.2.3
`;
  const answer = await cp.wire.send(path, { method: "POST", headers: yaml, body: text });
  const made = parsed(answer, 201);
  // What others would read as a boolean or a number is quoted.
  for (const quoted of ['plain: "yes"', 'quoted: "on"', 'number: "0x10"']) expect(answer.text).toContain(quoted);
  expect(made).toMatchObject({
    metadata: { labels: { plain: "yes", quoted: "on" } },
    data: {
      folded: "one two",
      literal: "one\ntwo\n",
      number: "0x10",
      commit: "e5",
      dot: ".",
      dots: "-.",
      version: "1.2.3",
    },
  });
  const wrong = [
    { body: "data: {a: yes}", why: "cannot unmarshal bool into Go struct field ConfigMap.data of type string" },
    { body: "data: {a: 1}", why: "cannot unmarshal number into Go struct field ConfigMap.data of type string" },
    { body: "data: {a: 1e5}", why: "cannot unmarshal number into Go struct field ConfigMap.data of type string" },
    { body: "data: {a: .5}", why: "cannot unmarshal number into Go struct field ConfigMap.data of type string" },
    { body: "data: {a: 0x10}", why: "cannot unmarshal number into Go struct field ConfigMap.data of type string" },
  ];
  for (const { body, why } of wrong) {
    const sent = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n${body}\n`;
    const answer = await cp.wire.send(path, { method: "POST", headers: yaml, body: sent });
    expect(parsed(answer, 400)).toMatchObject({ reason: "BadRequest", message: expect.stringContaining(why) });
  }
});

test.each([3, 300])(
  "a list of %d is written as upstream writes it: sorted, and no deeper than it must be",
  async (count) => {
    const namespace = await api.namespace();
    for (let at = 0; at < count; at++) {
      const body = { metadata: { name: `cm-${at}` }, data: { text: "long ".repeat(200), answer: "no" } };
      await api.call("create", "api/v1/configmaps", { namespace, body });
    }
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const answer = await cp.wire.send(path, { headers: { Accept: "application/yaml" } });
    expect(parsed(answer, 200)).toEqual((await cp.wire.send(path)).json());
    expect(answer.text).toMatch(
      /^apiVersion: v1\nitems:\n- data:\n {4}answer: "no"\n {4}text: "?(long )+"?\n {2}metadata:\n/,
    );
    expect(answer.text).toMatch(/\nkind: ConfigMapList\nmetadata:\n {2}resourceVersion: "\d+"\n$/);
  },
);

test.each(["/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1"])(
  "discovery at %s is there in YAML too",
  async (path) => {
    const answer = await cp.wire.send(path, { headers: { Accept: "application/yaml" } });
    expect(parsed(answer, 200)).toEqual((await cp.wire.send(path)).json());
    const refused = await cp.wire.send(path, { headers: { Accept: "text/html" } });
    expect(refused.code).toBe(406);
    expect(refused.text).toContain(
      "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    );
  },
);
