interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export function findCondition<C extends Condition>(conditions: readonly C[] | undefined, type: string): C | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === "True";
}

/**
 * The conditions with `next` in the place of the one of its type, or at the end. The time of transition stays where the status does;
 * the very same array comes back when nothing would change.
 */
export function setCondition<C extends Condition>(conditions: readonly C[] | undefined, next: C): readonly C[] {
  const all = conditions ?? [];
  const current = findCondition(all, next.type);
  if (current === undefined) return [...all, next];
  const same = current.status === next.status;
  if (same && current.reason === next.reason && (current.message ?? "") === (next.message ?? "")) return all;
  const kept =
    same && current.lastTransitionTime !== undefined
      ? { ...next, lastTransitionTime: current.lastTransitionTime }
      : next;
  return all.map((condition) => (condition === current ? kept : condition));
}

export function removeCondition<C extends Condition>(conditions: readonly C[] | undefined, type: string): readonly C[] {
  const all = conditions ?? [];
  return all.some((condition) => condition.type === type) ? all.filter((condition) => condition.type !== type) : all;
}
