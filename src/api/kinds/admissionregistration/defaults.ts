import type {
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  NamedRuleWithOperations,
  RuleWithOperations,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from "../../gen/types.js";
import { mapField, mapItems, withDefaults } from "../defaulting.js";
import type { Loose } from "../loose.js";

const everything = Object.freeze({});

export function defaultValidatingWebhooks(
  configuration: Loose<ValidatingWebhookConfiguration>,
): Loose<ValidatingWebhookConfiguration> {
  return mapField(configuration, "webhooks", (webhooks) => mapItems(webhooks, defaultWebhook));
}

export function defaultMutatingWebhooks(
  configuration: Loose<MutatingWebhookConfiguration>,
): Loose<MutatingWebhookConfiguration> {
  return mapField(configuration, "webhooks", (webhooks) =>
    mapItems(webhooks, (webhook) => withDefaults(defaultWebhook(webhook), { reinvocationPolicy: "Never" })),
  );
}

function defaultWebhook<T extends Loose<ValidatingWebhook>>(webhook: T): T {
  const result: Loose<ValidatingWebhook> = withDefaults<Loose<ValidatingWebhook>>(webhook, {
    failurePolicy: "Fail",
    matchPolicy: "Equivalent",
    namespaceSelector: everything,
    objectSelector: everything,
    timeoutSeconds: 10,
  });
  const withPort = mapField(result, "clientConfig", (config) =>
    mapField(config, "service", (service) => withDefaults(service, { port: 443 })),
  );
  const whole = mapField(withPort, "rules", (rules) => mapItems(rules, defaultRule));
  return whole === webhook ? webhook : { ...webhook, ...whole };
}

function defaultRule<T extends Loose<RuleWithOperations> | Loose<NamedRuleWithOperations>>(rule: T): T {
  return rule.scope === undefined ? { ...rule, scope: "*" } : rule;
}

function defaultMatch(match: Loose<MatchResources>): Loose<MatchResources> {
  let result = withDefaults(match, {
    matchPolicy: "Equivalent",
    namespaceSelector: everything,
    objectSelector: everything,
  });
  result = mapField(result, "resourceRules", (rules) => mapItems(rules, defaultRule));
  return mapField(result, "excludeResourceRules", (rules) => mapItems(rules, defaultRule));
}

export function defaultValidatingPolicy(policy: Loose<ValidatingAdmissionPolicy>): Loose<ValidatingAdmissionPolicy> {
  return mapField(policy, "spec", (spec) =>
    mapField(withDefaults(spec, { failurePolicy: "Fail" }), "matchConstraints", defaultMatch),
  );
}

export function defaultMutatingPolicy(policy: Loose<MutatingAdmissionPolicy>): Loose<MutatingAdmissionPolicy> {
  return mapField(policy, "spec", (spec) =>
    mapField(
      withDefaults(spec, { failurePolicy: "Fail", reinvocationPolicy: "Never" }),
      "matchConstraints",
      defaultMatch,
    ),
  );
}

export function defaultPolicyBinding<
  T extends Loose<ValidatingAdmissionPolicyBinding> | Loose<MutatingAdmissionPolicyBinding>,
>(binding: T): T {
  const match = binding.spec?.matchResources;
  if (match === undefined) return binding;
  const changed = defaultMatch(match);
  return changed === match ? binding : { ...binding, spec: { ...binding.spec, matchResources: changed } };
}
