import type { ResourceDescription, Schema, SubresourceDescription } from "../../api/index.js";
import { Turns } from "../../internal/turns.js";
import { Components } from "./components.js";
import type { DefinitionIndex } from "./definition-index.js";
import { definitionName, names } from "./names.js";
import { type DefinitionsOf, pathItems } from "./operations.js";
import { pathV2 } from "./render-v2.js";
import { pathV3 } from "./render-v3.js";
import type { Dialect, Fragment, GroupVersionKind } from "./types.js";

const bearer = {
  type: "apiKey",
  description: "Bearer Token authentication",
  name: "authorization",
  in: "header",
};

/** The document of one group-version (`/openapi/v3/apis/apps/v1`). */
export async function documentV3(
  descriptions: readonly ResourceDescription[],
  index: DefinitionIndex,
  version: string,
): Promise<Fragment> {
  const { paths, schemas } = await contents(descriptions, index, "v3");
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version },
    paths,
    components: { schemas, securitySchemes: { BearerToken: bearer } },
  };
}

/** Everything in one document (`/openapi/v2`). */
export async function documentV2(
  descriptions: readonly ResourceDescription[],
  index: DefinitionIndex,
  version: string,
): Promise<Fragment> {
  const { paths, schemas } = await contents(descriptions, index, "v2");
  return {
    swagger: "2.0",
    info: { title: "Kubernetes", version },
    paths,
    definitions: schemas,
    securityDefinitions: { BearerToken: bearer },
    security: [{ BearerToken: [] }],
  };
}

interface Contents {
  readonly paths: Fragment;
  readonly schemas: Fragment;
}

/** About what one path takes to make, in bytes parsed. */
const pathBytes = 16 * 1024;

async function contents(
  descriptions: readonly ResourceDescription[],
  index: DefinitionIndex,
  dialect: Dialect,
): Promise<Contents> {
  const components = new Components(dialect, index);
  const turns = new Turns();
  const definitions = definitionsIn(components, index);
  const paths: { [path: string]: Fragment } = {};
  for (const description of descriptions) {
    const custom = index.schema(definitionName(description)) === undefined;
    if (custom && dialect === "v2" && description.schema.preserveUnknown === true) {
      // Clients of v2 take it that fields that are not named are forbidden, so none may be.
      components.put(definitionName(description), { type: "object" });
    }
    addDefinitions(description, components, index, custom);
    for (const item of pathItems(description, definitions)) {
      if (turns.due(pathBytes)) await turns.give();
      paths[item.path] = dialect === "v3" ? pathV3(item, components, custom) : pathV2(item, components, custom);
    }
  }
  const ordered = Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1));
  return { paths: Object.fromEntries(ordered), schemas: await components.finish() };
}

function addDefinitions(
  description: ResourceDescription,
  components: Components,
  index: DefinitionIndex,
  custom: boolean,
): void {
  const { group, version, schema } = description;
  const kind: GroupVersionKind = { group, version, kind: description.kind };
  components.add(definitionName(description), custom ? withIdentity(schema, index) : schema, kind);
  if (custom) components.select(definitionName(description), description.selectableFields.keys());
  if (description.verbs.some((verb) => verb === "delete" || verb === "deletecollection")) {
    components.add(names.status, undefined, { group: "", version: "v1", kind: "Status" });
    components.add(names.deleteOptions, undefined, { group: "", version: "v1", kind: "DeleteOptions" });
    components.add(names.deleteOptions, undefined, { group, version, kind: "DeleteOptions" });
  }
  const patched = [description, ...description.subresources.values()].some((served) =>
    (served.verbs as readonly string[]).includes("patch"),
  );
  if (patched) components.add(names.patch, undefined);
}

/** The names of lists and subresources; asking for one puts it among the definitions. */
function definitionsIn(components: Components, index: DefinitionIndex): DefinitionsOf {
  return {
    list(description) {
      const { group, version, listKind } = description;
      const item = definitionName(description);
      const name = `${item}List`;
      const schema = index.list(item);
      if (schema === undefined) components.put(name, listFragment(description.kind, item, components));
      components.add(name, schema, { group, version, kind: listKind });
      if (schema === undefined) components.add(names.listMeta, undefined);
      return name;
    },
    subresource(description, subresource) {
      const own = isOwn(description, subresource);
      const { group, version, kind } = subresource;
      const schema = own ? description.schema : index.kind(group, version, kind);
      const name = own ? definitionName(description) : schema?.name;
      if (name === undefined) return undefined;
      if (!own) components.add(name, schema, { group, version, kind });
      return name;
    },
  };
}

function isOwn(description: ResourceDescription, { group, version, kind }: SubresourceDescription): boolean {
  return description.group === group && description.version === version && description.kind === kind;
}

function listFragment(kind: string, item: string, components: Components): Fragment {
  const text = { type: "string" };
  return {
    description: `${kind}List is a list of ${kind}`,
    type: "object",
    required: ["items"],
    properties: {
      apiVersion: text,
      items: { type: "array", items: components.reference(item) },
      kind: text,
      metadata: components.reference(names.listMeta),
    },
  };
}

/** A custom resource has the identity of every object, whatever its schema says of it. */
function withIdentity(schema: Schema, index: DefinitionIndex): Schema {
  const described = (field: string): Pick<Schema, "description"> => {
    // Every kind says the same of these fields.
    const description = index.documentation("io.k8s.api.core.v1.ConfigMap", field);
    return description === undefined ? {} : { description };
  };
  const identity: [string, Schema][] = [
    ["apiVersion", { type: "string", ...described("apiVersion") }],
    ["kind", { type: "string", ...described("kind") }],
    ["metadata", { type: "object", name: names.objectMeta, ...described("metadata") }],
  ];
  const { name: _, ...rest } = schema;
  return { ...rest, type: "object", properties: new Map([...(schema.properties ?? []), ...identity]) };
}
