import type { DaemonSet, Node, Pod, PodSpec, Toleration } from "../../api/index.js";
import { fitsNode } from "../../api/node-match.js";
import { firstUntolerated } from "../shared/taints.js";

const always = (key: string, effect: string): Toleration => ({
  key: `node.kubernetes.io/${key}`,
  operator: "Exists",
  effect,
});

/** What every daemon pod puts up with: it belongs to its node, in whatever state that is. */
const daemonTolerations: readonly Toleration[] = [
  always("not-ready", "NoExecute"),
  always("unreachable", "NoExecute"),
  always("disk-pressure", "NoSchedule"),
  always("memory-pressure", "NoSchedule"),
  always("pid-pressure", "NoSchedule"),
  always("unschedulable", "NoSchedule"),
];

export function tolerationsFor(spec: PodSpec | undefined): readonly Toleration[] {
  const added = spec?.hostNetwork
    ? [...daemonTolerations, always("network-unavailable", "NoSchedule")]
    : daemonTolerations;
  const own = spec?.tolerations ?? [];
  const isNew = (one: Toleration): boolean =>
    !own.some(
      ({ key, operator, effect, value }) =>
        key === one.key && operator === one.operator && effect === one.effect && !value,
    );
  return [...own, ...added.filter(isNew)];
}

/** Whether a node should get the daemon, and whether one that is there may stay. */
export function placementOn(daemonSet: DaemonSet, node: Node): { readonly run: boolean; readonly stay: boolean } {
  const spec = daemonSet.spec?.template.spec;
  if (spec === undefined) return { run: false, stay: false };
  if (spec.nodeName && spec.nodeName !== node.metadata.name) return { run: false, stay: false };
  if (!fitsNode(spec, node)) return { run: false, stay: false };
  const taints = node.spec?.taints ?? [];
  const tolerations = tolerationsFor(spec);
  const hard = taints.filter(({ effect }) => effect === "NoExecute" || effect === "NoSchedule");
  if (firstUntolerated(hard, tolerations) === undefined) return { run: true, stay: true };
  const driving = taints.filter(({ effect }) => effect === "NoExecute");
  return { run: false, stay: firstUntolerated(driving, tolerations) === undefined };
}

/** The template's spec for one node: the scheduler places it, but there only. */
export function specFor(spec: PodSpec, node: string): PodSpec {
  const matchFields = [{ key: "metadata.name", operator: "In", values: [node] }];
  return {
    ...spec,
    tolerations: tolerationsFor(spec),
    affinity: {
      ...spec.affinity,
      nodeAffinity: {
        ...spec.affinity?.nodeAffinity,
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] },
      },
    },
  };
}

/** The node that a daemon pod is on or is meant for. */
export function nodeOf(pod: Pod): string | undefined {
  if (pod.spec?.nodeName) return pod.spec.nodeName;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  for (const { matchFields = [] } of required?.nodeSelectorTerms ?? []) {
    for (const { key, operator, values = [] } of matchFields) {
      if (key === "metadata.name" && operator === "In" && values.length === 1) return values[0];
    }
  }
  return undefined;
}
