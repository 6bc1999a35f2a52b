import { forbidden, invalid, notSupported, required, tooLong } from "../../field-error.js";
import type {
  DeviceAttribute,
  DeviceCapacity,
  DeviceCounterConsumption,
  DeviceTaint,
  Device as FullDevice,
} from "../../gen/types.js";
import { checkLabel, checkQualifiedName, checkSubdomain, type Errors } from "../checks.js";
import { checkNodeSelectorTerms } from "../core/scheduling-validation.js";
import { semanticallyEqual } from "../equality.js";
import type { Loose } from "../loose.js";
import { checkRequestPolicy } from "./capacity-validation.js";
import {
  checkAttributeName,
  checkBindingConditions,
  checkLabelText,
  checkList,
  checkMap,
  checkSet,
  taintEffects,
} from "./checks.js";

export type Device = Loose<FullDevice>;

export interface DeviceContext {
  /** The device as it was, when it was there. */
  readonly before: Device | undefined;
  /** Whether each device of the slice says where it is. */
  readonly ownPlace: boolean;
}

const maxFacts = 32;
/** A domain, a slash and an id. */
const maxFactName = 63 + 1 + 32;
const maxTaints = 16;
const maxConsumptions = 2;
const maxCounters = 32;
const maxCounterName = 63;
const maxValue = 64;

export function checkDevice(errors: Errors, path: string, device: Device, context: DeviceContext): void {
  const { name = "", attributes, capacity, taints = [], consumesCounters = [] } = device;
  checkLabel(errors, `${path}.name`, name);
  const facts = Object.keys(attributes ?? {}).length + Object.keys(capacity ?? {}).length;
  if (facts > maxFacts) {
    errors.push(invalid(path, facts, `the total number of attributes and capacities must not exceed ${maxFacts}`));
  }
  const names = { maxKey: maxFactName };
  checkMap<Loose<DeviceAttribute>>(errors, `${path}.attributes`, attributes, names, (key, attribute, at) => {
    checkAttributeName(errors, at, key);
    checkAttribute(errors, at, attribute);
  });
  const shared = device.allowMultipleAllocations === true;
  checkMap<Loose<DeviceCapacity>>(errors, `${path}.capacity`, capacity, names, (key, amount, at) => {
    checkAttributeName(errors, at, key);
    checkCapacity(errors, at, amount, shared);
  });
  if (context.before === undefined || !semanticallyEqual(context.before.taints, taints)) {
    checkList(errors, `${path}.taints`, taints, maxTaints, (taint, at) => {
      checkTaint(errors, at, taint);
    });
  }
  const consume = (consumption: Loose<DeviceCounterConsumption>, at: string): void => {
    checkConsumption(errors, at, consumption);
  };
  const setOf = ({ counterSet = "" }: Loose<DeviceCounterConsumption>): string => counterSet;
  checkSet(errors, `${path}.consumesCounters`, consumesCounters, maxConsumptions, consume, setOf);
  checkDevicePlace(errors, path, device, context.ownPlace);
  checkBindingConditions(errors, path, device.bindingConditions, device.bindingFailureConditions);
}

const semver = new RegExp(
  [
    "^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)",
    "(-(0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)(\\.(0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?",
    "(\\+[0-9a-zA-Z-]+(\\.[0-9a-zA-Z-]+)*)?$",
  ].join(""),
);

function checkAttribute(errors: Errors, path: string, attribute: Loose<DeviceAttribute>): void {
  const { string, version } = attribute;
  if (string !== undefined && string.length > maxValue) errors.push(tooLong(`${path}.string`, maxValue));
  if (version !== undefined) {
    // Longer ones are not looked at: the expression takes long on some.
    if (version.length > 4 * maxValue || !semver.test(version)) {
      const why = "must be a string compatible with semver.org spec 2.0.0";
      errors.push(invalid(`${path}.version`, version, why));
    }
    if (version.length > maxValue) errors.push(tooLong(`${path}.version`, maxValue));
  }
  const values = (["bool", "int", "string", "version"] as const).filter((field) => attribute[field] !== undefined);
  if (values.length === 1) return;
  const shown = values.length === 0 ? "" : attribute;
  errors.push(invalid(path, shown, "exactly one value must be specified"));
}

function checkCapacity(errors: Errors, path: string, capacity: Loose<DeviceCapacity>, shared: boolean): void {
  const { requestPolicy, value = "0" } = capacity;
  if (requestPolicy === undefined) return;
  if (shared) checkRequestPolicy(errors, `${path}.requestPolicy`, requestPolicy, value);
  else errors.push(forbidden(`${path}.requestPolicy`, "allowMultipleAllocations must be true"));
}

function checkTaint(errors: Errors, path: string, taint: Loose<DeviceTaint>): void {
  const { key = "", value = "", effect = "" } = taint;
  checkQualifiedName(errors, `${path}.key`, key);
  if (value !== "") checkLabelText(errors, `${path}.value`, value);
  if (effect === "") errors.push(required(`${path}.effect`));
  else if (!taintEffects.includes(effect)) errors.push(notSupported(`${path}.effect`, effect, taintEffects));
}

function checkConsumption(errors: Errors, path: string, consumption: Loose<DeviceCounterConsumption>): void {
  const { counterSet = "", counters } = consumption;
  if (counterSet === "") errors.push(required(`${path}.counterSet`));
  else checkLabel(errors, `${path}.counterSet`, counterSet);
  checkCounters(errors, `${path}.counters`, counters);
}

/** Of a set, or what a device takes of one. */
export function checkCounters(
  errors: Errors,
  path: string,
  counters: Loose<DeviceCounterConsumption>["counters"],
): void {
  if (Object.keys(counters ?? {}).length === 0) {
    errors.push(required(path));
    return;
  }
  const limits = { max: maxCounters, maxKey: maxCounterName };
  checkMap(errors, path, counters, limits, (key, _counter, at) => {
    checkLabel(errors, at, key);
  });
}

const toldBySlice = "is set to true in the ResourceSlice spec";

function checkDevicePlace(errors: Errors, path: string, device: Device, ownPlace: boolean): void {
  const { nodeName, nodeSelector, allNodes } = device;
  if (!ownPlace) {
    if (nodeName === undefined && nodeSelector === undefined && allNodes === undefined) return;
    const why = `\`nodeName\`, \`nodeSelector\` and \`allNodes\` can only be set if \`perDeviceNodeSelection\` ${toldBySlice}`;
    errors.push(invalid(path, undefined, why));
    return;
  }
  const set: string[] = [];
  if (nodeName === "") errors.push(invalid(`${path}.nodeName`, nodeName, "must not be empty"));
  else if (nodeName !== undefined) {
    set.push("`nodeName`");
    checkSubdomain(errors, `${path}.nodeName`, nodeName);
  }
  if (nodeSelector !== undefined) {
    set.push("`nodeSelector`");
    checkNodeSelectorTerms(errors, `${path}.nodeSelector`, nodeSelector);
  }
  if (allNodes === true) set.push("`allNodes`");
  else if (allNodes === false) {
    errors.push(invalid(`${path}.allNodes`, allNodes, "must be either unset or set to true"));
  }
  if (set.length === 1) return;
  const fields = "`nodeName`, `nodeSelector`, or `allNodes`";
  const choice = `exactly one of ${fields} is required when \`perDeviceNodeSelection\` ${toldBySlice}`;
  errors.push(set.length === 0 ? required(path, choice) : invalid(path, `{${set.join(", ")}}`, choice));
}
