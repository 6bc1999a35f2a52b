import {
  type Container,
  type Pod,
  quantityMilliValue,
  quantityValue,
  type ResourceFieldSelector,
} from "../../api/index.js";
import { findContainer, specOf } from "../pod/containers.js";

/** What the node knows that the pod's spec does not say. */
export interface DownwardFacts {
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
  /** In place of limits that a container does not set. */
  readonly allocatable: Readonly<Record<string, string>>;
}

const subscript = /^metadata\.(labels|annotations)\['(.+)'\]$/;

/** The value of a `fieldRef`; throws for a path that is not supported. */
export function fieldValue(pod: Pod, path: string, facts: DownwardFacts): string {
  const { metadata } = pod;
  const spec = specOf(pod);
  const indexed = subscript.exec(path);
  if (indexed !== null) {
    const [, what, key = ""] = indexed;
    const map = what === "labels" ? metadata.labels : metadata.annotations;
    return map !== undefined && Object.hasOwn(map, key) ? (map[key] ?? "") : "";
  }
  switch (path) {
    case "metadata.name":
      return metadata.name;
    case "metadata.namespace":
      return metadata.namespace ?? "";
    case "metadata.uid":
      return metadata.uid;
    case "metadata.labels":
      return formatMap(metadata.labels);
    case "metadata.annotations":
      return formatMap(metadata.annotations);
    case "spec.nodeName":
      return spec.nodeName ?? "";
    case "spec.serviceAccountName":
      return spec.serviceAccountName ?? "";
    case "spec.restartPolicy":
      return spec.restartPolicy ?? "";
    case "status.hostIP":
      return facts.hostIps[0] ?? "";
    case "status.hostIPs":
      return facts.hostIps.join(",");
    case "status.podIP":
      return facts.podIps[0] ?? "";
    case "status.podIPs":
      return facts.podIps.join(",");
    default:
      throw new Error(`unsupported fieldPath: ${path}`);
  }
}

/** `key="value"` lines in order of keys, as the downward API's files have them. */
function formatMap(map: { readonly [key: string]: string } | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join("\n");
}

/** The value of a `resourceFieldRef`, in its divisor, rounded up. */
export function resourceValue(
  pod: Pod,
  ref: ResourceFieldSelector,
  own: Container | undefined,
  facts: DownwardFacts,
): string {
  const container = ref.containerName ? findContainer(pod, ref.containerName)?.container : own;
  if (container === undefined) throw new Error(`container ${ref.containerName ?? ""} not found`);
  const [kind = "", ...rest] = ref.resource.split(".");
  const name = rest.join(".");
  const { limits, requests } = container.resources ?? {};
  const amount =
    kind === "limits"
      ? (limits?.[name] ?? facts.allocatable[name])
      : kind === "requests"
        ? (requests?.[name] ?? limits?.[name])
        : undefined;
  if (kind !== "limits" && kind !== "requests") throw new Error(`unsupported container resource : ${ref.resource}`);
  const divisor = ref.divisor && ref.divisor !== "0" ? ref.divisor : "1";
  if (amount === undefined) return "0";
  if (name === "cpu") return String(Math.ceil(quantityMilliValue(amount) / quantityMilliValue(divisor)));
  return String(Math.ceil(quantityValue(amount) / quantityValue(divisor)));
}
