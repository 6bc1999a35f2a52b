import type { ResourceStrategy } from "../description.js";
import type { FieldError } from "../field-error.js";
import type { JsonObject } from "../object.js";
import { withoutGatedFields } from "./gated-fields.js";
import { builtinStrategies } from "./index.js";

/** Freezes a value in depth, so that a test fails where shared objects are changed. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}

export function strategyFor(key: string): ResourceStrategy {
  const strategy = builtinStrategies.get(key);
  if (strategy === undefined) throw new Error(`no strategy for ${key}`);
  return strategy;
}

const times = { now: "2026-01-02T03:04:05Z", nowMs: Date.parse("2026-01-02T03:04:05Z") };

/** The object as create would store it, and what is wrong with it as `path: message`. */
export function created(key: string, given: JsonObject): { readonly object: JsonObject; readonly errors: string[] } {
  const strategy = strategyFor(key);
  const defaulted = withoutGatedFields(strategy, strategy.defaults?.(deepFreeze(given)) ?? given, undefined);
  const object = deepFreeze(strategy.prepareForCreate?.(deepFreeze(defaulted), times) ?? defaulted);
  return {
    object,
    errors: lines([...(strategy.validate?.(object) ?? []), ...(strategy.validateCreate?.(object) ?? [])]),
  };
}

/** As `created`, of an update of `old`, which is stored as given. */
export function updated(
  key: string,
  given: JsonObject,
  old: JsonObject,
  subresource?: string,
): { readonly object: JsonObject; readonly errors: string[] } {
  const strategy = strategyFor(key);
  const context = subresource === undefined ? times : { ...times, subresource };
  deepFreeze(old);
  const defaulted = withoutGatedFields(strategy, strategy.defaults?.(deepFreeze(given)) ?? given, old);
  const object = deepFreeze(strategy.prepareForUpdate?.(deepFreeze(defaulted), old, context) ?? defaulted);
  const errors =
    subresource === "status"
      ? (strategy.validateStatusUpdate?.(object, old) ?? [])
      : [...(strategy.validate?.(object) ?? []), ...(strategy.validateUpdate?.(object, old, context) ?? [])];
  return { object, errors: lines(errors) };
}

function lines(errors: readonly FieldError[]): string[] {
  return errors.map((error) => `${error.path}: ${error.message}`);
}

/** A copy with one place changed: `withPath(pod, "spec.containers.0.image", "x")`; undefined takes the place away. */
export function withPath(object: unknown, path: string, value: unknown): JsonObject {
  const [head = "", ...rest] = path.split(".");
  const next = (child: unknown): unknown => (rest.length === 0 ? value : withPath(child ?? {}, rest.join("."), value));
  if (Array.isArray(object)) {
    const copy: unknown[] = [...object];
    copy[Number(head)] = next(copy[Number(head)]);
    return copy as unknown as JsonObject;
  }
  const copy: Record<string, unknown> = { ...(object as JsonObject) };
  const changed = next(copy[head]);
  if (changed === undefined) delete copy[head];
  else copy[head] = changed;
  return copy;
}
