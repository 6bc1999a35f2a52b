import type { ResourceDescription, SubresourceDescription } from "../../api/index.js";
import { definitionName, names } from "./names.js";
import {
  connectParameters,
  createParameters,
  deleteCollectionParameters,
  deleteParameters,
  listParameters,
  logParameters,
  nameParameter,
  namespaceParameter,
  patchParameters,
  pretty,
  proxyPath,
  updateParameters,
} from "./parameters.js";
import type { GroupVersionKind, Operation, Parameter, PathItem } from "./types.js";

type Verb = ResourceDescription["verbs"][number];

/** Names of the definitions that the paths of one resource mention. */
export interface DefinitionsOf {
  readonly list: (description: ResourceDescription) => string;
  /** Undefined for a subresource that takes only parameters. */
  readonly subresource: (description: ResourceDescription, subresource: SubresourceDescription) => string | undefined;
}

/** Every path of a resource with its methods. */
export function pathItems(description: ResourceDescription, definitions: DefinitionsOf): readonly PathItem[] {
  const base = basePath(description);
  const { resource, namespaced, kind } = description;
  const scoped = namespaced ? `${base}/namespaces/{namespace}/${resource}` : `${base}/${resource}`;
  const scope: readonly Parameter[] = namespaced ? [namespaceParameter, pretty] : [pretty];
  const named = [nameParameter(kind), ...scope];
  const items: PathItem[] = [
    { path: scoped, parameters: scope, operations: collection(description, definitions) },
    { path: `${scoped}/{name}`, parameters: named, operations: item(description) },
  ];
  if (namespaced && has(description, "list")) {
    const operation = listOperation(description, definitions, "ForAllNamespaces");
    items.push({ path: `${base}/${resource}`, parameters: [pretty], operations: [operation] });
  }
  for (const subresource of description.subresources.values()) {
    const path = `${scoped}/{name}/${subresource.name}`;
    const operations = subresourceOperations(description, subresource, definitions);
    items.push({ path, parameters: named, operations });
    if (subresource.name === "proxy") {
      const below = operations.map((operation) => ({ ...operation, operationId: `${operation.operationId}WithPath` }));
      items.push({ path: `${path}/{path}`, parameters: [...named, proxyPath], operations: below });
    }
  }
  return items.filter(({ operations }) => operations.length > 0);
}

export function basePath({ group, version }: { readonly group: string; readonly version: string }): string {
  return group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
}

function has(description: ResourceDescription, verb: Verb): boolean {
  return description.verbs.includes(verb);
}

