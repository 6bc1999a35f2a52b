import type { Node, Pod } from "../../api/index.js";
import { type SchedulingPolicy, unresolvable } from "../framework/policy.js";
import { scaleByMax } from "../framework/vector.js";
import { toleratesAll, untoleratedTaint } from "./tolerations.js";

const untolerated = unresolvable("node(s) had untolerated taint(s)");
const normalize = scaleByMax(true);

/** Keeps pods off nodes with taints that they do not tolerate, and prefers nodes with fewer PreferNoSchedule taints. */
export function taintToleration(): SchedulingPolicy {
  return {
    name: "TaintToleration",
    filter: (pod, { node }) => (untoleratedTaint(node, pod.spec?.tolerations) === undefined ? undefined : untolerated),
    score: (pod, { node }) => intolerable(pod, node),
    normalizeScore(_pod, scores) {
      const scaled = [...scores];
      normalize(scaled);
      return scaled;
    },
    requeueWhen: [
      {
        resource: "Node",
        actions: ["Add", "UpdateNodeTaint"],
        hint: (pod, { object }) => untoleratedTaint(object as Node, pod.spec?.tolerations) === undefined,
      },
      { resource: "UnscheduledPod", actions: ["UpdatePodToleration"] },
    ],
    vector: {
      key: ({ pod }) => (pod.spec?.tolerations === undefined ? "" : JSON.stringify(pod.spec.tolerations)),
      compile({ pod }, { table, verdict }) {
        const code = verdict(untolerated);
        return {
          nodeFilter(slot) {
            const node = table.nodes[slot];
            if (node?.spec?.taints === undefined) return 0;
            return untoleratedTaint(node, pod.spec?.tolerations) === undefined ? 0 : code;
          },
          nodeScore: {
            of(slot) {
              const node = table.nodes[slot];
              return node === undefined ? 0 : intolerable(pod, node);
            },
            normalize,
          },
        };
      },
    },
  };
}

function intolerable(pod: Pod, node: Node): number {
  let count = 0;
  for (const taint of node.spec?.taints ?? []) {
    if (taint.effect !== "PreferNoSchedule") continue;
    const relevant = pod.spec?.tolerations?.filter(({ effect }) => !effect || effect === "PreferNoSchedule");
    if (!toleratesAll(relevant, taint)) count++;
  }
  return count;
}
