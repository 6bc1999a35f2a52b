import { type FieldError, invalid, required } from "../../field-error.js";
import type { LocalSubjectAccessReview, ResourceAttributes } from "../../gen/types.js";
import { checkRequired, type Errors } from "../checks.js";
import { semanticallyEqual } from "../equality.js";
import { checkRequirement, checkRequirementValues } from "../label-selector.js";
import type { Loose } from "../loose.js";

type Review = Pick<Loose<LocalSubjectAccessReview>, "metadata" | "spec">;

/** What is wrong with a question about somebody else's rights, or one's own. */
export function validateAccessReview(
  review: Review,
  about: "own" | "others" | { readonly namespace: string },
): readonly FieldError[] {
  const errors: Errors = [];
  const { resourceAttributes: resource, nonResourceAttributes: path, user = "", groups = [] } = review.spec ?? {};
  if (resource !== undefined && path !== undefined) {
    const why = "cannot be specified in combination with resourceAttributes";
    errors.push(invalid("spec.nonResourceAttributes", path, why));
  }
  if (resource === undefined && path === undefined) {
    const why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
    errors.push(invalid("spec.resourceAttributes", null, why));
  }
  if (about !== "own" && user === "" && groups.length === 0) {
    errors.push(invalid("spec.user", user, "at least one of user or group must be specified"));
  }
  checkSelectors(errors, "spec.resourceAttributes", resource ?? {});
  const { managedFields, namespace, ...rest } = review.metadata ?? {};
  const local = typeof about === "object";
  if (!semanticallyEqual(local ? rest : { ...rest, namespace }, {})) {
    errors.push(invalid("metadata", review.metadata, local ? "must be empty except for namespace" : "must be empty"));
  }
  if (!local) return errors;
  if (resource !== undefined && (resource.namespace ?? "") !== about.namespace) {
    const why = "must match metadata.namespace";
    errors.push(invalid("spec.resourceAttributes.namespace", resource.namespace ?? "", why));
  }
  if (path !== undefined) {
    errors.push(invalid("spec.nonResourceAttributes", path, "disallowed on this kind of request"));
  }
  return errors;
}

function checkSelectors(errors: Errors, path: string, attributes: Loose<ResourceAttributes>): void {
  const { fieldSelector, labelSelector } = attributes;
  if (fieldSelector !== undefined) {
    const at = `${path}.fieldSelector`;
    checkForm(errors, at, fieldSelector);
    fieldSelector.requirements?.forEach((requirement, index) => {
      checkRequired(errors, `${at}.requirements[${index}].key`, requirement.key, "must be specified");
      checkRequirementValues(errors, `${at}.requirements[${index}]`, requirement);
    });
  }
  if (labelSelector !== undefined) {
    const at = `${path}.labelSelector`;
    checkForm(errors, at, labelSelector);
    labelSelector.requirements?.forEach((requirement, index) => {
      checkRequirement(errors, `${at}.requirements[${index}]`, requirement);
    });
  }
}

/** Given as text or in parts. Operators that are not known here may be known to whoever asks. */
function checkForm(
  errors: Errors,
  path: string,
  selector: { readonly rawSelector?: string | undefined; readonly requirements?: readonly unknown[] | undefined },
): void {
  const { rawSelector = "", requirements = [] } = selector;
  if (rawSelector !== "" && requirements.length > 0) {
    const why = "may not specified at the same time as requirements";
    errors.push(invalid(`${path}.rawSelector`, rawSelector, why));
  }
  if (rawSelector === "" && requirements.length === 0) {
    errors.push(required(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`));
  }
}