/** `apps_v1`, `rbacAuthorization_v1`, `stable_example_com_v1` without its dots: what groups operations. */
function groupWords(group: string): readonly string[] {
  return (group === "" ? "core" : group.replace(/\.k8s\.io$/, "")).split(".");
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
const camel = (text: string): string =>
  text
    .split(/[^A-Za-z0-9]+/)
    .map(capital)
    .join("");

/** `CoreV1NamespacedPod`: the part of an operation's id that says what it is about. */
function subject(description: ResourceDescription, all = "", what = ""): string {
  const group = groupWords(description.group).map(camel).join("");
  const scope = description.namespaced && all === "" ? "Namespaced" : "";
  return `${group}${capital(description.version)}${what}${scope}${description.kind}`;
}

function tagOf(description: ResourceDescription): string {
  const [first = "", ...rest] = groupWords(description.group).map(camel);
  return `${first.charAt(0).toLowerCase()}${first.slice(1)}${rest.join("")}_${description.version}`;
}

function gvk({ group, version, kind }: GroupVersionKind): GroupVersionKind {
  return { group, version, kind };
}

function common(description: ResourceDescription): Pick<Operation, "tag" | "kind"> {
  return { tag: tagOf(description), kind: gvk(description) };
}

function listOperation(description: ResourceDescription, definitions: DefinitionsOf, all: string): Operation {
  return {
    ...common(description),
    method: "get",
    operationId: `list${subject(description, all)}${all}`,
    description: `list or watch objects of kind ${description.kind}`,
    action: "list",
    parameters: listParameters,
    response: definitions.list(description),
    codes: [200],
    watchable: has(description, "watch"),
  };
}

function collection(description: ResourceDescription, definitions: DefinitionsOf): readonly Operation[] {
  const definition = definitionName(description);
  const operations: Operation[] = [];
  if (has(description, "list")) operations.push(listOperation(description, definitions, ""));
  if (has(description, "create")) {
    operations.push({
      ...common(description),
      method: "post",
      operationId: `create${subject(description)}`,
      description: `create ${article(description.kind)}`,
      action: "post",
      parameters: createParameters,
      body: definition,
      bodyRequired: true,
      response: definition,
      codes: [200, 201, 202],
    });
  }
  if (has(description, "deletecollection")) {
    operations.push({
      ...common(description),
      method: "delete",
      operationId: `delete${subject(description, "", "Collection")}`,
      description: `delete collection of ${description.kind}`,
      action: "deletecollection",
      parameters: deleteCollectionParameters,
      body: names.deleteOptions,
      response: names.status,
      codes: [200],
    });
  }
  return operations;
}

function item(description: ResourceDescription): readonly Operation[] {
  const definition = definitionName(description);
  const about = subject(description);
  const base = common(description);
  const operations: Operation[] = [];
  if (has(description, "get")) operations.push(readOperation(base, about, definition, description.kind, ""));
  if (has(description, "update")) operations.push(replaceOperation(base, about, definition, description.kind, ""));
  if (has(description, "delete")) {
    operations.push({
      ...base,
      method: "delete",
      operationId: `delete${about}`,
      description: `delete ${article(description.kind)}`,
      action: "delete",
      parameters: deleteParameters,
      body: names.deleteOptions,
      response: names.status,
      codes: [200, 202],
    });
  }
  if (has(description, "patch")) operations.push(patchOperation(base, about, definition, description.kind, ""));
  return operations;
}

type Base = Pick<Operation, "tag" | "kind">;

function readOperation(base: Base, about: string, definition: string, kind: string, part: string): Operation {
  const description = `read ${part === "" ? "" : `${part} of `}the specified ${kind}`;
  return {
    ...base,
    method: "get",
    operationId: `read${about}${camel(part)}`,
    description,
    action: "get",
    parameters: [],
    response: definition,
    codes: [200],
  };
}

function replaceOperation(base: Base, about: string, definition: string, kind: string, part: string): Operation {
  return {
    ...base,
    method: "put",
    operationId: `replace${about}${camel(part)}`,
    description: `replace ${part === "" ? "" : `${part} of `}the specified ${kind}`,
    action: "put",
    parameters: updateParameters,
    body: definition,
    bodyRequired: true,
    response: definition,
    codes: [200, 201],
  };
}

function patchOperation(base: Base, about: string, definition: string, kind: string, part: string): Operation {
  return {
    ...base,
    method: "patch",
    operationId: `patch${about}${camel(part)}`,
    description: `partially update ${part === "" ? "" : `${part} of `}the specified ${kind}`,
    action: "patch",
    parameters: patchParameters,
    body: names.patch,
    bodyRequired: true,
    response: definition,
    codes: [200, 201],
  };
}

function subresourceOperations(
  description: ResourceDescription,
  subresource: SubresourceDescription,
  definitions: DefinitionsOf,
): readonly Operation[] {
  const about = subject(description);
  const base: Base = { tag: tagOf(description), kind: gvk(subresource) };
  if (subresource.verbs.includes("connect")) return connectOperations(base, about, subresource);
  const definition = definitions.subresource(description, subresource);
  if (definition === undefined) return [];
  const { name, kind, verbs } = subresource;
  const operations: Operation[] = [];
  if (verbs.includes("get")) {
    const read = readOperation(base, about, definition, description.kind, name);
    const { response: _, ...text } = read;
    operations.push(name === "log" ? { ...text, parameters: logParameters } : read);
  }
  if (verbs.includes("create")) {
    operations.push({
      ...base,
      method: "post",
      operationId: `create${about}${camel(name)}`,
      description: `create ${name} of ${article(kind)}`,
      action: "post",
      parameters: createParameters,
      body: definition,
      bodyRequired: true,
      response: definition,
      codes: [200, 201, 202],
    });
  }
  if (verbs.includes("update")) operations.push(replaceOperation(base, about, definition, description.kind, name));
  if (verbs.includes("patch")) operations.push(patchOperation(base, about, definition, description.kind, name));
  return operations;
}

const connectMethods: readonly (readonly [verb: Verb, method: Operation["method"]])[] = [
  ["get", "get"],
  ["create", "post"],
  ["update", "put"],
  ["delete", "delete"],
  ["patch", "patch"],
];

function connectOperations(base: Base, about: string, subresource: SubresourceDescription): readonly Operation[] {
  return connectMethods
    .filter(([verb]) => subresource.verbs.includes(verb))
    .map(([, method]) => ({
      ...base,
      method,
      operationId: `connect${capital(method)}${about}${camel(subresource.name)}`,
      description: `connect ${method.toUpperCase()} requests to ${subresource.name}`,
      action: "connect",
      parameters: connectParameters.get(subresource.name) ?? [],
      codes: [200],
      connect: true,
    }));
}

function article(kind: string): string {
  return `${/^[AEIOU]/.test(kind) ? "an" : "a"} ${kind}`;
}
