import type { Pod } from "../../api/index.js";
import { type HostPort, podInfo, portsClash } from "../cache/pod-info.js";
import type { SchedulingPolicy } from "../framework/policy.js";
import { QuantityCache } from "../framework/resources.js";

const taken = { reasons: ["node(s) didn't have free ports for the requested pod ports"] };

/** Keeps two pods from wanting one port of a node. */
export function nodePorts(): SchedulingPolicy {
  const portsOf = (pod: Pod): readonly HostPort[] => podInfo(pod, new QuantityCache()).hostPorts;
  return {
    name: "NodePorts",
    preFilter: (pod) => (portsOf(pod).length === 0 ? { skip: true } : undefined),
    filter(pod, { pods }) {
      const wanted = portsOf(pod);
      return pods.some((other) => portsOf(other).some((port) => wanted.some((own) => portsClash(own, port))))
        ? taken
        : undefined;
    },
    requeueWhen: [
      {
        resource: "AssignedPod",
        actions: ["Delete"],
        hint: (pod, { old }) => portsOf(old as Pod).some((port) => portsOf(pod).some((own) => portsClash(own, port))),
      },
      { resource: "Node", actions: ["Add"] },
    ],
    vector: {
      key: ({ hostPorts }) => (hostPorts.length === 0 ? "" : JSON.stringify(hostPorts)),
      compile({ hostPorts }, { table, verdict }) {
        if (hostPorts.length === 0) return undefined;
        const code = verdict(taken);
        return {
          podsFilter(slot) {
            for (const other of table.pods[slot] ?? []) {
              for (const port of other.hostPorts) for (const own of hostPorts) if (portsClash(own, port)) return code;
            }
            return 0;
          },
        };
      },
    },
  };
}
