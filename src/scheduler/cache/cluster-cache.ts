import type { Node, Pod } from "../../api/index.js";
import type { ClusterListers } from "../framework/listers.js";
import type { EventAction } from "../framework/policy.js";
import { ClusterTable, sameImages } from "./cluster-table.js";
import { type PodInfo, podInfo } from "./pod-info.js";
import { Snapshots } from "./snapshot.js";

interface Placed {
  info: PodInfo;
  readonly nodeName: string;
  /** Where it is counted; absent while its node is unknown. */
  slot: number | undefined;
  /** Bound by us and not seen in the API yet. */
  assumed: boolean;
}

/** Which pods are on which nodes, including those that are only assumed to be. Feeds the table. */
export class ClusterCache {
  readonly table: ClusterTable;
  readonly snapshots: Snapshots;
  readonly #placed = new Map<string, Placed>();
  /** Pods by the name of a node that is not known (yet, or any more). */
  readonly #homeless = new Map<string, Set<Placed>>();

  constructor(listers: ClusterListers) {
    this.table = new ClusterTable(listers);
    this.snapshots = new Snapshots(this.table);
  }

  get podCount(): number {
    return this.#placed.size;
  }

  /** Gives what changed about the node, as far as scheduling can see. */
  setNode(node: Node): readonly EventAction[] {
    const { name } = node.metadata;
    const slot = this.table.slotOf(name);
    const old = slot === undefined ? undefined : this.table.nodes[slot];
    const actions: readonly EventAction[] = old === undefined ? ["Add"] : nodeChanges(old, node);
    const changed = old === undefined || actions.length > 0 || !sameImages(old, node);
    this.table.setNode(node, changed);
    const homeless = this.#homeless.get(name);
    if (homeless !== undefined) {
      this.#homeless.delete(name);
      for (const placed of homeless) this.#count(placed);
    }
    return actions;
  }

  deleteNode(name: string): void {
    const slot = this.table.slotOf(name);
    if (slot === undefined) return;
    for (const info of [...(this.table.pods[slot] ?? [])]) {
      const placed = this.#placed.get(info.uid);
      this.table.removePod(slot, info);
      if (placed === undefined) continue;
      placed.slot = undefined;
      this.#count(placed, false);
    }
    this.table.deleteNode(name);
  }

  /** The API says that the pod is on a node. Gives whether that was not known or assumed otherwise. */
  setPod(pod: Pod): boolean {
    const nodeName = pod.spec?.nodeName ?? "";
    const info = podInfo(pod, this.table.quantities);
    const known = this.#placed.get(info.uid);
    if (known === undefined || known.nodeName !== nodeName) {
      if (known !== undefined) this.remove(info.uid);
      this.#place(info, nodeName, false);
      return true;
    }
    known.assumed = false;
    if (known.slot !== undefined && countsAlike(known.info, info)) {
      this.table.replacePod(known.slot, known.info, info);
      known.info = info;
      return false;
    }
    this.remove(info.uid);
    this.#place(info, nodeName, false);
    return true;
  }

  /** Counts the pod on the node before the API has it there. */
  assume(info: PodInfo, nodeName: string): void {
    this.#place(info, nodeName, true);
  }

  /** The binding did not come about. A pod that the API has on the node stays. */
  forget(uid: string): void {
    if (this.#placed.get(uid)?.assumed) this.remove(uid);
  }

  isAssumed(uid: string): boolean {
    return this.#placed.get(uid)?.assumed ?? false;
  }

  has(uid: string): boolean {
    return this.#placed.has(uid);
  }

  remove(uid: string): void {
    const placed = this.#placed.get(uid);
    if (placed === undefined) return;
    this.#placed.delete(uid);
    if (placed.slot !== undefined) this.table.removePod(placed.slot, placed.info);
    else this.#homeless.get(placed.nodeName)?.delete(placed);
  }

  #place(info: PodInfo, nodeName: string, assumed: boolean): void {
    const placed: Placed = { info, nodeName, slot: undefined, assumed };
    this.#placed.set(info.uid, placed);
    this.#count(placed);
  }

  #count(placed: Placed, known = true): void {
    const slot = known ? this.table.slotOf(placed.nodeName) : undefined;
    if (slot !== undefined) {
      placed.slot = slot;
      this.table.addPod(slot, placed.info);
      return;
    }
    const homeless = this.#homeless.get(placed.nodeName);
    if (homeless === undefined) this.#homeless.set(placed.nodeName, new Set([placed]));
    else homeless.add(placed);
  }
}

/** Whether counting one or the other makes no difference. */
function countsAlike(a: PodInfo, b: PodInfo): boolean {
  if (a.terminating !== b.terminating || a.priority !== b.priority || a.requests.size !== b.requests.size) return false;
  for (const [name, amount] of a.requests) if (b.requests.get(name) !== amount) return false;
  if (a.nonzeroCpuMillis !== b.nonzeroCpuMillis || a.nonzeroMemoryBytes !== b.nonzeroMemoryBytes) return false;
  return sameMap(a.labels, b.labels) && a.hostPorts.length === b.hostPorts.length;
}

function sameMap(
  a: { readonly [key: string]: string } | undefined,
  b: { readonly [key: string]: string } | undefined,
): boolean {
  if (a === b) return true;
  const [x, y] = [Object.entries(a ?? {}), b ?? {}];
  return x.length === Object.keys(y).length && x.every(([key, value]) => Object.hasOwn(y, key) && y[key] === value);
}

/** How an update of a node matters to scheduling; empty: not at all, as with heartbeats. */
export function nodeChanges(old: Node, node: Node): EventAction[] {
  const actions: EventAction[] = [];
  if (!sameMap(old.status?.allocatable, node.status?.allocatable)) actions.push("UpdateNodeAllocatable");
  if (!sameMap(old.metadata.labels, node.metadata.labels)) actions.push("UpdateNodeLabel");
  const taints = ({ spec }: Node): string =>
    spec?.taints === undefined && spec?.unschedulable !== true
      ? ""
      : JSON.stringify([
          spec.unschedulable === true,
          spec.taints?.map(({ key, value, effect }) => [key, value, effect]),
        ]);
  if (taints(old) !== taints(node)) actions.push("UpdateNodeTaint");
  const features = ({ status }: Node): string => (status?.declaredFeatures ?? []).join(",");
  if (features(old) !== features(node)) actions.push("UpdateNodeDeclaredFeature");
  return actions;
}
