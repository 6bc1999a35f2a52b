import type { StrategyContext } from "../../description.js";
import type { APIService, CustomResourceDefinition } from "../../gen/types.js";
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
