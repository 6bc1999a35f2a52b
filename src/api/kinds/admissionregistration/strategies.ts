import type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "../../gen/types.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import {
  defaultMutatingPolicy,
  defaultMutatingWebhooks,
  defaultPolicyBinding,
  defaultValidatingPolicy,
  defaultValidatingWebhooks,
} from "./defaults.js";
import {
  validateMutatingBinding,
  validateMutatingPolicy,
  validateValidatingBinding,
  validateValidatingPolicy,
} from "./policy-validation.js";
import { validateNewWebhooks, validateWebhooksUpdate } from "./webhook-validation.js";

const group = "admissionregistration.k8s.io";

export const admissionStrategies: readonly StrategyEntry[] = [
  [
    `${group}/validatingwebhookconfigurations`,
    strategyOf<ValidatingWebhookConfiguration>({
      defaults: defaultValidatingWebhooks,
      validateCreate: validateNewWebhooks,
      validateUpdate: validateWebhooksUpdate,
      unconditionalUpdate: false,
      inForceAtOnce: true,
      generation: true,
    }),
  ],
  [
    `${group}/mutatingwebhookconfigurations`,
    strategyOf<MutatingWebhookConfiguration>({
      defaults: defaultMutatingWebhooks,
      validateCreate: validateNewWebhooks,
      validateUpdate: validateWebhooksUpdate,
      unconditionalUpdate: false,
      inForceAtOnce: true,
      generation: true,
    }),
  ],
  [
    `${group}/validatingadmissionpolicies`,
    strategyOf<ValidatingAdmissionPolicy>({
      defaults: defaultValidatingPolicy,
      validate: validateValidatingPolicy,
      prepareForCreate: startsWithStatus({}),
      unconditionalUpdate: false,
      inForceAtOnce: true,
    }),
  ],
  [
    `${group}/validatingadmissionpolicybindings`,
    strategyOf<ValidatingAdmissionPolicyBinding>({
      defaults: defaultPolicyBinding,
      validate: validateValidatingBinding,
      unconditionalUpdate: false,
      inForceAtOnce: true,
    }),
  ],
  [
    `${group}/mutatingadmissionpolicies`,
    strategyOf<MutatingAdmissionPolicy>({
      defaults: defaultMutatingPolicy,
      validate: validateMutatingPolicy,
      unconditionalUpdate: false,
      inForceAtOnce: true,
    }),
  ],
  [
    `${group}/mutatingadmissionpolicybindings`,
    strategyOf<MutatingAdmissionPolicyBinding>({
      defaults: defaultPolicyBinding,
      validate: validateMutatingBinding,
      unconditionalUpdate: false,
      inForceAtOnce: true,
    }),
  ],
];
