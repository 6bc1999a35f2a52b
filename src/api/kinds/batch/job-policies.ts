import { duplicate, invalid, invalidBecause, notSupported, required, tooLong, tooMany } from "../../field-error.js";
import type { JobSpec, PodFailurePolicy, PodFailurePolicyRule, SuccessPolicyRule } from "../../gen/types.js";
import { checkNonNegative, checkQualifiedName, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";
import { readIndexes } from "./indexes-format.js";

const maxRules = 20;
const maxExitCodes = 255;
const maxPatterns = 20;
const maxIndexesBytes = 64 * 1024;

const actions = ["Count", "FailIndex", "FailJob", "Ignore"];
const operators = ["In", "NotIn"];
const statuses = ["False", "True", "Unknown"];

export function checkFailurePolicy(
  errors: Errors,
  path: string,
  policy: Loose<PodFailurePolicy>,
  spec: Loose<JobSpec>,
): void {
  const rules = policy.rules ?? [];
  if (rules.length > maxRules) errors.push(tooMany(`${path}.rules`, rules.length, maxRules));
  const { containers = [], initContainers = [] } = spec.template?.spec ?? {};
  const names = new Set([...containers, ...initContainers].map(({ name }) => name));
  rules.forEach((rule, index) => {
    const at = `${path}.rules[${index}]`;
    if (rule.action === "FailIndex" && spec.backoffLimitPerIndex === undefined) {
      errors.push(invalid(`${at}.action`, rule.action, "requires the backoffLimitPerIndex to be set"));
    } else {
      checkListedEnum(errors, `${at}.action`, rule.action, actions);
    }
    if (rule.onExitCodes !== undefined) checkExitCodes(errors, `${at}.onExitCodes`, rule.onExitCodes, names);
    const patterns = rule.onPodConditions ?? [];
    checkPatterns(errors, `${at}.onPodConditions`, patterns);
    const criteria = Number(rule.onExitCodes !== undefined) + Number(patterns.length > 0);
    if (criteria === 2) {
      errors.push(invalidBecause(at, "specifying both OnExitCodes and OnPodConditions is not supported"));
    } else if (criteria === 0) {
      errors.push(invalidBecause(at, "specifying one of OnExitCodes and OnPodConditions is required"));
    }
  });
}

/** As checkEnum, but what may stand there is told for an absent value too. */
function checkListedEnum(errors: Errors, path: string, value: string | undefined, choices: readonly string[]): void {
  if (value === undefined || value === "") {
    errors.push(required(path, `valid values: [${choices.map((choice) => JSON.stringify(choice)).join(" ")}]`));
  } else if (!choices.includes(value)) errors.push(notSupported(path, value, choices));
}

function checkExitCodes(
  errors: Errors,
  path: string,
  codes: NonNullable<Loose<PodFailurePolicyRule>["onExitCodes"]>,
  containers: ReadonlySet<string | undefined>,
): void {
  checkListedEnum(errors, `${path}.operator`, codes.operator, operators);
  if (codes.containerName !== undefined && !containers.has(codes.containerName)) {
    const why = "must be one of the container or initContainer names in the pod template";
    errors.push(invalid(`${path}.containerName`, codes.containerName, why));
  }
  const values = codes.values ?? [];
  const where = `${path}.values`;
  if (values.length === 0) errors.push(invalid(where, values, "at least one value is required"));
  else if (values.length > maxExitCodes) errors.push(tooMany(where, values.length, maxExitCodes));
  values.forEach((value, index) => {
    const at = `${where}[${index}]`;
    if (codes.operator === "In" && value === 0) errors.push(invalid(at, 0, "must not be 0 for the In operator"));
    if (values.indexOf(value) < index) errors.push(duplicate(at, value));
  });
  if (values.some((value, index) => value < (values[index - 1] ?? value))) {
    errors.push(invalid(where, values, "must be ordered"));
  }
}

function checkPatterns(
  errors: Errors,
  path: string,
  patterns: NonNullable<Loose<PodFailurePolicyRule>["onPodConditions"]>,
): void {
  if (patterns.length > maxPatterns) errors.push(tooMany(path, patterns.length, maxPatterns));
  patterns.forEach((pattern, index) => {
    checkQualifiedName(errors, `${path}[${index}].type`, pattern.type ?? "");
    checkListedEnum(errors, `${path}[${index}].status`, pattern.status, statuses);
  });
}

export function checkSuccessPolicy(errors: Errors, path: string, spec: Loose<JobSpec>): void {
  const policy = spec.successPolicy;
  if (policy === undefined) return;
  if (spec.completionMode !== "Indexed") {
    errors.push(invalid(path, policy, "requires indexed completion mode"));
    return;
  }
  const rules = policy.rules ?? [];
  if (rules.length === 0) {
    errors.push(required(`${path}.rules`, "at least one rules must be specified when the successPolicy is specified"));
  }
  if (rules.length > maxRules) errors.push(tooMany(`${path}.rules`, rules.length, maxRules));
  rules.forEach((rule, index) => {
    checkSuccessRule(errors, `${path}.rules[${index}]`, rule, spec.completions ?? 0);
  });
}

function checkSuccessRule(errors: Errors, path: string, rule: Loose<SuccessPolicyRule>, completions: number): void {
  const { succeededCount, succeededIndexes } = rule;
  if (succeededCount === undefined && succeededIndexes === undefined) {
    errors.push(required(path, "at least one of succeededCount or succeededIndexes must be specified"));
  }
  let total = 0;
  if (succeededIndexes !== undefined) {
    const at = `${path}.succeededIndexes`;
    if (Buffer.byteLength(succeededIndexes) > maxIndexesBytes) errors.push(tooLong(at, maxIndexesBytes));
    const indexes = readIndexes(succeededIndexes, completions);
    if (typeof indexes === "string") {
      errors.push(invalid(at, succeededIndexes, `error parsing succeededIndexes: ${indexes}`));
    } else {
      total = indexes.total;
    }
  }
  if (succeededCount === undefined) return;
  const at = `${path}.succeededCount`;
  const atMost = (limit: number, what: string): void => {
    if (succeededCount <= limit) return;
    errors.push(invalid(at, succeededCount, `must be less than or equal to ${limit} (the number of ${what})`));
  };
  checkNonNegative(errors, at, succeededCount);
  atMost(completions, "specified completions");
  if (succeededIndexes !== undefined) atMost(total, "indexes in the specified succeededIndexes field");
}
