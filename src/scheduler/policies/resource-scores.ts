/** How full a node may look, over several resources. All amounts in the scheduler's integer units. */
export interface ResourceSpec {
  readonly name: string;
  readonly weight?: number;
}

export interface ScoringStrategy {
  readonly type?: "LeastAllocated" | "MostAllocated" | "RequestedToCapacityRatio";
  readonly resources?: readonly ResourceSpec[];
  readonly requestedToCapacityRatio?: {
    /** Utilization 0..100, ascending, to score 0..10. */
    readonly shape: readonly { readonly utilization: number; readonly score: number }[];
  };
}

export const defaultResources: readonly ResourceSpec[] = [
  { name: "cpu", weight: 1 },
  { name: "memory", weight: 1 },
];

/** The score of a node that would then have `requested` of `allocatable`, per resource in the order of the spec; 0..100. */
export type ResourceScore = (requested: readonly number[], allocatable: readonly number[]) => number;

export function resourceScore(strategy: ScoringStrategy): ResourceScore {
  const weights = (strategy.resources ?? defaultResources).map(({ weight }) => weight || 1);
  switch (strategy.type) {
    case "MostAllocated":
      return weighted(weights, (requested, allocatable) =>
        Math.trunc((Math.min(requested, allocatable) * 100) / allocatable),
      );
    case "RequestedToCapacityRatio":
      return byShape(weights, strategy.requestedToCapacityRatio?.shape ?? []);
    default:
      return weighted(weights, (requested, allocatable) =>
        requested > allocatable ? 0 : Math.trunc(((allocatable - requested) * 100) / allocatable),
      );
  }
}

/** A resource that a node does not have takes no part. */
function weighted(
  weights: readonly number[],
  score: (requested: number, allocatable: number) => number,
): ResourceScore {
  return (requested, allocatable) => {
    let sum = 0;
    let total = 0;
    for (let index = 0; index < weights.length; index++) {
      const available = allocatable[index] ?? 0;
      if (available === 0) continue;
      const weight = weights[index] ?? 1;
      sum += weight * score(requested[index] ?? 0, available);
      total += weight;
    }
    return total === 0 ? 0 : Math.trunc(sum / total);
  };
}

function byShape(
  weights: readonly number[],
  shape: readonly { readonly utilization: number; readonly score: number }[],
): ResourceScore {
  const curve = brokenLine(shape.map(({ utilization, score }) => ({ x: utilization, y: score * 10 })));
  return (requested, allocatable) => {
    let sum = 0;
    let total = 0;
    for (let index = 0; index < weights.length; index++) {
      const available = allocatable[index] ?? 0;
      if (available === 0) continue;
      const wanted = requested[index] ?? 0;
      const score = curve(wanted > available ? 100 : Math.trunc((wanted * 100) / available));
      if (score <= 0) continue;
      const weight = weights[index] ?? 1;
      sum += weight * score;
      total += weight;
    }
    return total === 0 ? 0 : Math.round(sum / total);
  };
}

function brokenLine(points: readonly { readonly x: number; readonly y: number }[]): (x: number) => number {
  return (x) => {
    for (let index = 0; index < points.length; index++) {
      const right = points[index];
      if (right === undefined || x > right.x) continue;
      const left = points[index - 1];
      if (left === undefined) return right.y;
      return left.y + Math.trunc(((right.y - left.y) * (x - left.x)) / (right.x - left.x));
    }
    return points.at(-1)?.y ?? 0;
  };
}

/** 100 when all resources would be used to the same fraction, less the further they are apart. */
export const balanceScore: ResourceScore = (requested, allocatable) => {
  let count = 0;
  let sum = 0;
  let first = 0;
  let second = 0;
  for (let index = 0; index < requested.length; index++) {
    const available = allocatable[index] ?? 0;
    if (available === 0) continue;
    const fraction = Math.min(1, (requested[index] ?? 0) / available);
    if (count === 0) first = fraction;
    else if (count === 1) second = fraction;
    sum += fraction;
    count++;
  }
  let deviation = 0;
  if (count === 2) deviation = Math.abs((first - second) / 2);
  else if (count > 2) {
    const mean = sum / count;
    let squares = 0;
    for (let index = 0; index < requested.length; index++) {
      const available = allocatable[index] ?? 0;
      if (available === 0) continue;
      squares += (Math.min(1, (requested[index] ?? 0) / available) - mean) ** 2;
    }
    deviation = Math.sqrt(squares / count);
  }
  return Math.trunc((1 - deviation) * 100);
};

/** cpu, memory and the like are on every node; an extended resource scores only for pods that ask for it. */
export function isExtended(resource: string): boolean {
  return resource !== "cpu" && resource !== "memory" && resource !== "ephemeral-storage";
}
