import { PolicyCompiler } from "../../admission-cel/compiler.js";
import { AdmissionEnvironments } from "../../admission-cel/environments.js";
import { Meter } from "../../custom/cel/budget.js";
import { duplicate, type FieldError, invalid, notSupported, required, tooMany } from "../../field-error.js";
import type {
  AdmissionregistrationWebhookClientConfig,
  MutatingWebhook,
  MutatingWebhookConfiguration,
  RuleWithOperations,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from "../../gen/types.js";
import { validateQualifiedName } from "../../names.js";
import { addInvalid, checkOptionalEnum, checkRequired, checkSubdomain, type Errors } from "../checks.js";
import { checkLabelSelector } from "../label-selector.js";
import type { Loose } from "../loose.js";

const operations = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const maxMatchConditions = 64;

type Webhook = Loose<ValidatingWebhook> | Loose<MutatingWebhook>;

export function validateWebhooks(
  configuration: Loose<ValidatingWebhookConfiguration> | Loose<MutatingWebhookConfiguration>,
): readonly FieldError[] {
  const errors: Errors = [];
  const names = new Set<string>();
  configuration.webhooks?.forEach((webhook: Webhook, index: number) => {
    const at = `webhooks[${index}]`;
    checkWebhook(errors, at, webhook);
    const name = webhook.name ?? "";
    if (name !== "" && names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
  });
  return errors;
}

function checkWebhook(errors: Errors, path: string, webhook: Webhook): void {
  const { name = "", admissionReviewVersions = [], sideEffects = "" } = webhook;
  if (checkRequired(errors, `${path}.name`, name)) {
    checkSubdomain(errors, `${path}.name`, name);
    if (name.split(".").length < 3) {
      const why = "should be a domain with at least three segments separated by dots";
      errors.push(invalid(`${path}.name`, name, why));
    }
  }
  if (admissionReviewVersions.length === 0) {
    errors.push(required(`${path}.admissionReviewVersions`, "must specify one of v1, v1beta1"));
  } else if (!admissionReviewVersions.some((version) => version === "v1" || version === "v1beta1")) {
    const why = "must include at least one of v1, v1beta1";
    errors.push(invalid(`${path}.admissionReviewVersions`, admissionReviewVersions, why));
  }
  const effects = ["None", "NoneOnDryRun"];
  if (sideEffects === "") errors.push(required(`${path}.sideEffects`, `must specify one of ${effects.join(", ")}`));
  else if (!effects.includes(sideEffects)) errors.push(notSupported(`${path}.sideEffects`, sideEffects, effects));
  checkOptionalEnum(errors, `${path}.failurePolicy`, webhook.failurePolicy, ["Fail", "Ignore"]);
  checkOptionalEnum(errors, `${path}.matchPolicy`, webhook.matchPolicy, ["Equivalent", "Exact"]);
  if ("reinvocationPolicy" in webhook) {
    checkOptionalEnum(errors, `${path}.reinvocationPolicy`, webhook.reinvocationPolicy, ["IfNeeded", "Never"]);
  }
  const timeout = webhook.timeoutSeconds;
  if (timeout !== undefined && (timeout < 1 || timeout > 30)) {
    errors.push(invalid(`${path}.timeoutSeconds`, timeout, "the timeout value must be between 1 and 30 seconds"));
  }
  checkLabelSelector(errors, `${path}.namespaceSelector`, webhook.namespaceSelector);
  checkLabelSelector(errors, `${path}.objectSelector`, webhook.objectSelector);
  checkClient(errors, `${path}.clientConfig`, webhook.clientConfig ?? {});
  webhook.rules?.forEach((rule, index) => {
    checkRule(errors, `${path}.rules[${index}]`, rule);
  });
  checkConditions(errors, `${path}.matchConditions`, webhook.matchConditions ?? [], false);
}

/** Match conditions of a webhook or a policy; only those of a policy may have `params`. */
export function checkConditions(
  errors: Errors,
  path: string,
  conditions: readonly { readonly name?: string | undefined; readonly expression?: string | undefined }[],
  params: boolean,
): void {
  if (conditions.length > maxMatchConditions) errors.push(tooMany(path, conditions.length, maxMatchConditions));
  const compiler = conditions.length === 0 ? undefined : expressionCompiler(params);
  const names = new Set<string>();
  conditions.forEach((condition, index) => {
    const at = `${path}[${index}]`;
    const expression = condition.expression?.trim() ?? "";
    if (checkRequired(errors, `${at}.expression`, expression)) {
      const { error } = compiler?.compile(expression, { authorizer: true, returns: ["bool"], composed: false }) ?? {};
      if (error !== undefined) errors.push(invalid(`${at}.expression`, expression, error));
    }
    if (!checkRequired(errors, `${at}.name`, condition.name)) return;
    addInvalid(errors, `${at}.name`, condition.name, validateQualifiedName(condition.name));
    if (names.has(condition.name)) errors.push(duplicate(`${at}.name`, condition.name));
    names.add(condition.name);
  });
}

/** Made for one object at a time: configurations are rarely written, and what was compiled is of no further use. */
export function expressionCompiler(params: boolean): PolicyCompiler {
  return new PolicyCompiler(new AdmissionEnvironments(new Meter()), { params });
}

/** Where a webhook is: one of a URL and a Service. */
export function checkClient(
  errors: Errors,
  path: string,
  config: Loose<AdmissionregistrationWebhookClientConfig>,
): void {
  const { service, url } = config;
  if ((service === undefined) === (url === undefined)) {
    errors.push(required(path, "exactly one of url or service is required"));
    return;
  }
  if (url !== undefined) checkUrl(errors, `${path}.url`, url);
  if (service === undefined) return;
  checkRequired(errors, `${path}.service.name`, service.name, "service name is required");
  checkRequired(errors, `${path}.service.namespace`, service.namespace, "service namespace is required");
  if (service.port !== undefined && (service.port < 1 || service.port > 65535)) {
    const why = "port is not valid: must be between 1 and 65535, inclusive";
    errors.push(invalid(`${path}.service.port`, service.port, why));
  }
}

function checkUrl(errors: Errors, path: string, text: string): void {
  const form = "; desired format: https://host[/path]";
  if (!URL.canParse(text)) {
    errors.push(required(path, `url must be a valid URL: ${text}${form}`));
    return;
  }
  const url = new URL(text);
  if (url.protocol !== "https:") {
    errors.push(invalid(path, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme${form}`));
  }
  if (url.host === "") errors.push(invalid(path, url.host, `host must be specified${form}`));
  if (url.username !== "" || url.password !== "") {
    errors.push(invalid(path, url.username, "user information is not permitted in the URL"));
  }
  if (url.hash !== "") errors.push(invalid(path, url.hash.slice(1), "fragments are not permitted in the URL"));
  if (url.search !== "") {
    errors.push(invalid(path, url.search.slice(1), "query parameters are not permitted in the URL"));
  }
}

export function checkRule(errors: Errors, path: string, rule: Loose<RuleWithOperations>): void {
  const lists = [
    ["operations", rule.operations],
    ["apiGroups", rule.apiGroups],
    ["apiVersions", rule.apiVersions],
    ["resources", rule.resources],
  ] as const;
  for (const [field, values = []] of lists) {
    if (values.length === 0) errors.push(required(`${path}.${field}`));
    if (field !== "resources" && values.length > 1 && values.includes("*")) {
      errors.push(invalid(`${path}.${field}`, values, `if '*' is present, must not specify other ${wordFor[field]}`));
    }
    values.forEach((value, index) => {
      const at = `${path}.${field}[${index}]`;
      if (field === "operations") {
        if (!operations.includes(value)) errors.push(notSupported(at, value, operations));
      } else if (field !== "apiGroups" && value === "") {
        errors.push(required(at));
      }
    });
  }
  checkOptionalEnum(errors, `${path}.scope`, rule.scope, ["*", "Cluster", "Namespaced"]);
}

const wordFor = { operations: "operations", apiGroups: "API groups", apiVersions: "API versions" } as const;
