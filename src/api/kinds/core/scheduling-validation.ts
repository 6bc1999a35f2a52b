import { duplicate, forbidden, invalid, notSupported, required } from "../../field-error.js";
import type {
  Affinity,
  LabelSelector,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
} from "../../gen/types.js";
import { validateDns1123Label, validateLabelValue } from "../../names.js";
import {
  addInvalid,
  checkOptionalEnum,
  checkQualifiedName,
  checkRequired,
  checkSubdomain,
  type Errors,
} from "../checks.js";
import { checkLabelSelector } from "../label-selector.js";
import type { Loose } from "../loose.js";

const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function checkTolerations(errors: Errors, path: string, tolerations: readonly Loose<Toleration>[]): void {
  tolerations.forEach((toleration, index) => {
    const at = `${path}[${index}]`;
    const { key = "", operator = "", value = "", effect = "" } = toleration;
    if (key !== "") checkQualifiedName(errors, `${at}.key`, key);
    if (key === "" && operator !== "Exists") {
      const why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      errors.push(invalid(`${at}.operator`, operator, why));
    }
    if (toleration.tolerationSeconds !== undefined && effect !== "NoExecute") {
      errors.push(invalid(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    if (operator === "Equal" || operator === "") {
      const messages = validateLabelValue(value);
      if (messages.length > 0) errors.push(invalid(`${at}.operator`, value, messages.join(";")));
    } else if (operator === "Exists") {
      if (value !== "") {
        errors.push(invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"));
      }
    } else {
      errors.push(notSupported(`${at}.operator`, operator, ["Equal", "Exists"]));
    }
    if (effect !== "" && !effects.includes(effect)) errors.push(notSupported(`${at}.effect`, effect, effects));
  });
}

export function checkNodeSelectorTerms(errors: Errors, path: string, selector: Loose<NodeSelector>): void {
  const terms = selector.nodeSelectorTerms ?? [];
  if (terms.length === 0) {
    errors.push(required(`${path}.nodeSelectorTerms`, "must have at least one node selector term"));
  }
  terms.forEach((term, index) => {
    checkNodeSelectorTerm(errors, `${path}.nodeSelectorTerms[${index}]`, term, true);
  });
}

/** `strict` about values that no label can have: in what is only preferred they do no harm. */
function checkNodeSelectorTerm(errors: Errors, path: string, term: Loose<NodeSelectorTerm>, strict: boolean): void {
  term.matchExpressions?.forEach((requirement, index) => {
    const at = `${path}.matchExpressions[${index}]`;
    checkNodeRequirement(errors, at, requirement);
    if (!strict) return;
    requirement.values?.forEach((value, position) => {
      addInvalid(errors, `${at}.values[${position}]`, value, validateLabelValue(value));
    });
  });
  term.matchFields?.forEach((requirement, index) => {
    checkNodeFieldRequirement(errors, `${path}.matchFields[${index}]`, requirement);
  });
}

function checkNodeRequirement(errors: Errors, path: string, requirement: Loose<NodeSelectorRequirement>): void {
  const count = requirement.values?.length ?? 0;
  switch (requirement.operator) {
    case "In":
    case "NotIn":
      if (count === 0) {
        errors.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      }
      break;
    case "Exists":
    case "DoesNotExist":
      if (count > 0) {
        errors.push(forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
      }
      break;
    case "Gt":
    case "Lt":
      if (count !== 1) {
        errors.push(required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
      }
      break;
    default:
      errors.push(invalid(`${path}.operator`, requirement.operator ?? "", "not a valid selector operator"));
  }
  checkQualifiedName(errors, `${path}.key`, requirement.key ?? "");
}

function checkNodeFieldRequirement(errors: Errors, path: string, requirement: Loose<NodeSelectorRequirement>): void {
  const operator = requirement.operator ?? "";
  if (operator !== "In" && operator !== "NotIn") {
    errors.push(invalid(`${path}.operator`, operator, "not a valid selector operator"));
  } else if (requirement.values?.length !== 1) {
    const why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
    errors.push(required(`${path}.values`, why));
  }
  if (requirement.key !== "metadata.name") {
    errors.push(invalid(`${path}.key`, requirement.key ?? "", "not a valid field selector key"));
    return;
  }
  requirement.values?.forEach((value, index) => {
    checkSubdomain(errors, `${path}.values[${index}]`, value);
  });
}

export function checkAffinity(errors: Errors, path: string, affinity: Loose<Affinity> | undefined): void {
  if (affinity === undefined) return;
  const needed = "requiredDuringSchedulingIgnoredDuringExecution";
  const wished = "preferredDuringSchedulingIgnoredDuringExecution";
  const nodes = affinity.nodeAffinity;
  if (nodes?.[needed] !== undefined) checkNodeSelectorTerms(errors, `${path}.nodeAffinity.${needed}`, nodes[needed]);
  nodes?.[wished]?.forEach((term, index) => {
    const at = `${path}.nodeAffinity.${wished}[${index}]`;
    if ((term.weight ?? 0) < 1 || (term.weight ?? 0) > 100) {
      errors.push(invalid(`${at}.weight`, term.weight ?? 0, "must be in the range 1-100"));
    }
    checkNodeSelectorTerm(errors, `${at}.preference`, term.preference ?? {}, false);
  });
  for (const kind of ["podAffinity", "podAntiAffinity"] as const) {
    affinity[kind]?.[needed]?.forEach((term, index) => {
      checkPodTerm(errors, `${path}.${kind}.${needed}[${index}]`, term);
    });
    affinity[kind]?.[wished]?.forEach((term, index) => {
      const at = `${path}.${kind}.${wished}[${index}]`;
      if ((term.weight ?? 0) < 1 || (term.weight ?? 0) > 100) {
        errors.push(invalid(`${at}.weight`, term.weight ?? 0, "must be in the range 1-100"));
      }
      checkPodTerm(errors, `${at}.podAffinityTerm`, term.podAffinityTerm ?? {});
    });
  }
}

function checkPodTerm(errors: Errors, path: string, term: Loose<PodAffinityTerm>): void {
  checkLabelSelector(errors, `${path}.labelSelector`, term.labelSelector);
  checkLabelSelector(errors, `${path}.namespaceSelector`, term.namespaceSelector);
  for (const name of term.namespaces ?? []) addInvalid(errors, `${path}.namespace`, name, validateDns1123Label(name));
  checkLabelKeys(errors, `${path}.matchLabelKeys`, term.matchLabelKeys, term.labelSelector);
  checkLabelKeys(errors, `${path}.mismatchLabelKeys`, term.mismatchLabelKeys, term.labelSelector);
  // The path in the message is upstream's.
  checkMergedKeys(errors, path, term);
  term.matchLabelKeys?.forEach((key, index) => {
    if (!term.mismatchLabelKeys?.includes(key)) return;
    const at = `${path}.matchLabelKeys[${index}]`;
    errors.push(invalid(at, key, "exists in both matchLabelKeys and mismatchLabelKeys"));
  });
  checkRequired(errors, `${path}.topologyKey`, term.topologyKey, "can not be empty");
  checkQualifiedName(errors, `${path}.topologyKey`, term.topologyKey ?? "");
}

function checkLabelKeys(
  errors: Errors,
  path: string,
  keys: readonly string[] = [],
  selector: Loose<LabelSelector> | undefined,
): void {
  if (keys.length === 0) return;
  if (selector === undefined) {
    errors.push(forbidden(path, "must not be specified when labelSelector is not set"));
    return;
  }
  keys.forEach((key, index) => {
    checkQualifiedName(errors, `${path}[${index}]`, key);
  });
}

/**
 * Each key was merged into the selector before this, so one requirement with the key is the merged one, and a second one is the
 * user's.
 */
function checkMergedKeys(
  errors: Errors,
  path: string,
  term: Loose<Pick<PodAffinityTerm, "labelSelector" | "matchLabelKeys">>,
): void {
  const { labelSelector, matchLabelKeys = [] } = term;
  if (labelSelector === undefined) return;
  const seen = new Set(Object.keys(labelSelector.matchLabels ?? {}));
  for (const { key = "" } of labelSelector.matchExpressions ?? []) {
    const index = matchLabelKeys.lastIndexOf(key);
    if (index >= 0 && seen.has(key)) {
      errors.push(invalid(`${path}[${index}]`, key, "exists in both matchLabelKeys and labelSelector"));
    }
    seen.add(key);
  }
}

export function checkTopologySpread(
  errors: Errors,
  path: string,
  constraints: readonly Loose<TopologySpreadConstraint>[],
): void {
  const actions = ["DoNotSchedule", "ScheduleAnyway"];
  constraints.forEach((constraint, index) => {
    const at = `${path}[${index}]`;
    const { maxSkew = 0, topologyKey = "", whenUnsatisfiable = "", minDomains } = constraint;
    if (maxSkew <= 0) errors.push(invalid(`${at}.maxSkew`, maxSkew, "must be greater than zero"));
    if (topologyKey === "") errors.push(required(`${at}.topologyKey`, "can not be empty"));
    if (!actions.includes(whenUnsatisfiable)) {
      errors.push(notSupported(`${at}.whenUnsatisfiable`, whenUnsatisfiable, actions));
    }
    const repeats = constraints
      .slice(index + 1)
      .some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable);
    if (repeats) {
      errors.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`));
    }
    if (minDomains !== undefined) {
      if (minDomains <= 0) errors.push(invalid(`${at}.minDomains`, minDomains, "must be greater than zero"));
      if (whenUnsatisfiable !== "DoNotSchedule") {
        const why = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`;
        errors.push(invalid(`${at}.minDomains`, minDomains, why));
      }
    }
    for (const policy of ["nodeAffinityPolicy", "nodeTaintsPolicy"] as const) {
      checkOptionalEnum(errors, `${at}.${policy}`, constraint[policy], ["Honor", "Ignore"]);
    }
    checkSpreadKeys(errors, `${at}.matchLabelKeys`, constraint);
    checkLabelSelector(errors, `${at}.labelSelector`, constraint.labelSelector);
  });
}

function checkSpreadKeys(errors: Errors, path: string, constraint: Loose<TopologySpreadConstraint>): void {
  const { labelSelector, matchLabelKeys = [] } = constraint;
  if (matchLabelKeys.length === 0) return;
  if (labelSelector === undefined) {
    errors.push(forbidden(path, "must not be specified when labelSelector is not set"));
  }
  matchLabelKeys.forEach((key, index) => {
    checkQualifiedName(errors, `${path}[${index}]`, key);
  });
  checkMergedKeys(errors, path, constraint);
}
