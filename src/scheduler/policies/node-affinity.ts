import type { Node, NodeAffinity, Pod } from "../../api/index.js";
import { type SchedulingPolicy, unresolvable } from "../framework/policy.js";
import { scaleByMax } from "../framework/vector.js";
import { anyTerm, isEmptyTerm, pinnedNodeNames, requiredNodeTest, termTest } from "./node-selector.js";

export interface NodeAffinityArgs {
  /** Applied to every pod of the profile beside its own. */
  readonly addedAffinity?: NodeAffinity;
}

const mismatch = unresolvable("node(s) didn't match Pod's node affinity/selector");
const enforcedMismatch = unresolvable("node(s) didn't match scheduler-enforced node affinity");
const conflict = unresolvable("pod affinity terms conflict");
const normalize = scaleByMax(false);

type Score = (node: Node) => number;

/** Honours `nodeSelector` and node affinity. */
export function nodeAffinity(args: NodeAffinityArgs = {}): SchedulingPolicy {
  const added = args.addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const enforced = added === undefined ? undefined : anyTerm(added.nodeSelectorTerms);
  const addedScores = preferred(args.addedAffinity);
  const scoreOf = (pod: Pod): Score | undefined => {
    const own = preferred(pod.spec?.affinity?.nodeAffinity);
    if (own.length === 0 && addedScores.length === 0) return undefined;
    return (node) => [...own, ...addedScores].reduce((sum, score) => sum + score(node), 0);
  };
  return {
    name: "NodeAffinity",
    preFilter(pod) {
      if (requiredNodeTest(pod) === undefined && enforced === undefined) return { skip: true };
      const nodeNames = pinnedNodeNames(pod);
      if (nodeNames === undefined) return undefined;
      return nodeNames.size === 0 ? conflict : { nodeNames };
    },
    filter(pod, { node }) {
      if (enforced !== undefined && !enforced(node)) return enforcedMismatch;
      return (requiredNodeTest(pod)?.(node) ?? true) ? undefined : mismatch;
    },
    preScore: (pod) => (scoreOf(pod) === undefined ? { skip: true } : undefined),
    score: (pod, { node }) => scoreOf(pod)?.(node) ?? 0,
    normalizeScore(_pod, scores) {
      const scaled = [...scores];
      normalize(scaled);
      return scaled;
    },
    requeueWhen: [
      {
        resource: "Node",
        actions: ["Add", "UpdateNodeLabel"],
        hint: (pod, { object }) =>
          (enforced?.(object as Node) ?? true) && (requiredNodeTest(pod)?.(object as Node) ?? true),
      },
    ],
    vector: {
      narrow({ pod }) {
        const nodeNames = pinnedNodeNames(pod);
        return nodeNames?.size === 0 ? conflict : nodeNames;
      },
      key({ pod }) {
        const affinity = pod.spec?.affinity?.nodeAffinity;
        const selector = pod.spec?.nodeSelector;
        if (affinity === undefined && selector === undefined) return "";
        return JSON.stringify([selector, pinnedNodeNames(pod) === undefined ? affinity : withoutNames(affinity)]);
      },
      compile({ pod }, { table, verdict }) {
        // Daemon pods differ only in the node they are pinned to, which is looked at per pod: see `withoutNames`.
        const pinned = pinnedNodeNames(pod) !== undefined;
        const required = requiredNodeTest(pinned ? unpinned(pod) : pod);
        const score = scoreOf(pod);
        if (required === undefined && enforced === undefined && score === undefined) return undefined;
        const code = verdict(mismatch);
        const enforcedCode = verdict(enforcedMismatch);
        return {
          nodeFilter(slot) {
            const node = table.nodes[slot];
            if (node === undefined) return code;
            if (enforced !== undefined && !enforced(node)) return enforcedCode;
            return required === undefined || required(node) ? 0 : code;
          },
          ...(score === undefined
            ? {}
            : {
                nodeScore: {
                  of(slot: number): number {
                    const node = table.nodes[slot];
                    return node === undefined ? 0 : score(node);
                  },
                  normalize,
                },
              }),
        };
      },
    },
  };
}

function preferred(affinity: NodeAffinity | undefined): Score[] {
  const terms = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return terms
    .filter(({ weight, preference }) => weight !== 0 && !isEmptyTerm(preference))
    .map(({ weight, preference }) => {
      const matches = termTest(preference);
      return (node) => (matches(node) ? weight : 0);
    });
}

/**
 * The affinity of a pinned pod without the names that it is pinned to. Exact only where every alternative is but a name: else the names
 * stay, and the pod is a kind of its own.
 */
function withoutNames(affinity: NodeAffinity | undefined): unknown {
  const terms = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return onlyNames(terms) ? ["pinned", affinity?.preferredDuringSchedulingIgnoredDuringExecution] : affinity;
}

function onlyNames(
  terms: NonNullable<NodeAffinity["requiredDuringSchedulingIgnoredDuringExecution"]>["nodeSelectorTerms"],
): boolean {
  return terms.every(
    ({ matchExpressions, matchFields }) =>
      (matchExpressions ?? []).length === 0 &&
      (matchFields ?? []).every(({ key, operator }) => key === "metadata.name" && operator === "In"),
  );
}

function unpinned(pod: Pod): Pod {
  const affinity = pod.spec?.affinity;
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  if (pod.spec === undefined || !onlyNames(terms)) return pod;
  const { requiredDuringSchedulingIgnoredDuringExecution: _, ...kept } = affinity?.nodeAffinity ?? {};
  return { ...pod, spec: { ...pod.spec, affinity: { ...affinity, nodeAffinity: kept } } };
}
