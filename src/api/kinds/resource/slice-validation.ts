import { type FieldError, invalid, required } from "../../field-error.js";
import type { CounterSet, NodeSelector, ResourceSlice, ResourceSliceSpec } from "../../gen/types.js";
import { checkImmutable, checkLabel, checkSubdomain, type Errors } from "../checks.js";
import { checkCsiDriverName } from "../core/csi-validation.js";
import { checkNodeSelectorTerms } from "../core/scheduling-validation.js";
import type { Loose } from "../loose.js";
import { checkPoolName, checkSet } from "./checks.js";
import { checkCounters, checkDevice, type Device } from "./device-validation.js";

const maxDevices = 128;
const maxComplexDevices = 64;
const maxCounterSets = 8;

type Spec = Loose<ResourceSliceSpec>;

export function validateNewResourceSlice(slice: Loose<ResourceSlice>): readonly FieldError[] {
  return validateSlice(slice.spec ?? {}, undefined);
}

export function validateResourceSliceUpdate(
  slice: Loose<ResourceSlice>,
  old: Loose<ResourceSlice>,
): readonly FieldError[] {
  return validateSlice(slice.spec ?? {}, old.spec ?? {});
}

function validateSlice(spec: Spec, old: Spec | undefined): readonly FieldError[] {
  const errors: Errors = [];
  const { driver = "", pool = {}, devices = [], sharedCounters = [] } = spec;
  checkCsiDriverName(errors, "spec.driver", driver);
  checkPoolName(errors, "spec.pool.name", pool.name);
  const { resourceSliceCount = 0, generation = 0 } = pool;
  if (resourceSliceCount <= 0) {
    errors.push(invalid("spec.pool.resourceSliceCount", resourceSliceCount, "must be greater than zero"));
  }
  if (generation < 0) {
    errors.push(invalid("spec.pool.generation", generation, "must be greater than or equal to zero"));
  }
  if (old !== undefined) {
    checkImmutable(errors, "spec.pool.name", pool.name, old.pool?.name);
    checkImmutable(errors, "spec.driver", spec.driver, old.driver);
    checkImmutable(errors, "spec.nodeName", spec.nodeName, old.nodeName);
  }
  checkPlace(errors, "spec", spec);
  if (spec.sharedCounters !== undefined && spec.devices !== undefined) {
    errors.push(invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"));
  }
  const complex = devices.some(
    ({ taints = [], consumesCounters = [] }) => taints.length > 0 || consumesCounters.length > 0,
  );
  const known = new Map((old?.devices ?? []).map((device) => [device.name, device]));
  const check = (device: Device, at: string): void => {
    checkDevice(errors, at, device, {
      before: known.get(device.name),
      ownPlace: spec.perDeviceNodeSelection === true,
    });
  };
  checkSet(errors, "spec.devices", devices, complex ? maxComplexDevices : maxDevices, check, ({ name = "" }) => name);
  const checkCounters = (set: Loose<CounterSet>, at: string): void => {
    checkCounterSet(errors, at, set);
  };
  checkSet(errors, "spec.sharedCounters", sharedCounters, maxCounterSets, checkCounters, ({ name = "" }) => name);
  return errors;
}

function checkPlace(errors: Errors, path: string, spec: Spec): void {
  const set: string[] = [];
  if (spec.nodeName === "") {
    errors.push(invalid(`${path}.nodeName`, "", "must be either unset or set to a non-empty string"));
  } else if (spec.nodeName !== undefined) {
    set.push("`nodeName`");
    checkSubdomain(errors, `${path}.nodeName`, spec.nodeName);
  }
  if (spec.nodeSelector !== undefined) {
    set.push("`nodeSelector`");
    checkOneTerm(errors, `${path}.nodeSelector`, spec.nodeSelector);
  }
  for (const field of ["allNodes", "perDeviceNodeSelection"] as const) {
    if (spec[field] === true) set.push(`\`${field}\``);
    else if (spec[field] === false) {
      errors.push(invalid(`${path}.${field}`, false, "must be either unset or set to true"));
    }
  }
  const choice = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
  if (set.length === 0) errors.push(required(path, choice));
  else if (set.length > 1) {
    errors.push(invalid(path, `{${set.join(", ")}}`, `${choice}, but multiple fields are set`));
  }
}

/** Those of several slices are joined, which is simple for one term only. */
function checkOneTerm(errors: Errors, path: string, selector: Loose<NodeSelector>): void {
  checkNodeSelectorTerms(errors, path, selector);
  const { nodeSelectorTerms: terms = [] } = selector;
  if (terms.length === 1) return;
  errors.push(invalid(`${path}.nodeSelectorTerms`, terms, "must have exactly one node selector term"));
}

function checkCounterSet(errors: Errors, path: string, { name = "", counters }: Loose<CounterSet>): void {
  if (name === "") errors.push(required(`${path}.name`));
  else checkLabel(errors, `${path}.name`, name);
  checkCounters(errors, `${path}.counters`, counters);
}
