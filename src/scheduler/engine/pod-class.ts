import type { ChangeLog } from "../cache/change-log.js";
import type { ClusterTable } from "../cache/cluster-table.js";
import type { DomainView, FeasibleView, Normalize, TopologyPart, VectorPart } from "../framework/vector.js";
import { DomainCounts } from "./domain-counts.js";
import { NodeGroup } from "./node-group.js";
import { Withheld } from "./withheld.js";

export interface WeightedPart {
  readonly policy: string;
  readonly weight: number;
  readonly part: VectorPart;
}

interface NormalizedScore {
  readonly weight: number;
  readonly normalize: Normalize;
  /** Position in a group's raws, or the topology part. */
  readonly raw: number;
  readonly topology: { readonly part: TopologyPart; readonly base: number } | undefined;
}

/** Codes beside those of verdicts. */
const absent = -1;

/**
 * All nodes as one kind of pod sees them: which can take it, grouped and bucketed by score. It follows the table's log,
 * so that a pod like the last one costs a few changed nodes, however many nodes there are.
 */
export class PodClass implements DomainView {
  readonly key: string;
  readonly #table: ClusterTable;
  readonly #parts: readonly WeightedPart[];
  readonly #epoch: number;
  readonly #nodeFilters: readonly ((slot: number) => number)[];
  readonly #podsFilters: readonly ((slot: number) => number)[];
  readonly #nodeScores: readonly { readonly weight: number; readonly of: (slot: number) => number }[];
  readonly #podsScores: readonly { readonly weight: number; readonly of: (slot: number) => number }[];
  readonly #raws: readonly ((slot: number) => number)[];
  readonly #normalized: readonly NormalizedScore[];
  readonly #topologyFilters: readonly { readonly filter: NonNullable<TopologyPart["filter"]>; readonly base: number }[];
  readonly #inputs: readonly DomainCounts[];
  // Per slot: the verdict of the node by itself, its group, and where it is in there.
  readonly #code: Int32Array;
  readonly #group: (NodeGroup | undefined)[] = [];
  readonly #score: Int32Array;
  readonly #position: Int32Array;
  // Per slot, for the version of the node object that was looked at last.
  readonly #version: Uint32Array;
  readonly #nodeCode: Int32Array;
  readonly #nodeScore: Int32Array;
  readonly #nodeRaws: (readonly number[])[] = [];
  readonly #eligible: Uint8Array;
  readonly #groups = new Map<string, NodeGroup>();
  /** How many nodes have each verdict of their own. */
  readonly tally: Map<number, number> = new Map();
  /** Nodes that are left out from one pod to the next because of what is promised there. */
  readonly withheld: Withheld = new Withheld();
  readonly #changed: number[] = [];
  /** What tells it of changes. */
  readonly #log: ChangeLog;
  #cursor: number;
  /** A policy failed while it was asked about a node. */
  #broken = false;
  #round = 0;
  #viewed: NodeGroup | undefined;

