import type { JsonSchema } from "../custom/json-schema.js";
import type { Schema } from "../schema.js";
import { builtinSchema } from "../schema-table.js";

/** A description's schema as a JSON schema, as far as the types of expressions go by it. What refers to itself may be anything below. */
export function jsonSchemaOf(schema: Schema): JsonSchema {
  const known = new Map<Schema, JsonSchema>();
  const root = viewOf(schema, known);
  const { apiVersion, kind, metadata } = root.properties ?? {};
  const identity = {
    apiVersion: apiVersion ?? { type: "string" },
    kind: kind ?? { type: "string" },
    metadata: metadata?.properties === undefined ? viewOf(builtinSchema("meta.v1.ObjectMeta"), known) : metadata,
  };
  return { ...root, type: "object", properties: { ...root.properties, ...identity } };
}

const anything: JsonSchema = {};

function viewOf(schema: Schema, known: Map<Schema, JsonSchema>): JsonSchema {
  const before = known.get(schema);
  if (before !== undefined) return before;
  known.set(schema, anything);
  const view = made(schema, known);
  known.set(schema, view);
  return view;
}

function made(schema: Schema, known: Map<Schema, JsonSchema>): JsonSchema {
  switch (schema.type) {
    case "object": {
      if (schema.additional !== undefined) {
        return { type: "object", additionalProperties: viewOf(schema.additional, known) };
      }
      const properties = [...(schema.properties ?? [])].map(([name, field]) => [name, viewOf(field, known)] as const);
      return { type: "object", properties: Object.fromEntries(properties) };
    }
    case "array":
      return schema.items === undefined ? { type: "array" } : { type: "array", items: viewOf(schema.items, known) };
    case "string":
      return { type: "string", ...formatOf(schema.format) };
    case "integer":
    case "number":
    case "boolean":
      return { type: schema.type };
    case "intOrString":
      return { "x-kubernetes-int-or-string": true };
    default:
      return anything;
  }
}

function formatOf(format: string | undefined): JsonSchema {
  if (format === undefined) return {};
  return { format: format === "microtime" ? "date-time" : format };
}
