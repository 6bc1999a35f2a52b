import { forbidden, invalid, required } from "../../field-error.js";
import type { CapacityRequestPolicy, CapacityRequestPolicyRange } from "../../gen/types.js";
import { parseQuantity, type Quantity } from "../../quantity.js";
import type { Errors } from "../checks.js";
import type { Loose } from "../loose.js";
import { checkSet } from "./checks.js";

const maxValues = 10;

/** How much of a shared device's capacity may be asked for: one of some amounts, or one in a range. */
export function checkRequestPolicy(
  errors: Errors,
  path: string,
  policy: Loose<CapacityRequestPolicy>,
  capacity: string,
): void {
  const { validValues = [], validRange } = policy;
  if (validValues.length > 0 && validRange !== undefined) {
    const why = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time';
    errors.push(forbidden(path, why));
    return;
  }
  if (validValues.length === 0 && validRange === undefined) return;
  const field = validRange === undefined ? "validValues" : "validRange";
  if (policy.default === undefined) {
    errors.push(required(`${path}.default`, `required when ${field} is defined`));
    return;
  }
  const amounts = { capacity: parseQuantity(capacity), preset: parseQuantity(policy.default) };
  if (validRange === undefined) checkValues(errors, `${path}.${field}`, validValues.map(parseQuantity), amounts);
  else checkRange(errors, `${path}.${field}`, validRange, amounts);
}

interface Amounts {
  readonly capacity: Quantity;
  /** What is given to who asks for nothing. */
  readonly preset: Quantity;
}

function checkValues(errors: Errors, path: string, values: readonly Quantity[], amounts: Amounts): void {
  values.forEach((value, index) => {
    const before = values[index - 1];
    if (before === undefined || before.compare(value) <= 0) return;
    errors.push(invalid(`${path}[${index}]`, value.toString(), "values must be sorted in ascending order"));
  });
  const check = (value: Quantity, at: string): void => {
    if (value.compare(amounts.capacity) <= 0) return;
    errors.push(invalid(at, value.toString(), `option is larger than capacity value: ${amounts.capacity}`));
  };
  checkSet(errors, path, values, maxValues, check, (value) => String(value.value()));
  if (values.some((value) => value.equals(amounts.preset))) return;
  errors.push(invalid(path, amounts.preset.toString(), "default value is not valid according to the requestPolicy"));
}

function checkRange(
  errors: Errors,
  path: string,
  range: Loose<CapacityRequestPolicyRange>,
  { capacity, preset }: Amounts,
): void {
  if (range.min === undefined) {
    errors.push(required(`${path}.min`, "required when validRange is defined"));
    return;
  }
  const min = parseQuantity(range.min);
  const refuse = (field: string, value: Quantity, why: string): void => {
    errors.push(invalid(`${path}.${field}`, value.toString(), why));
  };
  if (min.compare(capacity) > 0) refuse("min", min, `min is larger than capacity value: ${capacity}`);
  if (preset.compare(min) < 0) refuse("min", preset, `default is less than min: ${min}`);
  const max = range.max === undefined ? undefined : parseQuantity(range.max);
  if (max !== undefined) {
    if (min.compare(max) > 0) refuse("max", min, `min is larger than max: ${max}`);
    if (max.compare(capacity) > 0) refuse("max", max, `max is larger than capacity value: ${capacity}`);
    if (preset.compare(max) > 0) refuse("max", preset, `default is more than max: ${max}`);
  }
  if (range.step === undefined) return;
  const step = parseQuantity(range.step);
  const next = min.add(step);
  if (next.compare(capacity) > 0) refuse("step", step, `one step ${next} is larger than capacity value: ${capacity}`);
  for (const value of max === undefined ? [preset] : [preset, max]) {
    if ((value.value() - min.value()) % step.value() === 0) continue;
    refuse("step", value, `value is not a multiple of a given step (${step}) from (${min})`);
  }
}
