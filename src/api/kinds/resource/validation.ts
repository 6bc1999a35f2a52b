import { duplicate, type FieldError, invalid, required, tooMany } from "../../field-error.js";
import type {
  DeviceClaim,
  DeviceClass,
  DeviceSelector,
  DeviceSubRequest,
  ResourceClaim,
  ResourceClaimTemplate,
  ResourceSlice,
} from "../../gen/types.js";
import { checkEnum, checkImmutable, checkLabel, checkRequired, checkSubdomain, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";

const maxRequests = 32;
const maxSelectors = 32;
const maxDevices = 128;

export function validateDeviceClass(deviceClass: Loose<DeviceClass>): readonly FieldError[] {
  const errors: Errors = [];
  checkSelectors(errors, "spec.selectors", deviceClass.spec?.selectors ?? []);
  return errors;
}

export function validateResourceClaim(claim: Loose<ResourceClaim>): readonly FieldError[] {
  const errors: Errors = [];
  checkDevices(errors, "spec.devices", claim.spec?.devices ?? {});
  return errors;
}

export function validateResourceClaimTemplate(template: Loose<ResourceClaimTemplate>): readonly FieldError[] {
  const errors: Errors = [];
  checkDevices(errors, "spec.spec.devices", template.spec?.spec?.devices ?? {});
  return errors;
}

/** What was claimed is allocated as it was claimed. */
export function validateSpecImmutable<T extends { readonly spec?: unknown }>(object: T, old: T): readonly FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, "spec", object.spec, old.spec);
  return errors;
}

function checkDevices(errors: Errors, path: string, devices: Loose<DeviceClaim>): void {
  const requests = devices.requests ?? [];
  if (requests.length > maxRequests) errors.push(tooMany(`${path}.requests`, requests.length, maxRequests));
  const names = new Set<string>();
  requests.forEach((request, index) => {
    const at = `${path}.requests[${index}]`;
    if (checkRequired(errors, `${at}.name`, request.name)) {
      checkLabel(errors, `${at}.name`, request.name);
      if (names.has(request.name)) errors.push(duplicate(`${at}.name`, request.name));
      names.add(request.name);
    }
    const choices = request.firstAvailable ?? [];
    if (request.exactly === undefined && choices.length === 0) {
      errors.push(required(at, "exactly one of `exactly` or `firstAvailable` is required"));
    } else if (request.exactly !== undefined && choices.length > 0) {
      errors.push(
        invalid(at, "", "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"),
      );
    }
    if (request.exactly !== undefined) checkRequest(errors, `${at}.exactly`, request.exactly);
    choices.forEach((choice, position) => {
      const where = `${at}.firstAvailable[${position}]`;
      if (checkRequired(errors, `${where}.name`, choice.name)) checkLabel(errors, `${where}.name`, choice.name);
      checkRequest(errors, where, choice);
    });
  });
}

function checkRequest(errors: Errors, path: string, request: Omit<Loose<DeviceSubRequest>, "name">): void {
  if (checkRequired(errors, `${path}.deviceClassName`, request.deviceClassName)) {
    checkSubdomain(errors, `${path}.deviceClassName`, request.deviceClassName);
  }
  checkSelectors(errors, `${path}.selectors`, request.selectors ?? []);
  checkEnum(errors, `${path}.allocationMode`, request.allocationMode, ["All", "ExactCount"]);
  const count = request.count ?? 0;
  if (request.allocationMode === "All" && count !== 0) {
    errors.push(invalid(`${path}.count`, count, "must not be specified when allocationMode is 'All'"));
  }
  if (request.allocationMode === "ExactCount" && count <= 0) {
    errors.push(invalid(`${path}.count`, count, "must be greater than zero"));
  }
}

function checkSelectors(errors: Errors, path: string, selectors: readonly Loose<DeviceSelector>[]): void {
  if (selectors.length > maxSelectors) errors.push(tooMany(path, selectors.length, maxSelectors));
  selectors.forEach((selector, index) => {
    if (selector.cel === undefined) errors.push(required(`${path}[${index}].cel`));
    else checkRequired(errors, `${path}[${index}].cel.expression`, selector.cel.expression);
  });
}

export function validateResourceSlice(slice: Loose<ResourceSlice>): readonly FieldError[] {
  const errors: Errors = [];
  const spec = slice.spec ?? {};
  if (checkRequired(errors, "spec.driver", spec.driver)) checkSubdomain(errors, "spec.driver", spec.driver);
  const pool = spec.pool ?? {};
  checkRequired(errors, "spec.pool.name", pool.name);
  if ((pool.resourceSliceCount ?? 0) <= 0) {
    errors.push(invalid("spec.pool.resourceSliceCount", pool.resourceSliceCount ?? 0, "must be greater than zero"));
  }
  const devices = spec.devices ?? [];
  if (devices.length > maxDevices) errors.push(tooMany("spec.devices", devices.length, maxDevices));
  const names = new Set<string>();
  devices.forEach((device, index) => {
    const at = `spec.devices[${index}].name`;
    if (!checkRequired(errors, at, device.name)) return;
    checkLabel(errors, at, device.name);
    if (names.has(device.name)) errors.push(duplicate(at, device.name));
    names.add(device.name);
  });
  const places = [spec.nodeName, spec.nodeSelector, spec.allNodes, spec.perDeviceNodeSelection].filter(Boolean).length;
  const choice = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
  if (places === 0) errors.push(required("spec", choice));
  else if (places > 1) errors.push(invalid("spec", "", `${choice}, but multiple fields are set`));
  return errors;
}

export function validateResourceSliceUpdate(
  slice: Loose<ResourceSlice>,
  old: Loose<ResourceSlice>,
): readonly FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, "spec.pool.name", slice.spec?.pool?.name, old.spec?.pool?.name);
  checkImmutable(errors, "spec.driver", slice.spec?.driver, old.spec?.driver);
  checkImmutable(errors, "spec.nodeName", slice.spec?.nodeName, old.spec?.nodeName);
  return errors;
}
