import type { SchedulingPolicy, WaitingPod } from "coxswain/scheduler";

const groupLabel = "example.com/gang";
const sizeLabel = "example.com/gang-size";

/** How to reach pods that wait at permit: a Scheduler is one, and so is what `simulate` gives to policies. */
export interface Waiting {
  waitingPod(uid: string): WaitingPod | undefined;
}

/**
 * All or nothing: pods with the same group label are bound once as many of them as their size label says have found nodes.
 * Until then they hold their places, at most `waitMs`. When one of them finds none, the others give theirs back at once, so that
 * two groups that hold half the cluster each do not wait for each other.
 */
export function gang(scheduler: () => Waiting, waitMs = 60_000): SchedulingPolicy {
  const name = "Gang";
  const groups = new Map<string, Set<string>>();
  const groupOf = ({ metadata }: Parameters<NonNullable<SchedulingPolicy["permit"]>>[0]): string | undefined => {
    const group = metadata.labels?.[groupLabel];
    return group === undefined ? undefined : `${metadata.namespace}/${group}`;
  };
  const leave = (group: string | undefined, uid: string): void => {
    const members = groups.get(group ?? "");
    members?.delete(uid);
    if (members?.size === 0) groups.delete(group ?? "");
  };
  return {
    name,
    concerns: (pod) => groupOf(pod) !== undefined,
    reserve(pod) {
      const group = groupOf(pod) ?? "";
      groups.set(group, (groups.get(group) ?? new Set()).add(pod.metadata.uid));
      return undefined;
    },
    unreserve: (pod) => leave(groupOf(pod), pod.metadata.uid),
    permit(pod) {
      const members = groups.get(groupOf(pod) ?? "") ?? new Set();
      if (members.size < Number(pod.metadata.labels?.[sizeLabel] ?? 1)) return { waitMs };
      for (const uid of members) scheduler().waitingPod(uid)?.allow(name);
      return undefined;
    },
    postFilter(pod, _failure, { dryRun }) {
      if (dryRun) return undefined;
      for (const uid of [...(groups.get(groupOf(pod) ?? "") ?? [])]) {
        scheduler().waitingPod(uid)?.reject(name, "another pod of the gang found no node");
      }
      return undefined;
    },
    postBind: (pod) => leave(groupOf(pod), pod.metadata.uid),
    // A gang that was turned away is worth another try when room is made.
    requeueWhen: [{ resource: "AssignedPod", actions: ["Delete"] }, { resource: "Node" }],
  };
}
