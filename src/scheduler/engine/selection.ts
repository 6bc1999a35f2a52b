import { type Random, randomInt } from "../../internal/random.js";
import type { NodeGroup } from "./node-group.js";
import type { PodClass } from "./pod-class.js";

/**
 * The best node over whole groups: as many steps as there are groups. -1 when none is feasible. Among equals chance decides, or
 * `preferred` if it is one of them.
 */
export function bestOfGroups(podClass: PodClass, random: Random, preferred = -1): number {
  const groups = podClass.feasibleGroups();
  const [only] = groups;
  if (only === undefined) return -1;
  if (groups.length === 1) return pick(only.best().slots, random, preferred);
  const scores = podClass.groupScores(groups);
  let most = Number.NEGATIVE_INFINITY;
  let ties = 0;
  for (let index = 0; index < groups.length; index++) {
    const best = groups[index]?.best();
    if (best === undefined) continue;
    const total = (scores[index] ?? 0) + best.score;
    if (total > most) {
      most = total;
      ties = 0;
    }
    if (total === most) ties += best.slots.length;
  }
  const home = podClass.groupOf(preferred);
  const score = home === undefined ? undefined : scores[groups.indexOf(home)];
  if (score !== undefined && score + podClass.ownScore(preferred) === most) return preferred;
  let chosen = randomInt(random, ties);
  for (let index = 0; index < groups.length; index++) {
    const best = groups[index]?.best();
    if (best === undefined || (scores[index] ?? 0) + best.score !== most) continue;
    if (chosen < best.slots.length) return best.slots[chosen] ?? -1;
    chosen -= best.slots.length;
  }
  return -1;
}

/** What each of these feasible nodes scores by its class, normalised among them alone. */
export function classScores(podClass: PodClass, slots: readonly number[]): number[] {
  const groups: NodeGroup[] = [];
  const sizes: number[] = [];
  const positions = new Map<NodeGroup, number>();
  // Of each slot, its group's; -1 without one. Neighbours often share a group.
  const positionOf = new Array<number>(slots.length);
  let [last, position]: [NodeGroup | undefined, number] = [undefined, -1];
  for (let index = 0; index < slots.length; index++) {
    const group = podClass.groupOf(slots[index] ?? -1);
    if (group !== last) {
      last = group;
      position = group === undefined ? -1 : (positions.get(group) ?? -1);
      if (group !== undefined && position < 0) {
        position = groups.push(group) - 1;
        positions.set(group, position);
        sizes.push(0);
      }
    }
    positionOf[index] = position;
    if (position >= 0) sizes[position] = (sizes[position] ?? 0) + 1;
  }
  const scores = podClass.groupScores(groups, sizes, slots);
  for (let index = 0; index < slots.length; index++) {
    positionOf[index] = podClass.ownScore(slots[index] ?? -1) + (scores[positionOf[index] ?? -1] ?? 0);
  }
  return positionOf;
}

/** One of the highest: `preferred`, or by chance. */
export function bestOf(slots: readonly number[], scores: readonly number[], random: Random, preferred: number): number {
  let most = Number.NEGATIVE_INFINITY;
  let ties = 0;
  let home = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < slots.length; index++) {
    const score = scores[index] ?? 0;
    if (score > most) {
      most = score;
      ties = 0;
    }
    if (score === most) ties++;
    if (slots[index] === preferred) home = score;
  }
  if (home === most) return preferred;
  let left = ties === 1 ? 0 : randomInt(random, ties);
  for (let index = 0; index < slots.length; index++) {
    if ((scores[index] ?? 0) === most && left-- === 0) return slots[index] ?? -1;
  }
  return -1;
}

function pick(slots: readonly number[], random: Random, preferred: number): number {
  if (preferred >= 0 && slots.includes(preferred)) return preferred;
  return slots[slots.length === 1 ? 0 : randomInt(random, slots.length)] ?? -1;
}

/**
 * How many feasible nodes are enough when each has to be asked singly: all of up to 100, else a share that falls from half to a
 * twentieth as the cluster grows, or the share that is configured. At least 100.
 */
export function nodesToFind(nodeCount: number, percentage: number | undefined): number {
  if (nodeCount < 100) return nodeCount;
  const share = percentage !== undefined && percentage > 0 ? percentage : Math.max(5, Math.trunc(50 - nodeCount / 125));
  if (share >= 100) return nodeCount;
  return Math.max(100, Math.trunc((nodeCount * share) / 100));
}
