import { isAbsolute } from "node:path";
import type { CompiledExpression } from "../../api/admission-cel/compiler.js";
import { refuse, type Shape } from "../../api/configuration-shape.js";
import { parseDurationMs } from "../../api/duration.js";
import { duplicate, type FieldError, invalid, notSupported, required, tooMany } from "../../api/field-error.js";
import { validateDns1123Subdomain } from "../../api/names.js";
import { parseConfiguration } from "../configuration-file.js";
import { AuthorizationExpressions } from "./match-conditions.js";

/** One authorizer of upstream's AuthorizationConfiguration, in its words. */
export interface AuthorizerConfiguration {
  /** Each but Webhook at most once. */
  readonly type: "AlwaysAllow" | "AlwaysDeny" | "Node" | "RBAC" | "Webhook";
  /** A DNS subdomain, for metrics. */
  readonly name: string;
  readonly webhook?: WebhookConfiguration;
}

/** Durations are Go's: `30s`. */
export interface WebhookConfiguration {
  /** Default 5m. */
  readonly authorizedTTL?: string;
  readonly cacheAuthorizedRequests?: boolean;
  /** Default 30s. */
  readonly unauthorizedTTL?: string;
  readonly cacheUnauthorizedRequests?: boolean;
  /** At most 30s. */
  readonly timeout: string;
  readonly subjectAccessReviewVersion: "v1" | "v1beta1";
  /** Required with conditions. */
  readonly matchConditionSubjectAccessReviewVersion?: "v1";
  readonly failurePolicy: "NoOpinion" | "Deny";
  readonly connectionInfo: { readonly type: "KubeConfigFile"; readonly kubeConfigFile: string };
  /** CEL over `request`. */
  readonly matchConditions?: readonly { readonly expression: string }[];
}

export interface AuthorizationConfiguration {
  /** Asked in this order. */
  readonly authorizers: readonly AuthorizerConfiguration[];
}

/** What is valid, ready for use. */
export interface CompiledAuthorization {
  readonly authorizers: readonly (AuthorizerConfiguration & { readonly conditions: readonly CompiledExpression[] })[];
  readonly expressions: AuthorizationExpressions;
}

export const authorizerTypes: readonly AuthorizerConfiguration["type"][] = [
  "AlwaysAllow",
  "AlwaysDeny",
  "Node",
  "RBAC",
  "Webhook",
];

const maxConditions = 64;

const shape: Shape = {
  fields: {
    apiVersion: "string",
    kind: "string",
    authorizers: {
      list: {
        fields: {
          type: "string",
          name: "string",
          webhook: {
            fields: {
              authorizedTTL: "duration",
              cacheAuthorizedRequests: "boolean",
              unauthorizedTTL: "duration",
              cacheUnauthorizedRequests: "boolean",
              timeout: "duration",
              subjectAccessReviewVersion: "string",
              matchConditionSubjectAccessReviewVersion: "string",
              failurePolicy: "string",
              connectionInfo: { fields: { type: "string", kubeConfigFile: "string" } },
              matchConditions: { list: { fields: { expression: "string" } } },
            },
          },
        },
      },
    },
  },
};

/** Reads upstream's AuthorizationConfiguration, v1 or one of its betas. Throws ConfigurationError for what has not its shape. */
export function readAuthorizationConfiguration(text: string): AuthorizationConfiguration {
  const versions = ["v1", "v1beta1", "v1alpha1"];
  const document = parseConfiguration(text, { kind: "AuthorizationConfiguration", versions, shape });
  const { authorizers = [] } = document as Partial<AuthorizationConfiguration>;
  return { authorizers };
}

/** Makes a configuration ready for use. Throws ConfigurationError, which says everything that is wrong, with its path. */
export function compileAuthorization({ authorizers }: AuthorizationConfiguration): CompiledAuthorization {
  const errors: FieldError[] = [];
  const expressions = new AuthorizationExpressions();
  if (authorizers.length === 0) {
    errors.push(required("authorizers", "at least one authorization mode must be defined"));
  }
  const compiled = authorizers.map((authorizer, index) => {
    checkAuthorizer(errors, authorizers, index);
    const at = `authorizers[${index}].webhook`;
    return { ...authorizer, conditions: conditionsOf(errors, expressions, authorizer.webhook, at) };
  });
  refuse(errors);
  return { authorizers: compiled, expressions };
}

