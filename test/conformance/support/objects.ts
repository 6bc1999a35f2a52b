import type { JsonObject } from "../../../src/api/index.js";

/** A small object without behaviour: what most checks of the machinery use. */
export function configMap(
  namespace: string,
  name: string,
  data: Readonly<Record<string, string>> = {},
  labels: Readonly<Record<string, string>> = {},
): JsonObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace, labels }, data };
}

/** The names of the items of a list, in their order. */
export function namesOf(list: JsonObject): readonly string[] {
  return (list["items"] as JsonObject[]).map((item) => String((item["metadata"] as JsonObject)["name"]));
}
