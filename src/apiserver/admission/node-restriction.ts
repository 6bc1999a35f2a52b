import {
  csiNodes,
  leases,
  type Node,
  nodes,
  persistentVolumeClaims,
  pods,
  type ResourceSlice,
  resourceSlices,
} from "../../api/index.js";
import { nodeNameOf } from "../authz/node.js";
import type { AdmissionPlugin, AdmissionRequest, CacheReader } from "./admission.js";
import { checkCertificateRequest } from "./node-restriction-certificates.js";
import { checkPod } from "./node-restriction-pods.js";
import { metadataOf, refuse, sameJson, specOf } from "./objects.js";

type Check = (request: AdmissionRequest, node: string, cache: CacheReader) => void;

/** Node agents write only about themselves and the pods bound to them. */
export function nodeRestriction(deps: { readonly cache: CacheReader }): AdmissionPlugin {
  return {
    name: "NodeRestriction",
    handles: (request) => request.operation !== "CONNECT" && nodeNameOf(request.user) !== undefined,
    admit(request) {
      const node = nodeNameOf(request.user) ?? "";
      if (node === "") {
        throw refuse(request, `could not determine node identity from user ${JSON.stringify(request.user.username)}`);
      }
      checks.get(`${request.group}/${request.resource}`)?.(request, node, deps.cache);
      return request.object ?? {};
    },
    validate: checkCertificateRequest,
  };
}

const checks: ReadonlyMap<string, Check> = new Map<string, Check>([
  [`/${pods.resource}`, checkPod],
  [`/${nodes.resource}`, checkNode],
  [`${leases.group}/${leases.resource}`, checkLease],
  [`${csiNodes.group}/${csiNodes.resource}`, checkCsiNode],
  [`/${persistentVolumeClaims.resource}`, checkClaim],
  [`${resourceSlices.group}/${resourceSlices.resource}`, checkResourceSlice],
]);

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
  if (!sameJson(now.taints, specOf<Node>(request.oldObject).taints)) {
    throw refuse(request, `node ${name} is not allowed to modify taints`);
  }
  if (!sameJson(metadataOf(request.object).ownerReferences, metadataOf(request.oldObject).ownerReferences)) {
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

/** A claim's size is grown by the node that has it mounted. */
function checkClaim(request: AdmissionRequest, node: string): void {
  if (request.subresource !== "status") throw refuse(request, "may only update PVC status");
  if (request.operation !== "UPDATE")
    throw refuse(request, `unexpected operation ${JSON.stringify(request.operation)}`);
  const unchangeable = (object: AdmissionRequest["object"]): unknown => {
    const { labels, annotations, finalizers, ownerReferences } = metadataOf(object);
    return [object?.["spec"], labels, annotations, finalizers, ownerReferences];
  };
  if (sameJson(unchangeable(request.object), unchangeable(request.oldObject))) return;
  const name = JSON.stringify(node);
  throw refuse(
    request,
    `node ${name} is not allowed to update fields other than status.quantity and status.conditions`,
  );
}

function checkResourceSlice(request: AdmissionRequest, node: string): void {
  const slice = request.operation === "DELETE" ? request.oldObject : request.object;
  if (specOf<ResourceSlice>(slice).nodeName === node) return;
  const verb = request.operation.toLowerCase();
  throw refuse(request, `can only ${verb} ResourceSlice with the same NodeName as the requesting node`);
}
