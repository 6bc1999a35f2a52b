import { duplicate, type FieldError, invalid, notSupported, required } from "../../field-error.js";
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from "../../gen/types.js";
import { jsonEqual } from "../../json-value.js";
import { validateDns1123Subdomain } from "../../names.js";
import { checkOptionalEnum, checkRequired, type Errors } from "../checks.js";
import { checkLabelSelector } from "../label-selector.js";
import type { Loose } from "../loose.js";
import { checkReviewVersions, checkWebhookClient, isRecognized } from "../webhook-client.js";
import { checkConditions, checkRule } from "./validation.js";

type Configuration = Loose<ValidatingWebhookConfiguration> | Loose<MutatingWebhookConfiguration>;
type Webhook = Loose<ValidatingWebhook> | Loose<MutatingWebhook>;

/** What webhooks that were stored before a rule was made need not heed. */
interface Rules {
  readonly conditions: boolean;
  readonly noSideEffects: boolean;
  readonly recognized: boolean;
  readonly uniqueNames: boolean;
}

const withoutSideEffects = ["None", "NoneOnDryRun"];
const anySideEffects = ["None", "NoneOnDryRun", "Some", "Unknown"];

export function validateNewWebhooks(configuration: Configuration): readonly FieldError[] {
  const all = { conditions: true, noSideEffects: true, recognized: true, uniqueNames: true };
  return validateWebhooks(configuration, all);
}

export function validateWebhooksUpdate(configuration: Configuration, old: Configuration): readonly FieldError[] {
  const before: readonly Webhook[] = old.webhooks ?? [];
  const names = before.map(({ name = "" }) => name);
  return validateWebhooks(configuration, {
    conditions: !jsonEqual(conditionsOf(configuration), conditionsOf(old)),
    noSideEffects: before.every(({ sideEffects = "" }) => withoutSideEffects.includes(sideEffects)),
    recognized: before.every(({ admissionReviewVersions: of = [] }) => of.length === 0 || isRecognized(of)),
    uniqueNames: new Set(names).size === names.length,
  });
}

function conditionsOf({ webhooks = [] }: Configuration): readonly unknown[] {
  return webhooks.map(({ matchConditions }) => matchConditions ?? []);
}

function validateWebhooks(configuration: Configuration, rules: Rules): readonly FieldError[] {
  const errors: Errors = [];
  const names = new Set<string>();
  configuration.webhooks?.forEach((webhook: Webhook, index: number) => {
    const at = `webhooks[${index}]`;
    checkWebhook(errors, at, webhook, rules);
    checkReviewVersions(errors, `${at}.admissionReviewVersions`, webhook.admissionReviewVersions ?? [], {
      recognized: rules.recognized,
      missing: "must specify one of v1, v1beta1",
    });
    const name = webhook.name ?? "";
    if (rules.uniqueNames && name !== "" && names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
  });
  return errors;
}

function checkWebhook(errors: Errors, path: string, webhook: Webhook, rules: Rules): void {
  checkFullName(errors, `${path}.name`, webhook.name ?? "");
  webhook.rules?.forEach((rule, index) => {
    checkRule(errors, `${path}.rules[${index}]`, rule);
  });
  checkOptionalEnum(errors, `${path}.failurePolicy`, webhook.failurePolicy, ["Fail", "Ignore"]);
  checkOptionalEnum(errors, `${path}.matchPolicy`, webhook.matchPolicy, ["Equivalent", "Exact"]);
  const effects = rules.noSideEffects ? withoutSideEffects : anySideEffects;
  const { sideEffects } = webhook;
  if (sideEffects === undefined) {
    errors.push(required(`${path}.sideEffects`, `must specify one of ${effects.join(", ")}`));
  } else if (!effects.includes(sideEffects)) {
    errors.push(notSupported(`${path}.sideEffects`, sideEffects, effects));
  }
  const timeout = webhook.timeoutSeconds;
  if (timeout !== undefined && (timeout < 1 || timeout > 30)) {
    errors.push(invalid(`${path}.timeoutSeconds`, timeout, "the timeout value must be between 1 and 30 seconds"));
  }
  checkLabelSelector(errors, `${path}.namespaceSelector`, webhook.namespaceSelector);
  checkLabelSelector(errors, `${path}.objectSelector`, webhook.objectSelector);
  if ("reinvocationPolicy" in webhook) {
    checkOptionalEnum(errors, `${path}.reinvocationPolicy`, webhook.reinvocationPolicy, ["IfNeeded", "Never"]);
  }
  checkWebhookClient(errors, `${path}.clientConfig`, webhook.clientConfig ?? {});
  if (rules.conditions) checkConditions(errors, `${path}.matchConditions`, webhook.matchConditions ?? [], false);
}

function checkFullName(errors: Errors, path: string, name: string): void {
  if (!checkRequired(errors, path, name)) return;
  const wrong = validateDns1123Subdomain(name);
  if (wrong.length > 0) errors.push(invalid(path, name, wrong.join(",")));
  else if (name.split(".").length < 3) {
    errors.push(invalid(path, name, "should be a domain with at least three segments separated by dots"));
  }
}
