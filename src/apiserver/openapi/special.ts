import { names } from "./names.js";
import type { Dialect, Fragment } from "./types.js";

/** Definitions without fields, and those whose value may be of several types. */
export function specialDefinition(name: string, dialect: Dialect): Fragment {
  switch (name) {
    case names.time:
      return { description: "A time in RFC 3339, with seconds.", type: "string", format: "date-time" };
    case names.microTime:
      return { description: "A time in RFC 3339, with microseconds.", type: "string", format: "date-time" };
    case names.intOrString:
      return {
        description: "A number, or a text such as a percentage or the name of a port.",
        format: "int-or-string",
        ...either(dialect, "integer"),
      };
    case names.quantity:
      return {
        description: "An exact number with a unit: 100m, 1.5, 2Gi, 3e6. Decimal and binary suffixes are allowed.",
        ...either(dialect, "number"),
      };
    case names.patch:
      return { description: "The body of a patch, by its content type.", type: "object" };
    case names.rawExtension:
      return { description: "An object of any kind.", type: "object" };
    case names.fieldsV1:
      return { description: "A set of fields, as a tree.", type: "object" };
    default:
      return { description: "A JSON value: what is allowed depends on where it is." };
  }
}

/** Swagger 2 cannot say that a value has one of two types. */
function either(dialect: Dialect, type: "integer" | "number"): Fragment {
  return dialect === "v2" ? { type: "string" } : { oneOf: [{ type: "string" }, { type }] };
}

const discriminator = (by: string, fields: Record<string, string>): readonly Fragment[] => [
  { ...(by === "" ? {} : { discriminator: by }), "fields-to-discriminateBy": fields },
];

/** x-kubernetes-unions: definitions of which one field alone may be set. */
export const unions: ReadonlyMap<string, readonly Fragment[]> = new Map([
  ["io.k8s.api.core.v1.AppArmorProfile", discriminator("type", { localhostProfile: "LocalhostProfile" })],
  ["io.k8s.api.core.v1.SeccompProfile", discriminator("type", { localhostProfile: "LocalhostProfile" })],
  ["io.k8s.api.core.v1.PodSchedulingGroup", discriminator("", { podGroupName: "PodGroupName" })],
  ["io.k8s.api.flowcontrol.v1.LimitResponse", discriminator("type", { queuing: "Queuing" })],
  [
    "io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec",
    discriminator("type", { exempt: "Exempt", limited: "Limited" }),
  ],
  [
    "io.k8s.api.flowcontrol.v1.Subject",
    discriminator("kind", { group: "Group", serviceAccount: "ServiceAccount", user: "User" }),
  ],
]);
