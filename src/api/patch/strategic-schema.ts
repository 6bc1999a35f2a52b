import type { Schema } from "../schema.js";

/** The schema of a field or map value; undefined where there is none to know. */
export function childSchema(schema: Schema | undefined, key: string): Schema | undefined {
  return schema?.properties?.get(key) ?? schema?.additional;
}

/** Whether a patch of this list or object is merged in; the defaults are replace for lists, merge for objects. */
export function mergesList(schema: Schema | undefined): boolean {
  return schema?.patchStrategy?.includes("merge") ?? false;
}

export function replacesObject(schema: Schema | undefined): boolean {
  return schema?.patchStrategy?.includes("replace") ?? false;
}

export const deleteListPrefix = "$deleteFromPrimitiveList/";
export const elementOrderPrefix = "$setElementOrder/";
export const retainKeysDirective = "$retainKeys";
export const patchDirective = "$patch";

export function isDirective(key: string): boolean {
  return (
    key.charCodeAt(0) === 0x24 &&
    (key === patchDirective ||
      key === retainKeysDirective ||
      key.startsWith(deleteListPrefix) ||
      key.startsWith(elementOrderPrefix))
  );
}
