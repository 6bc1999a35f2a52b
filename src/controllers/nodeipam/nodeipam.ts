import { type Node, nodes } from "../../api/index.js";
import { cidrContains, formatIp, type IpPrefix, parseCidr } from "../../api/ip.js";
import type { Controller } from "../controller.js";
import { defineStatefulController } from "../define-controller.js";

export interface NodeIpamOptions {
  /** The pods' network, one or one of each family: `10.244.0.0/16`. */
  readonly clusterCidrs: readonly string[];
  /** Prefix length of a node's part. Default 24, 64 for IPv6. */
  readonly nodeMaskIpv4?: number;
  readonly nodeMaskIpv6?: number;
}

/** Gives every node its part of the pods' network. */
export function nodeIpamController(options: NodeIpamOptions): Controller {
  const pools = options.clusterCidrs.map((text) => makePool(text, options));
  return defineStatefulController<Node>({
    name: "node-ipam-controller",
    account: "node-controller",
    aliases: ["nodeipam"],
    eventSource: "cidrAllocator",
    for: nodes,
    // One after another: two that run beside one another could pick the same part.
    concurrency: 1,
    prepare: (context) => {
      const informer = context.informer(nodes);
      /** Given out, and perhaps not yet seen on the node. */
      const given = new Map<string, readonly string[]>();
      informer.addHandler({ delete: ({ metadata }) => void given.delete(metadata.name) });
      return async (key, { client, events, signal }) => {
        const node = informer.get(key);
        if (node === undefined || node.spec?.podCIDR || node.metadata.deletionTimestamp !== undefined || given.has(key))
          return;
        const taken = new Set([...given.values()].flat());
        for (const { spec } of informer.list()) for (const cidr of spec?.podCIDRs ?? []) taken.add(cidr);
        const podCIDRs: string[] = [];
        for (const pool of pools) {
          const free = pool.firstFree(taken);
          if (free === undefined) {
            events.event(node, "Normal", "CIDRNotAvailable", `Node ${key} status is now: CIDRNotAvailable`);
            throw new Error(
              "CIDR allocation failed; there are no remaining CIDRs left to allocate in the accepted range",
            );
          }
          podCIDRs.push(free);
        }
        given.set(key, podCIDRs);
        try {
          const body = { spec: { podCIDR: podCIDRs[0], podCIDRs } };
          await client.patch(nodes, { name: key }, { type: "merge", body }, { signal });
        } catch (error) {
          given.delete(key);
          throw error;
        }
      };
    },
  });
}

interface Pool {
  firstFree(taken: ReadonlySet<string>): string | undefined;
}

function makePool(text: string, { nodeMaskIpv4 = 24, nodeMaskIpv6 = 64 }: NodeIpamOptions): Pool {
  const prefix: IpPrefix | undefined = parseCidr(text);
  if (prefix === undefined) throw new Error(`no network: ${text}`);
  const { family, first } = prefix;
  const isIpv6 = family === 6;
  const mask = isIpv6 ? nodeMaskIpv6 : nodeMaskIpv4;
  const size = 1n << BigInt((isIpv6 ? 128 : 32) - mask);
  return {
    firstFree(taken) {
      for (let value = first; cidrContains(prefix, { family, value }); value += size) {
        const cidr = `${formatIp({ family, value })}/${mask}`;
        if (!taken.has(cidr)) return cidr;
      }
      return undefined;
    },
  };
}
