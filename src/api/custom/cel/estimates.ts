import type { JsonSchema } from "../json-schema.js";
import { maxSize } from "./sizes.js";

export interface Size {
  readonly min: number;
  readonly max: number;
}

/** What is known of the value of an expression before it is evaluated. */
export interface Estimate {
  readonly cost: number;
  /** Undefined: see `schema`. */
  readonly size?: Size | undefined;
  /** Where the value comes from, if it is a part of the object. */
  readonly schema?: JsonSchema | undefined;
  /** Of the items of a list, or the values of a map, that the expression makes. */
  readonly item?: Estimate | undefined;
  /** As the checker names it. */
  readonly type: string;
}

/** Of an expression whose type the checker knows. */
export type Untyped = Omit<Estimate, "type">;

const unknown: Size = { min: 0, max: Number.POSITIVE_INFINITY };
/** Types of which a value can be as big as one likes. Empty: nobody knows the type. */
const unlimited = /^(string|bytes|dyn|list.*|map.*|[A-Z]|)$/;

export function sizeOf({ size, schema, type }: Estimate): Size {
  if (size !== undefined) return size;
  if (schema !== undefined) return { min: 0, max: maxSize(schema) };
  return unlimited.test(type) ? unknown : fixed(1);
}

export function fixed(size: number): Size {
  return { min: size, max: size };
}

export function sum(values: readonly Estimate[]): number {
  return values.reduce((total, { cost }) => total + cost, 0);
}

/** A product in which nothing is nothing, however often. */
export function times(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : a * b;
}
