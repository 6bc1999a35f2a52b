import type { JsonObject } from "../../api/index.js";
import type { ResourceRequestInfo } from "./request-info.js";

/** How a parameter of the query is a field of the options. */
type FieldType = "flag" | "text" | "list" | "numbers";

const streamFields: ReadonlyMap<string, FieldType> = new Map([
  ["stdin", "flag"],
  ["stdout", "flag"],
  ["stderr", "flag"],
  ["tty", "flag"],
  ["container", "text"],
]);

const kinds: ReadonlyMap<string, { readonly kind: string; readonly fields: ReadonlyMap<string, FieldType> }> = new Map([
  ["pods/exec", { kind: "PodExecOptions", fields: new Map([...streamFields, ["command", "list"]]) }],
  ["pods/attach", { kind: "PodAttachOptions", fields: streamFields }],
  ["pods/portforward", { kind: "PodPortForwardOptions", fields: new Map([["ports", "numbers"]]) }],
  ["pods/proxy", { kind: "PodProxyOptions", fields: new Map() }],
  ["services/proxy", { kind: "ServiceProxyOptions", fields: new Map() }],
  ["nodes/proxy", { kind: "NodeProxyOptions", fields: new Map() }],
]);

function fieldsOf({ resource, subresource }: ResourceRequestInfo): ReadonlyMap<string, FieldType> | undefined {
  return kinds.get(`${resource}/${subresource}`)?.fields;
}

/** The object that admission sees of a request that leads into another one. Undefined: it is none that admission is asked about, such as a log. */
export function connectOptions(info: ResourceRequestInfo, query: string): JsonObject | undefined {
  const known = info.group === "" ? kinds.get(`${info.resource}/${info.subresource}`) : undefined;
  if (known === undefined) return undefined;
  const options: { [field: string]: unknown } = { kind: known.kind, apiVersion: "v1" };
  if (info.subresource === "proxy" && info.rest !== "") options["path"] = info.rest;
  const parameters = new URLSearchParams(query);
  for (const [field, type] of known.fields) {
    const value = fieldValue(type, parameters.getAll(field));
    if (value !== undefined) options[field] = value;
  }
  return options;
}

function fieldValue(type: FieldType, given: readonly string[]): unknown {
  const [first] = given;
  switch (type) {
    case "flag":
      return first !== undefined && first !== "false" && first !== "0" ? true : undefined;
    case "text":
      return first === undefined || first === "" ? undefined : first;
    case "list":
      return given;
    case "numbers":
      return given.length === 0 ? undefined : given.flatMap((text) => text.split(",")).map(Number);
  }
}

/** The query of options that admission has changed. */
export function queryOfOptions(info: ResourceRequestInfo, options: JsonObject, query: string): string {
  const parameters = new URLSearchParams(query);
  for (const field of fieldsOf(info)?.keys() ?? []) {
    parameters.delete(field);
    const value = options[field];
    const values: readonly unknown[] = Array.isArray(value)
      ? value
      : value === undefined || value === false
        ? []
        : [value];
    for (const each of values) parameters.append(field, String(each));
  }
  return parameters.toString();
}
