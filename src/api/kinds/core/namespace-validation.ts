import type { StrategyContext } from "../../description.js";
import { type FieldError, invalid } from "../../field-error.js";
import type { Namespace } from "../../gen/types.js";
import { checkQualifiedName, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";
import { checkFinalizerName } from "../object-meta.js";

export function validateNamespace(namespace: Loose<Namespace>): readonly FieldError[] {
  const errors: Errors = [];
  for (const finalizer of namespace.spec?.finalizers ?? []) checkFinalizer(errors, "spec.finalizers", finalizer);
  return errors;
}

/** What the finalize subresource may leave in the spec. */
export function validateNamespaceUpdate(
  namespace: Loose<Namespace>,
  _old: Loose<Namespace>,
  context?: StrategyContext,
): readonly FieldError[] {
  const errors: Errors = [];
  if (context?.subresource !== "finalize") return errors;
  namespace.spec?.finalizers?.forEach((finalizer, index) => {
    checkFinalizer(errors, `spec.finalizers[${index}]`, finalizer);
  });
  return errors;
}

function checkFinalizer(errors: Errors, path: string, finalizer: string): void {
  checkQualifiedName(errors, path, finalizer);
  checkFinalizerName(errors, path, finalizer);
}

export function validateNamespaceStatus(namespace: Loose<Namespace>): readonly FieldError[] {
  const phase = namespace.status?.phase ?? "";
  if (namespace.metadata?.deletionTimestamp === undefined) {
    if (phase === "Active") return [];
    return [invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")];
  }
  if (phase === "Terminating") return [];
  return [invalid("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")];
}
