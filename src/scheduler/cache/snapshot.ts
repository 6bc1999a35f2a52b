import type { Pod } from "../../api/index.js";
import type { ClusterListers } from "../framework/listers.js";
import type { ClusterSnapshot, NodeSnapshot } from "../framework/policy.js";
import type { ResourceAmounts } from "../framework/resources.js";
import type { ClusterTable } from "./cluster-table.js";
import { cpuColumn, memoryColumn } from "./cluster-table.js";

/**
 * Frozen objects for policies that are called plainly. A node's is made when asked for and kept until something about
 * the node changes, so that a cycle pays for the nodes that changed since the last one.
 */
export class Snapshots {
  readonly #table: ClusterTable;
  readonly #bySlot: (NodeSnapshot | undefined)[] = [];
  #all: readonly NodeSnapshot[] | undefined;
  #cursor: number;

  constructor(table: ClusterTable) {
    this.#table = table;
    this.#cursor = table.objectLog.sequence;
  }

  /** The cluster now. What is read from it later is as of the first read in the same synchronous stretch. */
  current(): ClusterSnapshot {
    this.#catchUp();
    return new TableSnapshot(this, this.#table);
  }

  node(slot: number): NodeSnapshot | undefined {
    const known = this.#bySlot[slot];
    if (known !== undefined) return known;
    const made = this.#make(slot);
    this.#bySlot[slot] = made;
    return made;
  }

  all(): readonly NodeSnapshot[] {
    if (this.#all !== undefined) return this.#all;
    const nodes: NodeSnapshot[] = [];
    for (let slot = 0; slot < this.#table.slots; slot++) {
      const node = this.node(slot);
      if (node !== undefined) nodes.push(node);
    }
    this.#all = Object.freeze(nodes);
    return nodes;
  }

  /** Before and after the table pretends something about the node, which the log does not tell. */
  forget(slot: number): void {
    this.#bySlot[slot] = undefined;
    this.#all = undefined;
  }

  #catchUp(): void {
    const { objectLog: log } = this.#table;
    if (this.#cursor === log.sequence) return;
    this.#all = undefined;
    if (!log.holds(this.#cursor)) {
      this.#bySlot.length = 0;
      this.#cursor = log.sequence;
    }
    while (this.#cursor < log.sequence) this.#bySlot[log.at(this.#cursor++)] = undefined;
  }

  #make(slot: number): NodeSnapshot | undefined {
    const table = this.#table;
    const node = table.nodes[slot];
    if (node === undefined) return undefined;
    const pods: readonly Pod[] = Object.freeze((table.pods[slot] ?? []).map(({ pod }) => pod));
    const amounts = (columns: readonly Float64Array[]): Map<string, number> => {
      const result = new Map<string, number>();
      columns.forEach((column, id) => {
        const amount = column[slot] ?? 0;
        if (amount !== 0) result.set(table.resourceNames[id] ?? "", amount);
      });
      return result;
    };
    const allocatable = amounts(table.allocatable).set("pods", table.podLimit[slot] ?? 0);
    const nonzeroRequested: ResourceAmounts = new Map([
      [table.resourceNames[cpuColumn] ?? "cpu", table.nonzeroCpu[slot] ?? 0],
      [table.resourceNames[memoryColumn] ?? "memory", table.nonzeroMemory[slot] ?? 0],
    ]);
    return Object.freeze({
      name: node.metadata.name,
      node,
      pods,
      allocatable,
      requested: amounts(table.requested),
      nonzeroRequested,
    });
  }
}

class TableSnapshot implements ClusterSnapshot {
  readonly #snapshots: Snapshots;
  readonly #table: ClusterTable;

  constructor(snapshots: Snapshots, table: ClusterTable) {
    this.#snapshots = snapshots;
    this.#table = table;
  }

  get nodes(): readonly NodeSnapshot[] {
    return this.#snapshots.all();
  }

  get listers(): ClusterListers {
    return this.#table.listers;
  }

  node(name: string): NodeSnapshot | undefined {
    const slot = this.#table.slotOf(name);
    return slot === undefined ? undefined : this.#snapshots.node(slot);
  }
}
