import {
  type KubeObject,
  keyOf,
  type Pod,
  type PodTemplateSpec,
  pods,
  type ReplicaSetCondition,
  type ReplicaSetStatus,
  type ResourceType,
  type Selector,
} from "../../api/index.js";
import type { Informer } from "../../client/index.js";
import { timestamp } from "../../internal/clock.js";
import type { Controller, ControllerContext } from "../controller.js";
import { defineStatefulController, type Reconcile, type ReconcileContext } from "../define-controller.js";
import { findCondition } from "../shared/conditions.js";
import { Expectations } from "../shared/expectations.js";
import { claim, controlledBy, controllerOf, indexByController } from "../shared/owners.js";
import { createPod, deletePod, isNamespaceTerminating, messageOf, podFromTemplate } from "../shared/pod-control.js";
import { availableAt, isActive, isFinished, isReady, isTerminating } from "../shared/pods.js";
import { podsToDelete } from "../shared/rank-pods.js";
import { slowStart } from "../shared/slow-start.js";
import { writeStatus } from "../shared/write-status.js";

type Status = ReplicaSetStatus;
type ReplicaObject = KubeObject & { readonly status?: Status };

/** What a ReplicaSet and a ReplicationController differ in. */
export interface ReplicaKind<T extends ReplicaObject> {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly eventSource: string;
  readonly account?: string;
  readonly resource: ResourceType<T>;
  selectorOf(object: T): Selector;
  specOf(object: T): {
    readonly replicas: number;
    readonly minReadySeconds: number;
    readonly template: PodTemplateSpec;
  };
  /** Counts pods on their way out in its status. */
  readonly countsTerminating: boolean;
}

/** At most so many pods are created or deleted in one go. */
const burst = 500;

/** Keeps as many pods as asked for: ReplicaSets and ReplicationControllers. */
export function replicaController<T extends ReplicaObject>(kind: ReplicaKind<T>): Controller {
  return defineStatefulController<T>({
    name: kind.name,
    aliases: kind.aliases,
    eventSource: kind.eventSource,
    ...(kind.account === undefined ? {} : { account: kind.account }),
    for: kind.resource,
    prepare: (context, enqueue) => new Replicas(kind, context, enqueue).reconcile,
  });
}

class Replicas<T extends ReplicaObject> {
  readonly #kind: ReplicaKind<T>;
  readonly #pods: Informer<Pod>;
  readonly #owners: Informer<T>;
  readonly #expectations: Expectations;
  readonly #enqueue: (key: string) => void;

  constructor(kind: ReplicaKind<T>, context: ControllerContext, enqueue: (key: string) => void) {
    this.#kind = kind;
    this.#enqueue = enqueue;
    this.#pods = context.informer(pods);
    this.#owners = context.informer(kind.resource);
    this.#expectations = new Expectations(context.clock);
    indexByController(this.#pods);
    indexByController(this.#owners);
    this.#pods.addHandler({
      add: (pod) => {
        if (isTerminating(pod)) this.#deleting(pod);
        else {
          const owner = controllerOf(pod);
          if (owner !== undefined) this.#expectations.creationObserved(owner.uid);
        }
        this.#changed(pod);
      },
      update: (old, pod) => {
        if (isTerminating(pod)) this.#deleting(pod);
        this.#changed(pod);
        if (controllerOf(old)?.uid !== controllerOf(pod)?.uid) this.#changed(old);
      },
      delete: (pod) => {
        this.#deleting(pod);
        this.#changed(pod);
      },
    });
  }

