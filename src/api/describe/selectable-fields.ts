import type { JsonObject } from "../object.js";
import { objectAt } from "./convert-metrics.js";

export type SelectableFields = ReadonlyMap<string, (object: JsonObject) => string>;

function valueAt(object: JsonObject, path: string): unknown {
  const names = path.split(".");
  const last = names.pop() ?? "";
  const parent = names.reduce((at: JsonObject, name) => objectAt(at, name), object);
  return Object.hasOwn(parent, last) ? parent[last] : undefined;
}

/** The text of a scalar; `fallback` where there is none: numbers and booleans have a zero value, not an empty one. */
function textAt(object: JsonObject, path: string, fallback: string): string {
  const value = valueAt(object, path);
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? `${value}` : fallback;
}

function fields(fallback: string, ...paths: readonly string[]): [string, (object: JsonObject) => string][] {
  return paths.map((path) => [path, (object) => textAt(object, path, fallback)]);
}

/** A field whose selector has another name than its place. */
function alias(name: string, path: string): [string, (object: JsonObject) => string] {
  return [name, (object) => textAt(object, path, "")];
}

const referenceFields = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];

function firstPodIp(object: JsonObject): string {
  const addresses = valueAt(object, "status.podIPs");
  const first: unknown = Array.isArray(addresses) ? addresses[0] : undefined;
  return typeof first === "object" && first !== null && "ip" in first && typeof first.ip === "string" ? first.ip : "";
}

const none: SelectableFields = new Map();
const replicas: SelectableFields = new Map(fields("0", "status.replicas"));

/** By `group/resource`, beside metadata.name and metadata.namespace. */
const byResource: ReadonlyMap<string, SelectableFields> = new Map<string, SelectableFields>([
  [
    "/pods",
    new Map([
      ...fields("", "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName"),
      // The name of before v1, which clients still send.
      alias("spec.host", "spec.nodeName"),
      ...fields("false", "spec.hostNetwork"),
      ...fields("", "status.phase", "status.nominatedNodeName"),
      ["status.podIP", firstPodIp],
      ["status.podIPs", firstPodIp],
    ]),
  ],
  ["/nodes", new Map(fields("false", "spec.unschedulable"))],
  ["/namespaces", new Map(fields("", "status.phase"))],
  ["/secrets", new Map(fields("", "type"))],
  ["/services", new Map(fields("", "spec.clusterIP", "spec.type"))],
  ["/replicationcontrollers", replicas],
  ["apps/replicasets", replicas],
  ["batch/jobs", new Map([["status.successful", (job) => textAt(job, "status.succeeded", "0")]])],
  ["certificates.k8s.io/certificatesigningrequests", new Map(fields("", "spec.signerName"))],
  ["resource.k8s.io/resourceslices", new Map(fields("", "spec.nodeName", "spec.driver"))],
  [
    "/events",
    new Map([
      ...referenceFields.flatMap((field) => fields("", `involvedObject.${field}`)),
      ...fields("", "reason", "type"),
      alias("reportingComponent", "reportingComponent"),
      ["source", (event) => textAt(event, "source.component", "") || textAt(event, "reportingComponent", "")],
    ]),
  ],
  [
    "events.k8s.io/events",
    new Map([
      // What is asked is the stored event, which is of the core group.
      ...referenceFields.map((field) => alias(`regarding.${field}`, `involvedObject.${field}`)),
      ...fields("", "reason", "type"),
      alias("reportingController", "reportingComponent"),
    ]),
  ],
]);

export function builtinSelectableFields(group: string, resource: string): SelectableFields {
  return byResource.get(`${group}/${resource}`) ?? none;
}

const unselectable: ReadonlyMap<string, (path: string) => string> = new Map([
  ["batch/jobs", (path) => `field label ${JSON.stringify(path)} not supported for batchv1.Job`],
  [
    "resource.k8s.io/resourceslices",
    (path) => `field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: ${path}`,
  ],
]);

const nothingButMetadata = (path: string): string =>
  `${JSON.stringify(path)} is not a known field selector: only "metadata.name", "metadata.namespace"`;

/** What upstream says to a selector by a field that the kind does not offer; absent: the general sentence. */
export function builtinUnselectable(group: string, resource: string): ((path: string) => string) | undefined {
  return byResource.has(`${group}/${resource}`) ? unselectable.get(`${group}/${resource}`) : nothingButMetadata;
}
