import {
  isStatusError,
  type KubeObject,
  type OwnerReference,
  type PropagationPolicy,
  parseApiVersion,
  type ResourceType,
} from "../../api/index.js";
import type { ReconcileContext } from "../define-controller.js";
import type { Discovery } from "../shared/discovery.js";
import {
  foreground,
  type GraphNode,
  hasFinalizer,
  isDeleting,
  type OwnerGraph,
  orphan,
  waitsForDependents,
} from "./graph.js";

/** Uids are never used again, so what was once known to be gone is gone. Bounded: forgetting one costs a read. */
const absentLimit = 10_000;

type OwnerState = "solid" | "dangling" | "waiting";

/** Deletes what has lost its owners, and carries the two finalizers of deletion out. */
export class Collector {
  readonly #graph: OwnerGraph;
  readonly #discovery: Discovery;
  readonly #absent = new Set<string>();

  constructor(graph: OwnerGraph, discovery: Discovery) {
    this.#graph = graph;
    this.#discovery = discovery;
  }

  noteAbsent(uid: string): void {
    this.#absent.add(uid);
    if (this.#absent.size <= absentLimit) return;
    for (const oldest of this.#absent) {
      this.#absent.delete(oldest);
      return;
    }
  }

  async process(uid: string, context: ReconcileContext): Promise<void> {
    const node = this.#graph.get(uid);
    if (node === undefined) return;
    if (isDeleting(node) && hasFinalizer(node, orphan)) return this.#orphanDependents(node, context);
    if (waitsForDependents(node)) return this.#finishForeground(node, context);
    if (isDeleting(node)) return;
    const owners = node.metadata.ownerReferences ?? [];
    if (owners.length > 0) await this.#collect(node, owners, context);
  }

  async #collect(node: GraphNode, owners: readonly OwnerReference[], context: ReconcileContext): Promise<void> {
    const states = new Map<OwnerReference, OwnerState>();
    for (const owner of owners) states.set(owner, await this.#stateOf(node, owner, context));
    const lost = owners.filter((owner) => states.get(owner) !== "solid");
    if (lost.length === 0) return;
    if (lost.length < owners.length) {
      // Somebody still wants it: it only stops referring to the others.
      const left = owners.filter((owner) => !lost.includes(owner));
      return this.#patch(node, { ownerReferences: left }, context);
    }
    const waiting = owners.some((owner) => states.get(owner) === "waiting");
    const dependents = this.#graph.dependentsOf(node.uid);
    if (waiting && dependents.size > 0) {
      // In a circle of owners each would wait for the other.
      if ([...dependents].some(waitsForDependents)) await this.#unblock(node, owners, context);
      return this.#delete(node, "Foreground", context);
    }
    const policy = hasFinalizer(node, orphan) ? "Orphan" : hasFinalizer(node, foreground) ? "Foreground" : "Background";
    return this.#delete(node, policy, context);
  }

  async #stateOf(node: GraphNode, owner: OwnerReference, context: ReconcileContext): Promise<OwnerState> {
    const known = this.#graph.get(owner.uid);
    if (known !== undefined) {
      const misplaced = known.resource.namespaced && known.metadata.namespace !== node.metadata.namespace;
      if (!misplaced) return waitsForDependents(known) ? "waiting" : "solid";
      reportInvalid(node, owner, context);
    }
    if (this.#absent.has(owner.uid)) return "dangling";
    const resource = this.#resourceOf(owner);
    if (resource === undefined)
      throw new Error(`no resource for owner ${owner.apiVersion} ${owner.kind} ${owner.name}`);
    if (resource.namespaced && !node.metadata.namespace) {
      // Of which namespace it would be cannot be said, so nothing is done on its account.
      reportInvalid(node, owner, context);
      return "solid";
    }
    try {
      const namespace = resource.namespaced ? node.metadata.namespace : undefined;
      const live = await context.client.get(resource, { namespace, name: owner.name }, { signal: context.signal });
      if (live.metadata.uid === owner.uid) return isLiveWaiting(live) ? "waiting" : "solid";
    } catch (error) {
      // Of a kind that is not served just now nothing can be said.
      if (!isStatusError(error, "NotFound") || error.status.details?.name === undefined) throw error;
    }
    this.noteAbsent(owner.uid);
    return "dangling";
  }

  #resourceOf(owner: OwnerReference): ResourceType | undefined {
    const { group } = parseApiVersion(owner.apiVersion);
    return this.#discovery.resources().find((resource) => resource.group === group && resource.kind === owner.kind);
  }