  constructor(key: string, table: ClusterTable, parts: readonly WeightedPart[]) {
    this.key = key;
    this.#table = table;
    this.#parts = parts;
    this.#epoch = table.counters.epoch;
    this.#nodeFilters = parts.flatMap(({ part }) => part.nodeFilter ?? []);
    this.#podsFilters = parts.flatMap(({ part }) => part.podsFilter ?? []);
    const scoring = parts.filter(({ weight }) => weight !== 0);
    this.#nodeScores = scoring.flatMap(({ weight, part: { nodeScore } }) =>
      nodeScore !== undefined && nodeScore.normalize === undefined ? { weight, of: nodeScore.of } : [],
    );
    this.#podsScores = scoring.flatMap(({ weight, part: { podsScore } }) =>
      podsScore === undefined ? [] : { weight, of: podsScore },
    );
    const assembled = assemble(parts, table.capacity);
    this.#raws = assembled.raws;
    this.#normalized = assembled.normalized;
    this.#topologyFilters = assembled.filters;
    this.#inputs = assembled.inputs;
    const { capacity } = table;
    this.#code = new Int32Array(capacity).fill(absent);
    this.#score = new Int32Array(capacity);
    this.#position = new Int32Array(capacity);
    this.#version = new Uint32Array(capacity);
    this.#nodeCode = new Int32Array(capacity);
    this.#nodeScore = new Int32Array(capacity);
    this.#eligible = new Uint8Array(capacity * Math.max(1, this.#inputs.length));
    this.#log = parts.some(({ part }) => part.readsObjects === true) ? table.objectLog : table.log;
    this.#cursor = this.#log.sequence;
    for (let slot = 0; slot < table.slots; slot++) this.#count(slot);
    for (let slot = 0; slot < table.slots; slot++) this.#place(slot);
  }

  /** Whether a node's verdict depends on nothing but the node and its pods. */
  get local(): boolean {
    return this.#inputs.length === 0;
  }

  dispose(): void {
    for (const { part } of this.#parts) part.dispose?.();
  }

  /** Whether it must be made anew: the table's arrays moved, too much happened since, or a policy failed. */
  get stale(): boolean {
    return (
      this.#epoch !== this.#table.counters.epoch ||
      this.#broken ||
      !this.#log.holds(this.#cursor) ||
      this.#inputs.some((input) => input.outgrown)
    );
  }

  /** Takes in what changed since the last time. Only when not stale. Throws PolicyError, and is stale then. */
  catchUp(): void {
    const log = this.#log;
    while (this.#cursor < log.sequence) this.reconsider(log.at(this.#cursor++));
  }

  /** Looks at one node again. Throws PolicyError, and is stale then. */
  reconsider(slot: number): void {
    this.withheld.touch(slot);
    try {
      this.#count(slot);
      this.#place(slot);
    } catch (error) {
      this.#broken = true;
      throw error;
    }
  }

  /** What filters say of the node as the table has it in this moment. Only when `local`; it remembers nothing. Throws PolicyError. */
  evaluate(slot: number): number {
    return this.#table.nodes[slot] === undefined ? absent : this.#filter(slot);
  }

  /** What the node's own filters say, without regard to topology. Below 0: there is no node. */
  ownCode(slot: number): number {
    return this.#code[slot] ?? absent;
  }

  /** The first rejection of all filters, 0 when the node passes. Below 0: there is no node. */
  code(slot: number): number {
    // Columns lie together in memory, and groups do not.
    if (this.#topologyFilters.length === 0) return this.ownCode(slot);
    const group = this.#group[slot];
    return group === undefined ? this.ownCode(slot) : this.#codeOf(group);
  }

  /** To be called before a round of `code` or `feasible`, after changes. */
  beginRound(): void {
    this.#round++;
  }

  /** The groups that pass topology filters. Groups are never empty. */
  feasibleGroups(): NodeGroup[] {
    const groups: NodeGroup[] = [];
    for (const group of this.#groups.values()) if (this.#codeOf(group) === 0) groups.push(group);
    return groups;
  }

  /** How many nodes have each verdict, topology included. */
  verdicts(): Map<number, number> {
    const counts = new Map(this.tally);
    for (const group of this.#groups.values()) {
      const code = this.#codeOf(group);
      if (code !== 0) counts.set(code, (counts.get(code) ?? 0) + group.size);
    }
    return counts;
  }

  /** Leaves the node out until it is reconsidered. */
  block(slot: number): void {
    this.#leave(slot);
  }

  groupOf(slot: number): NodeGroup | undefined {
    return this.#group[slot];
  }

  /** The weighted sum of what the node scores by itself. */
  ownScore(slot: number): number {
    return this.#score[slot] ?? 0;
  }

  /**
   * The weighted, normalised scores of groups, to be added to the nodes' own scores. Where only some nodes take part:
   * how many of each group, and which.
   */
  groupScores(groups: readonly NodeGroup[], sizes?: readonly number[], slots?: readonly number[]): number[] {
    const totals = new Array<number>(groups.length).fill(0);
    for (const { weight, normalize, raw, topology } of this.#normalized) {
      if (topology !== undefined) {
        topology.part.score?.prepare?.(this.#feasibleView(groups, topology.base, sizes, slots), topology.base);
      }
      const scores = groups.map((group) => {
        if (topology === undefined) return group.raws[raw] ?? 0;
        this.#viewed = group;
        return topology.part.score?.of(this, topology.base) ?? 0;
      });
      normalize(scores);
      for (let index = 0; index < totals.length; index++) {
        totals[index] = (totals[index] ?? 0) + weight * (scores[index] ?? 0);
      }
    }
    return totals;
  }

  hasKey(input: number): boolean {
    return (this.#viewed?.domains[input] ?? -1) >= 0;
  }
  count(input: number): number {
    const group = this.#viewed;
    if (group === undefined) return 0;
    const count = group.counts[input] ?? 0;
    return Number.isNaN(count) ? (this.#inputs[input]?.sum(group.domains[input] ?? -1) ?? 0) : count;
  }
  min(input: number): number {
    return this.#inputs[input]?.min ?? 0;
  }
  domains(input: number): number {
    return this.#inputs[input]?.domains ?? 0;
  }
  total(input: number): number {
    return this.#inputs[input]?.total ?? 0;
  }

  #codeOf(group: NodeGroup): number {
    return group.round === this.#round ? group.code : this.#verdict(group);
  }

  #verdict(group: NodeGroup): number {
    group.round = this.#round;
    group.code = 0;
    this.#viewed = group;
    for (const { filter, base } of this.#topologyFilters) {
      group.code = filter(this, base);
      if (group.code !== 0) break;
    }
    return group.code;
  }

  #feasibleView(
    groups: readonly NodeGroup[],
    base: number,
    sizes: readonly number[] | undefined,
    slots: readonly number[] | undefined,
  ): FeasibleView {
    const hasAll = (group: NodeGroup, required: readonly number[]): boolean =>
      required.every((input) => (group.domains[base + input] ?? -1) >= 0);
    return {
      nodes: (required) => {
        let count = 0;
        groups.forEach((group, index) => {
          if (hasAll(group, required)) count += sizes?.[index] ?? group.size;
        });
        return count;
      },
      domains: (input, required) => {
        const seen = new Set<number>();
        const column = this.#inputs[base + input]?.key.values;
        for (const group of groups) {
          if (!hasAll(group, required)) continue;
          if (Number.isNaN(group.counts[base + input] ?? 0)) seen.add(group.domains[base + input] ?? -1);
          else {
            for (const slot of slots ?? group.slots()) {
              if (slots === undefined || this.#group[slot] === group) seen.add(column?.[slot] ?? -1);
            }
          }
        }
        return seen.size;
      },
    };
  }

  /** Brings the domain counts up to date with the node, and regroups others whose count changed with it. */
  #count(slot: number): void {
    this.#readNode(slot);
    const present = this.#table.nodes[slot] !== undefined;
    for (let index = 0; index < this.#inputs.length; index++) {
      const input = this.#inputs[index];
      if (input === undefined) continue;
      const eligible = present && this.#eligible[slot * this.#inputs.length + index] === 1;
      input.update(slot, eligible, this.#changed);
      if (this.#changed.length === 0) continue;
      for (const domain of this.#changed) {
        if (input.coarse) break;
        for (const member of input.key.members[domain] ?? []) if (member !== slot) this.#regroup(member);
      }
      this.#changed.length = 0;
    }
  }

  /** What depends on the node object alone is read once per version of it. */
  #readNode(slot: number): void {
    const version = this.#table.version[slot] ?? 0;
    if (this.#version[slot] === version) return;
    this.#version[slot] = version;
    if (this.#table.nodes[slot] === undefined) return;
    let code = 0;
    for (const filter of this.#nodeFilters) {
      code = filter(slot);
      if (code !== 0) break;
    }
    this.#nodeCode[slot] = code;
    let score = 0;
    for (const { weight, of } of this.#nodeScores) score += weight * of(slot);
    this.#nodeScore[slot] = score;
    this.#nodeRaws[slot] = this.#raws.map((raw) => raw(slot));
    this.#inputs.forEach(({ input }, index) => {
      this.#eligible[slot * this.#inputs.length + index] = (input.eligible?.(slot) ?? true) ? 1 : 0;
    });
  }

  #place(slot: number): void {
    const code = this.#table.nodes[slot] === undefined ? absent : this.#filter(slot);
    this.#setCode(slot, code);
    if (code !== 0) {
      this.#leave(slot);
      return;
    }
    let score = this.#nodeScore[slot] ?? 0;
    for (const { weight, of } of this.#podsScores) score += weight * of(slot);
    this.#enter(slot, score);
  }

  #filter(slot: number): number {
    let code = this.#nodeCode[slot] ?? 0;
    for (let index = 0; code === 0 && index < this.#podsFilters.length; index++) {
      code = this.#podsFilters[index]?.(slot) ?? 0;
    }
    return code;
  }

  #regroup(slot: number): void {
    if (this.#group[slot] !== undefined) this.#enter(slot, this.#score[slot] ?? 0);
  }

  #setCode(slot: number, code: number): void {
    const old = this.#code[slot] ?? absent;
    if (old === code) return;
    this.#code[slot] = code;
    if (old > 0) {
      const left = (this.tally.get(old) ?? 0) - 1;
      if (left > 0) this.tally.set(old, left);
      else this.tally.delete(old);
    }
    if (code > 0) this.tally.set(code, (this.tally.get(code) ?? 0) + 1);
  }

  #enter(slot: number, score: number): void {
    const key = this.#groupKey(slot);
    const current = this.#group[slot];
    if (current !== undefined && current.key === key && this.#score[slot] === score) return;
    this.#leave(slot);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = this.#newGroup(key, slot);
      this.#groups.set(key, group);
    }
    this.#group[slot] = group;
    this.#score[slot] = score;
    this.#position[slot] = group.add(slot, score);
  }

  #leave(slot: number): void {
    const group = this.#group[slot];
    if (group === undefined) return;
    this.#group[slot] = undefined;
    const position = this.#position[slot] ?? 0;
    const moved = group.remove(this.#score[slot] ?? 0, position);
    if (moved >= 0) this.#position[moved] = position;
    if (group.size === 0) this.#groups.delete(group.key);
  }

  #groupKey(slot: number): string {
    let key = "";
    const raws = this.#nodeRaws[slot];
    if (raws !== undefined) for (const raw of raws) key += `${raw};`;
    for (const input of this.#inputs) {
      const domain = input.key.values[slot] ?? -1;
      key += domain < 0 ? "-," : input.coarse ? `${domain},` : `=${input.sum(domain)},`;
    }
    return key;
  }

  #newGroup(key: string, slot: number): NodeGroup {
    const domains = new Int32Array(this.#inputs.length);
    const counts = new Float64Array(this.#inputs.length);
    this.#inputs.forEach((input, index) => {
      const domain = input.key.values[slot] ?? -1;
      domains[index] = domain;
      counts[index] = domain < 0 ? 0 : input.coarse ? Number.NaN : input.sum(domain);
    });
    return new NodeGroup(key, this.#nodeRaws[slot] ?? [], domains, counts);
  }
}

function assemble(
  parts: readonly WeightedPart[],
  capacity: number,
): {
  raws: ((slot: number) => number)[];
  normalized: NormalizedScore[];
  filters: { filter: NonNullable<TopologyPart["filter"]>; base: number }[];
  inputs: DomainCounts[];
} {
  const raws: ((slot: number) => number)[] = [];
  const normalized: NormalizedScore[] = [];
  const filters: { filter: NonNullable<TopologyPart["filter"]>; base: number }[] = [];
  const inputs: DomainCounts[] = [];
  for (const { weight, part } of parts) {
    const { nodeScore, topology } = part;
    if (nodeScore?.normalize !== undefined && weight !== 0) {
      normalized.push({
        weight,
        normalize: nodeScore.normalize,
        raw: raws.push(nodeScore.of) - 1,
        topology: undefined,
      });
    }
    if (topology === undefined) continue;
    const base = inputs.length;
    for (const input of topology.inputs) inputs.push(new DomainCounts(input, capacity));
    if (topology.filter !== undefined) filters.push({ filter: topology.filter, base });
    if (topology.score !== undefined && weight !== 0) {
      normalized.push({ weight, normalize: topology.score.normalize, raw: -1, topology: { part: topology, base } });
    }
  }
  return { raws, normalized, filters, inputs };
}
