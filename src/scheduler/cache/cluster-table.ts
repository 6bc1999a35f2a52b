import type { Node } from "../../api/index.js";
import type { ClusterListers } from "../framework/listers.js";
import { QuantityCache } from "../framework/resources.js";
import { ChangeLog } from "./change-log.js";
import { LabelColumn } from "./label-column.js";
import { PodCounters } from "./pod-counters.js";
import type { PodInfo } from "./pod-info.js";

export const cpuColumn = 0;
export const memoryColumn = 1;

/**
 * The nodes and the pods on them, by columns: one array per resource and per label in use, indexed by the node's slot.
 * Everything derived (feasible sets, scores, counts per topology domain) follows `log` instead of scanning nodes.
 */
export class ClusterTable {
  readonly listers: ClusterListers;
  readonly quantities: QuantityCache = new QuantityCache();
  readonly counters: PodCounters;
  readonly log: ChangeLog = new ChangeLog();
  /** As `log`, with the changes that no column shows, such as a heartbeat or a pod's status. */
  readonly objectLog: ChangeLog = new ChangeLog();
  /** Slots in use or free are below this. */
  slots = 0;
  nodeCount = 0;
  capacity = 0;
  /** `undefined` where the slot is free. */
  readonly nodes: (Node | undefined)[] = [];
  readonly pods: PodInfo[][] = [];
  /** Raised with each change of the node object that scheduling can see. */
  version: Uint32Array = new Uint32Array(0);
  /** Per resource column. */
  readonly allocatable: Float64Array[] = [];
  readonly requested: Float64Array[] = [];
  nonzeroCpu: Float64Array = new Float64Array(0);
  nonzeroMemory: Float64Array = new Float64Array(0);
  podLimit: Int32Array = new Int32Array(0);
  /** Raised when the set of nodes or the images on them change: what image scores depend on beside the node itself. */
  imagesVersion = 0;
  /** How many nodes have an image, by each of its names. */
  readonly imageNodes: Map<string, number> = new Map();
  readonly resourceNames: string[] = [];
  /** How many pods on nodes have a priority. */
  readonly #priorities = new Map<number, number>();
  readonly #resourceIds = new Map<string, number>();
  readonly #slotOf = new Map<string, number>();
  readonly #free: number[] = [];
  readonly #labels = new Map<string, LabelColumn>();

  constructor(listers: ClusterListers) {
    this.listers = listers;
    this.counters = new PodCounters((namespace) => listers.namespaces.get(namespace)?.metadata.labels);
    this.#grow(64);
    this.resource("cpu");
    this.resource("memory");
    this.resource("ephemeral-storage");
  }

  slotOf(name: string): number | undefined {
    return this.#slotOf.get(name);
  }

  /** The column of a resource; made when first asked for. */
  resource(name: string): number {
    const known = this.#resourceIds.get(name);
    if (known !== undefined) return known;
    const id = this.resourceNames.push(name) - 1;
    this.#resourceIds.set(name, id);
    const allocatable = new Float64Array(this.capacity);
    for (let slot = 0; slot < this.slots; slot++) {
      const quantity = this.nodes[slot]?.status?.allocatable?.[name];
      if (quantity !== undefined) allocatable[slot] = this.quantities.amount(name, quantity);
    }
    this.allocatable.push(allocatable);
    // No pod on any node asks for it yet, or the column would exist.
    this.requested.push(new Float64Array(this.capacity));
    return id;
  }

  /** The column of a label; made when first asked for. */
  label(key: string): LabelColumn {
    const known = this.#labels.get(key);
    if (known !== undefined) return known;
    const column = new LabelColumn(key, this.capacity);
    for (let slot = 0; slot < this.slots; slot++) column.set(slot, labelOf(this.nodes[slot], key));
    this.#labels.set(key, column);
    return column;
  }

  /** Adds the node or replaces its object. `changed` says whether scheduling can see the difference. */
  setNode(node: Node, changed: boolean): void {
    const { name } = node.metadata;
    const known = this.#slotOf.get(name);
    const slot = known ?? this.#take(name);
    const old = this.nodes[slot];
    this.nodes[slot] = node;
    if (known !== undefined && !changed) {
      this.objectLog.push(slot);
      return;
    }
    this.#fill(slot, old, node);
    this.touch(slot);
  }

