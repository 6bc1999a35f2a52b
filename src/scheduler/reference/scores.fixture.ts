import type { Node, Pod, PodAffinityTerm, TopologySpreadConstraint } from "../../api/index.js";
import { counted, isAbout, matchingOn, together } from "./filters.fixture.js";
import {
  allocatableOf,
  labelsOf,
  nodeTermHolds,
  podsOn,
  requestsOf,
  sumOnNode,
  untolerated,
  type World,
} from "./world.fixture.js";

/** One score from 0 to 100 for each of `nodes`, all of which passed the filters. */
type Score = (pod: Pod, nodes: readonly Node[], world: World) => readonly number[];

const hostname = "kubernetes.io/hostname";
const zone = "topology.kubernetes.io/zone";

const scaled = (scores: readonly number[], reverse: boolean): number[] => {
  const max = Math.max(...scores);
  return scores.map((score) => {
    const share = max === 0 ? 0 : Math.floor((100 * score) / max);
    return reverse ? 100 - share : share;
  });
};

const taintToleration: Score = (pod, nodes) => {
  const scored = (node: Node): number => {
    const tolerations = (pod.spec?.tolerations ?? []).filter(({ effect }) => !effect || effect === "PreferNoSchedule");
    const only: Pod = { ...pod, spec: { containers: [], ...pod.spec, tolerations } };
    return untolerated(only, node, ["PreferNoSchedule"]).length;
  };
  return scaled(nodes.map(scored), true);
};

const nodeAffinity: Score = (pod, nodes) => {
  const terms = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const scored = (node: Node): number =>
    terms.reduce((sum, { weight, preference }) => sum + (nodeTermHolds(preference, node) ? weight : 0), 0);
  return scaled(nodes.map(scored), false);
};

const leastAllocated: Score = (pod, nodes, world) =>
  nodes.map((node) => {
    const free = allocatableOf(node);
    const [used, own] = [sumOnNode(world, node, true), requestsOf(pod, true)];
    const shares = ["cpu", "memory"].flatMap((name) => {
      const all = free[name] ?? 0;
      const wanted = (used[name] ?? 0) + (own[name] ?? 0);
      return all === 0 ? [] : [wanted > all ? 0 : Math.floor(((all - wanted) * 100) / all)];
    });
    return shares.length === 0 ? 0 : Math.floor(shares.reduce((sum, share) => sum + share, 0) / shares.length);
  });

const balanced: Score = (pod, nodes, world) => {
  const own = requestsOf(pod);
  if ((own["cpu"] ?? 0) === 0 && (own["memory"] ?? 0) === 0) return nodes.map(() => 0);
  return nodes.map((node) => {
    const [free, used] = [allocatableOf(node), sumOnNode(world, node)];
    const fractions = ["cpu", "memory"]
      .filter((name) => (free[name] ?? 0) > 0)
      .map((name) => Math.min(1, ((used[name] ?? 0) + (own[name] ?? 0)) / (free[name] ?? 1)));
    const [a = 0, b = 0] = fractions;
    return Math.floor((1 - (fractions.length === 2 ? Math.abs((a - b) / 2) : 0)) * 100);
  });
};

const imageLocality: Score = (pod, nodes, world) => {
  const images = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map(({ image = "" }) =>
    /:[^/]*$/.test(image) ? image : `${image}:latest`,
  );
  const size = (node: Node, image: string): number | undefined =>
    node.status?.images?.find(({ names }) => names?.includes(image))?.sizeBytes;
  const mib = 2 ** 20;
  return nodes.map((node) => {
    const sum = images.reduce((total, image) => {
      const share = world.nodes.filter((other) => size(other, image) !== undefined).length / world.nodes.length;
      return total + Math.floor((size(node, image) ?? 0) * share);
    }, 0);
    const max = 1000 * mib * images.length;
    return Math.floor((100 * (Math.min(Math.max(sum, 23 * mib), max) - 23 * mib)) / (max - 23 * mib));
  });
};

