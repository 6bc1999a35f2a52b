import type { AllocationResult, Condition, DeviceRequestAllocationResult, ResourceClaim } from "../../api/index.js";

export type Readiness = "ready" | "waiting" | { readonly failed: string };

/** Whether any of the devices has to be made ready before the pod may be bound. */
export function hasBindingConditions(allocation: AllocationResult | undefined): boolean {
  return (allocation?.devices?.results ?? []).some(({ bindingConditions = [] }) => bindingConditions.length > 0);
}

/** What the drivers say of the claim's devices. */
export function readinessOf(claim: ResourceClaim): Readiness {
  let ready = true;
  for (const result of claim.status?.allocation?.devices?.results ?? []) {
    const { bindingConditions = [], bindingFailureConditions = [] } = result;
    if (bindingConditions.length === 0) continue;
    const conditions = conditionsOf(claim, result).filter(({ status }) => status === "True");
    const failure = conditions.find(({ type }) => bindingFailureConditions.includes(type));
    if (failure !== undefined) {
      return { failed: `reason=${failure.reason}, message=${JSON.stringify(failure.message)}` };
    }
    ready &&= bindingConditions.every((wanted) => conditions.some(({ type }) => type === wanted));
  }
  return ready ? "ready" : "waiting";
}

function conditionsOf(
  { status }: ResourceClaim,
  { driver, pool, device, shareID }: DeviceRequestAllocationResult,
): readonly Condition[] {
  const told = status?.devices?.find(
    (one) =>
      one.driver === driver &&
      one.pool === pool &&
      one.device === device &&
      (one.shareID === undefined || one.shareID === shareID),
  );
  return told?.conditions ?? [];
}

/** Until when its devices have to be ready, in milliseconds; `undefined`: for as long as it takes. */
export function deadlineOf({ status }: ResourceClaim, timeoutMs: number): number | undefined {
  const since = status?.allocation?.allocationTimestamp;
  return since === undefined ? undefined : Date.parse(since) + timeoutMs;
}
