import { escapeFieldValue, parseFieldSelector } from "../../api/field-selector.js";
import { type LabelRequirement, parseLabelSelector, SelectorError } from "../../api/labels.js";

/** A requirement of a SubjectAccessReview. */
export interface SelectorRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

/** A selector as a SubjectAccessReview has it. */
export interface ReviewSelector {
  readonly rawSelector?: string;
  readonly requirements?: readonly SelectorRequirement[];
}

const labelOperators: { readonly [operator in LabelRequirement["operator"]]?: string } = {
  in: "In",
  "=": "In",
  "==": "In",
  notin: "NotIn",
  "!=": "NotIn",
  exists: "Exists",
  "!": "DoesNotExist",
};

/** undefined where there is none, or what there is makes no sense: then more is asked for, not less. */
export function fieldRequirements(selector: string | undefined): readonly SelectorRequirement[] | undefined {
  return unlessWrong(selector, (text) =>
    parseFieldSelector(text).requirements.map(({ path, operator, value }) => ({
      key: path,
      operator: operator === "=" ? "In" : "NotIn",
      values: [value],
    })),
  );
}

/** As fieldRequirements; comparisons by size, which a review has no words for, are left out. */
export function labelRequirements(selector: string | undefined): readonly SelectorRequirement[] | undefined {
  return unlessWrong(selector, (text) =>
    parseLabelSelector(text).requirements.flatMap(({ key, operator, values }) => {
      const name = labelOperators[operator];
      return name === undefined ? [] : [{ key, operator: name, ...(values.length === 0 ? {} : { values }) }];
    }),
  );
}

function unlessWrong(
  selector: string | undefined,
  parse: (text: string) => readonly SelectorRequirement[],
): readonly SelectorRequirement[] | undefined {
  if (selector === undefined || selector === "") return undefined;
  try {
    const requirements = parse(selector);
    return requirements.length === 0 ? undefined : requirements;
  } catch (error) {
    if (error instanceof SelectorError) return undefined;
    throw error;
  }
}

/** The text of what a review selects fields by. Requirements that fields have no words for are left out: then more is asked for. */
export function fieldSelectorText({ rawSelector, requirements = [] }: ReviewSelector = {}): string | undefined {
  if (rawSelector) return rawSelector;
  const terms = requirements.flatMap(({ key, operator, values = [] }) => {
    const [value, ...more] = values;
    if (value === undefined || more.length > 0 || (operator !== "In" && operator !== "NotIn")) return [];
    return [`${key}${operator === "In" ? "=" : "!="}${escapeFieldValue(value)}`];
  });
  return terms.length === 0 ? undefined : terms.join(",");
}

/** The text of what a review selects labels by. */
export function labelSelectorText({ rawSelector, requirements = [] }: ReviewSelector = {}): string | undefined {
  if (rawSelector) return rawSelector;
  const terms = requirements.flatMap(({ key, operator, values = [] }) => {
    const list = `(${values.join(",")})`;
    if (operator === "Exists") return [key];
    if (operator === "DoesNotExist") return [`!${key}`];
    if (values.length === 0) return [];
    return operator === "In" ? [`${key} in ${list}`] : operator === "NotIn" ? [`${key} notin ${list}`] : [];
  });
  return terms.length === 0 ? undefined : terms.join(",");
}
