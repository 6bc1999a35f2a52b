import {
  configMaps,
  type JsonObject,
  type KubeObject,
  keyOf,
  type Pod,
  persistentVolumeClaims,
  pods,
  qualifiedResource,
  type ResourceQuota,
  type ResourceType,
  replicationControllers,
  resourceQuotas,
  secrets,
  services,
} from "../../api/index.js";
import { Quantity as Amount, type Quantity } from "../../api/quantity.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";
import { discoverFrom } from "../shared/discovery.js";
import { equalJson } from "../shared/hash.js";
import { isFinished } from "../shared/pods.js";

/** What an object counts for, as the API server's own admission counts it: both have to agree. */
export interface QuotaEvaluator {
  /** Amounts by the names of quota resources: `pods`, `requests.cpu`, `count/deployments.apps`. */
  usageOf(group: string, resource: string, object: JsonObject): ReadonlyMap<string, Quantity>;
  inScope(quota: ResourceQuota, resource: string, object: JsonObject): boolean;
}

/** What is counted under names of their own. */
const counted: readonly ResourceType[] = [
  pods,
  services,
  persistentVolumeClaims,
  secrets,
  configMaps,
  replicationControllers,
  resourceQuotas,
];
/** All is counted anew this often, as upstream does: for what is not watched, and for charges of writes that failed. */
const resyncMs = 5 * 60_000;

/** Recounts what ResourceQuotas limit: admission only ever adds. */
export function resourceQuotaController(evaluator: QuotaEvaluator): Controller {
  return defineStatefulController<ResourceQuota>({
    name: "resourcequota-controller",
    aliases: ["resourcequota"],
    prepare: (context, enqueue) => {
      const quotas = context.informer(resourceQuotas);
      const discovery = discoverFrom(context);
      const recount = ({ metadata }: KubeObject): void => {
        for (const quota of quotas.list(metadata.namespace)) enqueue(keyOf(quota));
      };
      quotas.addHandler({
        add: (quota) => enqueue(keyOf(quota)),
        // Admission charges in the status, before the object is there: counting then would take the charge back.
        update: (old, quota) => {
          if (!equalJson(old.spec?.hard ?? {}, quota.spec?.hard ?? {})) enqueue(keyOf(quota));
        },
      });
      for (const resource of counted) {
        context.informer(resource).addHandler({
          update: (old, object) => {
            const ended = resource === pods && isFinished(object as Pod) && !isFinished(old as Pod);
            if (ended || (resource === services && old.metadata.generation !== object.metadata.generation))
              recount(object);
          },
          delete: recount,
        });
      }
      return async (key, reconcile) => {
        const quota = quotas.get(key);
        if (quota === undefined || quota.metadata.deletionTimestamp !== undefined) return;
        const hard = quota.spec?.hard ?? {};
        const others = discovery.resources().filter((resource) => isCountedByName(resource, hard));
        const totals = await count(quota, [...counted, ...others], evaluator, reconcile);
        const used = Object.fromEntries(
          Object.keys(hard).map((name) => [name, (totals.get(name) ?? Amount.zero).toString()]),
        );
        const status = { hard, used };
        if (!equalJson(quota.status, status)) {
          // With the version that was counted on: admission writes here too.
          const { client, signal } = reconcile;
          await client.update(resourceQuotas, { ...quota, status }, { subresource: "status", signal });
        }
        return { requeueAfterMs: resyncMs };
      };
    },
  });
}

function isCountedByName(resource: ResourceType, hard: { readonly [name: string]: string }): boolean {
  if (counted.some((one) => one.group === resource.group && one.resource === resource.resource)) return false;
  return resource.namespaced && Object.hasOwn(hard, `count/${qualifiedResource(resource)}`);
}

async function count(
  quota: ResourceQuota,
  resources: readonly ResourceType[],
  evaluator: QuotaEvaluator,
  { client, informer, signal }: ReconcileContext,
): Promise<ReadonlyMap<string, Quantity>> {
  const { namespace } = quota.metadata;
  const totals = new Map<string, Quantity>();
  for (const resource of resources) {
    const { group, resource: plural } = resource;
    const known = counted.includes(resource);
    const objects = known
      ? informer(resource).list(namespace)
      : (await client.list(resource, { namespace, signal })).items;
    for (const object of objects) {
      const json = object as unknown as JsonObject;
      if (!evaluator.inScope(quota, plural, json)) continue;
      for (const [name, amount] of evaluator.usageOf(group, plural, json)) {
        totals.set(name, (totals.get(name) ?? Amount.zero).add(amount));
      }
    }
  }
  return totals;
}
