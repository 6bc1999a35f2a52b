import { createHollowAgents } from "../node/index.js";
import { afterBootstrap, type ClusterOptions } from "./cluster.js";
import { identities } from "./identities.js";

/** For `startCluster({ parts })`: nodes that run pods as records, each with the rights of a node and no others. */
export function hollowMachines(names: readonly string[]): NonNullable<ClusterOptions["parts"]> {
  return ({ clock, random, logger, clientFor }) =>
    createHollowAgents({
      names,
      clock,
      random,
      logger,
      clientFor: (name) => clientFor(identities.node(name), "kubelet"),
    }).map((agent) => afterBootstrap(agent));
}
