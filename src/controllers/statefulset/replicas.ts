import {
  isStatusError,
  keyOf,
  type Pod,
  type PodTemplateSpec,
  persistentVolumeClaims,
  pods,
  type StatefulSet,
} from "../../api/index.js";
import type { ReconcileContext } from "../define-controller.js";
import { scaledValue } from "../shared/int-or-percent.js";
import { isNamespaceTerminating, messageOf } from "../shared/pod-control.js";
import { availableAt, isFinished, isReady, isTerminating } from "../shared/pods.js";
import {
  claimOwners,
  goesWithEarlierPod,
  makeClaims,
  makeOrdinalPod,
  ordinalOf,
  podName,
  revisionLabel,
  startOf,
} from "./identity.js";

/** Nobody says here when a claim has gone. */
const lookAgainMs = 1_000;

export interface Revisions {
  /** Names of revisions, as on pods. */
  readonly current: string;
  readonly update: string;
  readonly currentTemplate: PodTemplateSpec;
  readonly updateTemplate: PodTemplateSpec;
}

/** One reconciliation of a StatefulSet's pods: at most one step of its order at a time, unless it manages in parallel. */
export class Replicas {
  readonly #set: StatefulSet;
  readonly #revisions: Revisions;
  readonly #context: ReconcileContext;
  readonly #slots: (Pod | undefined)[];
  /** Beyond the size, highest first. */
  readonly #condemned: readonly Pod[];

  constructor(set: StatefulSet, owned: readonly Pod[], revisions: Revisions, context: ReconcileContext) {
    this.#set = set;
    this.#revisions = revisions;
    this.#context = context;
    const start = startOf(set);
    const size = set.spec?.replicas ?? 1;
    this.#slots = Array.from({ length: size }, () => undefined);
    const condemned: { readonly pod: Pod; readonly ordinal: number }[] = [];
    for (const pod of owned) {
      const ordinal = ordinalOf(set, pod);
      if (ordinal === undefined) continue;
      if (ordinal >= start && ordinal < start + size) this.#slots[ordinal - start] = pod;
      else condemned.push({ pod, ordinal });
    }
    this.#condemned = condemned.sort((a, b) => b.ordinal - a.ordinal).map(({ pod }) => pod);
  }

