import { vi } from "vitest";
import type { JsonObject } from "../../../src/api/index.js";
import type { Api, ResourcePath } from "./subject.js";

export const definitions = "apis/apiextensions.k8s.io/v1/customresourcedefinitions";

type Fields = { readonly [field: string]: unknown };

/** A version of a definition. `properties` are those of the objects' spec. */
export function version(name: string, properties: Fields, more: Fields = {}): Fields {
  const status = { type: "object", properties: { replicas: { type: "integer" }, selector: { type: "string" } } };
  const openAPIV3Schema = { type: "object", properties: { spec: { type: "object", properties }, status } };
  return { name, served: true, storage: false, schema: { openAPIV3Schema }, ...more };
}

/** A definition in a group of its own, `<plural>.example.com`, so that tests do not meet. */
export function definition(plural: string, kind: string, versions: readonly object[], spec: Fields = {}): JsonObject {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${plural}.example.com` },
    spec: { group: `${plural}.example.com`, scope: "Namespaced", names: { plural, kind }, versions, ...spec },
  } as JsonObject;
}

export function pathOf(plural: string, version = "v1"): ResourcePath {
  return `apis/${plural}.example.com/${version}/${plural}`;
}

/** Creates a definition and waits until its objects are served. */
export async function define(api: Api, given: JsonObject): Promise<JsonObject> {
  await api.create(definitions, given);
  const { group, names, versions } = given["spec"] as {
    group: string;
    names: { plural: string };
    versions: { name: string; served: boolean }[];
  };
  const served = versions.filter((each) => each.served).map(({ name }) => name);
  for (const name of served) {
    await vi.waitFor(() => api.call("list", `apis/${group}/${name}/${names.plural}`, { options: { limit: 1 } }), {
      interval: 5,
    });
  }
  return api.call("get", definitions, { name: `${names.plural}.${group}` });
}

/** The conditions of a definition, by type. */
export async function conditionsOf(api: Api, name: string): Promise<{ readonly [type: string]: JsonObject }> {
  const { status } = (await api.call("get", definitions, { name })) as { status?: { conditions?: JsonObject[] } };
  return Object.fromEntries((status?.conditions ?? []).map((each) => [String(each["type"]), each]));
}
