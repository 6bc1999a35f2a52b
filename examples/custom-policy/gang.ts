import type { Scheduler, SchedulingPolicy } from "coxswain/scheduler";

const groupLabel = "example.com/gang";
const sizeLabel = "example.com/gang-size";

/**
 * All or nothing: pods with the same group label are bound once as many of them as their size label says have found nodes.
 * Until then they hold their places, at most `waitMs`.
 */
export function gang(scheduler: () => Pick<Scheduler, "waitingPod">, waitMs = 60_000): SchedulingPolicy {
  const reserved = new Map<string, Set<string>>();
  const name = "Gang";
  return {
    name,
    concerns: ({ metadata }) => metadata.labels?.[groupLabel] !== undefined,
    reserve({ metadata: { labels, namespace, uid } }) {
      const group = `${namespace}/${labels?.[groupLabel]}`;
      reserved.set(group, (reserved.get(group) ?? new Set()).add(uid));
      return undefined;
    },
    unreserve({ metadata: { labels, namespace, uid } }) {
      const group = `${namespace}/${labels?.[groupLabel]}`;
      const members = reserved.get(group);
      members?.delete(uid);
      if (members?.size === 0) reserved.delete(group);
    },
    permit({ metadata: { labels, namespace } }) {
      const members = reserved.get(`${namespace}/${labels?.[groupLabel]}`) ?? new Set();
      if (members.size < Number(labels?.[sizeLabel] ?? 1)) return { waitMs };
      for (const uid of members) scheduler().waitingPod(uid)?.allow(name);
      return undefined;
    },
    postBind({ metadata: { labels, namespace, uid } }) {
      reserved.get(`${namespace}/${labels?.[groupLabel]}`)?.delete(uid);
    },
  };
}
