import {
  isStatusError,
  type New,
  type Pod,
  type PodResourceClaim,
  pods,
  type ResourceClaim,
  type ResourceClaimTemplate,
  resourceClaims,
  resourceClaimTemplates,
} from "../../api/index.js";
import { canBeReserved, claimNameOf, isReservedFor, isUnneeded } from "../../api/pod-claims.js";
import type { Informer } from "../../client/index.js";
import type { Controller } from "../controller.js";
import { defineStatefulController, type Reconcile, type ReconcileContext } from "../define-controller.js";
import { OwnWrites } from "../shared/own-writes.js";
import {
  controlledBy,
  controllerOf,
  controllerReference,
  indexByController,
  isControlledBy,
} from "../shared/owners.js";
import { isFinished, isTerminating } from "../shared/pods.js";
import { claimKeysOf, generateNameFor, podClaimAnnotation } from "./pod-claims.js";
import { releaseClaim, willNotRun } from "./release-claim.js";

const fieldManager = "ResourceClaimController";
const byClaim = "resource-claim";

/**
 * Makes the claims of pods from their templates, and takes claims back that nobody uses any more: whom they are reserved for, what was
 * allocated for them and, when they were made for a pod, the claims themselves. Allocating is the scheduler's.
 */
export const resourceClaimController: Controller = defineStatefulController<Pod>({
  name: "resourceclaim-controller",
  aliases: ["resource-claim-controller"],
  account: "resource-claim-controller",
  eventSource: "resource_claim",
  concurrency: 10,
  prepare: (context, enqueue): Reconcile => {
    const known: Known = {
      pods: context.informer(pods),
      claims: context.informer(resourceClaims),
      templates: context.informer(resourceClaimTemplates),
      made: new OwnWrites(context.clock),
    };
    known.pods.addIndex(byClaim, claimKeysOf);
    indexByController(known.claims);
    const podChanged = (pod: Pod, gone = false): void => {
      if (gone || willNotRun(pod)) for (const key of claimKeysOf(pod)) enqueue(`claim:${key}`);
      else if (pod.spec?.resourceClaims !== undefined) enqueue(`pod:${pod.metadata.namespace}/${pod.metadata.name}`);
    };
    const claimChanged = (claim: ResourceClaim, gone = false): void => {
      const { namespace, name } = claim.metadata;
      if (!gone) enqueue(`claim:${namespace}/${name}`);
      const owner = controllerOf(claim);
      if (owner?.kind === "Pod") enqueue(`pod:${namespace}/${owner.name}`);
      for (const pod of known.pods.byIndex(byClaim, `${namespace}/${name}`)) podChanged(pod);
    };
    known.pods.addHandler({
      add: (pod) => podChanged(pod),
      update: (_, pod) => podChanged(pod),
      delete: (pod) => {
        known.made.forget(pod.metadata.uid);
        podChanged(pod, true);
      },
    });
    known.claims.addHandler({
      add: (claim) => claimChanged(claim),
      update: (_, claim) => claimChanged(claim),
      delete: (claim) => claimChanged(claim, true),
    });
    return (task, reconcile) => {
      const at = task.indexOf(":");
      const key = task.slice(at + 1);
      if (task.slice(0, at) === "pod") return syncPod(known, key, reconcile);
      const claim = known.claims.get(key);
      return claim === undefined ? undefined : releaseClaim(claim, known.pods, reconcile);
    };
  },
});

interface Known {
  readonly pods: Informer<Pod>;
  readonly claims: Informer<ResourceClaim>;
  readonly templates: Informer<ResourceClaimTemplate>;
  /** By the pod's uid: what was made and may not be in the cache yet. */
  readonly made: OwnWrites<ResourceClaim>;
}

