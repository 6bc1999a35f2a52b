import { invalid, required } from "../../field-error.js";
import type { DownwardAPIVolumeFile, KeyToPath } from "../../gen/types.js";
import { checkRequired, type Errors } from "../checks.js";
import type { Loose } from "../loose.js";
import { checkFieldRef, checkResourceFieldRef, volumeFields } from "./env-validation.js";
import { checkLocalFile } from "./path-validation.js";

const maxMode = 0o777;

export function checkMode(errors: Errors, path: string, mode: number | undefined): void {
  if (mode === undefined || (mode >= 0 && mode <= maxMode)) return;
  errors.push(invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive"));
}

export function checkItems(errors: Errors, path: string, items: readonly Loose<KeyToPath>[]): void {
  items.forEach((item, index) => {
    checkItem(errors, `${path}[${index}]`, item);
  });
}

export function checkItem(errors: Errors, path: string, item: Loose<KeyToPath>): void {
  checkRequired(errors, `${path}.key`, item.key);
  checkFile(errors, `${path}.path`, item.path);
  checkMode(errors, `${path}.mode`, item.mode);
}

function checkFile(errors: Errors, path: string, file: string | undefined): void {
  if (checkRequired(errors, path, file)) checkLocalFile(errors, path, file);
}

export function checkDownwardItems(errors: Errors, path: string, items: readonly Loose<DownwardAPIVolumeFile>[]): void {
  // Upstream does not say which item it is.
  for (const item of items) checkDownwardFile(errors, path, item);
}

export function checkDownwardFile(errors: Errors, path: string, item: Loose<DownwardAPIVolumeFile>): void {
  checkFile(errors, `${path}.path`, item.path);
  if (item.fieldRef !== undefined) {
    checkFieldRef(errors, `${path}.fieldRef`, item.fieldRef, volumeFields);
    if (item.resourceFieldRef !== undefined) {
      errors.push(invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"));
    }
  } else if (item.resourceFieldRef !== undefined) {
    checkResourceFieldRef(errors, `${path}.resourceFieldRef`, item.resourceFieldRef, true);
  } else {
    errors.push(required(path, "one of fieldRef and resourceFieldRef is required"));
  }
  checkMode(errors, `${path}.mode`, item.mode);
}
