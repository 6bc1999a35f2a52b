import type { CompiledExpression } from "../../../api/admission-cel/compiler.js";
import type { UserInfo } from "../../../api/index.js";
import type { Evaluation } from "../../admission/policies/evaluation.js";
import type { CompiledJwt, CompiledRule } from "./compile.js";
import type { PrefixedClaimOrExpression } from "./configuration.js";
import type { Claims } from "./expressions.js";

/** The user of a verified token. Rejects, with upstream's words, where a claim is missing or a rule does not hold. */
export async function userOfClaims(claims: Claims, compiled: CompiledJwt): Promise<UserInfo> {
  const { claimMappings, claimValidationRules = [] } = compiled.configuration;
  const evaluation = compiled.expressions.overClaims(claims);
  const username = await usernameOf(claims, claimMappings.username, compiled.username, evaluation);
  const groups = await groupsOf(claims, claimMappings.groups, compiled.groups, evaluation);
  const uid = await uidOf(claims, claimMappings.uid?.claim, compiled.uid, evaluation);
  const extra = await extraOf(compiled.extra, evaluation);
  for (const { claim, requiredValue = "" } of claimValidationRules) {
    if (claim) checkRequired(claims, claim, requiredValue);
  }
  await explained("claim validation expression", () => checkRules(compiled.claimRules, evaluation));
  const user: UserInfo = {
    username,
    groups,
    ...(uid === "" ? {} : { uid }),
    ...(extra.length === 0 ? {} : { extra: Object.fromEntries(extra) }),
  };
  if (compiled.userRules.length > 0) {
    const overUser = compiled.expressions.overUser(user);
    await explained("user info validation rule", () => checkRules(compiled.userRules, overUser));
  }
  return user;
}

async function usernameOf(
  claims: Claims,
  { claim = "", prefix = "" }: PrefixedClaimOrExpression,
  expression: CompiledExpression | undefined,
  evaluation: Evaluation,
): Promise<string> {
  if (expression !== undefined) {
    const name = await explained("username claim expression", () => textOf(expression, evaluation, "username"));
    if (name === "") throw new Error("oidc: empty username via CEL expression is not allowed");
    return name;
  }
  const name = textClaim(claims, claim, "username claims");
  if (claim === "email" && Object.hasOwn(claims, "email_verified")) {
    const verified = claims["email_verified"];
    if (typeof verified !== "boolean") throw new Error("oidc: parse 'email_verified' claim: it is no boolean");
    if (!verified) throw new Error("oidc: email not verified");
  }
  if (`${prefix}${name}` === "") throw new Error("oidc: empty username is not allowed");
  return `${prefix}${name}`;
}

async function groupsOf(
  claims: Claims,
  { claim = "", prefix = "" }: PrefixedClaimOrExpression = {},
  expression: CompiledExpression | undefined,
  evaluation: Evaluation,
): Promise<readonly string[]> {
  if (expression !== undefined) return explained("group claim expression", () => textsOf(expression, evaluation));
  if (claim === "") return [];
  if (Object.hasOwn(claims, claim)) {
    const value = claims[claim];
    const groups: readonly unknown[] = value === null ? [] : Array.isArray(value) ? value : [value];
    return groups.map((group) => {
      if (typeof group === "string") return `${prefix}${group}`;
      throw new Error(`oidc: parse groups claim ${JSON.stringify(claim)}: neither a string nor a list of strings`);
    });
  }
  if (Object.hasOwn(Object(claims["_claim_names"]), claim)) {
    throw new Error(
      `oidc: could not expand distributed claims: ${JSON.stringify(claim)} is elsewhere, which is not supported`,
    );
  }
  return [];
}

async function uidOf(
  claims: Claims,
  claim: string | undefined,
  expression: CompiledExpression | undefined,
  evaluation: Evaluation,
): Promise<string> {
  if (claim) return textClaim(claims, claim, "uid claim");
  return expression === undefined ? "" : explained("uid claim expression", () => textOf(expression, evaluation, "uid"));
}

async function extraOf(
  mappings: CompiledJwt["extra"],
  evaluation: Evaluation,
): Promise<readonly (readonly [key: string, values: readonly string[]])[]> {
  const extra: [string, readonly string[]][] = [];
  for (const { key, value } of mappings) {
    const values = await explained("extra claim expression", () => textsOf(value, evaluation));
    if (values.length > 0) extra.push([key, values]);
  }
  return extra;
}

function checkRequired(claims: Claims, claim: string, wanted: string): void {
  if (!Object.hasOwn(claims, claim)) throw new Error(`oidc: required claim ${claim} not present in ID token`);
  const value = claims[claim];
  if (typeof value !== "string") throw new Error(`oidc: parse claim ${claim}: it is no string`);
  if (value === wanted) return;
  throw new Error(`oidc: required claim ${claim} value does not match. Got = ${value}, want = ${wanted}`);
}

async function checkRules(rules: readonly CompiledRule[], evaluation: Evaluation): Promise<void> {
  for (const { condition, message } of rules) {
    const holds = await evaluation.run(condition);
    if (typeof holds !== "boolean") throw new Error("validation expression must return a boolean");
    if (!holds) throw new Error(`validation expression '${condition.source}' failed: ${message}`);
  }
}

function textClaim(claims: Claims, claim: string, what: string): string {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (typeof value === "string") return value;
  const why = value === undefined ? "claim not present" : "it is no string";
  throw new Error(`oidc: parse ${what} ${JSON.stringify(claim)}: ${why}`);
}

async function textOf(expression: CompiledExpression, evaluation: Evaluation, what: string): Promise<string> {
  const value = await evaluation.run(expression);
  if (typeof value !== "string") throw new Error(`${what} claim expression must return a string`);
  return value;
}

/** Empty texts are as if they were not there, and so is null. */
async function textsOf(expression: CompiledExpression, evaluation: Evaluation): Promise<readonly string[]> {
  const value = await evaluation.run(expression);
  if (value === null) return [];
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (!values.every((one) => typeof one === "string")) {
    throw new Error("expression must return a string or a list of strings");
  }
  return values.filter((text) => text !== "");
}

async function explained<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`oidc: error evaluating ${what}: ${why}`, { cause });
  }
}
