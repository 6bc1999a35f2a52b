import type { Node, Pod } from "../../api/index.js";
import type { Logger } from "../../internal/logger.js";
import type { Rejection } from "../framework/policy.js";
import type { Extender, PreemptionPlan } from "./extender.js";

export interface ExtenderCall {
  readonly extenders: readonly Extender[];
  readonly pod: Pod;
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

export interface Consultation {
  readonly passed: readonly Node[];
  readonly rejected: ReadonlyMap<string, { readonly extender: string; readonly rejection: Rejection }>;
  /** On the scale of policies' weighted scores, by node name. */
  readonly scores: ReadonlyMap<string, number>;
}

/** Rejects with Error when an extender that is not ignorable fails. */
export async function consult(call: ExtenderCall, nodes: readonly Node[]): Promise<Consultation> {
  const { extenders, pod, signal } = call;
  const rejected = new Map<string, { extender: string; rejection: Rejection }>();
  let passed = nodes;
  for (const extender of extenders) {
    if (extender.filter === undefined || passed.length === 0) continue;
    const verdict = await asked(call, extender, () => extender.filter?.(pod, passed, signal));
    if (verdict === undefined) continue;
    const { failed, unresolvable } = verdict;
    passed = passed.filter(({ metadata: { name } }) => {
      const reason = unresolvable.get(name) ?? failed.get(name);
      if (reason === undefined) return true;
      const rejection = { reasons: [reason], unresolvable: unresolvable.has(name) };
      rejected.set(name, { extender: extender.name, rejection });
      return false;
    });
  }
  const scores = new Map<string, number>();
  if (passed.length > 1) {
    await Promise.all(
      extenders.map(async (extender) => {
        // A failing score is never worth a pod: upstream ignores it too.
        const own = await asked({ ...call, lenient: true }, extender, () => extender.prioritize?.(pod, passed, signal));
        for (const [name, score] of own ?? []) {
          scores.set(name, (scores.get(name) ?? 0) + 10 * (extender.weight ?? 1) * score);
        }
      }),
    );
  }
  return { passed, rejected, scores };
}

/** The victims that all extenders agree to; `undefined`: one will not have it on this node. */
export async function reviewPreemption(call: ExtenderCall, plan: PreemptionPlan): Promise<readonly Pod[] | undefined> {
  let { victims } = plan;
  for (const extender of call.extenders) {
    if (extender.preempt === undefined) continue;
    let refused = false;
    const agreed = await asked(call, extender, async () => {
      const uids = await extender.preempt?.(call.pod, { nodeName: plan.nodeName, victims }, call.signal);
      refused = uids === undefined;
      return uids;
    });
    if (refused) return undefined;
    if (agreed !== undefined) victims = victims.filter(({ metadata }) => agreed.has(metadata.uid));
  }
  return victims;
}

async function asked<T>(
  { logger, lenient = false }: ExtenderCall & { readonly lenient?: boolean },
  extender: Extender,
  call: () => Promise<T> | undefined,
): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (!lenient && extender.ignorable !== true) throw error;
    logger.warn("an extender failed and is ignored", { extender: extender.name, error });
    return undefined;
  }
}
