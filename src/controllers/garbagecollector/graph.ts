import type { KubeObject, ObjectMeta, OwnerReference, ResourceType } from "../../api/index.js";

export const foreground = "foregroundDeletion";
export const orphan = "orphan";

/** An object as the garbage collector sees it: by its metadata alone. */
export interface GraphNode {
  readonly uid: string;
  resource: ResourceType;
  metadata: ObjectMeta;
  apiVersion: string;
  kind: string;
}

const noOwners: readonly OwnerReference[] = [];
const noDependents: ReadonlySet<GraphNode> = new Set();

/** Who owns whom, over all resources, by uid. Owners that were never seen have dependents too. */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<GraphNode>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  nodes(): IterableIterator<GraphNode> {
    return this.#nodes.values();
  }

  dependentsOf(uid: string): ReadonlySet<GraphNode> {
    return this.#dependents.get(uid) ?? noDependents;
  }

  /** Gives back the node and its metadata before. */
  put(
    resource: ResourceType,
    object: KubeObject,
  ): { readonly node: GraphNode; readonly before: ObjectMeta | undefined } {
    const { metadata, apiVersion, kind } = object;
    const known = this.#nodes.get(metadata.uid);
    const before = known?.metadata;
    const node: GraphNode = known ?? { uid: metadata.uid, resource, metadata, apiVersion, kind };
    node.metadata = metadata;
    this.#nodes.set(metadata.uid, node);
    const [old, now] = [before?.ownerReferences ?? noOwners, metadata.ownerReferences ?? noOwners];
    if (old !== now) {
      for (const { uid } of old) if (!now.some((owner) => owner.uid === uid)) this.#unlink(uid, node);
      for (const { uid } of now) this.#link(uid, node);
    }
    return { node, before };
  }

  remove(uid: string): GraphNode | undefined {
    const node = this.#nodes.get(uid);
    if (node === undefined) return undefined;
    this.#nodes.delete(uid);
    for (const owner of node.metadata.ownerReferences ?? noOwners) this.#unlink(owner.uid, node);
    return node;
  }

  #link(owner: string, node: GraphNode): void {
    const dependents = this.#dependents.get(owner);
    if (dependents === undefined) this.#dependents.set(owner, new Set([node]));
    else dependents.add(node);
  }

  #unlink(owner: string, node: GraphNode): void {
    const dependents = this.#dependents.get(owner);
    if (dependents === undefined) return;
    dependents.delete(node);
    if (dependents.size === 0) this.#dependents.delete(owner);
  }
}

export function isDeleting({ metadata }: GraphNode): boolean {
  return metadata.deletionTimestamp !== undefined;
}

export function hasFinalizer({ metadata }: GraphNode, finalizer: string): boolean {
  return metadata.finalizers?.includes(finalizer) ?? false;
}

/** It waits for its dependents to go first. */
export function waitsForDependents(node: GraphNode): boolean {
  return isDeleting(node) && hasFinalizer(node, foreground);
}
