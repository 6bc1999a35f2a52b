import type { ResourceDescription } from "../../api/index.js";

/** Definitions that have no fields of their own, by the name that clients show for them, and some that all documents have. */
export const names = {
  quantity: "io.k8s.apimachinery.pkg.api.resource.Quantity",
  intOrString: "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
  rawExtension: "io.k8s.apimachinery.pkg.runtime.RawExtension",
  time: "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
  microTime: "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
  fieldsV1: "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
  patch: "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
  deleteOptions: "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
  status: "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
  objectMeta: "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
  listMeta: "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta",
} as const;

const extensions = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";

/** Fields of built-in definitions that take anything, and what that is called. By definition and field. */
const anything: ReadonlyMap<string, string> = new Map([
  ["io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry fieldsV1", names.fieldsV1],
  [`${extensions}.JSONSchemaProps additionalItems`, `${extensions}.JSONSchemaPropsOrBool`],
  [`${extensions}.JSONSchemaProps additionalProperties`, `${extensions}.JSONSchemaPropsOrBool`],
  [`${extensions}.JSONSchemaProps default`, `${extensions}.JSON`],
  [`${extensions}.JSONSchemaProps dependencies`, `${extensions}.JSONSchemaPropsOrStringArray`],
  [`${extensions}.JSONSchemaProps enum`, `${extensions}.JSON`],
  [`${extensions}.JSONSchemaProps example`, `${extensions}.JSON`],
  [`${extensions}.JSONSchemaProps items`, `${extensions}.JSONSchemaPropsOrArray`],
  [`${extensions}.CustomResourceSubresources status`, `${extensions}.CustomResourceSubresourceStatus`],
]);

export function nameOfAnything(definition: string, field: string): string {
  return anything.get(`${definition} ${field}`) ?? names.rawExtension;
}

/** `stable.example.com/v1 CronTab` is `com.example.stable.v1.CronTab`. */
function customName(group: string, version: string, kind: string): string {
  return [...group.split(".").reverse(), version, kind].join(".");
}

/** What the resource's objects are called among the definitions. */
export function definitionName(description: ResourceDescription): string {
  const { schema, group, version, kind } = description;
  return schema.name ?? customName(group, version, kind);
}
