import type { Node, Taint, Toleration } from "../../api/index.js";

/** An empty key with Exists tolerates everything; an empty effect, every effect. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { effect, key, operator, value } = toleration;
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  if (!key && operator !== "Exists") return false;
  if (operator === "Exists") return true;
  return (operator === undefined || operator === "" || operator === "Equal") && (value ?? "") === (taint.value ?? "");
}

export function toleratesAll(tolerations: readonly Toleration[] | undefined, taint: Taint): boolean {
  return tolerations?.some((toleration) => tolerates(toleration, taint)) ?? false;
}

/** The first taint that keeps such pods off the node. */
export function untoleratedTaint(node: Node, tolerations: readonly Toleration[] | undefined): Taint | undefined {
  return node.spec?.taints?.find(
    (taint) => (taint.effect === "NoSchedule" || taint.effect === "NoExecute") && !toleratesAll(tolerations, taint),
  );
}
