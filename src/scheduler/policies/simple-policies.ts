import type { Pod } from "../../api/index.js";
import { type SchedulingPolicy, unresolvable } from "../framework/policy.js";
import { toleratesAll } from "./tolerations.js";

/** Holds back pods that have scheduling gates. */
export function schedulingGates(): SchedulingPolicy {
  return {
    name: "SchedulingGates",
    preEnqueue(pod) {
      const gates = pod.spec?.schedulingGates ?? [];
      if (gates.length === 0) return undefined;
      return unresolvable(`waiting for scheduling gates: [${gates.map(({ name }) => name).join(" ")}]`);
    },
    requeueWhen: [{ resource: "UnscheduledPod", actions: ["UpdatePodSchedulingGatesEliminated"] }],
  };
}

/** Higher priority first; among equals, first come, first served. */
export function prioritySort(): SchedulingPolicy {
  return {
    name: "PrioritySort",
    queueSort: (a, b) => b.priority - a.priority || a.timestampMs - b.timestampMs || a.sequence - b.sequence,
  };
}

const unschedulableTaint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };
const wereUnschedulable = unresolvable("node(s) were unschedulable");

/** Keeps pods off cordoned nodes, unless they tolerate the taint that goes with it. */
export function nodeUnschedulable(): SchedulingPolicy {
  const passes = (pod: Pod): boolean => toleratesAll(pod.spec?.tolerations, unschedulableTaint);
  return {
    name: "NodeUnschedulable",
    filter: (pod, { node }) => (node.spec?.unschedulable === true && !passes(pod) ? wereUnschedulable : undefined),
    requeueWhen: [{ resource: "Node", actions: ["Add", "UpdateNodeTaint"] }],
    vector: {
      key: ({ pod }) => (pod.spec?.tolerations === undefined ? "" : String(passes(pod))),
      compile({ pod }, { table, verdict }) {
        if (passes(pod)) return undefined;
        const code = verdict(wereUnschedulable);
        return { nodeFilter: (slot) => (table.nodes[slot]?.spec?.unschedulable === true ? code : 0) };
      },
    },
  };
}

const wrongName = unresolvable("node(s) didn't match the requested node name");

/** Honours `spec.nodeName` of a pod that is not yet bound. */
export function nodeName(): SchedulingPolicy {
  return {
    name: "NodeName",
    filter: ({ spec }, { name }) => (spec?.nodeName && spec.nodeName !== name ? wrongName : undefined),
    requeueWhen: [{ resource: "Node", actions: ["Add"] }],
    vector: {
      key: ({ pod }) => pod.spec?.nodeName ?? "",
      compile({ pod }, { table, verdict }) {
        const name = pod.spec?.nodeName;
        if (!name) return undefined;
        const code = verdict(wrongName);
        return { nodeFilter: (slot) => (table.nodes[slot]?.metadata.name === name ? 0 : code) };
      },
    },
  };
}