function checkAuthorizer(errors: FieldError[], all: readonly AuthorizerConfiguration[], index: number): void {
  const { type, name = "", webhook } = all[index] as Partial<AuthorizerConfiguration>;
  const at = `authorizers[${index}]`;
  const before = all.slice(0, index);
  if (!type) errors.push(required(`${at}.type`));
  else if (!authorizerTypes.includes(type)) errors.push(notSupported(`${at}.type`, type, authorizerTypes));
  else if (type !== "Webhook" && before.some((other) => other.type === type)) {
    errors.push(duplicate(`${at}.type`, type));
  }
  const [problem] = validateDns1123Subdomain(name);
  if (name === "") errors.push(required(`${at}.name`));
  else if (before.some((other) => other.name === name)) errors.push(duplicate(`${at}.name`, name));
  else if (problem !== undefined) {
    errors.push(invalid(`${at}.name`, name, `authorizer name is invalid: ${problem}`));
  }
  if (type === "Webhook") {
    if (webhook === undefined) errors.push(required(`${at}.webhook`, "required when type=Webhook"));
    else checkWebhook(errors, webhook, `${at}.webhook`);
  } else if (webhook !== undefined) {
    errors.push(invalid(`${at}.webhook`, "non-null", "may only be specified when type=Webhook"));
  }
}

function checkWebhook(errors: FieldError[], webhook: Partial<WebhookConfiguration>, at: string): void {
  const { timeout, authorizedTTL = "5m", unauthorizedTTL = "30s", connectionInfo } = webhook;
  const timeoutMs = timeout === undefined ? 0 : parseDurationMs(timeout);
  if (timeoutMs === 0) errors.push(required(`${at}.timeout`));
  else if (timeoutMs < 0 || timeoutMs > 30_000) {
    errors.push(invalid(`${at}.timeout`, timeout, "must be > 0s and <= 30s"));
  }
  for (const [name, ttl] of Object.entries({ authorizedTTL, unauthorizedTTL })) {
    if (parseDurationMs(ttl) <= 0) errors.push(invalid(`${at}.${name}`, ttl, "must be > 0s"));
  }
  checkOneOf(errors, webhook.subjectAccessReviewVersion, `${at}.subjectAccessReviewVersion`, ["v1", "v1beta1"]);
  checkOneOf(errors, webhook.failurePolicy, `${at}.failurePolicy`, ["NoOpinion", "Deny"]);
  const { matchConditionSubjectAccessReviewVersion: version, matchConditions = [] } = webhook;
  if (version !== undefined || matchConditions.length > 0) {
    const why = "required if match conditions are specified";
    checkOneOf(errors, version, `${at}.matchConditionSubjectAccessReviewVersion`, ["v1"], why);
  }
  const { type, kubeConfigFile: path = "" } = connectionInfo ?? ({} as Partial<WebhookConfiguration["connectionInfo"]>);
  // InClusterConfig is not for API servers.
  checkOneOf(errors, type, `${at}.connectionInfo.type`, ["KubeConfigFile"]);
  if (type !== "KubeConfigFile") return;
  if (path === "") errors.push(required(`${at}.connectionInfo.kubeConfigFile`));
  else if (!isAbsolute(path)) {
    errors.push(invalid(`${at}.connectionInfo.kubeConfigFile`, path, "must be an absolute path"));
  }
}

function checkOneOf(
  errors: FieldError[],
  value: string | undefined,
  at: string,
  choices: readonly string[],
  why?: string,
): void {
  if (!value) errors.push(required(at, why));
  else if (!choices.includes(value)) errors.push(notSupported(at, value, choices));
}

function conditionsOf(
  errors: FieldError[],
  expressions: AuthorizationExpressions,
  { matchConditions = [] }: Partial<WebhookConfiguration> = {},
  at: string,
): readonly CompiledExpression[] {
  if (matchConditions.length > maxConditions) {
    errors.push(tooMany(`${at}.matchConditions`, matchConditions.length, maxConditions));
    return [];
  }
  const sources = matchConditions.map(({ expression = "" }) => expression);
  return sources.flatMap((source, index) => {
    const path = `${at}.matchConditions[${index}].expression`;
    if (source.trim() === "") errors.push(required(path));
    else if (sources.indexOf(source) < index) errors.push(duplicate(path, source));
    else {
      const compiled = expressions.compile(source);
      if (compiled.error !== undefined) errors.push(invalid(path, source, compiled.error));
      return [compiled];
    }
    return [];
  });
}
