import { checkTypes } from "../../api/admission-cel/type-check.js";
import { builtinDescriptions } from "../../api/describe/index.js";
import {
  type ResourceDescription,
  type ValidatingAdmissionPolicy,
  validatingAdmissionPolicies,
} from "../../api/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController } from "../define-controller.js";

/** Says in the status of ValidatingAdmissionPolicies what does not fit the types of the kinds that they are about. */
export const validatingAdmissionPolicyStatusController: Controller =
  defineStatefulController<ValidatingAdmissionPolicy>({
    name: "validatingadmissionpolicy-status-controller",
    aliases: ["validatingadmissionpolicy-status"],
    for: validatingAdmissionPolicies,
    prepare: (context) => {
      const policies = context.informer(validatingAdmissionPolicies);
      let builtin: readonly ResourceDescription[] | undefined;
      const all =
        context.served ??
        (() => {
          builtin ??= builtinDescriptions(new Map());
          return builtin;
        });
      return async (key, { client, signal }) => {
        const policy = policies.get(key);
        if (policy === undefined) return;
        const observedGeneration = policy.metadata.generation ?? 0;
        if (observedGeneration <= (policy.status?.observedGeneration ?? 0)) return;
        const expressionWarnings = checkTypes(policy, all());
        const typeChecking = expressionWarnings.length === 0 ? {} : { expressionWarnings };
        const status = { ...policy.status, observedGeneration, typeChecking };
        await client.update(validatingAdmissionPolicies, { ...policy, status }, { signal, subresource: "status" });
      };
    },
  });
