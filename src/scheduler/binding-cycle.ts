import type { Pod } from "../api/index.js";
import type { Clock } from "../internal/clock.js";
import { guarded, guardedAsync } from "./framework/guard.js";
import { type Cycle, type NodeSnapshot, type Rejection, toRejection } from "./framework/policy.js";
import type { RunningProfile } from "./profile.js";
import type { WaitingPods } from "./waiting-pods.js";

/** How the way from a chosen node to a bound pod ended early. */
export interface BindingFailure {
  /** Absent: the binding itself, or its surroundings, failed. */
  readonly rejectedBy?: string;
  readonly rejection: Rejection;
}

export interface BindingContext {
  readonly profile: RunningProfile;
  readonly pod: Pod;
  readonly node: NodeSnapshot;
  readonly cycle: Cycle;
  readonly waiting: WaitingPods;
  readonly clock: Clock;
  readonly policyTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly apiBind: () => Promise<void>;
}

/** Whether any policy wants a say in how the pod is bound. */
export function isSimple({ binding }: RunningProfile, pod: Pod): boolean {
  return !binding.some((policy) => policy.concerns?.(pod) ?? true);
}

/** Reserve and the first look at permit, in the scheduling cycle. Gives the waits, or why it must not be. */
export function reserveAndPermit({
  profile,
  pod,
  node,
  cycle,
}: Pick<BindingContext, "profile" | "pod" | "node" | "cycle">):
  | { readonly waits: ReadonlyMap<string, number> }
  | BindingFailure {
  for (const policy of profile.reserving) {
    if (policy.concerns?.(pod) === false) continue;
    const verdict = guarded(policy.name, "Reserve", () => policy.reserve?.(pod, node, cycle));
    if (verdict !== undefined) return { rejectedBy: policy.name, rejection: toRejection(verdict) };
  }
  const waits = new Map<string, number>();
  for (const policy of profile.permit) {
    if (policy.concerns?.(pod) === false) continue;
    const result = guarded(policy.name, "Permit", () => policy.permit(pod, node, cycle));
    if (result === undefined) continue;
    if (typeof result === "object" && "waitMs" in result) waits.set(policy.name, result.waitMs);
    else return { rejectedBy: policy.name, rejection: toRejection(result) };
  }
  return { waits };
}

/** What has been reserved is given back, last first. */
export function unreserve({
  profile,
  pod,
  node,
  cycle,
}: Pick<BindingContext, "profile" | "pod" | "node" | "cycle">): void {
  for (const policy of [...profile.reserving].reverse()) {
    if (policy.concerns?.(pod) !== false) policy.unreserve?.(pod, node, cycle);
  }
}

/** From permit to postBind. `undefined`: bound. Rejects with PolicyError or what the API said. */
export async function bindPod(
  context: BindingContext,
  waits: ReadonlyMap<string, number>,
): Promise<BindingFailure | undefined> {
  const { profile, pod, node, cycle, waiting, clock, policyTimeoutMs, signal } = context;
  if (waits.size > 0) {
    const refused = await waiting.wait(pod, node.name, waits);
    if (refused !== undefined) return { rejectedBy: refused.rejectedBy, rejection: { reasons: [refused.reason] } };
  }
  for (const policy of profile.preBind) {
    if (policy.concerns?.(pod) === false) continue;
    const call = (): ReturnType<typeof policy.preBind> => policy.preBind(pod, node, cycle, signal);
    const verdict = await guardedAsync(policy.name, "PreBind", call, clock, policyTimeoutMs);
    if (verdict !== undefined) return { rejectedBy: policy.name, rejection: toRejection(verdict) };
  }
  let bound = false;
  for (const policy of profile.bind) {
    if (policy.concerns?.(pod) === false) continue;
    const call = (): ReturnType<typeof policy.bind> => policy.bind(pod, node, cycle, signal);
    const verdict = await guardedAsync(policy.name, "Bind", call, clock, policyTimeoutMs);
    if (verdict === "skip") continue;
    if (verdict !== undefined) return { rejectedBy: policy.name, rejection: toRejection(verdict) };
    bound = true;
    break;
  }
  if (!bound) await context.apiBind();
  for (const policy of profile.postBind) {
    if (policy.concerns?.(pod) !== false) guarded(policy.name, "PostBind", () => policy.postBind(pod, node, cycle));
  }
  return undefined;
}
