import type { StrategyContext } from "../../description.js";
import type { APIService, CustomResourceDefinition } from "../../gen/types.js";
import type { JsonObject } from "../../object.js";
import type { Loose } from "../loose.js";

type Definition = Loose<CustomResourceDefinition>;

export function prepareDefinition(definition: Definition): Definition {
  const status = { acceptedNames: { kind: "", plural: "" }, conditions: [], storedVersions: [] };
  return recordStoredVersions({ ...definition, status });
}

/** A version that has ever been the storage version is remembered, because objects of it may be stored. */
export function recordStoredVersions(definition: Definition): Definition {
  const storage = definition.spec?.versions?.find((version) => version.storage === true)?.name;
  const stored = definition.status?.storedVersions ?? [];
  if (storage === undefined || stored.includes(storage)) return definition;
  return { ...definition, status: { ...definition.status, storedVersions: [...stored, storage] } };
}

const cleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

/** A definition that is deleted stays until its objects are gone, which the finalizer stands for. */
export function prepareDefinitionDelete(object: JsonObject, { now }: StrategyContext): JsonObject {
  const definition: Definition = object;
  const finalizers = definition.metadata?.finalizers ?? [];
  const conditions = definition.status?.conditions ?? [];
  const terminating = {
    type: "Terminating",
    status: "True",
    lastTransitionTime: now,
    reason: "InstanceDeletionPending",
    message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
  };
  return {
    ...object,
    metadata: {
      ...definition.metadata,
      finalizers: finalizers.includes(cleanupFinalizer) ? finalizers : [...finalizers, cleanupFinalizer],
    },
    status: {
      ...definition.status,
      conditions: [...conditions.filter(({ type }) => type !== "Terminating"), terminating],
    },
  };
}

/** Whether a definition may not go at once: it is not marked yet. Afterwards its finalizers say. */
export function holdsDefinition(object: JsonObject): boolean {
  const { metadata }: Definition = object;
  return metadata?.deletionTimestamp === undefined;
}

/** A service that is not behind a Service of the cluster is this server's own, and always there. */
export function prepareApiService(service: Loose<APIService>, context: StrategyContext): Loose<APIService> {
  if (service.spec?.service !== undefined) return { ...service, status: {} };
  const condition = {
    type: "Available",
    status: "True",
    reason: "Local",
    message: "Local APIServices are always available",
    lastTransitionTime: context.now,
  };
  return { ...service, status: { conditions: [condition] } };
}
