import { type FieldError, invalid } from "../field-error.js";
import { noOld } from "./correlate.js";
import type { JsonSchema } from "./json-schema.js";
import type { Check, Place } from "./validator.js";

type Compile = (schema: JsonSchema) => Check;

interface Attempt {
  readonly errors: readonly FieldError[];
  readonly count: number;
}

/** How upstream prints the path of an error that belongs to no field. */
export const nowhere = "<nil>";

/** The checks of anyOf, oneOf, allOf and not. Their schemas are compared with no old value: they are judged as a whole. */
export function* junctors(schema: JsonSchema, compile: Compile): Generator<Check> {
  if (schema.anyOf !== undefined && schema.anyOf.length > 0) yield anyOf(schema.anyOf.map(compile));
  if (schema.oneOf !== undefined && schema.oneOf.length > 0) yield oneOf(schema.oneOf.map(compile));
  if (schema.allOf !== undefined && schema.allOf.length > 0) yield allOf(schema.allOf.map(compile));
  if (schema.not !== undefined) yield not(compile(schema.not));
}

function attempt(check: Check, value: unknown, { path }: Place): Attempt {
  const errors: FieldError[] = [];
  const count = check(value, { path, errors, old: noOld, putOff: undefined });
  return { errors, count };
}

/** The failed alternative that had the most to do with the value is the one that is worth explaining. */
function best(attempts: readonly Attempt[]): Attempt | undefined {
  return attempts.reduce<Attempt | undefined>(
    (found, next) => (found === undefined || next.count > found.count ? next : found),
    undefined,
  );
}

function complain({ errors, path }: Place, text: string): void {
  errors.push(invalid(nowhere, "", `${JSON.stringify(path)} ${text}`));
}

function anyOf(checks: readonly Check[]): Check {
  return (value, place) => {
    const failed: Attempt[] = [];
    for (const check of checks) {
      const result = attempt(check, value, place);
      if (result.errors.length === 0) return 1;
      failed.push(result);
    }
    complain(place, "must validate at least one schema (anyOf)");
    place.errors.push(...(best(failed)?.errors ?? []));
    return 1;
  };
}

function oneOf(checks: readonly Check[]): Check {
  return (value, place) => {
    const attempts = checks.map((check) => attempt(check, value, place));
    const valid = attempts.filter(({ errors }) => errors.length === 0).length;
    if (valid === 1) return 1;
    const found = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`;
    complain(place, `must validate one and only one schema (oneOf). ${found}`);
    if (valid === 0) place.errors.push(...(best(attempts)?.errors ?? []));
    return 1;
  };
}

function allOf(checks: readonly Check[]): Check {
  return (value, place) => {
    const attempts = checks.map((check) => attempt(check, value, place));
    const invalidOnes = attempts.filter(({ errors }) => errors.length > 0);
    for (const { errors } of invalidOnes) place.errors.push(...errors);
    if (invalidOnes.length === 0) return 1;
    complain(
      place,
      `must validate all the schemas (allOf)${invalidOnes.length === checks.length ? ". None validated" : ""}`,
    );
    return 1;
  };
}

function not(check: Check): Check {
  return (value, place) => {
    if (attempt(check, value, place).errors.length === 0) complain(place, "must not validate the schema (not)");
    return 1;
  };
}
