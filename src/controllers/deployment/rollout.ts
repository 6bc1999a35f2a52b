import {
  type Deployment,
  type DeploymentStatus,
  deployments,
  isStatusError,
  type LabelSelector,
  type New,
  type ReplicaSet,
  replicaSets,
} from "../../api/index.js";
import type { ReconcileContext } from "../define-controller.js";
import { findCondition } from "../shared/conditions.js";
import { equalJson } from "../shared/hash.js";
import { controllerReference, isControlledBy } from "../shared/owners.js";
import { messageOf } from "../shared/pod-control.js";
import { getOrUndefined, writeStatus } from "../shared/write-status.js";
import {
  annotationsFor,
  equalTemplates,
  findNew,
  hashLabel,
  latestRevision,
  revisionAnnotation,
  sizeAnnotations,
  templateHash,
} from "./revisions.js";
import { newSize, sizeOf } from "./sizes.js";
import { makeCondition, progressDeadlineMs, withCondition } from "./status.js";

/** One reconciliation of one Deployment: what it owns and the writes to it. */
export class Rollout {
  deployment: Deployment;
  readonly context: ReconcileContext;
  /** All that it owns; replaced by what writes give back. */
  all: readonly ReplicaSet[];
  newest: ReplicaSet | undefined;

  constructor(deployment: Deployment, owned: readonly ReplicaSet[], context: ReconcileContext) {
    this.deployment = deployment;
    this.all = owned;
    this.context = context;
    this.newest = findNew(deployment, owned);
  }

  get old(): readonly ReplicaSet[] {
    return this.all.filter((replicaSet) => replicaSet !== this.newest);
  }

  /** Brings the new ReplicaSet's annotations up to date, and creates it where `create` is set and it is missing. */
  async syncNewest(create: boolean): Promise<void> {
    const revision = latestRevision(this.old) + 1n;
    if (this.newest !== undefined) await this.#updateNewest(this.newest, revision);
    else if (create) await this.#createNewest(revision);
  }

  async #updateNewest(current: ReplicaSet, revision: bigint): Promise<void> {
    const annotations = annotationsFor(this.deployment, current.metadata.annotations, revision, true);
    const { minReadySeconds } = this.deployment.spec ?? {};
    const sameWait = (current.spec?.minReadySeconds ?? 0) === (minReadySeconds ?? 0);
    if (annotations !== current.metadata.annotations || !sameWait) {
      const { minReadySeconds: _, ...spec } = current.spec ?? { selector: {} };
      await this.write(current, {
        ...current,
        metadata: { ...current.metadata, annotations },
        spec: { ...spec, ...(minReadySeconds === undefined ? {} : { minReadySeconds }) },
      });
    }
    const known = findCondition(this.deployment.status?.conditions, "Progressing") !== undefined;
    const found = this.#progress("True", "FoundNewReplicaSet", `Found new replica set "${current.metadata.name}"`);
    await this.writeStatus(known ? this.#status : found, annotations[revisionAnnotation] ?? String(revision));
  }

