import { describe, expect, it } from "vitest";
import { compileJsonPath, JsonPathError } from "./json-path.js";

const object = {
  metadata: { name: "web", labels: { "app.kubernetes.io/name": "web" } },
  spec: {
    replicas: 3,
    ports: [
      { name: "http", port: 80 },
      { name: "https", port: 443 },
    ],
  },
  status: {
    conditions: [
      { type: "Ready", status: "True" },
      { type: "Synced", status: "False" },
    ],
  },
};

describe("compileJsonPath", () => {
  const cases: readonly { readonly path: string; readonly found: readonly unknown[] }[] = [
    { path: ".metadata.name", found: ["web"] },
    { path: "{.metadata.name}", found: ["web"] },
    { path: "$.metadata.name", found: ["web"] },
    { path: "metadata.name", found: ["web"] },
    { path: ".metadata.labels['app.kubernetes.io/name']", found: ["web"] },
    { path: ".metadata.labels.app\\.kubernetes\\.io/name", found: ["web"] },
    { path: ".spec.ports[*].port", found: [80, 443] },
    { path: ".spec.ports[0].name", found: ["http"] },
    { path: ".spec.ports[-1].name", found: ["https"] },
    { path: ".spec.ports[7].name", found: [] },
    { path: ".spec.ports[0:1].name", found: ["http"] },
    { path: '.status.conditions[?(@.type=="Ready")].status', found: ["True"] },
    { path: ".status.conditions[?(@.type == 'Synced')].status", found: ["False"] },
    { path: ".status.conditions[?(@.type!='Synced')].type", found: ["Ready"] },
    { path: ".spec.ports[?(@.port > 80)].name", found: ["https"] },
    { path: ".spec.ports[?(@.port<=80)].name", found: ["http"] },
    { path: ".spec.ports[?(@.name)].name", found: ["http", "https"] },
    { path: "..port", found: [80, 443] },
    { path: ".status.nothing.here", found: [] },
    { path: ".constructor", found: [] },
    { path: ".metadata.__proto__", found: [] },
    { path: ".metadata['name','labels']", found: ["web", object.metadata.labels] },
  ];
  for (const { path, found } of cases) it(`finds ${path}`, () => expect(compileJsonPath(path)(object)).toEqual(found));

  for (const path of [".spec[", ".spec.ports[?(@.a=x)]", ".a b", ".a..", `.${"a".repeat(5000)}`]) {
    it(`refuses ${path.slice(0, 30)}`, () => expect(() => compileJsonPath(path)).toThrow(JsonPathError));
  }
});
