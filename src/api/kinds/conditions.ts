import { duplicate, invalid, notSupported, required, tooLong } from "../field-error.js";
import { addInvalid, checkQualifiedName, type Errors } from "./checks.js";

interface AnyCondition {
  readonly type?: string | undefined;
  readonly status?: string | undefined;
  readonly observedGeneration?: number | undefined;
  readonly lastTransitionTime?: string | undefined;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}

const maxReason = 1024;
const maxMessage = 32 * 1024;
const reasonFormat = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?";
const wholeReason = new RegExp(`^${reasonFormat}$`);
const reasonMessage =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', " +
  "and must end with an alphanumeric character or '_' " +
  `(e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '${reasonFormat}')`;

/** The conditions that all kinds share (metav1.Condition). */
export function checkConditions(errors: Errors, path: string, conditions: readonly AnyCondition[] = []): void {
  const seen = new Set<string>();
  conditions.forEach((condition, index) => {
    const { type = "" } = condition;
    if (seen.has(type)) errors.push(duplicate(`${path}[${index}].type`, type));
    seen.add(type);
    checkCondition(errors, `${path}[${index}]`, condition);
  });
}

function checkCondition(errors: Errors, path: string, condition: AnyCondition): void {
  const { type = "", status = "", observedGeneration = 0, reason = "", message = "" } = condition;
  checkQualifiedName(errors, `${path}.type`, type);
  const statuses = ["False", "True", "Unknown"];
  if (!statuses.includes(status)) errors.push(notSupported(`${path}.status`, status, statuses));
  if (observedGeneration < 0) {
    errors.push(invalid(`${path}.observedGeneration`, observedGeneration, "must be greater than or equal to zero"));
  }
  if (condition.lastTransitionTime === undefined) errors.push(required(`${path}.lastTransitionTime`, "must be set"));
  if (reason === "") errors.push(required(`${path}.reason`, "must be set"));
  else {
    if (!wholeReason.test(reason)) addInvalid(errors, `${path}.reason`, reason, [reasonMessage]);
    if (reason.length > maxReason) errors.push(tooLong(`${path}.reason`, maxReason));
  }
  if (message.length > maxMessage) errors.push(tooLong(`${path}.message`, maxMessage));
}
