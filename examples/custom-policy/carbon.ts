import type { SchedulingPolicy } from "coxswain/scheduler";

const regionLabel = "topology.kubernetes.io/region";
const deferrableLabel = "example.com/deferrable";

/** Grams of CO2 per kWh in a region at a time; `undefined`: nobody knows. */
export type CarbonForecast = (region: string, atMs: number) => number | undefined;

export interface CarbonOptions {
  readonly forecast: CarbonForecast;
  /** The time; in simulations, theirs. */
  readonly clock: { now(): number };
  /** Deferrable pods wait until the electricity is at least so clean. */
  readonly limit: number;
}

/**
 * Prefers regions whose electricity is clean at this time of the day. Pods with the label `example.com/deferrable: "true"` wait
 * for it: what no event wakes is tried anew every five minutes.
 */
export function carbonAware({ forecast, clock, limit }: CarbonOptions): SchedulingPolicy {
  const intensity = (labels: { readonly [key: string]: string } | undefined): number | undefined =>
    forecast(labels?.[regionLabel] ?? "", clock.now());
  return {
    name: "CarbonAware",
    filter(pod, { node }) {
      if (pod.metadata.labels?.[deferrableLabel] !== "true") return undefined;
      const grams = intensity(node.metadata.labels);
      return grams !== undefined && grams > limit ? "node(s) had no clean electricity" : undefined;
    },
    score: (_pod, { node }) => intensity(node.metadata.labels) ?? limit,
    normalizeScore(_pod, scores) {
      const most = Math.max(...scores);
      const range = most - Math.min(...scores);
      return scores.map((score) => (range === 0 ? 100 : (100 * (most - score)) / range));
    },
    requeueWhen: [{ resource: "Node", actions: ["Add", "UpdateNodeLabel"] }],
  };
}

/** A sunny day: clean at noon, dirty at night; `hoursEast` says when a region's noon is. */
export function solarForecast(hoursEast: Readonly<Record<string, number>>): CarbonForecast {
  return (region, atMs) => {
    const east = hoursEast[region];
    if (east === undefined) return undefined;
    const hour = (atMs / 3_600_000 + east) % 24;
    return Math.round(400 - 300 * Math.max(0, Math.cos(((hour - 12) / 12) * Math.PI)));
  };
}
