import type { CompiledExpression } from "../../../api/admission-cel/compiler.js";
import { duplicate, type FieldError, invalid, required } from "../../../api/field-error.js";
import { checkDomainPrefixedPath } from "../../../api/kinds/domain-path.js";
import { parseAuthorities } from "../certificates.js";
import type { JwtConfiguration, PrefixedClaimOrExpression } from "./configuration.js";
import { type AuthenticationExpressions, usesClaim } from "./expressions.js";

/** What is valid, ready for use. */
export interface CompiledJwt {
  readonly configuration: JwtConfiguration;
  readonly expressions: AuthenticationExpressions;
  /** Absent where a claim is mapped, or nothing is. */
  readonly username: CompiledExpression | undefined;
  readonly groups: CompiledExpression | undefined;
  readonly uid: CompiledExpression | undefined;
  readonly extra: readonly { readonly key: string; readonly value: CompiledExpression }[];
  readonly claimRules: readonly CompiledRule[];
  readonly userRules: readonly CompiledRule[];
}

export interface CompiledRule {
  readonly condition: CompiledExpression;
  readonly message: string;
}

/** Compiles one issuer's configuration, and adds what is wrong with it to `errors`, with upstream's words. */
export function compileJwt(
  configuration: JwtConfiguration,
  path: string,
  {
    errors,
    expressions,
    disallowedIssuers,
  }: {
    readonly errors: FieldError[];
    readonly expressions: AuthenticationExpressions;
    /** Those of the server's own tokens. */
    readonly disallowedIssuers: readonly string[];
  },
): CompiledJwt {
  const compiler = new JwtCompiler(errors, expressions);
  const { issuer, claimMappings = {} as JwtConfiguration["claimMappings"] } = configuration;
  checkIssuer(errors, issuer, `${path}.issuer`, disallowedIssuers);
  const claimRules = compiler.claimRules(configuration, `${path}.claimValidationRules`);
  const mappings = `${path}.claimMappings`;
  const { username, groups, uid, extra = [] } = claimMappings;
  const compiled: CompiledJwt = {
    configuration,
    expressions,
    claimRules,
    username: compiler.mapping(username ?? {}, `${mappings}.username`, true),
    groups: compiler.mapping(groups ?? {}, `${mappings}.groups`, false),
    uid: compiler.uid(uid, `${mappings}.uid`),
    extra: compiler.extra(extra, `${mappings}.extra`),
    userRules: compiler.userRules(configuration, `${path}.userValidationRules`),
  };
  checkEmail(errors, compiled, `${mappings}.username.expression`);
  return compiled;
}

class JwtCompiler {
  readonly #errors: FieldError[];
  readonly #expressions: AuthenticationExpressions;

  constructor(errors: FieldError[], expressions: AuthenticationExpressions) {
    this.#errors = errors;
    this.#expressions = expressions;
  }

