import type { Definition } from "../../api/custom/describe.js";
import type { JsonSchema } from "../../api/custom/json-schema.js";
import { structuralErrors } from "../../api/custom/structural.js";
import { jsonEqual } from "../../api/json-value.js";
import { judgeNames } from "./names.js";

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

const approval = "api-approved.kubernetes.io";
const policy = "see https://github.com/kubernetes/enhancements/pull/1111";

/**
 * The status that a definition should have, given the others of its group; the definition's own when that is what it has. Pure: several
 * servers come to the same result.
 */
export function desiredStatus(
  definition: Definition,
  others: readonly Definition[],
  now: string,
): Definition["status"] {
  const { accepted, conflict } = judgeNames(definition, others);
  const before = definition.status?.conditions ?? [];
  const isTrue = (type: string): boolean => before.some((each) => each.type === type && each.status === "True");
  const names: Condition =
    conflict === undefined
      ? { type: "NamesAccepted", status: "True", reason: "NoConflicts", message: "no conflicts found" }
      : { type: "NamesAccepted", status: "False", ...conflict };
  const wanted: Condition[] = [names];
  // Once established is always established: objects may exist.
  if (!isTrue("Established")) wanted.push(established(conflict === undefined));
  const violations = violationsOf(definition);
  if (violations !== undefined) wanted.push(violations);
  const approved = approvalOf(definition);
  if (approved !== undefined) wanted.push(approved);
  const dropped = [
    ...(violations === undefined ? ["NonStructuralSchema"] : []),
    ...(approved === undefined ? ["KubernetesAPIApprovalPolicyConformant"] : []),
  ];
  const conditions = withConditions(
    before.filter(({ type = "" }) => !dropped.includes(type)),
    wanted,
    now,
  );
  const same = jsonEqual(conditions, before) && jsonEqual(accepted, definition.status?.acceptedNames);
  return same
    ? definition.status
    : ({ ...definition.status, conditions, acceptedNames: accepted } satisfies Definition["status"]);
}

function established(accepted: boolean): Condition {
  return accepted
    ? {
        type: "Established",
        status: "True",
        reason: "InitialNamesAccepted",
        message: "the initial names have been accepted",
      }
    : { type: "Established", status: "False", reason: "NotAccepted", message: "not all names are accepted" };
}

function violationsOf(definition: Definition): Condition | undefined {
  const errors = (definition.spec?.versions ?? []).flatMap((version, index) => {
    const schema = version.schema?.openAPIV3Schema;
    return schema === undefined
      ? []
      : structuralErrors(schema as JsonSchema, `spec.versions[${index}].schema.openAPIV3Schema`);
  });
  if (errors.length === 0) return undefined;
  const message = errors.map((error) => `${error.path}: ${error.message}`).join(", ");
  return { type: "NonStructuralSchema", status: "True", reason: "Violations", message };
}

function approvalOf(definition: Definition): Condition | undefined {
  const group = definition.spec?.group ?? "";
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(group)) return undefined;
  const type = "KubernetesAPIApprovalPolicyConformant";
  const annotations = new Map(Object.entries(definition.metadata?.annotations ?? {}));
  const value = annotations.get(approval) ?? "";
  if (value === "") {
    const message = `protected groups must have approval annotation "${approval}", ${policy}`;
    return { type, status: "False", reason: "MissingAnnotation", message };
  }
  if (value.startsWith("unapproved")) {
    return { type, status: "False", reason: "UnapprovedAnnotation", message: `not approved: ${JSON.stringify(value)}` };
  }
  if (URL.canParse(value)) {
    return { type, status: "True", reason: "ApprovedAnnotation", message: `approved in ${value}` };
  }
  const message = `protected groups must have approval annotation "${approval}" with either a URL or a reason starting with "unapproved", ${policy}`;
  return { type, status: "False", reason: "InvalidAnnotation", message };
}

type Conditions = NonNullable<NonNullable<Definition["status"]>["conditions"]>;

/** Sets conditions; those that stay as they are keep their time. */
export function withConditions(before: Conditions, wanted: readonly Condition[], now: string): Conditions {
  const result = [...before];
  for (const condition of wanted) {
    const at = result.findIndex(({ type }) => type === condition.type);
    const old = result[at];
    if (old === undefined) result.push({ ...condition, lastTransitionTime: now });
    else {
      const lastTransitionTime = old.status === condition.status ? old.lastTransitionTime : now;
      result[at] = { ...old, ...condition, lastTransitionTime };
    }
  }
  return result;
}
