import type { PrinterColumn } from "../description.js";
import type { JsonObject } from "../object.js";
import { ageColumn, type Cell, columns, name } from "./column.js";
import { humanDuration } from "./human-duration.js";
import { compileJsonPath, type JsonPath } from "./json-path.js";

/** A column as a CustomResourceDefinition declares it. */
export interface CustomColumn {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
  readonly jsonPath: string;
}

const types: readonly PrinterColumn["type"][] = ["string", "integer", "number", "boolean", "date"];

/**
 * The columns of a custom resource: its name, then what the definition says, or its age where it says nothing.
 * Throws JsonPathError for a path that cannot be read.
 */
export function customColumns(definitions: readonly CustomColumn[] | undefined): readonly PrinterColumn[] {
  if (definitions === undefined || definitions.length === 0) return [...columns<Named>(name), customAge];
  return [...columns<Named>(name), ...definitions.map(columnOf)];
}

type Named = { readonly metadata: { readonly name: string } };

const customAge: PrinterColumn = {
  name: "Age",
  type: "date",
  description: "The time since the object was created.",
  priority: 0,
  cell: columns(ageColumn)[0]?.cell ?? (() => null),
};

function columnOf(definition: CustomColumn): PrinterColumn {
  const path = compileJsonPath(definition.jsonPath);
  const type = types.find((known) => known === definition.type) ?? "string";
  return {
    name: definition.name,
    type,
    ...(definition.format === undefined ? {} : { format: definition.format }),
    description:
      definition.description ?? `Custom resource definition column (in JSONPath format): ${definition.jsonPath}`,
    priority: definition.priority ?? 0,
    cell: (object, nowMs) => cellOf(path, type, object, nowMs),
  };
}

function cellOf(path: JsonPath, type: PrinterColumn["type"], object: JsonObject, nowMs: number): Cell {
  const [value] = path(object);
  if (value === undefined || value === null) return null;
  switch (type) {
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : null;
    case "number":
      return typeof value === "number" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date": {
      if (typeof value !== "string") return null;
      const time = Date.parse(value);
      return Number.isNaN(time) ? "<invalid>" : humanDuration(nowMs - time);
    }
    case "string":
      return typeof value === "string" ? value : JSON.stringify(value);
  }
}
