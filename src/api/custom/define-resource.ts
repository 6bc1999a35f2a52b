import type { FieldError } from "../field-error.js";
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceSubresources,
  JSONSchemaProps,
} from "../gen/types.js";
import { validateSchemas } from "../kinds/extensions/schema-validation.js";
import { validateDefinition } from "../kinds/extensions/validation.js";
import type { JsonObject, KubeObject, New } from "../object.js";
import type { ResourceType } from "../resource-type.js";
import { statusErrors } from "../status.js";
import { CustomSchema } from "./custom-schema.js";
import type { CustomObject, LiteralSchema } from "./schema-type.js";

export interface ResourceDefinition<
  S extends LiteralSchema,
  Group extends string,
  Version extends string,
  Kind extends string,
> {
  readonly group: Group;
  readonly version: Version;
  readonly kind: Kind;
  /** Lower case; default: the kind with an `s`. */
  readonly plural?: string;
  /** Default: Namespaced. */
  readonly scope?: "Namespaced" | "Cluster";
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  /** A structural schema of the whole object; apiVersion, kind and metadata are implied. */
  readonly schema: S;
  readonly subresources?: CustomResourceSubresources;
  readonly columns?: readonly CustomResourceColumnDefinition[];
  /** Simple paths such as `.spec.color`. */
  readonly selectableFields?: readonly string[];
  /** Of the definition. Groups of Kubernetes' own (`metrics.k8s.io`) need `api-approved.kubernetes.io: unapproved ...` or a URL. */
  readonly annotations?: { readonly [name: string]: string };
}

/** A custom resource defined in a program: what to hand to a client, and the same as a CustomResourceDefinition for the server. */
export interface DefinedResource<T extends KubeObject> extends ResourceType<T> {
  /** For `client.create(customResourceDefinitions, ...)`. */
  readonly definition: New<CustomResourceDefinition>;
  /** What the server would say of an object, or of a change to one: empty when it would take it. Defaults are set before. */
  validate(object: New<T>, old?: T): readonly FieldError[];
  /** The object with all defaults set. */
  withDefaults(object: New<T>): New<T>;
}

/**
 * Defines a custom resource from a literal schema; the type of its objects is inferred from it, so that there is nothing to generate.
 * Throws StatusError (Invalid) where a server would refuse the definition.
 */
export function defineResource<
  const S extends LiteralSchema,
  const Group extends string,
  const Version extends string,
  const Kind extends string,
>(given: ResourceDefinition<S, Group, Version, Kind>): DefinedResource<CustomObject<S, Group, Version, Kind>> {
  type T = CustomObject<S, Group, Version, Kind>;
  const { group, version, kind, scope = "Namespaced" } = given;
  const plural = given.plural ?? `${kind.toLowerCase()}s`;
  // The literal's type is narrower than what a definition may have; the server's own rules are applied below.
  const schema = given.schema as JSONSchemaProps;
  const definition = definitionOf(given, { plural, scope, schema });
  const errors = [...validateDefinition(definition), ...validateSchemas(definition)];
  if (errors.length > 0) {
    throw statusErrors.invalid("apiextensions.k8s.io", definition.kind, definition.metadata.name ?? "", errors);
  }
  const compiled = new CustomSchema(schema);
  const json = (object: New<T> | T): JsonObject => object as unknown as JsonObject;
  return {
    group,
    version,
    kind,
    resource: plural,
    namespaced: scope === "Namespaced",
    definition,
    withDefaults: (object) => compiled.withDefaults(json(object)) as unknown as New<T>,
    validate: (object, old) =>
      compiled.validate(compiled.withDefaults(json(object)), old === undefined ? undefined : json(old)),
  };
}

function definitionOf(
  given: ResourceDefinition<LiteralSchema, string, string, string>,
  { plural, scope, schema }: { readonly plural: string; readonly scope: string; readonly schema: JSONSchemaProps },
): New<CustomResourceDefinition> {
  const { group, version, kind, shortNames, categories, subresources, columns, selectableFields, annotations } = given;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}`, ...(annotations === undefined ? {} : { annotations }) },
    spec: {
      group,
      scope,
      names: {
        plural,
        kind,
        singular: kind.toLowerCase(),
        listKind: `${kind}List`,
        ...(shortNames === undefined ? {} : { shortNames }),
        ...(categories === undefined ? {} : { categories }),
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema },
          ...(subresources === undefined ? {} : { subresources }),
          ...(columns === undefined ? {} : { additionalPrinterColumns: columns }),
          ...(selectableFields === undefined
            ? {}
            : { selectableFields: selectableFields.map((jsonPath) => ({ jsonPath })) }),
        },
      ],
    },
  };
}
