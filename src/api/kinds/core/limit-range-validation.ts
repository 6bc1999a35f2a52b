import { duplicate, type FieldError, forbidden, invalid, required } from "../../field-error.js";
import type { LimitRange, LimitRangeItem } from "../../gen/types.js";
import { validateQualifiedName } from "../../names.js";
import { type Quantity, tryParseQuantity } from "../../quantity.js";
import { addInvalid, type Errors } from "../checks.js";
import { entriesOf, isEmptyMap, type Loose, ownValue } from "../loose.js";
import { checkContainerResourceName, checkResourceName, isOvercommitAllowed } from "./resource-names.js";

const limitTypes = ["Container", "PersistentVolumeClaim", "Pod"];
type LimitField = "min" | "max" | "default" | "defaultRequest" | "maxLimitRequestRatio";

export function validateLimitRange(range: Loose<LimitRange>): readonly FieldError[] {
  const errors: Errors = [];
  const types = new Set<string>();
  range.spec?.limits?.forEach((item, index) => {
    const at = `spec.limits[${index}]`;
    const type = item.type ?? "";
    const messages = validateQualifiedName(type);
    addInvalid(errors, `${at}.type`, type, messages);
    if (messages.length === 0 && !type.includes("/") && !limitTypes.includes(type)) {
      errors.push(invalid(`${at}.type`, type, "must be a standard limit type or fully qualified"));
    }
    if (types.has(type)) errors.push(duplicate(`${at}.type`, type));
    types.add(type);
    checkLimitItem(errors, at, item);
  });
  return errors;
}

function checkLimitItem(errors: Errors, path: string, item: Loose<LimitRangeItem>): void {
  const names = new Set<string>();
  const ofPod = item.type === "Pod";
  const checkName = ofPod || item.type === "Container" ? checkContainerResourceName : checkResourceName;
  const checkField = (field: LimitField): void => {
    for (const [name] of entriesOf(item[field])) {
      checkName(errors, `${path}.${field}[${name}]`, name);
      names.add(name);
    }
  };
  checkField("max");
  checkField("min");
  for (const field of ["default", "defaultRequest"] as const) {
    if (!ofPod) checkField(field);
    else if (!isEmptyMap(item[field])) {
      errors.push(forbidden(`${path}.${field}`, "may not be specified when `type` is 'Pod'"));
    }
  }
  if (item.type === "PersistentVolumeClaim") {
    const [min, max] = [ownValue(item.min, "storage"), ownValue(item.max, "storage")];
    if (min === undefined && max === undefined) {
      errors.push(
        required(`${path}.limits`, "either minimum or maximum storage value is required, but neither was provided"),
      );
    }
  }
  checkField("maxLimitRequestRatio");
  for (const name of names) {
    checkLimitOrder(errors, path, item, name);
    checkRatio(errors, path, item, name);
  }
}

type Order = readonly [lower: LimitField, upper: LimitField, at: LimitField, shown: LimitField];

/** min <= defaultRequest <= default <= max: which two, which one the message is about, and which value it shows. */
const orders: readonly Order[] = [
  ["min", "max", "min", "min"],
  ["min", "defaultRequest", "defaultRequest", "defaultRequest"],
  ["defaultRequest", "max", "defaultRequest", "defaultRequest"],
  ["defaultRequest", "default", "defaultRequest", "defaultRequest"],
  ["min", "default", "default", "min"],
  ["default", "max", "default", "max"],
];

function nameOf(field: LimitField, beside: LimitField): string {
  if (field === "default") return beside === "defaultRequest" ? "default limit" : "default";
  return field === "defaultRequest" ? "default request" : field;
}

function amountOf(item: Loose<LimitRangeItem>, field: LimitField, name: string): Quantity | undefined {
  // A pod has no defaults.
  if (item.type === "Pod" && (field === "default" || field === "defaultRequest")) return undefined;
  return tryParseQuantity(ownValue(item[field], name));
}

function checkLimitOrder(errors: Errors, path: string, item: Loose<LimitRangeItem>, name: string): void {
  for (const [lower, upper, at, shown] of orders) {
    const low = amountOf(item, lower, name);
    const high = amountOf(item, upper, name);
    if (low === undefined || high === undefined || low.compare(high) <= 0) continue;
    const why = `${nameOf(lower, upper)} value ${low} is greater than ${nameOf(upper, lower)} value ${high}`;
    errors.push(invalid(`${path}.${at}[${name}]`, shown === lower ? low : high, why));
  }
}

function checkRatio(errors: Errors, path: string, item: Loose<LimitRangeItem>, name: string): void {
  const ratio = amountOf(item, "maxLimitRequestRatio", name);
  const min = amountOf(item, "min", name);
  const max = amountOf(item, "max", name);
  if (ratio !== undefined) {
    const at = `${path}.maxLimitRequestRatio[${name}]`;
    if (ratio.toNumber() < 1) errors.push(invalid(at, ratio, `ratio ${ratio} is less than 1`));
    const most = min === undefined || max === undefined ? Number.POSITIVE_INFINITY : max.toNumber() / min.toNumber();
    if (ratio.toNumber() > most) {
      errors.push(invalid(at, ratio, `ratio ${ratio} is greater than max/min = ${most.toFixed(6)}`));
    }
  }
  const limit = amountOf(item, "default", name);
  const request = amountOf(item, "defaultRequest", name);
  if (isOvercommitAllowed(name) || limit === undefined || request === undefined || limit.equals(request)) return;
  const why = `default value ${limit} must equal to defaultRequest value ${request} in ${name}`;
  errors.push(invalid(`${path}.defaultRequest[${name}]`, request, why));
}
