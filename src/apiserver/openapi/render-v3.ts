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

export function pathV3({ parameters, operations }: PathItem, components: Components, custom: boolean): Fragment {
  const methods = operations.map((operation) => [operation.method, operationV3(operation, components, custom)]);
  return { ...Object.fromEntries(methods), parameters: parameters.map(parameterV3) };
}

function parameterV3({ name, in: place, type, description }: Parameter): Fragment {
  const required = place === "path" ? { required: true } : {};
  return { name, in: place, description, ...required, schema: { type, uniqueItems: true } };
}

function operationV3(operation: Operation, components: Components, custom: boolean): Fragment {
  return {
    tags: [operation.tag],
    description: operation.description,
    operationId: operation.operationId,
    ...(operation.parameters.length > 0 ? { parameters: operation.parameters.map(parameterV3) } : {}),
    ...requestBody(operation, components, custom),
    responses: {
      ...Object.fromEntries(operation.codes.map((code) => [code, response(operation, code, components)])),
      401: { description: "Unauthorized" },
    },
    "x-kubernetes-action": operation.action,
    "x-kubernetes-group-version-kind": operation.kind,
  };
}

function requestBody(operation: Operation, components: Components, custom: boolean): Fragment {
  if (operation.body === undefined) return {};
  const schema = components.reference(operation.body);
  // Strategic merge needs what only built-in kinds say.
  const patches = custom ? patchForms.filter((form) => !form.includes("strategic")) : patchForms;
  const types = operation.method === "patch" ? patches : operation.method === "delete" ? ["*/*"] : forms;
  return {
    requestBody: {
      content: Object.fromEntries(types.map((type) => [type, { schema }])),
      ...(operation.bodyRequired === true ? { required: true } : {}),
    },
  };
}

function response(operation: Operation, code: 200 | 201 | 202, components: Components): Fragment {
  const description = codeNames[code];
  if (operation.connect === true) return { description, content: { "*/*": { schema: { type: "string" } } } };
  if (operation.response === undefined)
    return { description, content: { "text/plain": { schema: { type: "string" } } } };
  const schema = components.reference(operation.response);
  const types = operation.watchable === true ? [...forms, `${json};stream=watch`] : forms;
  return { description, content: Object.fromEntries(types.map((type) => [type, { schema }])) };
}