async function syncPod(
  known: Known,
  key: string,
  context: ReconcileContext,
): Promise<{ readonly requeueAfterMs: number } | undefined> {
  const pod = known.pods.get(key);
  if (pod === undefined || isTerminating(pod) || isFinished(pod)) return undefined;
  const waitMs = known.made.waitMs(pod.metadata.uid, known.claims);
  // The claims that are awaited bring the pod back when they come.
  if (waitMs > 0) return { requeueAfterMs: waitMs };
  const names = new Map<string, string>();
  let news = false;
  for (const podClaim of pod.spec?.resourceClaims ?? []) {
    if (podClaim.resourceClaimTemplateName === undefined || isUnneeded(pod, podClaim.name)) continue;
    try {
      const name = await ensureClaim(known, pod, podClaim, podClaim.resourceClaimTemplateName, context);
      news ||= name !== claimNameOf(pod, podClaim);
      names.set(podClaim.name, name);
    } catch (error) {
      context.signal.throwIfAborted();
      const why = `PodResourceClaim ${podClaim.name}: ${error instanceof Error ? error.message : String(error)}`;
      context.events.event(pod, "Warning", "FailedResourceClaimCreation", why);
      throw error;
    }
  }
  if (news) await tellPod(pod, names, context);
  // Of a pod that has no node yet, the scheduler reserves the claims.
  if (pod.spec?.nodeName) await reserveAll(known, pod, context);
  return undefined;
}

/** The name of the claim that the pod owns for one of its entries; made from the template when there is none. */
async function ensureClaim(
  { claims, templates, made }: Known,
  pod: Pod,
  podClaim: PodResourceClaim,
  templateName: string,
  { client, signal }: ReconcileContext,
): Promise<string> {
  const { namespace, uid } = pod.metadata;
  const named = claims.get(`${namespace}/${claimNameOf(pod, podClaim) ?? ""}`);
  if (named !== undefined && isControlledBy(named, pod)) return named.metadata.name;
  // One of which the pod could not be told.
  for (const { metadata } of controlledBy(claims, uid)) {
    if (metadata.annotations?.[podClaimAnnotation] === podClaim.name) return metadata.name;
  }
  const template = templates.get(`${namespace}/${templateName}`);
  if (template === undefined) {
    const what = `resourceclaimtemplate.resource.k8s.io ${JSON.stringify(templateName)} not found`;
    throw new Error(`resource claim template ${JSON.stringify(templateName)}: ${what}`);
  }
  const claim = await client.create(resourceClaims, claimFrom(template, pod, podClaim.name), { signal });
  made.wrote(uid, claim);
  return claim.metadata.name;
}

function claimFrom({ spec }: ResourceClaimTemplate, pod: Pod, podClaim: string): New<ResourceClaim> {
  const { labels, annotations } = spec.metadata ?? {};
  const { namespace, name } = pod.metadata;
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: {
      generateName: generateNameFor(name, podClaim),
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      annotations: { ...annotations, [podClaimAnnotation]: podClaim },
      ownerReferences: [controllerReference(pod, pods)],
    },
    spec: spec.spec,
  };
}

/** Says in the pod's status which claims were made. The rest of the status is others'. */
async function tellPod(
  { metadata: { namespace, name } }: Pod,
  names: ReadonlyMap<string, string>,
  { client, signal }: ReconcileContext,
): Promise<void> {
  const resourceClaimStatuses = [...names].map(([claim, resourceClaimName]) => ({ name: claim, resourceClaimName }));
  const said = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...(namespace === undefined ? {} : { namespace }), name },
    status: { resourceClaimStatuses },
  };
  try {
    await client.apply(pods, said, { subresource: "status", fieldManager, force: true, signal });
  } catch (error) {
    if (!isStatusError(error, "NotFound")) throw error;
  }
}

/** What came to its node past a scheduler that knows of claims gets what is allocated already. */
async function reserveAll({ claims }: Known, pod: Pod, { client, signal }: ReconcileContext): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  for (const podClaim of pod.spec?.resourceClaims ?? []) {
    const claim = claims.get(`${namespace}/${claimNameOf(pod, podClaim) ?? ""}`);
    if (claim?.status?.allocation === undefined || isReservedFor(claim, pod) || !canBeReserved(claim)) continue;
    if (podClaim.resourceClaimTemplateName !== undefined && !isControlledBy(claim, pod)) continue;
    const reservedFor = [...(claim.status.reservedFor ?? []), { resource: "pods", name, uid }];
    const status = { ...claim.status, reservedFor };
    await client.update(resourceClaims, { ...claim, status }, { subresource: "status", signal });
  }
}
