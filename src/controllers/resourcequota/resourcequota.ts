import {
  configMaps,
  customResourceDefinitions,
  type JsonObject,
  type KubeObject,
  keyOf,
  type PersistentVolumeClaim,
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
import { attributesClassesOf } from "../../api/kinds/core/attributes-classes.js";
import { Quantity as Amount, type Quantity } from "../../api/quantity.js";
import type { Informer } from "../../client/index.js";
import type { Controller, ControllerContext, RunningController } from "../controller.js";
import { defineStatefulController, type ReconcileContext } from "../define-controller.js";
import { CustomWatches } from "../shared/custom-watches.js";
import { type Discovery, discoverFrom } from "../shared/discovery.js";
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
/** All is counted anew this often, as upstream does: for charges of writes that failed, and statuses that others wrote. */
const resyncMs = 5 * 60_000;

/** Recounts what ResourceQuotas limit: admission only ever adds. */
export function resourceQuotaController(evaluator: QuotaEvaluator): Controller {
  return {
    name: "resourcequota-controller",
    aliases: ["resourcequota"],
    setup: (context) => new QuotaController(context, evaluator),
  };
}

class QuotaController implements RunningController {
  readonly #context: ControllerContext;
  readonly #quotas: Informer<ResourceQuota>;
  readonly #discovery: Discovery;
  readonly #evaluator: QuotaEvaluator;
  readonly #queue: RunningController;
  #enqueue: (key: string) => void = () => {};
  /** The built-in resources that are watched because a quota counts them by name. */
  readonly #named = new Set<ResourceType>();
  readonly #custom: CustomWatches;

  constructor(context: ControllerContext, evaluator: QuotaEvaluator) {
    this.#context = context;
    this.#quotas = context.informer(resourceQuotas);
    this.#discovery = discoverFrom(context);
    this.#evaluator = evaluator;
    const recountOf = { delete: (object: KubeObject) => this.#recount(object) };
    this.#custom = new CustomWatches(context, () => recountOf);
    this.#queue = defineStatefulController({
      name: "resourcequota-controller",
      prepare: (_, enqueue) => {
        this.#enqueue = enqueue;
        return (key, reconcile) => this.#sync(key, reconcile);
      },
    }).setup(context);
    this.#quotas.addHandler({
      add: (quota) => this.#enqueue(keyOf(quota)),
      // Admission charges in the status, before the object is there: counting then would take the charge back.
      update: (old, quota) => {
        if (!equalJson(old.spec?.hard ?? {}, quota.spec?.hard ?? {})) this.#enqueue(keyOf(quota));
      },
    });
    for (const resource of counted) {
      context.informer(resource).addHandler({
        update: (old, object) => {
          if (changesUse(resource, old, object)) this.#recount(object);
        },
        ...recountOf,
      });
    }
  }

  get idle(): boolean {
    return this.#queue.idle;
  }

  async run(signal: AbortSignal): Promise<void> {
    const follow = (): void => this.#watchNamed(signal);
    const registrations = [
      this.#quotas.addHandler({ batch: follow }),
      this.#context.informer(customResourceDefinitions).addHandler({ batch: follow }),
    ];
    follow();
    try {
      await this.#queue.run(signal);
    } finally {
      for (const registration of registrations) registration.remove();
      await this.#custom.stop();
    }
  }

  /** Watches whatever some quota counts by its name. */
  #watchNamed(signal: AbortSignal): void {
    const names = new Set([...this.#quotas.list()].flatMap(({ spec }) => Object.keys(spec?.hard ?? {})));
    const custom = this.#discovery.custom().filter((resource) => isCountedByName(resource, names));
    this.#custom.follow(custom, signal);
    for (const resource of this.#discovery.resources()) {
      if (custom.includes(resource) || this.#named.has(resource) || !isCountedByName(resource, names)) continue;
      this.#named.add(resource);
      this.#context.informer(resource).addHandler({ delete: (object) => this.#recount(object) });
    }
  }

  #recount({ metadata }: KubeObject): void {
    for (const quota of this.#quotas.list(metadata.namespace)) this.#enqueue(keyOf(quota));
  }

  async #sync(key: string, reconcile: ReconcileContext): Promise<{ readonly requeueAfterMs: number } | undefined> {
    const quota = this.#quotas.get(key);
    if (quota === undefined || quota.metadata.deletionTimestamp !== undefined) return undefined;
    const hard = quota.spec?.hard ?? {};
    const names = new Set(Object.keys(hard));
    const others = this.#discovery.resources().filter((resource) => isCountedByName(resource, names));
    const totals = await count(quota, [...counted, ...others], this.#evaluator, reconcile);
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
  }
}

/** Whether an object may count for less than before, or for other quotas: more of the same is charged by admission. */
function changesUse(resource: ResourceType, old: KubeObject, object: KubeObject): boolean {
  const isNew = old.metadata.generation !== object.metadata.generation;
  if (resource === pods) return isNew || (isFinished(object as Pod) && !isFinished(old as Pod));
  if (resource === services) return isNew;
  if (resource !== persistentVolumeClaims) return false;
  return !equalJson(
    attributesClassesOf(old as PersistentVolumeClaim),
    attributesClassesOf(object as PersistentVolumeClaim),
  );
}

function isCountedByName(resource: ResourceType, names: ReadonlySet<string>): boolean {
  if (counted.some((one) => one.group === resource.group && one.resource === resource.resource)) return false;
  return resource.namespaced && names.has(`count/${qualifiedResource(resource)}`);
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