  #deleting(pod: Pod): void {
    const owner = controllerOf(pod);
    if (owner !== undefined) this.#expectations.deletionObserved(owner.uid, pod.metadata.uid);
  }

  #changed(pod: Pod): void {
    const owner = controllerOf(pod);
    const { namespace = "" } = pod.metadata;
    if (owner !== undefined) {
      if (owner.kind === this.#kind.resource.kind) this.#enqueue(`${namespace}/${owner.name}`);
      return;
    }
    if (isTerminating(pod)) return;
    for (const object of this.#owners.list(namespace)) {
      if (this.#kind.selectorOf(object).matches(pod.metadata.labels)) this.#enqueue(keyOf(object));
    }
  }

  readonly reconcile: Reconcile = async (key, context) => {
    const object = this.#owners.get(key);
    if (object === undefined) return;
    const { uid, deletionTimestamp } = object.metadata;
    const upToDate = this.#expectations.satisfied(uid);
    const selector = this.#kind.selectorOf(object);
    const owned = await claim({
      client: context.client,
      owner: object,
      ownerResource: this.#kind.resource,
      resource: pods,
      informer: this.#pods,
      selector,
      signal: context.signal,
      adoptable: (pod) => !isFinished(pod),
    });
    const active = owned.filter(isActive);
    let failure: { readonly error: unknown } | undefined;
    if (upToDate && deletionTimestamp === undefined) failure = await this.#manage(object, active, context);
    const terminating = owned.filter((pod) => isTerminating(pod) && !isFinished(pod)).length;
    const written = await this.#writeStatus(object, active, terminating, failure, context);
    if (failure !== undefined) throw failure.error;
    return written;
  };

  /** Creates what is missing and deletes what is too much. */
  async #manage(
    object: T,
    active: readonly Pod[],
    context: ReconcileContext,
  ): Promise<{ readonly error: unknown } | undefined> {
    const { replicas } = this.#kind.specOf(object);
    const difference = active.length - replicas;
    if (difference < 0) return this.#create(object, Math.min(-difference, burst), context);
    if (difference > 0) return this.#delete(object, active, Math.min(difference, burst), context);
    return undefined;
  }

  async #create(object: T, count: number, context: ReconcileContext): Promise<{ readonly error: unknown } | undefined> {
    const { uid } = object.metadata;
    const call = { client: context.client, events: context.events, owner: object, signal: context.signal };
    const pod = podFromTemplate(object, this.#kind.resource, this.#kind.specOf(object).template);
    this.#expectations.expectCreations(uid, count);
    let outcomes = 0;
    const { error } = await slowStart(count, async () => {
      try {
        await createPod(call, pod);
      } catch (failure) {
        this.#expectations.creationObserved(uid);
        // All further ones would be refused too, and the namespace's deletion removes this object.
        if (!isNamespaceTerminating(failure)) throw failure;
      } finally {
        outcomes++;
      }
    });
    for (let skipped = outcomes; skipped < count; skipped++) this.#expectations.creationObserved(uid);
    return error === undefined ? undefined : { error };
  }

  async #delete(
    object: T,
    active: readonly Pod[],
    count: number,
    context: ReconcileContext,
  ): Promise<{ readonly error: unknown } | undefined> {
    const { uid } = object.metadata;
    const call = { client: context.client, events: context.events, owner: object, signal: context.signal };
    const victims = podsToDelete(active, this.#related(object), count, context.clock.now());
    this.#expectations.expectDeletions(
      uid,
      victims.map((pod) => pod.metadata.uid),
    );
    let failure: { readonly error: unknown } | undefined;
    await Promise.all(
      victims.map(async (pod) => {
        try {
          if (!(await deletePod(call, pod))) this.#expectations.deletionObserved(uid, pod.metadata.uid);
        } catch (error) {
          this.#expectations.deletionObserved(uid, pod.metadata.uid);
          failure = { error };
        }
      }),
    );
    return failure;
  }

  /** The active pods of all that share this one's owner: the old and the new of a Deployment. */
  *#related(object: T): Iterable<Pod> {
    const owner = controllerOf(object);
    const siblings = owner === undefined ? [object] : controlledBy(this.#owners, owner.uid);
    for (const sibling of siblings) {
      for (const pod of controlledBy(this.#pods, sibling.metadata.uid)) if (isActive(pod)) yield pod;
    }
  }

  async #writeStatus(
    object: T,
    active: readonly Pod[],
    terminating: number,
    failure: { readonly error: unknown } | undefined,
    context: ReconcileContext,
  ): Promise<{ readonly requeueAfterMs: number } | undefined> {
    const { minReadySeconds, template, replicas } = this.#kind.specOf(object);
    const now = context.clock.now();
    const labels = Object.entries(template.metadata?.labels ?? {});
    let [fullyLabeledReplicas, readyReplicas, availableReplicas, nextAt] = [0, 0, 0, Number.POSITIVE_INFINITY];
    for (const pod of active) {
      if (labels.every(([name, value]) => pod.metadata.labels?.[name] === value)) fullyLabeledReplicas++;
      if (!isReady(pod)) continue;
      readyReplicas++;
      const at = availableAt(pod, minReadySeconds) ?? Number.POSITIVE_INFINITY;
      if (at <= now) availableReplicas++;
      else nextAt = Math.min(nextAt, at);
    }
    const conditions = failureConditions(object.status?.conditions, failure?.error, active.length < replicas, context);
    const status = statusOf({
      replicas: active.length,
      fullyLabeledReplicas,
      readyReplicas,
      availableReplicas,
      terminatingReplicas: this.#kind.countsTerminating ? terminating : undefined,
      observedGeneration: object.metadata.generation ?? 0,
      conditions,
    });
    await writeStatus<ReplicaObject>(context.client, this.#kind.resource, object, status, context.signal);
    return nextAt === Number.POSITIVE_INFINITY ? undefined : { requeueAfterMs: nextAt - now };
  }
}

interface Counts extends Required<Omit<Status, "terminatingReplicas" | "conditions">> {
  readonly terminatingReplicas: number | undefined;
  readonly conditions: readonly ReplicaSetCondition[];
}

/** Zero counts are left out, but for `replicas`, as upstream's encoding does. */
function statusOf(counts: Counts): Status {
  const { replicas, terminatingReplicas, conditions, ...others } = counts;
  return {
    replicas,
    ...Object.fromEntries(Object.entries(others).filter(([, count]) => count > 0)),
    ...(terminatingReplicas === undefined ? {} : { terminatingReplicas }),
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}

function failureConditions(
  conditions: readonly ReplicaSetCondition[] | undefined,
  error: unknown,
  creating: boolean,
  context: ReconcileContext,
): readonly ReplicaSetCondition[] {
  const all = conditions ?? [];
  const current = findCondition(all, "ReplicaFailure");
  if (error === undefined) return current === undefined ? all : all.filter((condition) => condition !== current);
  if (current !== undefined) return all;
  return [
    ...all,
    {
      type: "ReplicaFailure",
      status: "True",
      lastTransitionTime: timestamp(context.clock),
      reason: creating ? "FailedCreate" : "FailedDelete",
      message: messageOf(error),
    },
  ];
}
