import { invalid, notSupported } from "../../field-error.js";
import { validateQualifiedName } from "../../names.js";
import { type Quantity, quantityFormatMessage, tryParseQuantity } from "../../quantity.js";
import { addInvalid, type Errors, negativeMessage } from "../checks.js";

const hugePages = "hugepages-";
const podResources = ["cpu", hugePages, "memory"];
const containerResources: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"]);
/** What is counted. */
const countedResources = [
  "pods",
  "services",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
];
const integerResources: ReadonlySet<string> = new Set(countedResources);
const quotaResources: ReadonlySet<string> = new Set([
  ...countedResources,
  ...containerResources,
  "requests.cpu",
  "requests.memory",
  "requests.storage",
  "requests.ephemeral-storage",
  "limits.cpu",
  "limits.memory",
  "limits.ephemeral-storage",
]);

export function isHugePages(name: string): boolean {
  return name.startsWith(hugePages);
}

/** Whether a quota can be set for it under a name without a domain. */
export function isQuotaResource(name: string): boolean {
  return quotaResources.has(name) || isHugePages(name) || name.startsWith(`requests.${hugePages}`);
}

function isStandardResource(name: string): boolean {
  return isQuotaResource(name) || name === "storage";
}

/** Of a vendor: with a domain that is not Kubernetes' own. */
export function isExtendedResource(name: string): boolean {
  if (isNative(name) || name.startsWith("requests.")) return false;
  return validateQualifiedName(`requests.${name}`).length === 0;
}

function isNative(name: string): boolean {
  return !name.includes("/") || name.includes("kubernetes.io/");
}

/** More may be promised than there is only of Kubernetes' own resources but huge pages. */
export function isOvercommitAllowed(name: string): boolean {
  return isNative(name) && !isHugePages(name);
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

export function checkContainerResourceName(errors: Errors, path: string, name: string): void {
  checkResourceName(errors, path, name);
  if (!name.includes("/")) {
    if (!containerResources.has(name) && !isHugePages(name)) {
      errors.push(invalid(path, name, "must be a standard resource for containers"));
    }
  } else if (!isNative(name) && !isExtendedResource(name)) {
    errors.push(invalid(path, name, "doesn't follow extended resource name standard"));
  }
}

export function checkPodResourceName(errors: Errors, path: string, name: string): void {
  if (!checkResourceName(errors, path, name)) return;
  if (name !== "cpu" && name !== "memory" && !isHugePages(name)) errors.push(notSupported(path, name, podResources));
}

export function checkQuotaResourceName(errors: Errors, path: string, name: string): void {
  checkResourceName(errors, path, name);
  if (name.includes("/") || isQuotaResource(name)) return;
  errors.push(invalid(path, name, "must be a standard resource for quota"));
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
  if (quantity === undefined || (!integerResources.has(name) && !isExtendedResource(name))) return;
  if (quantity.milliValue() % 1000 !== 0) errors.push(invalid(path, quantity.toString(), "must be an integer"));
}

/** The amount of huge pages is a multiple of their size, which is in the name. */
export function checkHugePages(errors: Errors, path: string, name: string, value: string): void {
  if (!isHugePages(name)) return;
  const size = tryParseQuantity(name.slice(hugePages.length));
  const quantity = tryParseQuantity(value);
  if (quantity === undefined) return;
  const whole = size !== undefined && size.sign > 0 && size.milliValue() % 1000 === 0;
  if (whole && quantity.value() % size.value() === 0) return;
  const shown = quantity.toString();
  errors.push(invalid(path, shown, `${shown} is not positive integer multiple of ${name}`));
}
