import type { Pod, PodDisruptionBudget } from "../../api/index.js";
import type { NodeChanges, Rejection, ResolvableNode, ScheduleFailure } from "../framework/policy.js";
import { Heap, type Heaped } from "../queue/heap.js";

/** A node that would take the pod without some others. */
export interface Candidate {
  readonly nodeName: string;
  /** Most important first. */
  readonly victims: readonly Pod[];
  readonly violations: number;
  readonly highest: number;
  readonly sum: number;
  /** When the first of the victims of the highest priority started. */
  readonly earliestStartMs: number;
}

interface Known extends Heaped {
  readonly id: number;
  readonly found: Candidate | Rejection;
}

/**
 * What was found on nodes for one kind of pod. Many like pods preempt one after the other, each changing one node: what was found
 * on the others is still true.
 */
export class Candidates {
  readonly #known = new Map<number, Known>();
  readonly #good = new Heap<Known>((a, b) => (lessHarm(a, b) || a.id - b.id) < 0);
  /** When all nodes were looked at once: those to look at again. */
  #left: Set<number> | undefined;
  /** How many changes it has taken in. */
  #cursor = -1;

  /**
   * The one of least harm among at least `enough`; among all, if there are fewer or each breaks a budget. `start` is where to look
   * first, as in `resolvableNodes`.
   */
  best(
    failure: ScheduleFailure,
    start: number,
    enough: number,
    look: (node: ResolvableNode) => Candidate | Rejection,
  ): Candidate | undefined {
    this.#catchUp(failure.changes);
    const { ownNode } = failure;
    // What is promised to the pod itself does not stand in its own way, but in that of pods like it.
    if (ownNode !== undefined) this.#forget(ownNode);
    let all = !this.#suffices(enough);
    if (all) {
      for (const node of this.#unknown(failure, start)) {
        this.#left?.delete(node.id);
        this.#add({ id: node.id, found: look(node), position: -1 });
        all = !this.#suffices(enough);
        if (!all) break;
      }
    }
    if (all) this.#left = new Set();
    const best = this.#good.peek()?.found;
    if (ownNode !== undefined) this.#forget(ownNode);
    return best === undefined || "reasons" in best ? undefined : best;
  }

  /** Why nodes that were looked at are none. */
  *rejections(): Iterable<Rejection> {
    for (const { found } of this.#known.values()) if ("reasons" in found) yield found;
  }

  #suffices(enough: number): boolean {
    const best = this.#good.peek()?.found;
    return best !== undefined && "victims" in best && best.violations === 0 && this.#good.size >= enough;
  }

  *#unknown(failure: ScheduleFailure, start: number): Iterable<ResolvableNode> {
    if (this.#left === undefined) {
      for (const node of failure.resolvableNodes(start)) if (!this.#known.has(node.id)) yield node;
      return;
    }
    for (const id of this.#left) {
      const node = failure.resolvableNode(id);
      if (node !== undefined) yield node;
    }
  }

  #catchUp(changes: NodeChanges): void {
    const ids = this.#cursor < 0 ? [] : changes.since(this.#cursor);
    this.#cursor = changes.sequence;
    if (ids !== undefined) for (const id of ids) this.#forget(id);
    else {
      for (const id of [...this.#known.keys()]) this.#forget(id);
      this.#left = undefined;
    }
  }

  #add(known: Known): void {
    this.#known.set(known.id, known);
    if ("victims" in known.found) this.#good.push(known);
  }

  #forget(id: number): void {
    const known = this.#known.get(id);
    this.#left?.add(id);
    if (known === undefined) return;
    this.#known.delete(id);
    this.#good.remove(known);
  }
}

/** Candidates by kind of pod: by likeness, priority and the budgets there are. */
export class CandidateMemory {
  readonly #kinds = new WeakMap<object, Map<string, Candidates>>();

  of(pod: Pod, { likeness }: ScheduleFailure, budgets: readonly PodDisruptionBudget[]): Candidates {
    if (likeness === undefined) return new Candidates();
    let kinds = this.#kinds.get(likeness);
    if (kinds === undefined) {
      kinds = new Map();
      this.#kinds.set(likeness, kinds);
    }
    const kind = JSON.stringify([
      priorityOf(pod),
      budgets.map(({ metadata }) => [metadata.uid, metadata.resourceVersion]),
    ]);
    let candidates = kinds.get(kind);
    if (candidates === undefined) {
      // Budgets change all the time; what was found under the old ones is of no use.
      if (kinds.size >= 8) kinds.clear();
      candidates = new Candidates();
      kinds.set(kind, candidates);
    }
    return candidates;
  }
}

/**
 * Least harm: no victims at all, else fewest broken budgets, then the lowest of the highest victims' priorities, the lowest sum of
 * priorities, the fewest victims, and the youngest among the most important victims.
 */
function lessHarm({ found: a }: Known, { found: b }: Known): number {
  if (!("victims" in a && "victims" in b)) return 0;
  return (
    Number(a.victims.length > 0) - Number(b.victims.length > 0) ||
    a.violations - b.violations ||
    a.highest - b.highest ||
    a.sum - b.sum ||
    a.victims.length - b.victims.length ||
    b.earliestStartMs - a.earliestStartMs
  );
}

export function priorityOf(pod: Pod): number {
  return pod.spec?.priority ?? 0;
}
