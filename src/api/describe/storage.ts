import type { StorageDescription } from "../description.js";
import { autoscalerV1Of, autoscalerV2Of } from "./convert-autoscaling.js";
import { coreEventOf, eventOf } from "./convert-events.js";

/**
 * The etcd keys of kube-apiserver where they are not the plural: the older ones are named by what the kind was called
 * then. An upstream API server on the same etcd must find every object.
 */
const paths: ReadonlyMap<string, string> = new Map([
  ["/endpoints", "services/endpoints"],
  ["/nodes", "minions"],
  ["/replicationcontrollers", "controllers"],
  ["/services", "services/specs"],
  ["apiextensions.k8s.io/customresourcedefinitions", "apiextensions.k8s.io/customresourcedefinitions"],
  ["apiregistration.k8s.io/apiservices", "apiregistration.k8s.io/apiservices"],
  ["networking.k8s.io/ingresses", "ingress"],
]);

const events: StorageDescription = {
  path: "events",
  group: "",
  version: "v1",
  convert: { toStorage: coreEventOf, fromStorage: eventOf },
};

const autoscalersV1: StorageDescription = {
  path: "horizontalpodautoscalers",
  group: "autoscaling",
  version: "v2",
  convert: { toStorage: autoscalerV2Of, fromStorage: autoscalerV1Of },
};

export function builtinStorage(group: string, version: string, resource: string): StorageDescription {
  if (group === "events.k8s.io") return events;
  if (group === "autoscaling" && version === "v1") return autoscalersV1;
  return { path: paths.get(`${group}/${resource}`) ?? resource, group, version };
}
