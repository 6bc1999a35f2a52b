import type { Node } from "../../api/index.js";
import type { PodInfo } from "../cache/pod-info.js";
import type { QuantityCache } from "../framework/resources.js";

export interface Demand {
  readonly cpu: number;
  readonly memory: number;
}

/** The state of the cluster at one moment of a simulation. Shares are from 0 to 1. */
export interface SimulationSample {
  readonly atMs: number;
  readonly cpu: number;
  readonly memory: number;
  /** The share of the free CPU that is on nodes where a pod of the trace's median size does not fit. */
  readonly fragmentation: number;
  /** Pods that have come and have no node. */
  readonly waiting: number;
  readonly running: number;
  /** Nodes with a pod. */
  readonly nodesInUse: number;
  /** What these cost. */
  readonly costPerHour: number;
}

interface MeteredNode extends Demand {
  readonly podLimit: number;
  readonly price: number;
  usedCpu: number;
  usedMemory: number;
  pods: number;
}

interface Sums {
  cpu: number;
  memory: number;
  usedCpu: number;
  usedMemory: number;
  freeCpu: number;
  strandedCpu: number;
  nodesInUse: number;
  costPerHour: number;
}

/** Adds up what a cluster's resources are used for, over time. Kept up to date with each change instead of scanned. */
export class Meter {
  readonly #nodes = new Map<string, MeteredNode>();
  readonly #quantities: QuantityCache;
  readonly #typical: Demand;
  readonly #priceOf: (node: Node) => number;
  readonly #sums: Sums = {
    cpu: 0,
    memory: 0,
    usedCpu: 0,
    usedMemory: 0,
    freeCpu: 0,
    strandedCpu: 0,
    nodesInUse: 0,
    costPerHour: 0,
  };
  readonly #overTime: Sums = { ...this.#sums };
  #at = 0;

  /** `typical` is the pod that fragmentation is about. */
  constructor(quantities: QuantityCache, typical: Demand, priceOf: (node: Node) => number) {
    this.#quantities = quantities;
    this.#typical = typical;
    this.#priceOf = priceOf;
  }

  /** Time goes on. To be called before each change. */
  advance(toMs: number): void {
    const passed = toMs - this.#at;
    if (passed <= 0) return;
    for (const key of sumNames) this.#overTime[key] += this.#sums[key] * passed;
    this.#at = toMs;
  }

  addNode(node: Node): void {
    const { cpu = "0", memory = "0", pods = "0" } = node.status?.allocatable ?? {};
    const metered: MeteredNode = {
      cpu: this.#quantities.amount("cpu", cpu),
      memory: this.#quantities.amount("memory", memory),
      podLimit: this.#quantities.amount("pods", pods),
      price: this.#priceOf(node),
      usedCpu: 0,
      usedMemory: 0,
      pods: 0,
    };
    this.#nodes.set(node.metadata.name, metered);
    this.#count(metered, 1);
  }

  removeNode(name: string): void {
    const node = this.#nodes.get(name);
    if (node === undefined) return;
    this.#count(node, -1);
    this.#nodes.delete(name);
  }

  /** `sign` is 1 when the pod comes to the node, -1 when it goes. */
  pod(name: string, pod: PodInfo, sign: 1 | -1): void {
    const node = this.#nodes.get(name);
    if (node === undefined) return;
    this.#count(node, -1);
    node.usedCpu += sign * (pod.requests.get("cpu") ?? 0);
    node.usedMemory += sign * (pod.requests.get("memory") ?? 0);
    node.pods += sign;
    this.#count(node, 1);
  }

  now(): Pick<SimulationSample, "cpu" | "memory" | "fragmentation" | "nodesInUse" | "costPerHour"> {
    const { nodesInUse, costPerHour } = this.#sums;
    return { ...shares(this.#sums), nodesInUse, costPerHour };
  }

  /** Means over time, and the whole cost. */
  total(): { readonly cpu: number; readonly memory: number; readonly fragmentation: number; readonly cost: number } {
    return { ...shares(this.#overTime), cost: this.#overTime.costPerHour / 3_600_000 };
  }

  #count(node: MeteredNode, sign: 1 | -1): void {
    const sums = this.#sums;
    const { cpu, memory, usedCpu, usedMemory, pods, podLimit, price } = node;
    sums.cpu += sign * cpu;
    sums.memory += sign * memory;
    sums.usedCpu += sign * usedCpu;
    sums.usedMemory += sign * usedMemory;
    sums.freeCpu += sign * (cpu - usedCpu);
    const { cpu: wantedCpu, memory: wantedMemory } = this.#typical;
    const fits = pods < podLimit && cpu - usedCpu >= wantedCpu && memory - usedMemory >= wantedMemory;
    if (!fits) sums.strandedCpu += sign * (cpu - usedCpu);
    if (pods === 0) return;
    sums.nodesInUse += sign;
    sums.costPerHour += sign * price;
  }
}

const sumNames = [
  "cpu",
  "memory",
  "usedCpu",
  "usedMemory",
  "freeCpu",
  "strandedCpu",
  "nodesInUse",
  "costPerHour",
] as const;

function shares(sums: Sums): { readonly cpu: number; readonly memory: number; readonly fragmentation: number } {
  const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
  return {
    cpu: share(sums.usedCpu, sums.cpu),
    memory: share(sums.usedMemory, sums.memory),
    fragmentation: share(sums.strandedCpu, sums.freeCpu),
  };
}
