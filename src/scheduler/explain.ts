import type { Pod } from "../api/index.js";
import type { ClusterCache } from "./cache/cluster-cache.js";
import { podInfo } from "./cache/pod-info.js";
import { histogram } from "./engine/fit-error.js";
import { evaluatePlainly, type NodeEvaluation } from "./engine/plain-evaluation.js";
import type { EventAction, EventResource } from "./framework/policy.js";
import type { RunningProfile } from "./profile.js";

/** Why a pod would go where it goes, or nowhere, as things are now. */
export interface Explanation {
  readonly pod: { readonly namespace: string; readonly name: string };
  /** Every node with its verdict or its scores, best first, the refused ones last. */
  readonly nodes: readonly NodeEvaluation[];
  /** The nodes that share the highest score: one of them is chosen by chance. */
  readonly best: readonly string[];
  /** In upstream's form when no node will do. */
  readonly message: string;
  /** What would be evicted for it, where that would help; else why not. Absent when a node will do as things are. */
  readonly preemption?: PreemptionPreview;
  /** What may change that: the events that the refusing policies wait for. */
  readonly unblockedBy: readonly { readonly resource: EventResource; readonly actions: readonly EventAction[] }[];
}

export interface PreemptionPreview {
  readonly nodeName?: string;
  /** `namespace/name`, most important first. */
  readonly victims: readonly string[];
  readonly message?: string;
}

/** Asks every policy plainly about every node; nothing is kept of it. Throws PolicyError. */
export function explain(pod: Pod, profile: RunningProfile, cache: ClusterCache): Explanation {
  const { policies } = profile.engine;
  const info = podInfo(pod, cache.table.quantities);
  const cycle = { snapshot: cache.snapshots.current(), state: new Map<string, unknown>() };
  const nodes = evaluatePlainly(info, policies, cycle).sort(
    (a, b) =>
      Number(a.verdict !== undefined) - Number(b.verdict !== undefined) ||
      b.total - a.total ||
      (a.name < b.name ? -1 : 1),
  );
  const feasible = nodes.filter(({ verdict }) => verdict === undefined);
  const best = feasible.filter(({ total }) => total === feasible[0]?.total).map(({ name }) => name);
  const refused = nodes.flatMap(({ verdict }) => (verdict === undefined ? [] : [{ verdict, count: 1 }]));
  const refusing = new Set(refused.map(({ verdict }) => verdict.policy));
  const unblockedBy = policies
    .filter(({ policy }) => refusing.has(policy.name))
    .flatMap(({ policy }) => policy.requeueWhen ?? [{ resource: "*" as const }])
    .map(({ resource, actions = [] }) => ({ resource, actions }));
  const head = `${feasible.length}/${nodes.length} nodes are available`;
  return {
    pod: { namespace: info.namespace, name: pod.metadata.name },
    nodes,
    best,
    message:
      nodes.length === 0
        ? "no nodes available to schedule pods"
        : refused.length === 0
          ? `${head}.`
          : `${head}:${histogram(refused)}`,
    unblockedBy: feasible.length > 0 ? [] : unblockedBy,
  };
}

/** The explanation for people to read. */
export function explanationText({ pod, nodes, best, message, preemption, unblockedBy }: Explanation): string {
  const lines = [`${pod.namespace}/${pod.name}: ${message}`];
  if (best.length > 0) lines.push(`best: ${best.join(", ")}${best.length > 1 ? " (one of them by chance)" : ""}`);
  const width = Math.max(...nodes.map(({ name }) => name.length), 0);
  for (const { name, verdict, scores, total } of nodes) {
    const detail =
      verdict === undefined
        ? `${String(total).padStart(5)}  ${scores.map(({ policy, score, weight }) => `${policy} ${score}x${weight}`).join(", ")}`
        : `    -  ${verdict.policy}: ${verdict.reasons.join(", ")}${verdict.unresolvable ? "" : " (preemption may help)"}`;
    lines.push(`  ${name.padEnd(width)} ${detail}`);
  }
  if (preemption?.nodeName !== undefined) {
    lines.push(`would evict on ${preemption.nodeName}: ${preemption.victims.join(", ")}`);
  } else if (preemption?.message !== undefined) lines.push(preemption.message);
  if (unblockedBy.length > 0) {
    const events = unblockedBy.map(
      ({ resource, actions }) => `${resource}${actions.length > 0 ? ` ${actions.join("/")}` : ""}`,
    );
    lines.push(`may change with: ${[...new Set(events)].join(", ")}`);
  }
  return lines.join("\n");
}
