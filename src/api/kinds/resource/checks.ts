import { duplicate, invalid, required, tooLong, tooMany } from "../../field-error.js";
import { validateDns1123Subdomain, validateLabelValue } from "../../names.js";
import { addInvalid, checkLabel, checkQualifiedName, type Errors } from "../checks.js";
import { checkCsiDriverName } from "../core/csi-validation.js";
import { type Dictionary, entriesOf } from "../loose.js";
import { isJsonObject } from "../strategy.js";

type Check<Item> = (item: Item, path: string) => void;

/** Checks each item, unless there are more than may be: then that is all that is said. */
export function checkList<Item>(
  errors: Errors,
  path: string,
  items: readonly Item[],
  max: number,
  check: Check<Item>,
): boolean {
  if (items.length > max) {
    errors.push(tooMany(path, items.length, max));
    return false;
  }
  items.forEach((item, index) => {
    check(item, `${path}[${index}]`);
  });
  return true;
}

/** As checkList, of items that differ in their key. `shown` is what a message says of the key. */
export function checkSet<Item>(
  errors: Errors,
  path: string,
  items: readonly Item[],
  max: number,
  check: Check<Item>,
  keyOf: (item: Item) => string,
  shown: (item: Item) => unknown = keyOf,
): void {
  if (!checkList(errors, path, items, max, check)) return;
  const seen = new Set<string>();
  items.forEach((item, index) => {
    const key = keyOf(item);
    if (seen.has(key)) errors.push(duplicate(`${path}[${index}]`, shown(item)));
    seen.add(key);
  });
}

/** Of a map with at most `max` keys: each entry, by its key, which a message shows at most `maxKey` characters of. */
export function checkMap<T>(
  errors: Errors,
  path: string,
  map: Dictionary<T> | undefined,
  limits: { readonly max?: number; readonly maxKey: number },
  check: (key: string, value: T, path: string) => void,
): void {
  const entries = entriesOf(map);
  const { max = Number.POSITIVE_INFINITY, maxKey } = limits;
  if (entries.length > max) {
    errors.push(tooMany(path, entries.length, max));
    return;
  }
  for (const [key, value] of entries) check(key, value, `${path}[${shortened(key, maxKey)}]`);
}

function shortened(text: string, max: number): string {
  if (text.length <= max) return text;
  const rest = max - 3;
  return `${text.slice(0, (rest + 1) >> 1)}...${text.slice(text.length - (rest >> 1))}`;
}

const maxPoolName = 253;

/** One or more names of domains, with slashes between them. */
export function checkPoolName(errors: Errors, path: string, name = ""): void {
  if (name === "") {
    errors.push(required(path));
    return;
  }
  if (name.length > maxPoolName) errors.push(tooLong(path, maxPoolName));
  for (const part of name.split("/")) addInvalid(errors, path, part, validateDns1123Subdomain(part));
}

/** A device as its driver, pool and name say. */
export interface DevicePlace {
  readonly driver?: string | undefined;
  readonly pool?: string | undefined;
  readonly device?: string | undefined;
  readonly shareID?: string | undefined;
}

export function checkDevicePlace(errors: Errors, path: string, place: DevicePlace): void {
  checkCsiDriverName(errors, `${path}.driver`, place.driver ?? "");
  checkPoolName(errors, `${path}.pool`, place.pool);
  checkLabel(errors, `${path}.device`, place.device ?? "");
}

export function placeKey({ driver = "", pool = "", device = "", shareID = "" }: DevicePlace): string {
  return JSON.stringify([driver, pool, device, shareID]);
}

const maxId = 32;
const identifier = "[A-Za-z_][A-Za-z0-9_]*";
const wholeIdentifier = new RegExp(`^${identifier}$`);
const identifierMessage =
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' " +
  `(e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '${identifier}')`;

function checkIdentifier(errors: Errors, path: string, id: string): void {
  if (id.length > maxId) errors.push(tooLong(path, maxId));
  if (!wholeIdentifier.test(id)) errors.push(invalid(path, id, identifierMessage));
}

/** The name of an attribute or a capacity, with or without a domain. More slashes than one are not looked at: upstream's. */
export function checkAttributeName(errors: Errors, path: string, name: string): void {
  const [first = "", second, ...more] = name.split("/");
  if (more.length > 0) return;
  if (second === undefined) {
    checkIdentifier(errors, path, first);
    return;
  }
  if (first === "") errors.push(invalid(path, "", "the domain must not be empty"));
  else checkCsiDriverName(errors, path, first);
  if (second === "") errors.push(invalid(path, "", "the name must not be empty"));
  else checkIdentifier(errors, path, second);
}

export function checkFullAttributeName(errors: Errors, path: string, name: string): void {
  checkAttributeName(errors, path, name);
  if (name.includes("/")) return;
  errors.push(invalid(path, name, "a fully qualified name must be a domain and a name separated by a slash"));
}

/** Something of a driver's own: an object of no more than so many bytes. */
export function checkOpaque(errors: Errors, path: string, value: unknown, max: number): void {
  if (value === undefined || value === null) errors.push(required(path));
  else if (JSON.stringify(value).length > max) errors.push(tooLong(path, max));
  else if (!isJsonObject(value)) errors.push(invalid(path, "<value omitted>", "must be a valid JSON object"));
}

const maxBindingConditions = 4;

export function checkBindingConditions(
  errors: Errors,
  path: string,
  conditions: readonly string[] = [],
  failures: readonly string[] = [],
): void {
  const lists = [
    ["bindingConditions", conditions],
    ["bindingFailureConditions", failures],
  ] as const;
  for (const [name, list] of lists) {
    checkList(errors, `${path}.${name}`, list, maxBindingConditions, (condition, at) => {
      checkQualifiedName(errors, at, condition);
    });
  }
  conditions.forEach((condition, index) => {
    if (conditions.indexOf(condition) < index) errors.push(duplicate(`${path}.bindingConditions[${index}]`, condition));
  });
  failures.forEach((condition, index) => {
    const at = `${path}.bindingFailureConditions[${index}]`;
    if (failures.indexOf(condition) < index) errors.push(duplicate(at, condition));
    if (!conditions.includes(condition)) return;
    errors.push(invalid(at, condition, "bindingFailureConditions must not overlap with bindingConditions"));
  });
  if (conditions.length === 0 && failures.length > 0) {
    const why = "bindingConditions are required to use bindingFailureConditions";
    errors.push(invalid(`${path}.bindingConditions`, conditions, why));
  }
  if (failures.length === 0 && conditions.length > 0) {
    const why = "bindingFailureConditions are required to use bindingConditions";
    errors.push(invalid(`${path}.bindingFailureConditions`, failures, why));
  }
}

export const taintEffects: readonly string[] = ["NoExecute", "NoSchedule", "None"];

export function checkLabelText(errors: Errors, path: string, value: string): void {
  addInvalid(errors, path, value, validateLabelValue(value));
}
