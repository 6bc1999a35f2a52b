import type { Components } from "./components.js";
import type { Fragment, Operation, Parameter, PathItem } from "./types.js";

const json = "application/json";
const forms: readonly string[] = [json, "application/yaml"];
const patchForms: readonly string[] = [
  "application/apply-patch+yaml",
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
];
const codeNames = { 200: "OK", 201: "Created", 202: "Accepted" } as const;

export function pathV2({ parameters, operations }: PathItem, components: Components, custom: boolean): Fragment {
  const methods = operations.map((operation) => [operation.method, operationV2(operation, components, custom)]);
  return { ...Object.fromEntries(methods), parameters: parameters.map(parameterV2) };
}

function parameterV2({ name, in: place, type, description }: Parameter): Fragment {
  return { name, in: place, type, description, uniqueItems: true, ...(place === "path" ? { required: true } : {}) };
}

function operationV2(operation: Operation, components: Components, custom: boolean): Fragment {
  const isPatch = operation.method === "patch" && operation.connect !== true;
  const patches = custom ? patchForms.filter((form) => !form.includes("strategic")) : patchForms;
  return {
    tags: [operation.tag],
    description: operation.description,
    operationId: operation.operationId,
    consumes: isPatch ? patches : ["*/*"],
    produces: produces(operation),
    schemes: ["https"],
    parameters: [...bodyV2(operation, components), ...operation.parameters.map(parameterV2)],
    responses: {
      ...Object.fromEntries(operation.codes.map((code) => [code, responseV2(operation, code, components)])),
      401: { description: "Unauthorized" },
    },
    "x-kubernetes-action": operation.action,
    "x-kubernetes-group-version-kind": operation.kind,
  };
}

function produces(operation: Operation): readonly string[] {
  if (operation.connect === true) return ["*/*"];
  if (operation.response === undefined) return ["text/plain"];
  return operation.watchable === true ? [...forms, `${json};stream=watch`] : forms;
}

function bodyV2({ body, bodyRequired }: Operation, components: Components): readonly Fragment[] {
  if (body === undefined) return [];
  const required = bodyRequired === true ? { required: true } : {};
  return [{ name: "body", in: "body", ...required, schema: components.reference(body) }];
}

function responseV2({ response, connect }: Operation, code: 200 | 201 | 202, components: Components): Fragment {
  const text = connect === true || response === undefined;
  return { description: codeNames[code], schema: text ? { type: "string" } : components.reference(response) };
}
