import type { PrinterColumn } from "../description.js";
import type { LabelSelector } from "../gen/types.js";
import { age } from "./human-duration.js";

export type Cell = string | number | boolean | null;

/** A printer column whose cell function knows the type of its object. */
export interface ColumnOf<T> {
  readonly name: string;
  readonly type: PrinterColumn["type"];
  readonly format?: string;
  readonly description: string;
  readonly priority: number;
  readonly cell: (object: T, nowMs: number) => Cell;
}

interface Named {
  readonly metadata: { readonly name: string };
}
interface Created {
  readonly metadata: { readonly creationTimestamp?: string };
}

/**
 * The columns of one kind, their types forgotten: a description holds columns for objects that it knows only as JSON, and
 * the registry gives each description objects of its own kind.
 */
export function columns<T>(...list: readonly ColumnOf<T>[]): readonly PrinterColumn[] {
  return list as unknown as readonly PrinterColumn[];
}

export const name: ColumnOf<Named> = {
  name: "Name",
  type: "string",
  format: "name",
  description: "The object's name.",
  priority: 0,
  cell: (object) => object.metadata.name,
};

export const ageColumn: ColumnOf<Created> = {
  name: "Age",
  type: "string",
  description: "The time since the object was created.",
  priority: 0,
  cell: (object, nowMs) => age(object.metadata.creationTimestamp, nowMs),
};

/** For kinds without a printer of their own. */
export const createdAt: ColumnOf<Created> = {
  name: "Created At",
  type: "date",
  description: "When the object was created.",
  priority: 0,
  cell: (object) => object.metadata.creationTimestamp ?? null,
};

export const defaultColumns: readonly PrinterColumn[] = columns<Named & Created>(name, createdAt);

type CellOf<T> = (object: T, nowMs: number) => Cell;

export function text<T>(columnName: string, description: string, cell: CellOf<T>): ColumnOf<T> {
  return { name: columnName, type: "string", description, priority: 0, cell };
}

/** Shown with -o wide only. */
export function wide<T>(columnName: string, description: string, cell: CellOf<T>): ColumnOf<T> {
  return { name: columnName, type: "string", description, priority: 1, cell };
}

export function integer<T>(columnName: string, description: string, cell: CellOf<T>): ColumnOf<T> {
  return { name: columnName, type: "integer", description, priority: 0, cell };
}

export function flag<T>(columnName: string, description: string, cell: CellOf<T>): ColumnOf<T> {
  return { name: columnName, type: "boolean", description, priority: 0, cell };
}

export function orNone(value: string | undefined): string {
  return value === undefined || value === "" ? "<none>" : value;
}

export function orUnset(value: string | undefined): string {
  return value === undefined || value === "" ? "<unset>" : value;
}

/** At most `max` of them, and how many more there are. */
export function firstOf(values: readonly string[], max: number): string {
  const shown = values.slice(0, max).join(",");
  return values.length > max ? `${shown} + ${values.length - max} more...` : shown;
}

export function labelsText(labels: { readonly [key: string]: string } | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return orNone(pairs.sort().join(","));
}

/** A selector in the form that `-l` takes, ordered by key. */
export function selectorText(selector: LabelSelector | undefined): string {
  const parts: [key: string, text: string][] = [];
  for (const [key, value] of Object.entries(selector?.matchLabels ?? {})) parts.push([key, `${key}=${value}`]);
  for (const { key, operator, values = [] } of selector?.matchExpressions ?? []) {
    const list = `(${[...values].sort().join(",")})`;
    if (operator === "In") parts.push([key, `${key} in ${list}`]);
    else if (operator === "NotIn") parts.push([key, `${key} notin ${list}`]);
    else if (operator === "Exists") parts.push([key, key]);
    else if (operator === "DoesNotExist") parts.push([key, `!${key}`]);
    else return "<error>";
  }
  parts.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return orNone(parts.map(([, text]) => text).join(","));
}
