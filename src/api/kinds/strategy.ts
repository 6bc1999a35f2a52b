import type { ResourceStrategy, StrategyContext } from "../description.js";
import type { FieldError } from "../field-error.js";
import type { JsonObject } from "../object.js";
import type { Loose } from "./loose.js";

/** A ResourceStrategy written against the kind's own type. */
export interface TypedStrategy<T>
  extends Omit<
    ResourceStrategy,
    | "defaults"
    | "prepareForCreate"
    | "prepareForUpdate"
    | "validate"
    | "validateCreate"
    | "validateUpdate"
    | "validateStatusUpdate"
    | "warnings"
    | "statusWarnings"
    | "gracePeriodSeconds"
  > {
  readonly defaults?: (object: Loose<T>) => Loose<T>;
  readonly prepareForCreate?: (object: Loose<T>, context: StrategyContext) => Loose<T>;
  readonly prepareForUpdate?: (object: Loose<T>, old: Loose<T>, context: StrategyContext) => Loose<T>;
  readonly validate?: (object: Loose<T>) => readonly FieldError[];
  readonly validateCreate?: (object: Loose<T>) => readonly FieldError[];
  readonly validateUpdate?: (object: Loose<T>, old: Loose<T>, context?: StrategyContext) => readonly FieldError[];
  readonly validateStatusUpdate?: (object: Loose<T>, old: Loose<T>) => readonly FieldError[];
  readonly warnings?: (object: Loose<T>, old: Loose<T> | undefined) => readonly string[];
  readonly statusWarnings?: (object: Loose<T>) => readonly string[];
  readonly gracePeriodSeconds?: (object: Loose<T>, requested: number | undefined) => number;
}

/**
 * The one place where a JSON object becomes its kind's type: decoding has checked it against the schema of the kind before a
 * strategy sees it, and `Loose` leaves every field optional.
 */
export function strategyOf<T>(strategy: TypedStrategy<T>): ResourceStrategy {
  return strategy as unknown as ResourceStrategy;
}

export type StrategyEntry = readonly [key: string, strategy: ResourceStrategy];

/** For code that walks JSON without knowing its kind. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
