import { csiNodes, leases, type Node, nodes, type Pod, pods } from "../../api/index.js";
import { nodeNameOf } from "../authz/node.js";
import type { AdmissionPlugin, AdmissionRequest, CacheReader } from "./admission.js";
import { metadataOf, mirrorAnnotation, podSpecOf, refuse, specOf } from "./objects.js";

type Check = (request: AdmissionRequest, node: string, cache: CacheReader) => void;

/** Node agents write only about themselves and the pods bound to them. */
export function nodeRestriction(deps: { readonly cache: CacheReader }): AdmissionPlugin {
  return {
    name: "NodeRestriction",
    handles: (request) => nodeNameOf(request.user) !== undefined,
    admit(request) {
      const node = nodeNameOf(request.user) ?? "";
      if (node === "") {
        throw refuse(request, `could not determine node identity from user ${JSON.stringify(request.user.username)}`);
      }
      checks.get(`${request.group}/${request.resource}`)?.(request, node, deps.cache);
      return request.object ?? {};
    },
  };
}

const checks: ReadonlyMap<string, Check> = new Map<string, Check>([
  [`/${pods.resource}`, checkPod],
  [`/${nodes.resource}`, checkNode],
  [`${leases.group}/${leases.resource}`, checkLease],
  [`${csiNodes.group}/${csiNodes.resource}`, checkCsiNode],
]);

function checkPod(request: AdmissionRequest, node: string, cache: CacheReader): void {
  const name = JSON.stringify(node);
  switch (request.subresource) {
    case "":
      if (request.operation === "CREATE") {
        checkPodCreate(request, name, node);
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
      if (!sameText(metadataOf(request.object).labels, metadataOf(request.oldObject).labels)) {
        throw refuse(request, `node ${name} cannot update labels through pod status`);
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

function checkPodCreate(request: AdmissionRequest, name: string, node: string): void {
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
  const refers = (what: string): Error => refuse(request, `node ${name} can not create pods that reference ${what}`);
  if (spec.serviceAccountName) throw refers("a service account");
  for (const volume of spec.volumes ?? []) {
    if (volume.secret !== undefined) throw refers("secrets");
    if (volume.configMap !== undefined) throw refers("configmaps");
    if (volume.persistentVolumeClaim !== undefined) throw refers("persistentvolumeclaims");
    if (volume.projected?.sources?.some((source) => source.secret)) throw refers("secrets");
    if (volume.projected?.sources?.some((source) => source.configMap)) throw refers("configmaps");
    if (volume.projected?.sources?.some((source) => source.serviceAccountToken)) throw refers("service account tokens");
  }
}

/** Labels below kubernetes.io and k8s.io that a node may give itself. */
const ownLabels: ReadonlySet<string> = new Set([
  "kubernetes.io/hostname",
  "kubernetes.io/arch",
  "kubernetes.io/os",
  "beta.kubernetes.io/instance-type",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "node.kubernetes.io/instance-type",
  "failure-domain.beta.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
]);

function checkNode(request: AdmissionRequest, node: string): void {
  const name = JSON.stringify(node);
  if (request.operation === "DELETE")
    throw refuse(request, `node ${name} is not allowed to delete node ${JSON.stringify(request.name)}`);
  const target = request.name || metadataOf(request.object).name || "";
  if (target !== node) {
    throw refuse(request, `node ${name} is not allowed to modify node ${JSON.stringify(target)}`);
  }
  const labels = metadataOf(request.object).labels ?? {};
  const before = metadataOf(request.oldObject).labels ?? {};
  const changed = Object.keys({ ...labels, ...before }).filter((key) => labels[key] !== before[key] && !mayLabel(key));
  if (request.operation === "CREATE") {
    if (changed.length > 0) {
      throw refuse(request, `is not allowed to set the following labels: ${changed.sort().join(", ")}`);
    }
    return;
  }
  if (request.subresource !== "" && request.subresource !== "status") return;
  if (changed.length > 0) throw refuse(request, `is not allowed to modify labels: ${changed.sort().join(", ")}`);
  const now = specOf<Node>(request.object);
  if (!sameText(now.taints, specOf<Node>(request.oldObject).taints)) {
    throw refuse(request, `node ${name} is not allowed to modify taints`);
  }
  if (!sameText(metadataOf(request.object).ownerReferences, metadataOf(request.oldObject).ownerReferences)) {
    throw refuse(request, `node ${name} is not allowed to modify ownerReferences`);
  }
}

function mayLabel(key: string): boolean {
  const slash = key.indexOf("/");
  const domain = slash < 0 ? "" : key.slice(0, slash);
  const within = (suffix: string): boolean => domain === suffix || domain.endsWith(`.${suffix}`);
  if (within("node-restriction.kubernetes.io")) return false;
  if (!within("kubernetes.io") && !within("k8s.io")) return true;
  return ownLabels.has(key) || within("kubelet.kubernetes.io") || within("node.kubernetes.io");
}

function checkLease(request: AdmissionRequest, node: string): void {
  if (request.namespace !== "kube-node-lease") {
    throw refuse(
      request,
      `can only access leases in the "kube-node-lease" system namespace, not ${JSON.stringify(request.namespace)}`,
    );
  }
  checkOwnName(request, node, "node lease");
}

function checkCsiNode(request: AdmissionRequest, node: string): void {
  checkOwnName(request, node, "CSINode");
}

function checkOwnName(request: AdmissionRequest, node: string, kind: string): void {
  const target = request.operation === "CREATE" ? metadataOf(request.object).name : request.name;
  if (target === node) return;
  throw refuse(request, `can only access ${kind} with the same name as the requesting node`);
}

function sameText(left: unknown, right: unknown): boolean {
  return JSON.stringify(left ?? null) === JSON.stringify(right ?? null);
}
