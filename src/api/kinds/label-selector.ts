import { forbidden, invalid, required } from "../field-error.js";
import type { LabelSelector, LabelSelectorRequirement } from "../gen/types.js";
import { validateLabelValue } from "../names.js";
import { addInvalid, checkLabels, checkQualifiedName, type Errors } from "./checks.js";
import { isEmptyMap, type Loose } from "./loose.js";

const operators = ["In", "NotIn", "Exists", "DoesNotExist"];

export function checkLabelSelector(errors: Errors, path: string, selector: Loose<LabelSelector> | undefined): void {
  if (selector === undefined) return;
  checkLabels(errors, `${path}.matchLabels`, selector.matchLabels);
  selector.matchExpressions?.forEach((requirement, index) => {
    const at = `${path}.matchExpressions[${index}]`;
    if (!operators.includes(requirement.operator ?? "")) {
      errors.push(invalid(`${at}.operator`, requirement.operator ?? "", "not a valid selector operator"));
    }
    checkRequirement(errors, at, requirement);
  });
}

/** One requirement, whose operator need not be known. */
export function checkRequirement(errors: Errors, path: string, requirement: Loose<LabelSelectorRequirement>): void {
  checkRequirementValues(errors, path, requirement);
  checkQualifiedName(errors, `${path}.key`, requirement.key ?? "");
  requirement.values?.forEach((value, index) => {
    addInvalid(errors, `${path}.values[${index}]`, value, validateLabelValue(value));
  });
}

export function checkRequirementValues(
  errors: Errors,
  path: string,
  { operator, values = [] }: Loose<LabelSelectorRequirement>,
): void {
  if ((operator === "In" || operator === "NotIn") && values.length === 0) {
    errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  }
  if ((operator === "Exists" || operator === "DoesNotExist") && values.length > 0) {
    errors.push(forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
  }
}

/** Whether it selects everything. */
export function isEmptySelector(selector: Loose<LabelSelector>): boolean {
  return isEmptyMap(selector.matchLabels) && (selector.matchExpressions?.length ?? 0) === 0;
}

/** Whether labels satisfy a selector that is valid; an invalid one matches nothing. */
export function selects(
  selector: Loose<LabelSelector>,
  labels: { readonly [key: string]: string | undefined } | undefined,
): boolean {
  const own = (key: string): string | undefined =>
    labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (own(key) !== value) return false;
  for (const { key = "", operator, values = [] } of selector.matchExpressions ?? []) {
    const value = own(key);
    if (operator === "In" && (value === undefined || !values.includes(value))) return false;
    if (operator === "NotIn" && value !== undefined && values.includes(value)) return false;
    if (operator === "Exists" && value === undefined) return false;
    if (operator === "DoesNotExist" && value !== undefined) return false;
  }
  return true;
}
