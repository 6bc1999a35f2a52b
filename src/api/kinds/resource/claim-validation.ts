import { type FieldError, invalid, notSupported, required } from "../../field-error.js";
import type {
  DeviceClaim,
  DeviceClass,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceSubRequest,
  DeviceToleration,
  ResourceClaim,
  ResourceClaimTemplate,
} from "../../gen/types.js";
import { checkImmutable, checkLabel, checkLabels, checkQualifiedName, checkSubdomain, type Errors } from "../checks.js";
import { checkCsiDriverName } from "../core/csi-validation.js";
import { isExtendedResource } from "../core/resource-names.js";
import type { Loose } from "../loose.js";
import { checkAnnotations } from "../object-meta.js";
import { checkFullAttributeName, checkLabelText, checkList, checkOpaque, checkSet, taintEffects } from "./checks.js";
import { DeviceExpressions } from "./device-expression.js";

export const maxRequests = 32;
export const maxConfigs = 32;
const maxConstraints = 32;
const maxSelectors = 32;
const maxChoices = 8;
const maxTolerations = 16;
const maxParameterBytes = 10 * 1024;

export function validateDeviceClass(deviceClass: Loose<DeviceClass>): readonly FieldError[] {
  const errors: Errors = [];
  const { selectors, config = [], extendedResourceName } = deviceClass.spec ?? {};
  checkSelectors(errors, "spec.selectors", selectors);
  checkList(errors, "spec.config", config, maxConfigs, (item, at) => {
    checkDeviceConfig(errors, at, item);
  });
  if (extendedResourceName !== undefined && !isExtendedResource(extendedResourceName)) {
    errors.push(invalid("spec.extendedResourceName", extendedResourceName, "must be a valid extended resource name"));
  }
  return errors;
}

export function validateNewResourceClaim(claim: Loose<ResourceClaim>): readonly FieldError[] {
  const errors: Errors = [];
  checkDevices(errors, "spec.devices", claim.spec?.devices ?? {});
  return errors;
}

export function validateNewResourceClaimTemplate(template: Loose<ResourceClaimTemplate>): readonly FieldError[] {
  const errors: Errors = [];
  const { metadata, spec } = template.spec ?? {};
  checkAnnotations(errors, "spec.metadata.annotations", metadata?.annotations);
  checkLabels(errors, "spec.metadata.labels", metadata?.labels);
  checkDevices(errors, "spec.spec.devices", spec?.devices ?? {});
  return errors;
}

/** What was claimed is allocated as it was claimed. */
export function validateSpecImmutable<T extends { readonly spec?: unknown }>(object: T, old: T): readonly FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, "spec", object.spec, old.spec);
  return errors;
}

/** The requests of a claim, each with what may be given instead: `gpu`, `gpu/large`. */
export type RequestNames = ReadonlyMap<string, ReadonlySet<string>>;

export function requestNamesOf({ requests = [] }: Loose<DeviceClaim>): RequestNames {
  return new Map(
    requests.map(({ name = "", firstAvailable = [] }) => [
      name,
      new Set(firstAvailable.map((choice) => choice.name ?? "")),
    ]),
  );
}

const notARequest =
  "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";

export function checkRequestReference(errors: Errors, path: string, reference: string, names: RequestNames): void {
  const [request = "", choice, ...more] = reference.split("/");
  if (more.length > 0) {
    errors.push(invalid(path, reference, notARequest));
    return;
  }
  checkLabel(errors, path, request);
  if (choice !== undefined) checkLabel(errors, path, choice);
  const choices = names.get(request);
  if (choices === undefined || (choice !== undefined && !choices.has(choice))) {
    errors.push(invalid(path, reference, notARequest));
  }
}

export function checkRequestReferences(
  errors: Errors,
  path: string,
  references: readonly string[] | undefined,
  names: RequestNames,
): void {
  const check = (reference: string, at: string): void => {
    checkRequestReference(errors, at, reference, names);
  };
  checkSet(errors, path, references ?? [], maxRequests, check, (reference) => reference);
}

function checkDevices(errors: Errors, path: string, devices: Loose<DeviceClaim>): void {
  const { requests = [], constraints = [], config = [] } = devices;
  const names = requestNamesOf(devices);
  const check = (request: Loose<DeviceRequest>, at: string): void => {
    checkRequest(errors, at, request);
  };
  checkSet(errors, `${path}.requests`, requests, maxRequests, check, ({ name = "" }) => name);
  checkList(errors, `${path}.constraints`, constraints, maxConstraints, (constraint, at) => {
    checkConstraint(errors, at, constraint, names);
  });
  checkList(errors, `${path}.config`, config, maxConfigs, (item, at) => {
    checkRequestReferences(errors, `${at}.requests`, item.requests, names);
    checkDeviceConfig(errors, at, item);
  });
}

