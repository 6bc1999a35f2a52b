import type { Node, Pod } from "../../api/index.js";
import type { Random } from "../../internal/random.js";
import { ClusterCache } from "../cache/cluster-cache.js";
import { podInfo } from "../cache/pod-info.js";
import { Algorithm } from "../engine/algorithm.js";
import { fitMessage } from "../engine/fit-error.js";
import { VerdictTable } from "../engine/verdicts.js";
import { type ClusterListers, listersOf } from "../framework/listers.js";
import { queueOrder, runningProfile, type SchedulerProfile, schedulerNameOf } from "../profile.js";

export interface WhatIfOptions {
  readonly nodes: readonly Node[];
  /** Pods on nodes; those without a node are left out. */
  readonly pods: readonly Pod[];
  readonly listers?: ClusterListers;
  readonly profiles: readonly SchedulerProfile[];
  readonly random: Random;
}

export interface Placement {
  readonly pod: Pod;
  /** Absent: nowhere. */
  readonly nodeName?: string;
  /** Why nowhere, in upstream's form. */
  readonly message?: string;
}

/**
 * Where these pods would go on such a cluster, placed one after the other in queue order, each counting for the next. Nothing is written; the
 * given objects are not changed. Pods whose schedulerName has no profile go nowhere. Throws PolicyError.
 */
export function whatIf(pods: readonly Pod[], options: WhatIfOptions): Placement[] {
  const cache = new ClusterCache(options.listers ?? listersOf());
  for (const node of options.nodes) cache.setNode(node);
  for (const pod of options.pods) if (pod.spec?.nodeName) cache.setPod(pod);
  const verdicts = new VerdictTable();
  const profiles = options.profiles.map((profile) => runningProfile(profile, cache, verdicts));
  const algorithm = new Algorithm({
    table: cache.table,
    snapshots: cache.snapshots,
    verdicts,
    nominations: { nodeNames: [], size: 0, on: () => [], nodeOf: () => undefined },
    random: options.random,
  });
  const before = queueOrder(profiles);
  const queued = pods.map((pod, sequence) => {
    const info = podInfo(pod, cache.table.quantities);
    return { pod, info, priority: info.priority, timestampMs: 0, sequence, attempts: 0 };
  });
  return queued.sort(before).map(({ pod, info }): Placement => {
    const profile = profiles.find(({ name }) => name === schedulerNameOf(pod));
    if (profile === undefined) return { pod, message: `no profile is named ${schedulerNameOf(pod)}` };
    for (const policy of profile.preEnqueue) {
      if (policy.preEnqueue(pod) !== undefined) return { pod, message: `held back by ${policy.name}` };
    }
    const decision = algorithm.schedule(info, profile.engine, algorithm.newCycle());
    if (decision.failure !== undefined) return { pod, message: fitMessage(decision.failure, verdicts) };
    const nodeName = cache.table.nodes[decision.node]?.metadata.name ?? "";
    cache.assume(info, nodeName);
    return { pod, nodeName };
  });
}
