import type { Node, Pod } from "../../api/index.js";
import type { Random } from "../../internal/random.js";

/** A pod that comes, runs for a time once it has a node, and is done. */
export interface TracePod {
  readonly pod: Pod;
  /** When it is created, from the start of the trace. */
  readonly atMs: number;
  /** How long it runs; absent: until the end. Evicted or lost with its node it comes again, and runs as long anew. */
  readonly durationMs?: number;
}

export interface NodeFailure {
  readonly nodeName: string;
  readonly atMs: number;
  /** When it is there again, empty; absent: never. */
  readonly backAtMs?: number;
}

/** What happens to a cluster, whoever schedules: plain data, so that it can be kept as JSON. */
export interface WorkloadTrace {
  readonly nodes: readonly Node[];
  readonly pods: readonly TracePod[];
  readonly failures?: readonly NodeFailure[];
}

export interface RandomTraceOptions {
  readonly random: Random;
  readonly nodes: readonly Node[];
  readonly podCount: number;
  /** Over how long they arrive, on average evenly. */
  readonly overMs: number;
  /** How long they run on average; some much longer, most shorter. */
  readonly meanDurationMs: number;
  /** The nth pod; its time is up to the trace. */
  readonly pod: (index: number, random: Random) => Pod;
  /** How often each node fails on average; absent: never. It is back after a hundredth of that time. */
  readonly meanTimeToFailureMs?: number;
}

/** Arrivals by chance (a Poisson process), and durations with a long tail. Same random source, same trace. */
export function randomTrace(options: RandomTraceOptions): WorkloadTrace {
  const { random, nodes, podCount, overMs, meanDurationMs, meanTimeToFailureMs } = options;
  const exponential = (mean: number): number => -Math.log(1 - random.next()) * mean;
  const pods: TracePod[] = [];
  let atMs = 0;
  for (let index = 0; index < podCount; index++) {
    atMs += exponential(overMs / podCount);
    // A tail longer than an exponential's, whose power of 1.5 has the mean 1.3293.
    const durationMs = Math.max(1, Math.round((exponential(1) ** 1.5 / 1.3293) * meanDurationMs));
    pods.push({ pod: options.pod(index, random), atMs: Math.round(atMs), durationMs });
  }
  const failures: NodeFailure[] = [];
  if (meanTimeToFailureMs !== undefined) {
    for (const { metadata } of nodes) {
      const down = Math.round(meanTimeToFailureMs / 100);
      for (let at = exponential(meanTimeToFailureMs); at < overMs; at += down + exponential(meanTimeToFailureMs)) {
        failures.push({ nodeName: metadata.name, atMs: Math.round(at), backAtMs: Math.round(at) + down });
      }
    }
  }
  return { nodes, pods, failures };
}