  async #createNewest(revision: bigint): Promise<void> {
    const { client, events, signal } = this.context;
    const wanted = this.#make(revision);
    const { name } = wanted.metadata;
    let created: ReplicaSet;
    let existed = false;
    try {
      created = await client.create(replicaSets, wanted, { signal });
    } catch (error) {
      if (!isStatusError(error, "AlreadyExists")) {
        const message = `Failed to create new replica set "${name}": ${messageOf(error)}`;
        events.event(this.deployment, "Warning", "ReplicaSetCreateError", message);
        await this.writeStatus(this.#progress("False", "ReplicaSetCreateError", message));
        throw error;
      }
      // Ours, and the cache is behind; or another template's, with the same hash.
      const found = await getOrUndefined(
        client,
        replicaSets,
        { metadata: { ...wanted.metadata, name: name ?? "" } },
        signal,
      );
      const ours = found !== undefined && isControlledBy(found, this.deployment);
      if (!ours || !equalTemplates(found.spec?.template ?? {}, this.deployment.spec?.template ?? {})) {
        await this.#collide();
        throw error;
      }
      created = found;
      existed = true;
    }
    this.newest = created;
    this.all = [...this.all.filter(({ metadata }) => metadata.uid !== created.metadata.uid), created];
    const size = sizeOf(created);
    if (!existed && size > 0) {
      events.event(this.deployment, "Normal", "ScalingReplicaSet", `Scaled up replica set ${name} from 0 to ${size}`);
    }
    const progress = this.#progress("True", "NewReplicaSetCreated", `Created new replica set "${name}"`);
    await this.writeStatus(existed ? this.#status : progress, String(revision));
  }

  #make(revision: bigint): New<ReplicaSet> {
    const { deployment } = this;
    const { name, namespace } = deployment.metadata;
    const { template = {}, selector = {}, minReadySeconds } = deployment.spec ?? {};
    const hash = templateHash(deployment);
    const labels = { ...template.metadata?.labels, [hashLabel]: hash };
    const selecting: LabelSelector = { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } };
    return {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: {
        name: `${name}-${hash}`,
        ...(namespace === undefined ? {} : { namespace }),
        labels,
        annotations: annotationsFor(deployment, undefined, revision, false),
        ownerReferences: [controllerReference(deployment, deployments)],
      },
      spec: {
        replicas: newSize(deployment, this.all, 0),
        ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
        selector: selecting,
        template: { ...template, metadata: { ...template.metadata, labels } },
      },
    };
  }

  /** Sizes a ReplicaSet and notes the Deployment's size on it. Says whether anything was to be done. */
  async scale(replicaSet: ReplicaSet, size: number): Promise<boolean> {
    const current = sizeOf(replicaSet);
    const annotations = { ...replicaSet.metadata.annotations, ...sizeAnnotations(this.deployment) };
    const resized = current !== size;
    if (!resized && equalJson(annotations, replicaSet.metadata.annotations ?? {})) return false;
    const spec = { ...(replicaSet.spec ?? { selector: {} }), replicas: size };
    await this.write(replicaSet, { ...replicaSet, metadata: { ...replicaSet.metadata, annotations }, spec });
    if (resized) {
      const message = `Scaled ${size > current ? "up" : "down"} replica set ${replicaSet.metadata.name} from ${current} to ${size}`;
      this.context.events.event(this.deployment, "Normal", "ScalingReplicaSet", message);
    }
    return resized;
  }

  /** Updates a ReplicaSet and puts the result in its place. */
  async write(before: ReplicaSet, after: ReplicaSet): Promise<void> {
    const written = await this.context.client.update(replicaSets, after, { signal: this.context.signal });
    this.all = this.all.map((replicaSet) => (replicaSet === before ? written : replicaSet));
    if (this.newest === before) this.newest = written;
  }

  /** `revision` goes through status too, as upstream does it: a change of annotations by the main door is a new generation. */
  async writeStatus(status: DeploymentStatus, revision?: string): Promise<void> {
    const { client, signal } = this.context;
    const annotations = revision === undefined ? {} : { [revisionAnnotation]: revision };
    this.deployment =
      (await writeStatus(client, deployments, this.deployment, status, signal, annotations)) ?? this.deployment;
  }

  get #status(): DeploymentStatus {
    return this.deployment.status ?? {};
  }

  /** The status with that said of the rollout's progress. */
  #progress(status: string, reason: string, message: string): DeploymentStatus {
    if (progressDeadlineMs(this.deployment) === undefined) return this.#status;
    const condition = makeCondition(this.context.clock, "Progressing", status, reason, message);
    return { ...this.#status, conditions: withCondition(this.#status.conditions ?? [], condition) };
  }

  async #collide(): Promise<void> {
    await this.writeStatus({ ...this.#status, collisionCount: (this.#status.collisionCount ?? 0) + 1 });
  }
}
