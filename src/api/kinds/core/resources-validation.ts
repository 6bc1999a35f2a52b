import { duplicate, forbidden, invalid, notFoundValue, required } from "../../field-error.js";
import type { CoreResourceClaim, ResourceRequirements } from "../../gen/types.js";
import { validateQualifiedName } from "../../names.js";
import { compareQuantities, type Quantity, tryParseQuantity } from "../../quantity.js";
import { addInvalid, type Errors, negativeMessage } from "../checks.js";
import { entriesOf, type Loose, ownValue } from "../loose.js";

export const quantityFormatMessage =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const hugePages = "hugepages-";
const standardContainerResources: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"]);
const standardResources: ReadonlySet<string> = new Set([
  "cpu",
  "memory",
  "ephemeral-storage",
  "requests.cpu",
  "requests.memory",
  "requests.storage",
  "requests.ephemeral-storage",
  "limits.cpu",
  "limits.memory",
  "limits.ephemeral-storage",
  "pods",
  "services",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
  "storage",
]);

export function isStandardResource(name: string): boolean {
  return standardResources.has(name) || name.startsWith(hugePages);
}

/** Of a vendor: with a domain that is not Kubernetes' own. */
function isExtendedResource(name: string): boolean {
  if (!name.includes("/") || isNative(name) || name.startsWith("requests.")) return false;
  return validateQualifiedName(`requests.${name}`).length === 0;
}

function isNative(name: string): boolean {
  return !name.includes("/") || name.includes("kubernetes.io/");
}

/** More may be promised than there is only of Kubernetes' own resources but huge pages. */
function isOvercommitAllowed(name: string): boolean {
  return isNative(name) && !name.startsWith(hugePages);
}

/** A qualified name that is Kubernetes' own or has a domain. */
export function checkResourceName(errors: Errors, path: string, name: string): boolean {
  const messages = validateQualifiedName(name);
  addInvalid(errors, path, name, messages);
  if (messages.length > 0) return false;
  if (name.includes("/") || isStandardResource(name)) return true;
  errors.push(invalid(path, name, "must be a standard resource type or fully qualified"));
  return false;
}

function checkContainerResourceName(errors: Errors, path: string, name: string): void {
  checkResourceName(errors, path, name);
  if (!name.includes("/")) {
    if (!standardContainerResources.has(name) && !name.startsWith(hugePages)) {
      errors.push(invalid(path, name, "must be a standard resource for containers"));
    }
  } else if (!isNative(name) && !isExtendedResource(name)) {
    errors.push(invalid(path, name, "doesn't follow extended resource name standard"));
  }
}

/** A quantity that can be read and is not negative; gives it back. */
export function checkQuantity(errors: Errors, path: string, value: string): Quantity | undefined {
  const quantity = tryParseQuantity(value);
  if (quantity === undefined) errors.push(invalid(path, value, quantityFormatMessage));
  else if (quantity.sign < 0) errors.push(invalid(path, quantity.toString(), negativeMessage));
  return quantity;
}

export function checkResourceQuantity(errors: Errors, path: string, name: string, value: string): void {
  const quantity = checkQuantity(errors, path, value);
  if (quantity === undefined) return;
  if (isExtendedResource(name) && quantity.nanos % 1_000_000_000n !== 0n) {
    errors.push(invalid(path, quantity.toString(), "must be an integer"));
  }
}

export interface ResourceRules {
  /** The names of the pod's resource claims. */
  readonly claims?: ReadonlySet<string>;
  /** The resources of a whole pod: cpu, memory and huge pages only. */
  readonly podLevel?: boolean;
}

export function checkResourceRequirements(
  errors: Errors,
  path: string,
  resources: Loose<ResourceRequirements> | undefined,
  rules: ResourceRules = {},
): void {
  if (resources === undefined) return;
  const limits = entriesOf(resources.limits);
  const requests = entriesOf(resources.requests);
  const seen = { compute: false, huge: false };
  for (const [name, value] of limits) checkEntry(errors, `${path}.limits[${name}]`, name, value, rules, seen);
  for (const [name, value] of requests) {
    checkEntry(errors, `${path}.requests[${name}]`, name, value, rules, seen);
    const limit = ownValue(resources.limits, name);
    if (limit !== undefined) checkAgainstLimit(errors, path, name, value, limit);
    else if (!isOvercommitAllowed(name)) {
      errors.push(required(`${path}.limits`, "Limit must be set for non overcommitable resources"));
    }
  }
  if (seen.huge && !seen.compute && rules.podLevel !== true) {
    errors.push(forbidden(path, "HugePages require cpu or memory"));
  }
  checkClaims(errors, `${path}.claims`, resources.claims ?? [], rules);
}

function checkEntry(
  errors: Errors,
  path: string,
  name: string,
  value: string,
  rules: ResourceRules,
  seen: { compute: boolean; huge: boolean },
): void {
  if (rules.podLevel === true) {
    if (name !== "cpu" && name !== "memory" && !name.startsWith(hugePages)) {
      const message = `Unsupported value: ${JSON.stringify(name)}: supported values: "cpu", "hugepages-", "memory"`;
      errors.push({ path, reason: "FieldValueNotSupported", message });
    }
  } else {
    checkContainerResourceName(errors, path, name);
  }
  checkResourceQuantity(errors, path, name, value);
  if (name.startsWith(hugePages)) seen.huge = true;
  else if (name === "cpu" || name === "memory") seen.compute = true;
}

function checkAgainstLimit(errors: Errors, path: string, name: string, request: string, limit: string): void {
  const asked = tryParseQuantity(request);
  const most = tryParseQuantity(limit);
  if (asked === undefined || most === undefined) return;
  const order = compareQuantities(request, limit);
  if (!isOvercommitAllowed(name) && order !== 0) {
    errors.push(invalid(`${path}.requests`, asked.toString(), `must be equal to ${name} limit of ${most.toString()}`));
  } else if (order > 0) {
    const why = `must be less than or equal to ${name} limit of ${most.toString()}`;
    errors.push(invalid(`${path}.requests`, asked.toString(), why));
  }
}

function checkClaims(
  errors: Errors,
  path: string,
  claims: readonly Loose<CoreResourceClaim>[],
  rules: ResourceRules,
): void {
  const seen = new Set<string>();
  claims.forEach((claim, index) => {
    const at = `${path}[${index}]`;
    const name = claim.name ?? "";
    if (name === "") errors.push(required(`${at}.name`));
    else if (!(rules.claims?.has(name) ?? false)) errors.push(notFoundValue(`${at}.name`, name));
    const key = claim.request === undefined ? name : `${name}/${claim.request}`;
    if (seen.has(key)) errors.push(duplicate(at, key));
    seen.add(key);
  });
}