const oneSort = "exactly one of `exactly` or `firstAvailable` is required";

function checkRequest(errors: Errors, path: string, request: Loose<DeviceRequest>): void {
  const { name = "", exactly, firstAvailable = [] } = request;
  checkLabel(errors, `${path}.name`, name);
  if (exactly === undefined && firstAvailable.length === 0) errors.push(required(path, oneSort));
  else if (exactly !== undefined && firstAvailable.length > 0) {
    errors.push(invalid(path, undefined, `${oneSort}, but multiple fields are set`));
  } else if (exactly !== undefined) checkWanted(errors, `${path}.exactly`, exactly);
  else {
    const check = (choice: Loose<DeviceSubRequest>, at: string): void => {
      checkLabel(errors, `${at}.name`, choice.name ?? "");
      checkWanted(errors, at, choice);
    };
    checkSet(errors, `${path}.firstAvailable`, firstAvailable, maxChoices, check, (choice) => choice.name ?? "");
  }
}

const modes = ["All", "ExactCount"];

function checkWanted(errors: Errors, path: string, wanted: Omit<Loose<DeviceSubRequest>, "name">): void {
  const { deviceClassName = "", allocationMode = "", count = 0, tolerations = [] } = wanted;
  if (deviceClassName === "") errors.push(required(`${path}.deviceClassName`));
  else checkSubdomain(errors, `${path}.deviceClassName`, deviceClassName);
  checkSelectors(errors, `${path}.selectors`, wanted.selectors);
  if (!modes.includes(allocationMode)) {
    errors.push(notSupported(`${path}.allocationMode`, allocationMode, modes));
  } else if (allocationMode === "All" && count !== 0) {
    errors.push(invalid(`${path}.count`, count, "must not be specified when allocationMode is 'All'"));
  } else if (allocationMode === "ExactCount" && count <= 0) {
    errors.push(invalid(`${path}.count`, count, "must be greater than zero"));
  }
  checkList(errors, `${path}.tolerations`, tolerations, maxTolerations, (toleration, at) => {
    checkToleration(errors, at, toleration);
  });
}

function checkToleration(errors: Errors, path: string, toleration: Loose<DeviceToleration>): void {
  const { key = "", operator = "", value = "", effect = "" } = toleration;
  if (key !== "") checkQualifiedName(errors, `${path}.key`, key);
  if (operator === "Exists") {
    if (value !== "") errors.push(invalid(`${path}.value`, value, "must be empty for operator `Exists`"));
  } else if (operator === "Equal") checkLabelText(errors, `${path}.value`, value);
  else if (operator === "") errors.push(required(`${path}.operator`));
  else errors.push(notSupported(`${path}.operator`, operator, ["Equal", "Exists"]));
  if (effect !== "" && !taintEffects.includes(effect)) {
    errors.push(notSupported(`${path}.effect`, effect, taintEffects));
  }
}

function checkSelectors(errors: Errors, path: string, selectors: readonly Loose<DeviceSelector>[] = []): void {
  if (selectors.length === 0) return;
  const expressions = new DeviceExpressions();
  checkList(errors, path, selectors, maxSelectors, ({ cel }, at) => {
    if (cel === undefined) errors.push(required(`${at}.cel`));
    else expressions.check(errors, `${at}.cel.expression`, cel.expression ?? "");
  });
}

function checkConstraint(errors: Errors, path: string, constraint: Loose<DeviceConstraint>, names: RequestNames): void {
  checkRequestReferences(errors, `${path}.requests`, constraint.requests, names);
  const { matchAttribute, distinctAttribute } = constraint;
  if (matchAttribute !== undefined) checkFullAttributeName(errors, `${path}.matchAttribute`, matchAttribute);
  else if (distinctAttribute !== undefined) {
    checkFullAttributeName(errors, `${path}.distinctAttribute`, distinctAttribute);
  } else {
    // The words are upstream's, for none as for both.
    const why = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set';
    errors.push(required(path, why));
  }
}

interface DeviceConfig {
  readonly opaque?: { readonly driver?: string | undefined; readonly parameters?: unknown } | undefined;
}

export function checkDeviceConfig(errors: Errors, path: string, { opaque }: DeviceConfig): void {
  if (opaque === undefined) {
    errors.push(required(`${path}.opaque`));
    return;
  }
  checkCsiDriverName(errors, `${path}.opaque.driver`, opaque.driver ?? "");
  checkOpaque(errors, `${path}.opaque.parameters`, opaque.parameters, maxParameterBytes);
}
