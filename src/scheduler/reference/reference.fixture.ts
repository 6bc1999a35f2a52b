import type { Node, Pod } from "../../api/index.js";
import { filters, type No } from "./filters.fixture.js";
import { scores } from "./scores.fixture.js";
import type { World } from "./world.fixture.js";

/** What the default policies say of each node: why not, or its score. In the order of the nodes. */
export function judge(pod: Pod, world: World): readonly (No | number)[] {
  const verdicts = world.nodes.map((node) => firstNo(pod, node, world));
  const feasible = world.nodes.filter((_, index) => verdicts[index] === undefined);
  const totals = new Map<Node, number>(feasible.map((node) => [node, 0]));
  for (const { weight, score } of Object.values(scores)) {
    score(pod, feasible, world).forEach((own, index) => {
      const node = feasible[index] as Node;
      totals.set(node, (totals.get(node) ?? 0) + weight * own);
    });
  }
  return world.nodes.map((node, index) => verdicts[index] ?? totals.get(node) ?? 0);
}

function firstNo(pod: Pod, node: Node, world: World): No | undefined {
  for (const filter of filters) {
    const verdict = filter(pod, node, world);
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}
