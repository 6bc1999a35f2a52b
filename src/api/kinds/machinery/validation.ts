import { type FieldError, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type { FlowSchema, Lease, PriorityClass, PriorityLevelConfiguration, RuntimeClass } from "../../gen/types.js";
import { checkImmutable, checkLabel, checkLabels, checkNonNegative, checkRange, type Errors } from "../checks.js";
import { checkResourceName, checkResourceQuantity } from "../core/resource-names.js";
import { checkTolerations } from "../core/scheduling-validation.js";
import { entriesOf, type Loose } from "../loose.js";

export function validateLease(lease: Loose<Lease>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = lease.spec ?? {};
  if (spec.leaseDurationSeconds !== undefined && spec.leaseDurationSeconds <= 0) {
    errors.push(invalid("spec.leaseDurationSeconds", spec.leaseDurationSeconds, "must be greater than 0"));
  }
  if (spec.leaseTransitions !== undefined && spec.leaseTransitions < 0) {
    errors.push(invalid("spec.leaseTransitions", spec.leaseTransitions, "must be greater than or equal to 0"));
  }
  if (spec.preferredHolder && !spec.strategy) {
    errors.push(forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined"));
  }
  return errors;
}

const systemPriority = 1_000_000_000;
const systemClasses: ReadonlyMap<string, number> = new Map([
  ["system-cluster-critical", 2_000_000_000],
  ["system-node-critical", 2_000_001_000],
]);

export function validatePriorityClass(priorityClass: Loose<PriorityClass>): readonly FieldError[] {
  const errors: Errors = [];
  const name = priorityClass.metadata?.name ?? "";
  const value = priorityClass.value ?? 0;
  if (name.startsWith("system-")) {
    const known = systemClasses.get(name);
    if (known === undefined || known !== value || priorityClass.globalDefault === true) {
      const why = "priority class names with 'system-' prefix are reserved for system use only. error: ";
      const detail =
        known === undefined
          ? `${name} is not a known system priority class`
          : known !== value
            ? `value of ${name} PriorityClass must be ${known}`
            : `globalDefault of ${name} PriorityClass must be false`;
      errors.push(forbidden("metadata.name", why + detail));
    }
  } else if (value > systemPriority) {
    const why = `maximum allowed value of a user defined priority is ${systemPriority}`;
    errors.push(forbidden("value", why));
  }
  const policy = priorityClass.preemptionPolicy;
  if (policy !== undefined && policy !== "Never" && policy !== "PreemptLowerPriority") {
    errors.push(notSupported("preemptionPolicy", policy, ["PreemptLowerPriority", "Never"]));
  }
  return errors;
}

export function validatePriorityClassUpdate(
  priorityClass: Loose<PriorityClass>,
  old: Loose<PriorityClass>,
): readonly FieldError[] {
  const errors: Errors = [];
  if ((priorityClass.value ?? 0) !== (old.value ?? 0)) {
    errors.push(forbidden("value", "may not be changed in an update."));
  }
  checkImmutable(errors, "preemptionPolicy", priorityClass.preemptionPolicy, old.preemptionPolicy);
  return errors;
}

export function validateRuntimeClass(runtimeClass: Loose<RuntimeClass>): readonly FieldError[] {
  const errors: Errors = [];
  checkLabel(errors, "handler", runtimeClass.handler ?? "");
  for (const [name, value] of entriesOf(runtimeClass.overhead?.podFixed)) {
    checkResourceName(errors, `overhead.podFixed[${name}]`, name);
    checkResourceQuantity(errors, `overhead.podFixed[${name}]`, name, value);
  }
  const scheduling = runtimeClass.scheduling;
  if (scheduling === undefined) return errors;
  checkLabels(errors, "scheduling.nodeSelector", scheduling.nodeSelector);
  checkTolerations(errors, "scheduling.tolerations", scheduling.tolerations ?? []);
  return errors;
}

export function validateRuntimeClassUpdate(
  runtimeClass: Loose<RuntimeClass>,
  old: Loose<RuntimeClass>,
): readonly FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, "handler", runtimeClass.handler, old.handler);
  return errors;
}

export function validateFlowSchema(schema: Loose<FlowSchema>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = schema.spec ?? {};
  const precedence = spec.matchingPrecedence ?? 0;
  if (precedence <= 0) errors.push(invalid("spec.matchingPrecedence", precedence, "must be a positive value"));
  if (precedence > 10_000) {
    errors.push(invalid("spec.matchingPrecedence", precedence, "must not be greater than 10000"));
  }
  if (precedence === 1 && schema.metadata?.name !== "exempt") {
    errors.push(
      invalid("spec.matchingPrecedence", precedence, "only the schema named 'exempt' may have matchingPrecedence 1"),
    );
  }
  const method = spec.distinguisherMethod?.type;
  if (spec.distinguisherMethod !== undefined && method !== "ByNamespace" && method !== "ByUser") {
    errors.push(notSupported("spec.distinguisherMethod", spec.distinguisherMethod, ["ByNamespace", "ByUser"]));
  }
  if (!spec.priorityLevelConfiguration?.name) {
    errors.push(required("spec.priorityLevelConfiguration.name", "must reference a priority level"));
  }
  spec.rules?.forEach((rule, index) => {
    if ((rule.subjects?.length ?? 0) === 0) {
      errors.push(required(`spec.rules[${index}].subjects`, "subjects must contain at least one value"));
    }
    if ((rule.resourceRules?.length ?? 0) === 0 && (rule.nonResourceRules?.length ?? 0) === 0) {
      const why = "at least one of resourceRules and nonResourceRules has to be non-empty";
      errors.push(required(`spec.rules[${index}]`, why));
    }
  });
  return errors;
}

export function validatePriorityLevel(level: Loose<PriorityLevelConfiguration>): readonly FieldError[] {
  const errors: Errors = [];
  const { type = "", limited, exempt } = level.spec ?? {};
  if (type === "Exempt") {
    if (limited !== undefined) errors.push(forbidden("spec.limited", "must be nil if the type is not Limited"));
  } else if (type === "Limited") {
    if (exempt !== undefined) errors.push(forbidden("spec.exempt", "must be nil if the type is Limited"));
    if (limited === undefined) errors.push(required("spec.limited", "must not be empty when type is Limited"));
    checkNonNegative(errors, "spec.limited.nominalConcurrencyShares", limited?.nominalConcurrencyShares);
    checkRange(errors, "spec.limited.lendablePercent", limited?.lendablePercent, 0, 100);
    const response = limited?.limitResponse;
    if (limited !== undefined && response?.type !== "Queue" && response?.type !== "Reject") {
      errors.push(notSupported("spec.limited.limitResponse.type", response?.type ?? "", ["Queue", "Reject"]));
    }
  } else {
    errors.push(notSupported("spec.type", type, ["Exempt", "Limited"]));
  }
  return errors;
}
