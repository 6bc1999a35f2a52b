import type { SchedulingPolicy } from "coxswain/scheduler";

/** Prefers the cheapest nodes, by their label `example.com/price` (cents per hour), and keeps pods off those without one. */
export const cheapest: SchedulingPolicy = {
  name: "Cheapest",
  filter: (_pod, { node }) => (priceOf(node.metadata.labels) === undefined ? "node(s) had no price" : undefined),
  score: (_pod, { node }) => -(priceOf(node.metadata.labels) ?? 0),
  normalizeScore(_pod, scores) {
    const least = Math.min(...scores);
    const range = Math.max(...scores) - least;
    return scores.map((score) => (range === 0 ? 100 : ((score - least) / range) * 100));
  },
  requeueWhen: [{ resource: "Node", actions: ["Add", "UpdateNodeLabel"] }],
};

function priceOf(labels: { readonly [key: string]: string } | undefined): number | undefined {
  const price = Number(labels?.["example.com/price"]);
  return Number.isFinite(price) ? price : undefined;
}
