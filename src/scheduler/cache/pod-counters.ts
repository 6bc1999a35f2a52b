import type { CompiledTerm, NamespaceLabels } from "./affinity-term.js";
import { termMatches } from "./affinity-term.js";
import type { PodInfo } from "./pod-info.js";

/** A number per node slot that follows the pods on the nodes. */
export interface SlotCounter {
  readonly perNode: Int32Array;
}

/** Counts, per node, the pods that match all of `terms`. */
export interface PodCounter extends SlotCounter {
  readonly id: string;
  readonly terms: readonly CompiledTerm[];
  /** Spreading does not count pods that are on their way out; affinity does. */
  readonly skipTerminating: boolean;
  perNode: Int32Array;
  users: number;
}

export type OwnerKind = "requiredAffinity" | "requiredAntiAffinity" | "preferredAffinity" | "preferredAntiAffinity";

/** Counts, per node, the pods that have this term; for preferred terms, the sum of its weights. */
export interface OwnerCounter extends SlotCounter {
  readonly kind: OwnerKind;
  readonly term: CompiledTerm;
  perNode: Int32Array;
  owners: number;
  /** Position in the log of terms; a reader has looked at all below its cursor. */
  readonly sequence: number;
}

const dropAfter = 4096;
const memoLimit = 4096;

/** Keeps all counters up to date as pods come and go. */
export class PodCounters {
  /** Raised when counters that somebody holds are no longer fed: everything derived from them is to be made anew. */
  epoch = 0;
  readonly #namespaceLabels: NamespaceLabels;
  readonly #counters = new Map<string, PodCounter>();
  readonly #indexed = new Map<string, Map<string, Map<string, PodCounter[]>>>();
  #general: PodCounter[] = [];
  readonly #owned = new Map<string, OwnerCounter>();
  #ownerLog: OwnerCounter[] = [];
  #capacity = 0;
  /** Which terms match pods of a namespace and labels, as far into the log as was looked. */
  readonly #matching = new Map<string, { cursor: number; readonly owners: OwnerCounter[] }>();

  constructor(namespaceLabels: NamespaceLabels) {
    this.#namespaceLabels = namespaceLabels;
  }

