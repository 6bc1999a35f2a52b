import { refuse } from "../../../api/configuration-shape.js";
import { duplicate, type FieldError, invalid, tooMany } from "../../../api/field-error.js";
import { parseConfiguration } from "../../configuration-file.js";
import type { AnonymousOptions } from "../union.js";
import { type CompiledJwt, compileJwt } from "./compile.js";
import { type AuthenticationConfiguration, authenticationShape, type JwtConfiguration } from "./configuration.js";
import { AuthenticationExpressions } from "./expressions.js";

const maxIssuers = 64;

export interface CompiledAuthentication {
  readonly jwt: readonly CompiledJwt[];
  readonly anonymous: AnonymousOptions | undefined;
}

/** Reads upstream's AuthenticationConfiguration, v1 or one of its betas. Throws ConfigurationError for what has not its shape. */
export function readAuthenticationConfiguration(text: string): AuthenticationConfiguration {
  const document = parseConfiguration(text, {
    kind: "AuthenticationConfiguration",
    versions: ["v1", "v1beta1", "v1alpha1"],
    shape: authenticationShape,
  });
  const { jwt = [], anonymous } = document as Partial<AuthenticationConfiguration>;
  return {
    jwt,
    ...(anonymous === undefined ? {} : { anonymous: { ...anonymous, enabled: anonymous.enabled === true } }),
  };
}

/** Makes a configuration ready for use. Throws ConfigurationError, which says everything that is wrong, with its path. */
export function compileAuthentication(
  { jwt, anonymous }: AuthenticationConfiguration,
  disallowedIssuers: readonly string[],
): CompiledAuthentication {
  if (jwt.length > maxIssuers) refuse([tooMany("jwt", jwt.length, maxIssuers)]);
  const errors: FieldError[] = [];
  const expressions = new AuthenticationExpressions();
  const compiled = jwt.map((one, index) =>
    compileJwt(one, `jwt[${index}]`, { errors, expressions, disallowedIssuers }),
  );
  for (const field of ["url", "discoveryURL"] as const) errors.push(...repeated(jwt, field));
  const conditions = anonymous?.conditions ?? [];
  if (anonymous !== undefined && !anonymous.enabled && conditions.length > 0) {
    const why = "enabled should be set to true when conditions are defined";
    errors.push(invalid("anonymous.conditions", conditions, why));
  }
  refuse(errors);
  return { jwt: compiled, anonymous };
}

function repeated(jwt: readonly JwtConfiguration[], field: "url" | "discoveryURL"): readonly FieldError[] {
  const values = jwt.map(({ issuer }) => issuer?.[field]);
  return values.flatMap((value, index) =>
    value !== undefined && values.indexOf(value) < index ? [duplicate(`jwt[${index}].issuer.${field}`, value)] : [],
  );
}