  get #parallel(): boolean {
    return this.#set.spec?.podManagementPolicy === "Parallel";
  }

  async reconcile(): Promise<void> {
    const start = startOf(this.#set);
    await this.#syncClaimOwners();
    const steps = this.#slots.map((pod, index) => () => this.#fill(pod, start + index));
    if (!(await this.#inOrder(steps))) return;
    const waitsFor = this.#firstUnhealthy();
    const ends = this.#condemned.map((pod) => () => this.#condemn(pod, waitsFor));
    if (!(await this.#inOrder(ends))) return;
    if (this.#set.spec?.updateStrategy?.type !== "OnDelete") await this.#update();
  }

  /** Says whether all steps were done with; in order, the first that is not ends it. */
  async #inOrder(steps: readonly (() => Promise<boolean>)[]): Promise<boolean> {
    if (this.#parallel) {
      await Promise.all(steps.map((step) => step()));
      return true;
    }
    for (const step of steps) if (!(await step())) return false;
    return true;
  }

  /** Sees to the pod of an ordinal. True when it is up, and the next one's turn. */
  async #fill(pod: Pod | undefined, ordinal: number): Promise<boolean> {
    const { events } = this.#context;
    const { namespace, name } = this.#set.metadata;
    if (pod === undefined) {
      await this.#create(ordinal);
      return false;
    }
    if (isTerminating(pod)) return false;
    if (isFinished(pod)) {
      const failed = pod.status?.phase === "Failed";
      const message = `StatefulSet ${namespace}/${name} is recreating ${failed ? "failed" : "terminated"} Pod ${pod.metadata.name}`;
      events.event(
        this.#set,
        failed ? "Warning" : "Normal",
        failed ? "RecreatingFailedPod" : "RecreatingTerminatedPod",
        message,
      );
      await this.#delete(pod);
      return false;
    }
    await this.#createClaims(ordinal, pod.metadata.name);
    return this.#isUp(pod);
  }

  async #condemn(pod: Pod, waitsFor: Pod | undefined): Promise<boolean> {
    if (isTerminating(pod)) return false;
    // A pod that is down may only go itself: two down at once is what order is there to avoid.
    if (!this.#parallel && waitsFor !== undefined && waitsFor !== pod) return false;
    await this.#delete(pod);
    return false;
  }

  #firstUnhealthy(): Pod | undefined {
    const all = [...this.#slots, ...[...this.#condemned].reverse()];
    return all.find((pod) => pod !== undefined && !isHealthy(pod));
  }

  /** Replaces pods of older revisions from the highest ordinal down to the partition. */
  async #update(): Promise<void> {
    const { partition = 0, maxUnavailable } = this.#set.spec?.updateStrategy?.rollingUpdate ?? {};
    const allowed = Math.max(1, scaledValue(maxUnavailable, this.#slots.length, "down", 1));
    const updatable = this.#slots.slice(Math.max(0, partition));
    let down = updatable.filter((pod) => pod !== undefined && !this.#isUp(pod)).length;
    for (const pod of updatable.reverse()) {
      if (pod === undefined || isTerminating(pod) || pod.metadata.labels?.[revisionLabel] === this.#revisions.update)
        continue;
      const isDown = !this.#isUp(pod);
      if (!isDown && down >= allowed) return;
      await this.#delete(pod);
      if (!isDown) down++;
      if (down >= allowed) return;
    }
  }

  #isUp(pod: Pod): boolean {
    const at = availableAt(pod, this.#set.spec?.minReadySeconds ?? 0);
    return isHealthy(pod) && at !== undefined && at <= this.#context.clock.now();
  }

  /** The revision that a pod of this ordinal is made at. */
  #revisionFor(ordinal: number): { readonly name: string; readonly template: PodTemplateSpec } {
    const { current, update, currentTemplate, updateTemplate } = this.#revisions;
    const { updateStrategy } = this.#set.spec ?? {};
    const partition = updateStrategy?.rollingUpdate?.partition;
    const kept =
      partition ?? (updateStrategy?.rollingUpdate === undefined ? (this.#set.status?.currentReplicas ?? 0) : 0);
    const old = updateStrategy?.type !== "OnDelete" && ordinal < startOf(this.#set) + kept;
    return old ? { name: current, template: currentTemplate } : { name: update, template: updateTemplate };
  }

  async #create(ordinal: number): Promise<void> {
    const { client, events, signal } = this.#context;
    const { name: setName } = this.#set.metadata;
    const { name: revision, template } = this.#revisionFor(ordinal);
    const pod = makeOrdinalPod(this.#set, template, revision, ordinal);
    const name = podName(this.#set, ordinal);
    if (this.#losesClaim(ordinal, name)) return this.#context.enqueue(keyOf(this.#set), lookAgainMs);
    await this.#createClaims(ordinal, name);
    try {
      await client.create(pods, pod, { signal });
      events.event(this.#set, "Normal", "SuccessfulCreate", `create Pod ${name} in StatefulSet ${setName} successful`);
    } catch (error) {
      // Ours, not seen yet; or somebody else's, which only going away helps against: it is looked at again then.
      if (isStatusError(error, "AlreadyExists") || isNamespaceTerminating(error)) return;
      const message = `create Pod ${name} in StatefulSet ${setName} failed error: ${messageOf(error)}`;
      if (!signal.aborted) events.event(this.#set, "Warning", "FailedCreate", message);
      throw error;
    }
  }

  #losesClaim(ordinal: number, pod: string): boolean {
    const claims = this.#context.informer(persistentVolumeClaims);
    return makeClaims(this.#set, ordinal).some(({ metadata: { namespace, name } }) => {
      const claim = claims.get(`${namespace}/${name}`);
      return claim !== undefined && goesWithEarlierPod(this.#set, claim, pod);
    });
  }

  async #createClaims(ordinal: number, pod: string): Promise<void> {
    const { client, events, informer, signal } = this.#context;
    const { name: setName, namespace } = this.#set.metadata;
    for (const claim of makeClaims(this.#set, ordinal)) {
      const name = claim.metadata.name ?? "";
      if (informer(persistentVolumeClaims).get(`${namespace}/${name}`) !== undefined) continue;
      const what = `create Claim ${name} Pod ${pod} in StatefulSet ${setName}`;
      try {
        await client.create(persistentVolumeClaims, claim, { signal });
        events.event(this.#set, "Normal", "SuccessfulCreate", `${what} success`);
      } catch (error) {
        if (isStatusError(error, "AlreadyExists")) continue;
        if (!signal.aborted)
          events.event(this.#set, "Warning", "FailedCreate", `${what} failed error: ${messageOf(error)}`);
        throw error;
      }
    }
  }

  async #syncClaimOwners(): Promise<void> {
    const { client, informer, signal } = this.#context;
    if ((this.#set.spec?.volumeClaimTemplates ?? []).length === 0) return;
    const { namespace } = this.#set.metadata;
    const condemned = new Set(this.#condemned);
    for (const pod of [...this.#slots, ...this.#condemned]) {
      const ordinal = pod === undefined ? undefined : ordinalOf(this.#set, pod);
      if (pod === undefined || ordinal === undefined) continue;
      for (const { metadata } of makeClaims(this.#set, ordinal)) {
        const claim = informer(persistentVolumeClaims).get(`${namespace}/${metadata.name}`);
        if (claim === undefined) continue;
        const ownerReferences = claimOwners(this.#set, claim, pod, condemned.has(pod));
        if (ownerReferences === claim.metadata.ownerReferences || ownerReferences === undefined) continue;
        const next = { ...claim, metadata: { ...claim.metadata, ownerReferences } };
        await client.update(persistentVolumeClaims, next, { signal });
      }
    }
  }

  async #delete(pod: Pod): Promise<void> {
    const { client, events, signal } = this.#context;
    const { namespace, name, uid } = pod.metadata;
    const what = `delete Pod ${name} in StatefulSet ${this.#set.metadata.name}`;
    try {
      await client.delete(pods, { namespace, name }, { preconditions: { uid }, signal });
      events.event(this.#set, "Normal", "SuccessfulDelete", `${what} successful`);
    } catch (error) {
      if (isStatusError(error, "NotFound") || isStatusError(error, "Conflict")) return;
      if (!signal.aborted)
        events.event(this.#set, "Warning", "FailedDelete", `${what} failed error: ${messageOf(error)}`);
      throw error;
    }
  }
}

export function isHealthy(pod: Pod): boolean {
  return pod.status?.phase === "Running" && isReady(pod) && !isTerminating(pod);
}
