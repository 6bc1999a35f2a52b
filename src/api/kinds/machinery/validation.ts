import { type FieldError, forbidden, invalid } from "../../field-error.js";
import type { Lease, PriorityClass, RuntimeClass } from "../../gen/types.js";
import { checkEnum, checkImmutable, checkLabel, checkLabels, type Errors } from "../checks.js";
import { checkResourceRequirements } from "../core/resources-validation.js";
import { checkTolerations } from "../core/scheduling-validation.js";
import type { Loose } from "../loose.js";

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
  const { preemptionPolicy: policy } = priorityClass;
  if (policy !== undefined) checkEnum(errors, "preemptionPolicy", policy, ["PreemptLowerPriority", "Never"]);
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
  const { overhead } = runtimeClass;
  // Upstream has the overhead checked as if it were a container's limits, and says so.
  if (overhead !== undefined) checkResourceRequirements(errors, "overhead", { limits: overhead.podFixed });
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
