import type { Pod } from "../api/index.js";
import { ClassCache, type ClassSource, type WeightedPolicy } from "./engine/class-cache.js";
import { unsignable } from "./engine/signed-part.js";
import type { ProfileEngine } from "./engine/surroundings.js";
import type { VerdictTable } from "./engine/verdicts.js";
import type { QueuedPod, SchedulingPolicy } from "./framework/policy.js";
import { type TimeBudget, unlimitedTime } from "./framework/time-budget.js";

/** One way of scheduling, chosen by a pod's schedulerName. */
export interface SchedulerProfile {
  /** Default `default-scheduler`. */
  readonly schedulerName?: string;
  /** In the order in which they are asked; a policy alone has weight 1 when it scores. */
  readonly policies: readonly (SchedulingPolicy | WeightedPolicy)[];
  /** Of the nodes, how many feasible ones are enough when policies have to be called plainly. Absent or 0: by cluster size. */
  readonly percentageOfNodesToScore?: number;
}

export const defaultSchedulerName = "default-scheduler";

type With<K extends keyof SchedulingPolicy> = SchedulingPolicy & Required<Pick<SchedulingPolicy, K>>;

/** A profile made ready to run: its policies by extension point. */
export interface RunningProfile {
  readonly name: string;
  readonly engine: ProfileEngine;
  readonly preEnqueue: readonly With<"preEnqueue">[];
  readonly postFilter: readonly With<"postFilter">[];
  readonly reserving: readonly SchedulingPolicy[];
  readonly permit: readonly With<"permit">[];
  readonly preBind: readonly With<"preBind">[];
  readonly bind: readonly With<"bind">[];
  readonly postBind: readonly With<"postBind">[];
  /** All that have any of reserve to postBind. */
  readonly binding: readonly SchedulingPolicy[];
}

export function runningProfile(
  profile: SchedulerProfile,
  source: ClassSource,
  verdicts: VerdictTable,
  budget: TimeBudget = unlimitedTime,
): RunningProfile {
  const policies = profile.policies.map(weighted);
  const names = new Set<string>();
  for (const { policy } of policies) {
    if (names.has(policy.name)) throw new Error(`two policies are named ${policy.name}`);
    const problem = unsignable(policy);
    if (problem !== undefined) throw new Error(problem);
    names.add(policy.name);
  }
  const all = policies.map(({ policy }) => policy);
  const having = <K extends keyof SchedulingPolicy>(point: K): With<K>[] =>
    all.filter((policy): policy is With<K> => policy[point] !== undefined);
  return {
    name: profile.schedulerName ?? defaultSchedulerName,
    engine: {
      policies,
      classes: new ClassCache(source, verdicts, policies, budget),
      percentageOfNodesToScore: profile.percentageOfNodesToScore,
      budget,
    },
    preEnqueue: having("preEnqueue"),
    postFilter: having("postFilter"),
    reserving: all.filter(({ reserve, unreserve }) => reserve !== undefined || unreserve !== undefined),
    permit: having("permit"),
    preBind: having("preBind"),
    bind: having("bind"),
    postBind: having("postBind"),
    binding: all.filter(
      ({ reserve, unreserve, permit, preBind, bind, postBind }) =>
        (reserve ?? unreserve ?? permit ?? preBind ?? bind ?? postBind) !== undefined,
    ),
  };
}

function weighted(entry: SchedulingPolicy | WeightedPolicy): WeightedPolicy {
  return "policy" in entry ? entry : { policy: entry, weight: entry.score === undefined ? 0 : 1 };
}

/** All profiles share one queue, so they must agree on its order. */
export function queueOrder(profiles: readonly RunningProfile[]): (a: QueuedPod, b: QueuedPod) => number {
  const sorts = profiles.map(({ engine }) => engine.policies.flatMap(({ policy }) => policy.queueSort ?? []));
  if (sorts.some((own) => own.length > 1)) throw new Error("a profile has more than one policy with queueSort");
  const [first] = sorts;
  const names = new Set(
    profiles.map(({ engine }) => engine.policies.find(({ policy }) => policy.queueSort !== undefined)?.policy.name),
  );
  if (names.size > 1) throw new Error("profiles differ in the policy that sorts the queue");
  return first?.[0] ?? ((a, b) => a.timestampMs - b.timestampMs || a.sequence - b.sequence);
}

export function schedulerNameOf(pod: Pod): string {
  return pod.spec?.schedulerName || defaultSchedulerName;
}
