import type { Node } from "../../api/index.js";
import type { Clock } from "../../internal/clock.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import type { WeightedPolicy } from "../engine/class-cache.js";
import { type ClusterListers, listersOf } from "../framework/listers.js";
import type { SchedulingPolicy } from "../framework/policy.js";
import type { WaitingPod } from "../waiting-pods.js";
import type { SimulationSample } from "./meter.js";
import { Simulation, type SimulationOutcome } from "./simulation.js";
import type { WorkloadTrace } from "./trace.js";

/** What policies may want of their surroundings. */
export interface SimulationContext {
  /** Virtual: the only time there is. */
  readonly clock: Clock;
  /** For policies whose permit makes pods wait. */
  waitingPod(uid: string): WaitingPod | undefined;
}

/** Makes the policies of one run anew, so that runs share no memory. */
export type PoliciesUnderTest = (context: SimulationContext) => readonly (SchedulingPolicy | WeightedPolicy)[];

export interface SimulateOptions {
  /** Same seed, same result. Default 1. */
  readonly seed?: number;
  /** What a node costs per hour while a pod is on it; default 1, which makes the cost node hours. */
  readonly priceOf?: (node: Node) => number;
  /** Services, budgets and so on, the same throughout. */
  readonly listers?: Partial<ClusterListers>;
  /** What time of the day the trace begins; ms since the Unix epoch. */
  readonly startMs?: number;
  /** How far apart samples are; default: 200 over the trace. */
  readonly sampleMs?: number;
  /** When to give up on pods that find no node; default: ten times the trace. */
  readonly horizonMs?: number;
}

/** What came of a trace under one set of policies. Shares are from 0 to 1. */
export interface SimulationRun {
  readonly name: string;
  readonly pods: number;
  readonly started: number;
  readonly finished: number;
  /** From a pod's arrival to its first start; of those that started. */
  readonly waitingMs: { readonly mean: number; readonly median: number; readonly p95: number; readonly max: number };
  readonly preemptions: number;
  /** Pods that were on a node when it failed. */
  readonly lost: number;
  /** Of the resources of all nodes that were up, the mean over time. */
  readonly utilisation: { readonly cpu: number; readonly memory: number };
  /** The share of free CPU where no pod of median size would fit, the mean over time. */
  readonly fragmentation: number;
  readonly cost: number;
  /** When the last thing happened. */
  readonly makespanMs: number;
  readonly samples: readonly SimulationSample[];
}

/**
 * Replays a trace under each of several sets of policies, hours in a moment: nothing runs, and no time passes. Pods that are evicted or
 * lost with their node come again, as their controllers would make them. Throws for policies that do not go together.
 */
export async function simulate(
  trace: WorkloadTrace,
  candidates: Readonly<Record<string, PoliciesUnderTest>>,
  options: SimulateOptions = {},
): Promise<readonly SimulationRun[]> {
  const spanMs = Math.max(1, ...trace.pods.map(({ atMs, durationMs = 0 }) => atMs + durationMs));
  const runs: SimulationRun[] = [];
  for (const [name, policies] of Object.entries(candidates)) {
    const clock = new VirtualClock(options.startMs);
    const simulation = new Simulation({
      trace,
      clock,
      profiles: (core) => [{ policies: policies({ clock, waitingPod: (uid) => core().waiting.get(uid) }) }],
      listers: { selectorsVersion: () => 0, ...listersOf(options.listers) },
      seed: options.seed ?? 1,
      priceOf: options.priceOf ?? (() => 1),
      sampleMs: options.sampleMs ?? Math.ceil(spanMs / 200),
      horizonMs: options.horizonMs ?? 10 * spanMs,
    });
    runs.push(summary(name, trace, await simulation.run()));
  }
  return runs;
}

function summary(name: string, trace: WorkloadTrace, outcome: SimulationOutcome): SimulationRun {
  const { cpu, memory, fragmentation, cost } = outcome.totals;
  const sorted = [...outcome.waitsMs].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  const sum = sorted.reduce((total, wait) => total + wait, 0);
  return {
    name,
    pods: trace.pods.length,
    started: outcome.started,
    finished: outcome.finished,
    waitingMs: { mean: sorted.length === 0 ? 0 : sum / sorted.length, median: at(0.5), p95: at(0.95), max: at(1) },
    preemptions: outcome.preemptions,
    lost: outcome.lost,
    utilisation: { cpu, memory },
    fragmentation,
    cost,
    makespanMs: outcome.endMs,
    samples: outcome.samples,
  };
}