  grow(capacity: number): void {
    this.#capacity = capacity;
    for (const counter of this.#counters.values()) counter.perNode = grown(counter.perNode, capacity);
    for (const counter of this.#owned.values()) counter.perNode = grown(counter.perNode, capacity);
  }

  /** The counter of the pods that match `terms`, shared; `release` it. `count` is called once if it has to be filled. */
  acquire(
    terms: readonly CompiledTerm[],
    skipTerminating: boolean,
    everyPod: (visit: (slot: number, pod: PodInfo) => void) => void,
  ): PodCounter {
    const id = `${skipTerminating}${terms.map((term) => matcherId(term)).join("&")}`;
    const known = this.#counters.get(id);
    if (known !== undefined) {
      known.users++;
      return known;
    }
    const counter: PodCounter = { id, terms, skipTerminating, perNode: new Int32Array(this.#capacity), users: 1 };
    this.#counters.set(id, counter);
    const bucket = this.#bucket(counter, true);
    if (bucket === undefined) this.#general.push(counter);
    else bucket.push(counter);
    everyPod((slot, pod) => {
      if (this.matches(counter, pod)) counter.perNode[slot] = (counter.perNode[slot] ?? 0) + 1;
    });
    return counter;
  }

  release(counter: PodCounter): void {
    if (--counter.users > 0 || this.#counters.get(counter.id) !== counter) return;
    this.#counters.delete(counter.id);
    const bucket = this.#bucket(counter, false);
    if (bucket === undefined) this.#general = this.#general.filter((other) => other !== counter);
    else bucket.splice(bucket.indexOf(counter), 1);
  }

  matches(counter: PodCounter, pod: PodInfo): boolean {
    if (counter.skipTerminating && pod.terminating) return false;
    for (const term of counter.terms) {
      if (!termMatches(term, pod.namespace, pod.labels, this.#namespaceLabels)) return false;
    }
    return true;
  }

  /** `sign` is 1 when the pod comes to the node, -1 when it goes. */
  count(slot: number, pod: PodInfo, sign: 1 | -1): void {
    for (const counter of this.#general) this.#bump(counter, slot, pod, sign);
    const byKey = this.#indexed.get(pod.namespace);
    if (byKey !== undefined && pod.labels !== undefined) {
      for (const [key, byValue] of byKey) {
        const value = Object.hasOwn(pod.labels, key) ? pod.labels[key] : undefined;
        const counters = value === undefined ? undefined : byValue.get(value);
        if (counters !== undefined) for (const counter of counters) this.#bump(counter, slot, pod, sign);
      }
    }
    this.#countOwned(slot, pod, sign);
  }

  #countOwned(slot: number, { terms }: PodInfo, sign: 1 | -1): void {
    for (const term of terms.requiredAffinity) this.#own("requiredAffinity", term, slot, sign, 1);
    for (const term of terms.requiredAntiAffinity) this.#own("requiredAntiAffinity", term, slot, sign, 1);
    for (const { term, weight } of terms.preferredAffinity) this.#own("preferredAffinity", term, slot, sign, weight);
    for (const { term, weight } of terms.preferredAntiAffinity) {
      this.#own("preferredAntiAffinity", term, slot, sign, weight);
    }
  }

  get ownerSequence(): number {
    return this.#ownerLog.length;
  }

  /** Terms of pods on nodes that match the pod, oldest first. Some may have no owner left. */
  ownersMatching({ namespace, labels }: PodInfo): readonly OwnerCounter[] {
    const id = JSON.stringify([namespace, labels]);
    let memo = this.#matching.get(id);
    if (memo === undefined) {
      if (this.#matching.size >= memoLimit) this.#matching.clear();
      memo = { cursor: 0, owners: [] };
      this.#matching.set(id, memo);
    }
    while (memo.cursor < this.#ownerLog.length) {
      const owner = this.#ownerLog[memo.cursor++];
      if (owner !== undefined && termMatches(owner.term, namespace, labels, this.#namespaceLabels))
        memo.owners.push(owner);
    }
    return memo.owners;
  }

  /** Labels of a namespace changed: terms that select namespaces mean other pods now. All counters are made anew. */
  recount(everyPod: (visit: (slot: number, pod: PodInfo) => void) => void): void {
    this.#counters.clear();
    this.#indexed.clear();
    this.#general = [];
    this.#owned.clear();
    this.#ownerLog = [];
    this.#matching.clear();
    this.epoch++;
    everyPod((slot, pod) => this.#countOwned(slot, pod, 1));
  }

  #bump(counter: PodCounter, slot: number, pod: PodInfo, sign: number): void {
    if (this.matches(counter, pod)) counter.perNode[slot] = (counter.perNode[slot] ?? 0) + sign;
  }

  #own(kind: OwnerKind, term: CompiledTerm, slot: number, sign: 1 | -1, weight: number): void {
    const id = `${kind}${term.id}`;
    let counter = this.#owned.get(id);
    if (counter === undefined) {
      if (sign < 0) return;
      const sequence = this.#ownerLog.length;
      counter = { kind, term, perNode: new Int32Array(this.#capacity), owners: 0, sequence };
      this.#owned.set(id, counter);
      this.#ownerLog.push(counter);
    }
    counter.perNode[slot] = (counter.perNode[slot] ?? 0) + sign * weight;
    counter.owners += sign;
    if (counter.owners > 0 || this.#ownerLog.length < dropAfter) return;
    if (this.#ownerLog.length < 2 * this.#live()) return;
    this.#compact();
  }

  #live(): number {
    let live = 0;
    for (const { owners } of this.#owned.values()) if (owners > 0) live++;
    return live;
  }

  #compact(): void {
    const live = [...this.#owned.entries()].filter(([, { owners }]) => owners > 0);
    this.#owned.clear();
    this.#ownerLog = live.map(([id, counter], sequence) => {
      const moved = { ...counter, sequence };
      this.#owned.set(id, moved);
      return moved;
    });
    this.#matching.clear();
    this.epoch++;
  }

  #bucket(counter: PodCounter, create: boolean): PodCounter[] | undefined {
    const term = counter.terms[0];
    if (term === undefined || term.namespaces.size !== 1 || term.namespaceSelector !== undefined) return undefined;
    const [namespace = ""] = term.namespaces;
    const equality = term.selector.requirements.find(
      ({ operator, values }) => (operator === "=" || operator === "==" || operator === "in") && values.length === 1,
    );
    const value = equality?.values[0];
    if (equality === undefined || value === undefined) return undefined;
    let byKey = this.#indexed.get(namespace);
    if (byKey === undefined) {
      byKey = new Map();
      if (create) this.#indexed.set(namespace, byKey);
    }
    let byValue = byKey.get(equality.key);
    if (byValue === undefined) {
      byValue = new Map();
      if (create) byKey.set(equality.key, byValue);
    }
    let bucket = byValue.get(value);
    if (bucket === undefined) {
      bucket = [];
      if (create) byValue.set(value, bucket);
    }
    if (!create && bucket.length <= 1) {
      byValue.delete(value);
      if (byValue.size === 0) byKey.delete(equality.key);
      if (byKey.size === 0) this.#indexed.delete(namespace);
    }
    return bucket;
  }
}

/** What a counter counts does not depend on the topology key. */
function matcherId(term: CompiledTerm): string {
  return JSON.stringify([
    [...term.namespaces].sort(),
    term.namespaceSelector === undefined ? null : [term.namespaceSelector.nothing, term.namespaceSelector.toString()],
    term.selector.nothing,
    term.selector.toString(),
  ]);
}

function grown(array: Int32Array, capacity: number): Int32Array {
  const larger = new Int32Array(capacity);
  larger.set(array);
  return larger;
}