/** The pod's own soft constraints, or the system's over the pods of its services. */
function softConstraints(pod: Pod, { services }: World): { soft: TopologySpreadConstraint[]; system: boolean } {
  const own = pod.spec?.topologySpreadConstraints ?? [];
  if (own.length > 0) {
    return { soft: own.filter(({ whenUnsatisfiable }) => whenUnsatisfiable === "ScheduleAnyway"), system: false };
  }
  const matchLabels: Record<string, string> = {};
  for (const { metadata, spec } of services) {
    const selector = Object.entries(spec?.selector ?? {});
    if (metadata.namespace !== pod.metadata.namespace || selector.length === 0) continue;
    if (selector.every(([key, value]) => labelsOf(pod)[key] === value)) Object.assign(matchLabels, spec?.selector);
  }
  if (Object.keys(matchLabels).length === 0) return { soft: [], system: true };
  const constraint = (topologyKey: string, maxSkew: number): TopologySpreadConstraint => ({
    topologyKey,
    maxSkew,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels },
  });
  return { soft: [constraint(hostname, 3), constraint(zone, 5)], system: true };
}

const topologySpread: Score = (pod, nodes, world) => {
  const { soft, system } = softConstraints(pod, world);
  if (soft.length === 0) return nodes.map(() => 0);
  const takesPart = (node: Node): boolean =>
    system || soft.every(({ topologyKey }) => labelsOf(node)[topologyKey] !== undefined);
  const partners = nodes.filter(takesPart);
  const raw = nodes.map((node) => {
    let score = 0;
    for (const constraint of soft) {
      const { topologyKey, maxSkew } = constraint;
      const here = labelsOf(node)[topologyKey];
      if (here === undefined) continue;
      const domains = new Set(partners.map((other) => labelsOf(other)[topologyKey]));
      const size = topologyKey === hostname ? partners.length : domains.size;
      const members = world.nodes.filter(
        (other) => labelsOf(other)[topologyKey] === here && takesPart(other) && counted(constraint, pod, other),
      );
      const count = (topologyKey === hostname ? [node] : members).reduce(
        (sum, other) => sum + matchingOn(constraint, pod, other, world),
        0,
      );
      score += count * Math.log(size + 2) + (maxSkew - 1);
    }
    return Math.round(score);
  });
  const considered = raw.filter((_, index) => takesPart(nodes[index] as Node));
  const [min, max] = [Math.min(...considered), Math.max(0, ...considered)];
  return raw.map((score, index) => {
    if (!takesPart(nodes[index] as Node)) return 0;
    return max === 0 ? 100 : Math.floor((100 * (max + min - score)) / max);
  });
};

const podAffinity: Score = (pod, nodes, world) => {
  const preferred = (owner: Pod): readonly (readonly [PodAffinityTerm, number])[] => [
    ...(owner.spec?.affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      ({ podAffinityTerm, weight }) => [podAffinityTerm, weight] as const,
    ),
    ...(owner.spec?.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      ({ podAffinityTerm, weight }) => [podAffinityTerm, -weight] as const,
    ),
  ];
  const required = (owner: Pod): readonly (readonly [PodAffinityTerm, number])[] =>
    (owner.spec?.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(
      (term) => [term, 1] as const,
    );
  const raw = nodes.map((node) => {
    let sum = 0;
    for (const other of world.nodes) {
      for (const existing of podsOn(world, other)) {
        for (const [term, weight] of preferred(pod)) {
          if (together(node, other, term.topologyKey) && isAbout(term, pod, existing, world)) sum += weight;
        }
        for (const [term, weight] of [...preferred(existing), ...required(existing)]) {
          if (together(node, other, term.topologyKey) && isAbout(term, existing, pod, world)) sum += weight;
        }
      }
    }
    return sum;
  });
  const [min, max] = [Math.min(...raw), Math.max(...raw)];
  return raw.map((score) => (max === min ? 0 : Math.floor(100 * ((score - min) / (max - min)))));
};

export const scores: Readonly<Record<string, { readonly weight: number; readonly score: Score }>> = {
  TaintToleration: { weight: 3, score: taintToleration },
  NodeAffinity: { weight: 2, score: nodeAffinity },
  NodeResourcesFit: { weight: 1, score: leastAllocated },
  PodTopologySpread: { weight: 2, score: topologySpread },
  InterPodAffinity: { weight: 2, score: podAffinity },
  NodeResourcesBalancedAllocation: { weight: 1, score: balanced },
  ImageLocality: { weight: 1, score: imageLocality },
};