  /** Forgets the node. Its pods must have been removed. */
  deleteNode(name: string): void {
    const slot = this.#slotOf.get(name);
    if (slot === undefined) return;
    this.#countImages(this.nodes[slot], -1);
    this.nodes[slot] = undefined;
    this.#slotOf.delete(name);
    this.nodeCount--;
    for (const column of this.allocatable) column[slot] = 0;
    for (const column of this.#labels.values()) column.set(slot, undefined);
    this.#free.push(slot);
    this.version[slot] = (this.version[slot] ?? 0) + 1;
    this.touch(slot);
  }

  addPod(slot: number, pod: PodInfo): void {
    this.pods[slot]?.push(pod);
    this.#account(slot, pod, 1);
    this.touch(slot);
  }

  removePod(slot: number, pod: PodInfo): void {
    const pods = this.pods[slot];
    const at = pods?.indexOf(pod) ?? -1;
    if (pods === undefined || at < 0) return;
    pods.splice(at, 1);
    this.#account(slot, pod, -1);
    this.touch(slot);
  }

  /** Puts a newer object of a pod in place of the old one, which counts exactly as much: no column shows it. */
  replacePod(slot: number, old: PodInfo, pod: PodInfo): void {
    const pods = this.pods[slot];
    const at = pods?.indexOf(old) ?? -1;
    if (pods === undefined || at < 0) return;
    pods[at] = pod;
    this.objectLog.push(slot);
  }

  /** What is promised to pods on the node is different. */
  promised(nodeName: string): void {
    const slot = this.#slotOf.get(nodeName);
    if (slot !== undefined) this.touch(slot);
  }

  /** Adds or removes a pod for the moment, untold: the caller undoes it in the same synchronous stretch. */
  pretend(slot: number, pod: PodInfo, sign: 1 | -1): void {
    const pods = this.pods[slot];
    if (pods === undefined) return;
    if (sign > 0) pods.push(pod);
    else {
      const at = pods.indexOf(pod);
      if (at < 0) return;
      pods.splice(at, 1);
    }
    this.#account(slot, pod, sign);
  }

  /** Tells everything derived from the table that the slot is different. */
  touch(slot: number): void {
    this.objectLog.push(slot);
    this.log.push(slot);
  }

  /** Whether a pod on any node has a lower priority. */
  hasPodBelow(priority: number): boolean {
    for (const known of this.#priorities.keys()) if (known < priority) return true;
    return false;
  }

  everyPod(visit: (slot: number, pod: PodInfo) => void): void {
    for (let slot = 0; slot < this.slots; slot++) {
      const pods = this.pods[slot];
      if (pods !== undefined) for (const pod of pods) visit(slot, pod);
    }
  }

  #account(slot: number, pod: PodInfo, sign: 1 | -1): void {
    for (const [name, amount] of pod.requests) {
      if (amount === 0) continue;
      const column = this.requested[this.resource(name)];
      if (column !== undefined) column[slot] = (column[slot] ?? 0) + sign * amount;
    }
    this.nonzeroCpu[slot] = (this.nonzeroCpu[slot] ?? 0) + sign * pod.nonzeroCpuMillis;
    this.nonzeroMemory[slot] = (this.nonzeroMemory[slot] ?? 0) + sign * pod.nonzeroMemoryBytes;
    this.counters.count(slot, pod, sign);
    const like = (this.#priorities.get(pod.priority) ?? 0) + sign;
    if (like > 0) this.#priorities.set(pod.priority, like);
    else this.#priorities.delete(pod.priority);
  }

  #take(name: string): number {
    const slot = this.#free.pop() ?? this.slots++;
    if (slot >= this.capacity) this.#grow(this.capacity * 2);
    this.pods[slot] ??= [];
    this.#slotOf.set(name, slot);
    this.nodeCount++;
    return slot;
  }

  #fill(slot: number, old: Node | undefined, node: Node): void {
    this.version[slot] = (this.version[slot] ?? 0) + 1;
    const allocatable = node.status?.allocatable ?? {};
    for (const name of Object.keys(allocatable)) if (name !== "pods") this.resource(name);
    this.allocatable.forEach((column, id) => {
      const name = this.resourceNames[id] ?? "";
      const quantity = Object.hasOwn(allocatable, name) ? allocatable[name] : undefined;
      column[slot] = quantity === undefined ? 0 : this.quantities.amount(name, quantity);
    });
    this.podLimit[slot] = this.quantities.amount("pods", allocatable.pods ?? "0");
    for (const [key, column] of this.#labels) column.set(slot, labelOf(node, key));
    if (old === undefined || !sameImages(old, node)) {
      this.#countImages(old, -1);
      this.#countImages(node, 1);
    }
  }

  #countImages(node: Node | undefined, sign: number): void {
    if (node === undefined) return;
    this.imagesVersion++;
    for (const image of node.status?.images ?? []) {
      for (const name of image.names ?? []) {
        const count = (this.imageNodes.get(name) ?? 0) + sign;
        if (count > 0) this.imageNodes.set(name, count);
        else this.imageNodes.delete(name);
      }
    }
  }

  #grow(capacity: number): void {
    this.capacity = capacity;
    const floats = (old: Float64Array): Float64Array => {
      const array = new Float64Array(capacity);
      array.set(old);
      return array;
    };
    this.allocatable.forEach((column, id) => {
      this.allocatable[id] = floats(column);
    });
    this.requested.forEach((column, id) => {
      this.requested[id] = floats(column);
    });
    this.nonzeroCpu = floats(this.nonzeroCpu);
    this.nonzeroMemory = floats(this.nonzeroMemory);
    const limits = new Int32Array(capacity);
    limits.set(this.podLimit);
    this.podLimit = limits;
    const versions = new Uint32Array(capacity);
    versions.set(this.version);
    this.version = versions;
    for (const column of this.#labels.values()) column.grow(capacity);
    this.counters.grow(capacity);
    // Holders of the old arrays must fetch the new ones.
    this.counters.epoch++;
  }
}

function labelOf(node: Node | undefined, key: string): string | undefined {
  const labels = node?.metadata.labels;
  return labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
}

export function sameImages(a: Node, b: Node): boolean {
  const [x, y] = [a.status?.images ?? [], b.status?.images ?? []];
  if (x === y) return true;
  return (
    x.length === y.length &&
    x.every((image, index) => {
      const other = y[index];
      return (
        image.sizeBytes === other?.sizeBytes &&
        image.names?.length === other?.names?.length &&
        (image.names?.every((name, at) => name === other?.names?.[at]) ?? true)
      );
    })
  );
}
