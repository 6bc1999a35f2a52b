import { customColumns, JsonPathError } from "../columns/index.js";
import type { PrinterColumn, ResourceDescription, SubresourceDescription, VersionedStorage } from "../description.js";
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from "../gen/types.js";
import type { Loose } from "../kinds/loose.js";
import type { JsonObject } from "../object.js";
import type { Verb } from "../transport.js";
import { CustomSchema, valueAtPath } from "./custom-schema.js";
import { deprecationOf } from "./deprecation.js";
import type { JsonSchema } from "./json-schema.js";
import { customStrategy } from "./strategy.js";

/** A CustomResourceDefinition as it is stored: valid, but for the type system any field may be missing. */
export type Definition = Loose<CustomResourceDefinition>;
export type DefinitionVersion = Loose<CustomResourceDefinitionVersion>;

export interface DescribeOptions {
  /** Converts objects between versions; absent: only apiVersion is rewritten. */
  readonly convert?: VersionedStorage["convert"] | undefined;
}

/** In the order in which discovery shows them. */
const allVerbs: readonly Verb[] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const partVerbs: readonly Verb[] = ["get", "patch", "update"];

/** The description of each version of a custom resource that is served. Names are the accepted ones where there are any. */
export function describeCustomResource(
  definition: Definition,
  options: DescribeOptions = {},
): readonly ResourceDescription[] {
  const versions = definition.spec?.versions ?? [];
  return versions
    .filter((version) => version.served === true)
    .map((version) => describeVersion(definition, version, options));
}

/** The description of the version that is stored, served or not. */
export function describeStorageVersion(
  definition: Definition,
  options: DescribeOptions = {},
): ResourceDescription | undefined {
  const version = definition.spec?.versions?.find(({ storage }) => storage === true);
  return version && describeVersion(definition, version, options);
}

function describeVersion(
  definition: Definition,
  version: DefinitionVersion,
  { convert }: DescribeOptions,
): ResourceDescription {
  const { spec = {}, status } = definition;
  const { group = "", versions = [] } = spec;
  const accepted = status?.acceptedNames?.kind ? status.acceptedNames : spec.names;
  const { plural = "", kind = "", listKind = `${kind}List`, singular = kind.toLowerCase() } = accepted ?? {};
  const name = version.name ?? "";
  const storage = versions.find((candidate) => candidate.storage === true)?.name ?? name;
  const schema = new CustomSchema(version.schema?.openAPIV3Schema as JsonSchema | undefined);
  const deprecation = deprecationOf(definition, version);
  const terminating = definition.metadata?.deletionTimestamp !== undefined;
  return {
    group,
    version: name,
    resource: plural,
    kind,
    namespaced: spec.scope !== "Cluster",
    singular,
    listKind,
    shortNames: accepted?.shortNames ?? [],
    categories: accepted?.categories ?? [],
    verbs: allVerbs,
    schema: schema.structure,
    subresources: subresourcesOf(version, { group, version: name, kind }),
    storage: {
      path: `${group}/${spec.names?.plural ?? plural}`,
      group,
      version: storage,
      versions: {
        ...(schema.hasDefaults ? { complete: (object) => schema.withDefaults(object) } : {}),
        ...(convert === undefined ? {} : { convert }),
      },
    },
    columns: columnsOf(version),
    selectableFields: selectableFieldsOf(version),
    strategy: customStrategy(schema, version),
    custom: true,
    ...(terminating ? { terminating } : {}),
    ...(deprecation === undefined ? {} : { deprecation }),
  };
}

function subresourcesOf(
  { subresources }: DefinitionVersion,
  own: { readonly group: string; readonly version: string; readonly kind: string },
): ReadonlyMap<string, SubresourceDescription> {
  const parts: SubresourceDescription[] = [];
  if (subresources?.status !== undefined) parts.push({ name: "status", ...own, verbs: partVerbs });
  if (subresources?.scale !== undefined) {
    parts.push({ name: "scale", kind: "Scale", group: "autoscaling", version: "v1", verbs: partVerbs });
  }
  return new Map(parts.map((part) => [part.name, part]));
}

/** A definition with a path that cannot be read was refused; one from another server is shown without its columns. */
function columnsOf({ additionalPrinterColumns = [] }: DefinitionVersion): readonly PrinterColumn[] {
  try {
    return customColumns(
      additionalPrinterColumns.map(({ name = "", type = "string", jsonPath = "", format, description, priority }) => ({
        name,
        type,
        jsonPath,
        ...(format === undefined ? {} : { format }),
        ...(description === undefined ? {} : { description }),
        ...(priority === undefined ? {} : { priority }),
      })),
    );
  } catch (error) {
    if (error instanceof JsonPathError) return customColumns(undefined);
    throw error;
  }
}

function selectableFieldsOf({ selectableFields = [] }: DefinitionVersion): ResourceDescription["selectableFields"] {
  return new Map(
    selectableFields.map(({ jsonPath = "" }) => [
      jsonPath.replace(/^\./, ""),
      (object: JsonObject): string => {
        const value = valueAtPath(object, jsonPath);
        return value === undefined || value === null ? "" : String(value);
      },
    ]),
  );
}
