import type { GatedFields, ResourceStrategy } from "../description.js";
import { type FeatureGate, featureGates } from "../feature-gates.js";
import type { JsonObject } from "../object.js";
import { mapItems } from "./defaulting.js";
import { isJsonObject } from "./strategy.js";

interface Rules {
  readonly drops?: string;
  readonly keptWith?: string;
  readonly emptied?: boolean;
}

/** Paths are written as `spec.volumes[].image`. */
export function gated(gate: FeatureGate, paths: readonly string[], rules: Rules = {}): GatedFields {
  const { drops, keptWith, emptied } = rules;
  return {
    gate,
    paths: paths.map(stepsOf),
    ...(drops !== undefined && { drops: stepsOf(drops) }),
    ...(keptWith !== undefined && { keptWith: stepsOf(keptWith) }),
    ...(emptied !== undefined && { emptied }),
  };
}

function stepsOf(path: string): readonly string[] {
  return path.replaceAll("[]", ".[]").split(".");
}

/** The same fields of what is embedded at `prefix`: a pod in a template. */
export function gatedBelow(prefix: string, tables: readonly GatedFields[]): readonly GatedFields[] {
  const steps = stepsOf(prefix);
  return tables.map((table) => ({ ...table, paths: table.paths.map((path) => [...steps, ...path]) }));
}

/** The object without the fields of features that are off, but for the features that `old` uses. */
export function withoutGatedFields(
  { gatedFields = [] }: ResourceStrategy,
  object: JsonObject,
  old: JsonObject | undefined,
): JsonObject {
  let result = object;
  for (const { gate, paths, drops, keptWith, emptied = false } of gatedFields) {
    if (featureGates[gate] || !paths.some((path) => has(object, path))) continue;
    const uses = keptWith === undefined ? paths : [keptWith];
    if (old !== undefined && uses.some((path) => has(old, path))) continue;
    for (const path of drops === undefined ? paths : [drops]) result = dropped(result, path, emptied);
  }
  return result;
}

function has(value: unknown, path: readonly string[], from = 0): boolean {
  if (value === undefined || value === null) return false;
  const step = path[from];
  if (step === undefined) return !isNothing(value);
  if (step !== "[]") return isJsonObject(value) && has(value[step], path, from + 1);
  const items: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  return items.some((item) => has(item, path, from + 1));
}

function dropped<T>(value: T, path: readonly string[], emptied: boolean, from = 0): T {
  const step = path[from] ?? "";
  const last = from === path.length - 1;
  const next = <Item>(item: Item): Item => dropped(item, path, emptied, from + 1);
  if (Array.isArray(value)) return mapItems<unknown>(value, next) as T;
  if (!isJsonObject(value)) return value;
  const object: JsonObject = value;
  if (step === "[]") return Object.fromEntries(Object.entries(object).map(([key, item]) => [key, next(item)])) as T;
  const child = Object.hasOwn(object, step) ? object[step] : undefined;
  if (child === undefined) return value;
  const changed = last ? undefined : next(child);
  if (changed === child) return value;
  const { [step]: _dropped, ...rest } = object;
  const gone = changed === undefined || (emptied && from === path.length - 2 && isNothing(changed));
  return (gone ? rest : { ...object, [step]: changed }) as T;
}

function isNothing(value: unknown): boolean {
  return value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
}
