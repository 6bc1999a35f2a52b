import type { LabelColumn } from "../cache/label-column.js";
import type { DomainInput } from "../framework/vector.js";

/** A key with more values than this groups nodes by their counts, one with fewer by the value itself. */
const coarseLimit = 48;

/**
 * One input's counts per topology domain over the eligible nodes, for one class of pods. Each node's share is
 * remembered, so that a change of one node is a difference to one domain.
 */
export class DomainCounts {
  readonly input: DomainInput;
  readonly key: LabelColumn;
  /** Nodes of a domain share a group; else nodes with equal counts do. */
  readonly coarse: boolean;
  total = 0;
  domains = 0;
  #sums: number[] = [];
  #nodes: number[] = [];
  readonly #share: Int32Array;
  /** Domain of each node's share; -1 when it has none. */
  readonly #domain: Int32Array;
  readonly #histogram: number[] = [];
  #min = 0;

  constructor(input: DomainInput, capacity: number) {
    this.input = input;
    this.key = input.key;
    this.coarse = input.key.liveValues <= coarseLimit;
    this.#share = new Int32Array(capacity);
    this.#domain = new Int32Array(capacity).fill(-1);
  }

  /** Whether the choice of `coarse` no longer suits; twice the limit, so that it does not flap. */
  get outgrown(): boolean {
    return this.coarse && this.key.liveValues > 2 * coarseLimit;
  }

  sum(domain: number): number {
    return this.#sums[domain] ?? 0;
  }

  get min(): number {
    return this.domains === 0 ? 0 : this.#min;
  }

  /** Takes over what the node counts now, and adds the domains whose sum changed to `changed`. */
  update(slot: number, eligible: boolean, changed: number[]): void {
    const domain = eligible ? (this.key.values[slot] ?? -1) : -1;
    const share = domain < 0 ? 0 : (this.input.counter.perNode[slot] ?? 0);
    const oldDomain = this.#domain[slot] ?? -1;
    const oldShare = this.#share[slot] ?? 0;
    if (domain === oldDomain && share === oldShare) return;
    this.#domain[slot] = domain;
    this.#share[slot] = share;
    if (domain === oldDomain) {
      this.#change(domain, share - oldShare, 0);
      changed.push(domain);
      return;
    }
    if (oldDomain >= 0) this.#change(oldDomain, -oldShare, -1);
    if (domain >= 0) this.#change(domain, share, 1);
    if (oldDomain >= 0 && oldShare !== 0) changed.push(oldDomain);
    if (domain >= 0 && share !== 0) changed.push(domain);
  }

  #change(domain: number, by: number, nodes: number): void {
    const before = this.#sums[domain] ?? 0;
    const nodesBefore = this.#nodes[domain] ?? 0;
    const after = before + by;
    const nodesAfter = nodesBefore + nodes;
    this.#sums[domain] = after;
    this.#nodes[domain] = nodesAfter;
    this.total += by;
    if (nodesBefore === 0 && nodesAfter > 0) this.domains++;
    else if (nodesBefore > 0 && nodesAfter === 0) this.domains--;
    if (!this.input.trackMin) return;
    if (nodesBefore > 0) this.#histogram[before] = (this.#histogram[before] ?? 0) - 1;
    if (nodesAfter > 0) {
      this.#histogram[after] = (this.#histogram[after] ?? 0) + 1;
      if (after < this.#min || this.domains === 1) this.#min = after;
    }
    if (this.domains > 0) while ((this.#histogram[this.#min] ?? 0) === 0) this.#min++;
  }
}
