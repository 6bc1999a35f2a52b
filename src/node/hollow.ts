import { type Client, discardEvents } from "../client/index.js";
import type { Clock } from "../internal/clock.js";
import { FakeRuntime, type FakeRuntimeOptions } from "../runtime/index.js";
import { createNodeAgent, type NodeAgent } from "./agent.js";
import type { NodeAgentOptions } from "./options.js";
import { createPodSource, type PodSource } from "./pod-source.js";

export interface HollowNodesOptions
  extends Omit<NodeAgentOptions, "runtime" | "nodeName" | "rootDir" | "podSource" | "podCidr" | "server" | "logRoot"> {
  readonly clock: Clock;
  /** Default: given to no one. */
  readonly names: readonly string[];
  /** The range that nodes take /24s from. Default 10.244.0.0/16; it must hold as many as there are nodes. */
  readonly podCidr?: string | undefined;
  readonly runtime?: Omit<FakeRuntimeOptions, "clock" | "podCidr"> | undefined;
}

export interface HollowNodes {
  readonly agents: readonly NodeAgent[];
  readonly runtimes: readonly FakeRuntime[];
  /** To be run beside the agents. */
  readonly podSource: PodSource;
}

/** Many nodes that run nothing, over one watch. */
export function createHollowNodes(options: HollowNodesOptions): HollowNodes {
  const { client, clock, random, logger } = options;
  const podSource = createPodSource({ client, clock, random, logger });
  return { ...hollow({ ...options, podSource }, () => client), podSource };
}

/** Nodes that run nothing, each with a client and a watch of its own: for a server that asks who it is. */
export function createHollowAgents({
  clientFor,
  ...options
}: Omit<HollowNodesOptions, "client"> & { readonly clientFor: (nodeName: string) => Client }): readonly NodeAgent[] {
  return hollow(options, clientFor).agents;
}

function hollow(
  options: Omit<HollowNodesOptions, "client"> & { readonly podSource?: PodSource },
  clientFor: (nodeName: string) => Client,
): Omit<HollowNodes, "podSource"> {
  const { names, podCidr = "10.244.0.0/16", runtime, clock, events = discardEvents, ...rest } = options;
  const runtimes = names.map((_, index) => new FakeRuntime({ ...runtime, clock, podCidr: subnet(podCidr, index) }));
  const agents = names.map((nodeName, index) => {
    const own = runtimes[index] ?? new FakeRuntime({ clock });
    const client = clientFor(nodeName);
    return createNodeAgent({
      ...rest,
      client,
      clock,
      events,
      nodeName,
      runtime: own,
      podCidr: subnet(podCidr, index),
    });
  });
  return { agents, runtimes };
}

/** The index-th /24 of an IPv4 range. */
function subnet(cidr: string, index: number): string {
  const [base = "", bits = ""] = cidr.split("/");
  const size = Number(bits);
  if (size > 24 || index >= 2 ** (24 - size))
    throw new RangeError(`${cidr} has no room for ${index + 1} networks of /24`);
  const address = base.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0) + index * 256;
  const start = address - (address % 256);
  return `${[24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256).join(".")}/24`;
}
