import { duplicate, type FieldError } from "../field-error.js";
import { getOwn, isJsonObject } from "../json-value.js";
import { itemIdentity } from "./correlate.js";
import { additionalOf, itemsOf, type JsonSchema, propertiesOf } from "./json-schema.js";
import { join, maxErrors } from "./validator.js";

/** Finds items that are twice in lists of type set or map. Yields now and then. */
export type ListCheck = (value: unknown, path: string, errors: FieldError[]) => Generator<undefined, void>;

/** After how many items others get their turn. */
const itemsInTurn = 10_000;

/** Undefined where nothing below has such a list. */
export function compileListCheck(schema: JsonSchema): ListCheck | undefined {
  const items = itemsOf(schema);
  const checks = [...(items === undefined ? [] : listChecks(schema, items)), ...fieldChecks(schema)];
  if (checks.length === 0) return undefined;
  return function* (value, path, errors) {
    for (const check of checks) yield* check(value, path, errors);
  };
}

function* listChecks(schema: JsonSchema, items: JsonSchema): Generator<ListCheck> {
  const inner = compileListCheck(items);
  if (inner !== undefined) {
    yield function* (value, path, errors) {
      if (!Array.isArray(value)) return;
      for (const [index, item] of value.entries()) {
        yield* inner(item, `${path}[${index}]`, errors);
        if (index % itemsInTurn === itemsInTurn - 1) yield undefined;
      }
    };
  }
  const keys = schema["x-kubernetes-list-map-keys"];
  const type = schema["x-kubernetes-list-type"];
  if (type === "set")
    yield unique(
      (item) => canonical(item),
      (item) => item,
    );
  if (type === "map" && keys !== undefined) {
    yield unique(itemIdentity(schema, keys), (item) => shownKeys(item, keys));
  }
}

function shownKeys(item: unknown, keys: readonly string[]): unknown {
  if (!isJsonObject(item)) return item;
  return Object.fromEntries(keys.filter((key) => Object.hasOwn(item, key)).map((key) => [key, getOwn(item, key)]));
}

function unique(identity: (item: unknown) => string | undefined, show: (item: unknown) => unknown): ListCheck {
  return function* (value, path, errors) {
    if (!Array.isArray(value)) return;
    const seen = new Set<string>();
    const reported = new Set<string>();
    for (const [index, item] of value.entries()) {
      if (index % itemsInTurn === itemsInTurn - 1) yield undefined;
      const id = identity(item);
      if (id === undefined || errors.length >= maxErrors) continue;
      if (seen.has(id) && !reported.has(id)) {
        reported.add(id);
        errors.push(duplicate(`${path}[${index}]`, show(item)));
      }
      seen.add(id);
    }
  };
}

function* fieldChecks(schema: JsonSchema): Generator<ListCheck> {
  const properties = new Map<string, ListCheck>();
  for (const [name, property] of propertiesOf(schema)) {
    const check = compileListCheck(property);
    if (check !== undefined) properties.set(name, check);
  }
  const additional = additionalOf(schema);
  const others = additional === undefined ? undefined : compileListCheck(additional);
  if (properties.size === 0 && others === undefined) return;
  yield function* (value, path, errors) {
    if (!isJsonObject(value)) return;
    for (const key of Object.keys(value)) {
      const check = properties.get(key) ?? others;
      if (check === undefined) continue;
      const at = schema.additionalProperties === undefined ? join(path, key) : `${path}[${key}]`;
      yield* check(getOwn(value, key), at, errors);
    }
  };
}

/** The same text for equal values: the order of fields does not count. */
function canonical(value: unknown): string {
  if (typeof value === "string") return `"${value}`;
  return JSON.stringify(value, (_, inner: unknown) =>
    isJsonObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}
