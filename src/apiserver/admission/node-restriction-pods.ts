import { nodes, type Pod, pods } from "../../api/index.js";
import { isJsonObject } from "../../api/kinds/strategy.js";
import type { AdmissionRequest, CacheReader } from "./admission.js";
import { metadataOf, mirrorAnnotation, podSpecOf, refuse, sameJson, specOf } from "./objects.js";

/** Node agents make mirror pods, and write about the pods that are bound to them. */
export function checkPod(request: AdmissionRequest, node: string, cache: CacheReader): void {
  const name = JSON.stringify(node);
  switch (request.subresource) {
    case "":
      if (request.operation === "CREATE") {
        checkPodCreate(request, name, node, cache);
        return;
      }
      if (request.operation === "DELETE") {
        if (boundNode(request, cache) !== node) {
          throw refuse(request, `node ${name} can only delete pods with spec.nodeName set to itself`);
        }
        return;
      }
      throw refuse(
        request,
        `unexpected operation ${JSON.stringify(request.operation)}, node ${name} can only create and delete mirror pods`,
      );
    case "status":
      if (request.operation !== "UPDATE")
        throw refuse(request, `unexpected operation ${JSON.stringify(request.operation)}`);
      if (podSpecOf(request.oldObject).nodeName !== node) {
        throw refuse(request, `node ${name} can only update pod status for pods with spec.nodeName set to itself`);
      }
      if (!sameJson(metadataOf(request.object).labels, metadataOf(request.oldObject).labels)) {
        throw refuse(request, `node ${name} cannot update labels through pod status`);
      }
      if (!sameJson(claimStatuses(request.object), claimStatuses(request.oldObject))) {
        throw refuse(request, `node ${name} cannot update resource claim statuses`);
      }
      return;
    case "eviction":
      if (boundNode(request, cache) !== node) {
        throw refuse(request, `node ${JSON.stringify(node)} can only evict pods with spec.nodeName set to itself`);
      }
      return;
    default:
      throw refuse(request, `unexpected pod subresource ${JSON.stringify(request.subresource)}`);
  }
}

function boundNode(request: AdmissionRequest, cache: CacheReader): string | undefined {
  if (request.subresource === "" && request.oldObject !== undefined) return podSpecOf(request.oldObject).nodeName;
  return cache.get(pods, { namespace: request.namespace, name: request.name })?.spec?.nodeName;
}

function claimStatuses(pod: AdmissionRequest["object"]): unknown {
  const status = pod?.["status"];
  return isJsonObject(status) ? status["resourceClaimStatuses"] : undefined;
}

function checkPodCreate(request: AdmissionRequest, name: string, node: string, cache: CacheReader): void {
  const metadata = metadataOf(request.object);
  const spec = specOf<Pod>(request.object);
  if (!Object.hasOwn(metadata.annotations ?? {}, mirrorAnnotation)) {
    throw refuse(
      request,
      `pod does not have ${JSON.stringify(mirrorAnnotation)} annotation, node ${name} can only create mirror pods`,
    );
  }
  if (spec.nodeName !== node) {
    throw refuse(request, `node ${name} can only create pods with spec.nodeName set to itself`);
  }
  checkMirrorOwner(request, node, cache);
  const refers = (what: string): Error => refuse(request, `node ${name} can not create pods that reference ${what}`);
  if (spec.serviceAccountName) throw refers("a service account");
  if ((spec.resourceClaims ?? []).length > 0) throw refers("resourceclaims");
  for (const volume of spec.volumes ?? []) {
    if (volume.secret !== undefined) throw refers("secrets");
    if (volume.configMap !== undefined) throw refers("configmaps");
    if (volume.persistentVolumeClaim !== undefined) throw refers("persistentvolumeclaims");
    if (volume.projected?.sources?.some((source) => source.secret)) throw refers("secrets");
    if (volume.projected?.sources?.some((source) => source.configMap)) throw refers("configmaps");
    if (volume.projected?.sources?.some((source) => source.serviceAccountToken)) throw refers("service account tokens");
  }
}

/** A mirror pod goes with the Node that it is of, which no other may claim to be. */
function checkMirrorOwner(request: AdmissionRequest, node: string, cache: CacheReader): void {
  const name = JSON.stringify(node);
  const [owner, ...more] = metadataOf(request.object).ownerReferences ?? [];
  if (more.length > 0) {
    throw refuse(request, `node ${name} can only create pods with a single owner reference set to itself`);
  }
  if (owner?.apiVersion !== "v1" || owner.kind !== nodes.kind || owner.name !== node) {
    throw refuse(request, `node ${name} can only create pods with an owner reference set to itself`);
  }
  if (owner.controller !== true) {
    throw refuse(request, `node ${name} can only create pods with a controller owner reference set to itself`);
  }
  if (owner.blockOwnerDeletion) {
    throw refuse(request, `node ${name} must not set blockOwnerDeletion on an owner reference`);
  }
  const uid = cache.get(nodes, { name: node })?.metadata.uid;
  if (uid === undefined) throw refuse(request, `node ${node} not found`);
  if (owner.uid !== uid) throw refuse(request, `node ${node} UID mismatch: expected ${uid} got ${owner.uid}`);
}
