import type { Node, Pod } from "../../api/index.js";
import { type SchedulingPolicy, unresolvable } from "../framework/policy.js";

const notDeclared = unresolvable("node(s) didn't match Pod's required features");

/** Keeps pods off nodes whose agent does not say that it can do what the pod asks for. */
export function nodeDeclaredFeatures(): SchedulingPolicy {
  return {
    name: "NodeDeclaredFeatures",
    filter: (pod, { node }) => (declares(node, requiredFeatures(pod)) ? undefined : notDeclared),
    requeueWhen: [
      {
        resource: "Node",
        actions: ["Add", "UpdateNodeDeclaredFeature"],
        hint: (pod, { object }) => declares(object as Node, requiredFeatures(pod)),
      },
      { resource: "UnscheduledPod", actions: ["Update"] },
    ],
    vector: {
      key: ({ pod }) => requiredFeatures(pod).join(","),
      compile({ pod }, { table, verdict }) {
        const required = requiredFeatures(pod);
        if (required.length === 0) return undefined;
        const code = verdict(notDeclared);
        return {
          nodeFilter: (slot) => {
            const node = table.nodes[slot];
            return node !== undefined && declares(node, required) ? 0 : code;
          },
        };
      },
    },
  };
}

/** By the names that nodes have in `status.declaredFeatures`: those of v1.36 that a pod needs from its start. */
function requiredFeatures({ spec }: Pod): readonly string[] {
  const required: string[] = [];
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  if (containers.some(({ restartPolicyRules = [] }) => restartPolicyRules.some(restartsAll))) {
    required.push("RestartAllContainersOnContainerExits");
  }
  if (spec?.hostNetwork === true && spec.hostUsers === false) required.push("UserNamespacesHostNetworkSupport");
  return required;
}

function restartsAll({ action }: { readonly action?: string }): boolean {
  return action === "RestartAllContainers";
}

function declares({ status }: Node, required: readonly string[]): boolean {
  return required.every((feature) => status?.declaredFeatures?.includes(feature) ?? false);
}