  /** Takes the finalizer off once no dependent blocks; until then sees to it that those that do are deleted. */
  async #finishForeground(node: GraphNode, context: ReconcileContext): Promise<void> {
    const blocking = [...this.#graph.dependentsOf(node.uid)].filter((dependent) => blocks(dependent, node.uid));
    for (const dependent of blocking) if (!isDeleting(dependent)) context.enqueue(dependent.uid);
    if (blocking.length === 0) await this.#removeFinalizer(node, foreground, context);
  }

  async #orphanDependents(node: GraphNode, context: ReconcileContext): Promise<void> {
    const dependents = [...this.#graph.dependentsOf(node.uid)];
    await Promise.all(
      dependents.map((dependent) => {
        const ownerReferences = (dependent.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== node.uid);
        return this.#patch(dependent, { ownerReferences }, context);
      }),
    );
    await this.#removeFinalizer(node, orphan, context);
  }

  #removeFinalizer(node: GraphNode, finalizer: string, context: ReconcileContext): Promise<void> {
    const finalizers = (node.metadata.finalizers ?? []).filter((one) => one !== finalizer);
    return this.#patch(node, { finalizers }, context);
  }

  #unblock(node: GraphNode, owners: readonly OwnerReference[], context: ReconcileContext): Promise<void> {
    const ownerReferences = owners.map((owner) => ({ ...owner, blockOwnerDeletion: false }));
    return this.#patch(node, { ownerReferences }, context);
  }

  /** Fails with a conflict when the object is newer than the graph; it then comes again. */
  async #patch(node: GraphNode, change: object, { client, signal }: ReconcileContext): Promise<void> {
    const { namespace, name, uid, resourceVersion } = node.metadata;
    const body = { metadata: { uid, resourceVersion, ...change } };
    try {
      const patched = await client.patch(node.resource, { namespace, name }, { type: "merge", body }, { signal });
      // The next decision may come before the watch does.
      if (this.#graph.get(uid) !== undefined) this.#graph.put(node.resource, patched);
    } catch (error) {
      if (!isStatusError(error, "NotFound")) throw error;
    }
  }

  async #delete(
    node: GraphNode,
    propagationPolicy: PropagationPolicy,
    { client, signal }: ReconcileContext,
  ): Promise<void> {
    const { namespace, name, uid, resourceVersion } = node.metadata;
    const fresh = this.#graph.get(uid)?.metadata.resourceVersion ?? resourceVersion;
    try {
      const preconditions = { uid, resourceVersion: fresh };
      await client.delete(node.resource, { namespace, name }, { propagationPolicy, preconditions, signal });
    } catch (error) {
      if (!isStatusError(error, "NotFound")) throw error;
    }
  }
}

function isLiveWaiting({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(foreground);
}

function blocks(dependent: GraphNode, owner: string): boolean {
  return (dependent.metadata.ownerReferences ?? []).some(
    ({ uid, blockOwnerDeletion }) => uid === owner && blockOwnerDeletion === true,
  );
}

function reportInvalid(node: GraphNode, owner: OwnerReference, { events }: ReconcileContext): void {
  const { apiVersion, kind, metadata } = node;
  const { namespace, name, uid } = metadata;
  const who = `[${owner.apiVersion}/${owner.kind}, namespace: ${namespace ?? ""}, name: ${owner.name}, uid: ${owner.uid}]`;
  const message = `ownerRef ${who} does not exist in namespace "${namespace ?? ""}"`;
  events.event(
    { apiVersion, kind, ...(namespace === undefined ? {} : { namespace }), name, uid },
    "Warning",
    "OwnerRefInvalidNamespace",
    message,
  );
}