  claimRules({ claimValidationRules = [] }: JwtConfiguration, path: string): readonly CompiledRule[] {
    const claims = new Set<string>();
    const sources = new Set<string>();
    return claimValidationRules.flatMap((rule, index) => {
      const at = `${path}[${index}]`;
      const { claim = "", expression = "", message = "", requiredValue = "" } = rule;
      if (claim !== "" && expression !== "") {
        this.#errors.push(invalid(at, claim, "claim and expression can't both be set"));
      } else if (claim === "" && expression === "") {
        this.#errors.push(required(at, "claim or expression is required"));
      } else if (claim !== "") {
        if (message !== "") {
          this.#errors.push(invalid(`${at}.message`, message, "may not be specified when claim is set"));
        }
        this.#once(claims, claim, `${at}.claim`);
      } else {
        if (requiredValue !== "") {
          const why = "may not be specified when expression is set";
          this.#errors.push(invalid(`${at}.requiredValue`, requiredValue, why));
        }
        if (!this.#once(sources, expression, `${at}.expression`)) return [];
        return [{ condition: this.#compile(expression, `${at}.expression`, "claims", "bool"), message }];
      }
      return [];
    });
  }

  mapping(
    { claim = "", expression = "", prefix }: PrefixedClaimOrExpression,
    path: string,
    needed: boolean,
  ): CompiledExpression | undefined {
    if (claim !== "" && expression !== "") {
      this.#errors.push(invalid(path, "", "claim and expression can't both be set"));
    } else if (claim === "" && expression === "") {
      if (needed) this.#errors.push(required(path, "claim or expression is required"));
    } else if (expression !== "") {
      if (prefix !== undefined) {
        this.#errors.push(invalid(`${path}.prefix`, prefix, "may not be specified when expression is set"));
      }
      return this.#compile(expression, `${path}.expression`, "claims");
    } else if (prefix === undefined) {
      const why = "prefix is required when claim is set. It can be set to an empty string to disable prefixing";
      this.#errors.push(required(`${path}.prefix`, why));
    }
    return undefined;
  }

  uid(
    { claim = "", expression = "" }: NonNullable<JwtConfiguration["claimMappings"]["uid"]> = {},
    path: string,
  ): CompiledExpression | undefined {
    if (claim !== "" && expression !== "") {
      this.#errors.push(invalid(path, "", "claim and expression can't both be set"));
      return undefined;
    }
    return expression === "" ? undefined : this.#compile(expression, `${path}.expression`, "claims");
  }

  extra(mappings: NonNullable<JwtConfiguration["claimMappings"]["extra"]>, path: string): CompiledJwt["extra"] {
    const keys = new Set<string>();
    return mappings.flatMap(({ key = "", valueExpression = "" }, index) => {
      const at = `${path}[${index}]`;
      checkDomainPrefixedPath(this.#errors, `${at}.key`, key);
      if (key !== key.toLowerCase()) this.#errors.push(invalid(`${at}.key`, key, "must be lowercase"));
      if (/^([^/]*\.)?(kubernetes|k8s)\.io\//.test(key)) {
        const why = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use";
        this.#errors.push(invalid(`${at}.key`, key, why));
      }
      if (!this.#once(keys, key, `${at}.key`)) return [];
      if (valueExpression === "") {
        this.#errors.push(required(`${at}.valueExpression`));
        return [];
      }
      return [{ key, value: this.#compile(valueExpression, `${at}.valueExpression`, "claims") }];
    });
  }

  userRules({ userValidationRules = [] }: JwtConfiguration, path: string): readonly CompiledRule[] {
    const sources = new Set<string>();
    return userValidationRules.flatMap(({ expression = "", message = "" }, index) => {
      const at = `${path}[${index}].expression`;
      if (expression === "") {
        this.#errors.push(required(at));
        return [];
      }
      if (!this.#once(sources, expression, at)) return [];
      return [{ condition: this.#compile(expression, at, "user", "bool"), message }];
    });
  }

  #once(seen: Set<string>, value: string, path: string): boolean {
    const first = !seen.has(value);
    if (!first) this.#errors.push(duplicate(path, value));
    seen.add(value);
    return first;
  }

  #compile(source: string, path: string, over: "claims" | "user", returns?: "bool"): CompiledExpression {
    const compiled = this.#expressions.compile(source, over, returns);
    if (compiled.error !== undefined) this.#errors.push(invalid(path, source, compiled.error));
    return compiled;
  }
}

/** An address that nobody has verified must not become a name by an expression that does not ask. */
function checkEmail(errors: FieldError[], compiled: CompiledJwt, path: string): void {
  const { username, extra, claimRules } = compiled;
  if (username === undefined || !usesClaim(username, "email")) return;
  const all = [username, ...extra.map(({ value }) => value), ...claimRules.map(({ condition }) => condition)];
  if (all.some((expression) => usesClaim(expression, "email_verified"))) return;
  const places =
    "claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression";
  const why = `claims.email_verified must be used in ${places} when claims.email is used in claimMappings.username.expression`;
  errors.push(invalid(path, username.source, why));
}

function checkIssuer(
  errors: FieldError[],
  issuer: JwtConfiguration["issuer"] | undefined,
  path: string,
  disallowed: readonly string[],
): void {
  const {
    url = "",
    discoveryURL = "",
    audiences = [],
    audienceMatchPolicy = "",
    certificateAuthority = "",
  } = issuer ?? ({} as Partial<JwtConfiguration["issuer"]>);
  if (url === "") errors.push(required(`${path}.url`));
  else {
    if (disallowed.includes(url)) {
      const why = `URL must not overlap with disallowed issuers: [${[...disallowed].sort().join(" ")}]`;
      errors.push(invalid(`${path}.url`, url, why));
    }
    checkUrl(errors, url, `${path}.url`);
  }
  if (discoveryURL !== "") {
    if (url !== "" && trimmed(url) === trimmed(discoveryURL)) {
      errors.push(invalid(`${path}.discoveryURL`, discoveryURL, "discoveryURL must be different from URL"));
    }
    checkUrl(errors, discoveryURL, `${path}.discoveryURL`);
  }
  checkAudiences(errors, audiences, audienceMatchPolicy, path);
  if (certificateAuthority !== "") checkAuthority(errors, certificateAuthority, `${path}.certificateAuthority`);
  if (issuer !== undefined && "egressSelectorType" in issuer) {
    const why = "egress selectors are not supported";
    errors.push(invalid(`${path}.egressSelectorType`, issuer.egressSelectorType, why));
  }
}

function checkAudiences(errors: FieldError[], audiences: readonly string[], policy: string, path: string): void {
  const at = `${path}.audiences`;
  if (audiences.length === 0) {
    errors.push(required(at, `at least one ${at} is required`));
    return;
  }
  for (const [index, audience] of audiences.entries()) {
    if (audience === "") errors.push(required(`${at}[${index}]`));
    if (audiences.indexOf(audience) < index) errors.push(duplicate(`${at}[${index}]`, audience));
  }
  if (policy === "MatchAny" || (policy === "" && audiences.length === 1)) return;
  const why =
    audiences.length > 1
      ? "audienceMatchPolicy must be MatchAny for multiple audiences"
      : "audienceMatchPolicy must be empty or MatchAny for single audience";
  errors.push(invalid(`${path}.audienceMatchPolicy`, policy, why));
}

function checkAuthority(errors: FieldError[], pem: string, path: string): void {
  let found = 0;
  try {
    found = parseAuthorities([pem]).length;
  } catch {
    // None, as where there is no certificate in it.
  }
  if (found === 0) {
    errors.push(invalid(path, "<omitted>", "data does not contain any valid RSA or ECDSA certificates"));
  }
}

function checkUrl(errors: FieldError[], text: string, path: string): void {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    errors.push(invalid(path, text, `parse ${JSON.stringify(text)}: no absolute URL`));
    return;
  }
  const bad = (why: string): unknown => errors.push(invalid(path, text, `URL ${why}`));
  if (url.protocol !== "https:") bad("scheme must be https");
  if (url.username !== "" || url.password !== "") bad("must not contain a username or password");
  if (url.search !== "") bad("must not contain a query");
  if (url.hash !== "") bad("must not contain a fragment");
}

function trimmed(url: string): string {
  return url.replace(/\/+$/, "");
}
