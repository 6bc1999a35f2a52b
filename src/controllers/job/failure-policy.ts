import type { Job, Pod, PodFailurePolicyRule } from "../../api/index.js";

export type FailureAction = "FailJob" | "FailIndex" | "Ignore" | "Count";

/** What the first rule that fits says about a failed pod; `Count` where none does. */
export function judgeFailure(job: Job, pod: Pod): { readonly action: FailureAction; readonly message: string } {
  for (const [index, rule] of (job.spec?.podFailurePolicy?.rules ?? []).entries()) {
    const why = matchExitCodes(rule, pod, index) ?? matchConditions(rule, pod, index);
    if (why === undefined) continue;
    const action =
      rule.action === "FailJob" || rule.action === "FailIndex" || rule.action === "Ignore" ? rule.action : "Count";
    return { action, message: why };
  }
  return { action: "Count", message: "" };
}

function matchExitCodes(rule: PodFailurePolicyRule, pod: Pod, index: number): string | undefined {
  const { onExitCodes, action } = rule;
  if (onExitCodes === undefined) return undefined;
  const { namespace, name } = pod.metadata;
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  for (const status of statuses) {
    const code = status.state?.terminated?.exitCode;
    if (code === undefined || code === 0) continue;
    if (onExitCodes.containerName !== undefined && onExitCodes.containerName !== status.name) continue;
    if (onExitCodes.values.includes(code) === (onExitCodes.operator === "In")) {
      return `Container ${status.name} for pod ${namespace}/${name} failed with exit code ${code} matching ${action} rule at index ${index}`;
    }
  }
  return undefined;
}

function matchConditions(rule: PodFailurePolicyRule, pod: Pod, index: number): string | undefined {
  const { namespace, name } = pod.metadata;
  for (const { type, status = "True" } of rule.onPodConditions ?? []) {
    if ((pod.status?.conditions ?? []).some((condition) => condition.type === type && condition.status === status)) {
      return `Pod ${namespace}/${name} has condition ${type} matching ${rule.action} rule at index ${index}`;
    }
  }
  return undefined;
}
