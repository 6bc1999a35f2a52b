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
import { validateAdmissionPolicy, validatePolicyBinding, validateWebhooks } from "./validation.js";

const group = "admissionregistration.k8s.io";

export const admissionStrategies: readonly StrategyEntry[] = [
  [
    `${group}/validatingwebhookconfigurations`,
    strategyOf<ValidatingWebhookConfiguration>({
      defaults: defaultValidatingWebhooks,
      validate: validateWebhooks,
      unconditionalUpdate: false,
      inForceAtOnce: true,
      generation: true,
    }),
  ],
  [
    `${group}/mutatingwebhookconfigurations`,
    strategyOf<MutatingWebhookConfiguration>({
      defaults: defaultMutatingWebhooks,
      validate: validateWebhooks,
      unconditionalUpdate: false,
      inForceAtOnce: true,
      generation: true,
    }),
  ],
  [
    `${group}/validatingadmissionpolicies`,
    strategyOf<ValidatingAdmissionPolicy>({
      defaults: defaultValidatingPolicy,
      validate: validateAdmissionPolicy,
      prepareForCreate: startsWithStatus({}),
      unconditionalUpdate: false,
      inForceAtOnce: true,
    }),
  ],
  [
    `${group}/validatingadmissionpolicybindings`,
    strategyOf<ValidatingAdmissionPolicyBinding>({
      defaults: defaultPolicyBinding,
      validate: validatePolicyBinding,
      unconditionalUpdate: false,
      inForceAtOnce: true,
    }),
  ],
  [
    `${group}/mutatingadmissionpolicies`,
    strategyOf<MutatingAdmissionPolicy>({
      defaults: defaultMutatingPolicy,
      validate: validateAdmissionPolicy,
      unconditionalUpdate: false,
      inForceAtOnce: true,
    }),
  ],
  [
    `${group}/mutatingadmissionpolicybindings`,
    strategyOf<MutatingAdmissionPolicyBinding>({
      defaults: defaultPolicyBinding,
      unconditionalUpdate: false,
      inForceAtOnce: true,
    }),
  ],
];
