import type { ProxyBackend } from "../../../src/proxy/index.js";
import { type Exec, hostExec } from "../../../src/proxy/iptables/index.js";
import type { DialPlace, ProxySubject } from "../../../src/testing/proxy-checks.js";
import { NetnsAgent } from "./netns-agent.js";

export const podCidr = "10.244.0.0/16";
export const podCidrOf6 = "fd00:244::/56";

/** The addresses of one family; `whole` is the prefix of a single address. */
const addressesOf = {
  4: {
    pods: ["10.244.0.2", "10.244.0.3", "10.244.0.4"],
    gateway: "10.244.0.1",
    link: 24,
    whole: 32,
    node: "10.0.0.1",
    outside: "10.0.0.99",
    virtual: ["10.96.0.0/12", "203.0.113.0/24"],
    clusterIPs: ["10.96.0.10", "10.96.0.11"],
    externalIPs: ["203.0.113.1", "203.0.113.2"],
  },
  6: {
    pods: ["fd00:244::2", "fd00:244::3", "fd00:244::4"],
    gateway: "fd00:244::1",
    link: 64,
    whole: 128,
    node: "fd00:10::1",
    outside: "fd00:10::99",
    virtual: ["fd00:96::/108", "2001:db8::/64"],
    clusterIPs: ["fd00:96::10", "fd00:96::11"],
    externalIPs: ["2001:db8::1", "2001:db8::2"],
  },
} as const;
/** Neighbours are looked for from the addresses that links give themselves: these need not be looked for first either. */
const atOnceToo =
  "for one in all default; do echo 0 > /proc/sys/net/ipv6/conf/$one/accept_dad; done 2> /dev/null; true";
const run = hostExec();

async function must(command: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

export interface NetnsHost extends AsyncDisposable {
  /** Of the node. */
  readonly netns: string;
  /** In the node's namespace. */
  readonly exec: Exec;
  agent(place: DialPlace): NetnsAgent;
}

/** How pods are connected to their node, as the CNI plugins `bridge` and `ptp` do it. */
export type PodNetwork = "bridge" | "routed";

export interface NetnsHostOptions {
  readonly agentScript?: string | undefined;
  readonly network?: PodNetwork | undefined;
  /**
   * Where packets to virtual addresses go that nobody turned: to a device where nobody hears them, or nowhere, which is an error at
   * once. iptables needs the former: the kernel looks for a route before it lets rules turn the node's own packets.
   */
  readonly virtualRoutes?: "device" | "unreachable" | undefined;
  /** Of all addresses. Default 4. */
  readonly family?: 4 | 6 | undefined;
  /** The node is where this process is: for a guest that has a kernel to itself. */
  readonly here?: boolean | undefined;
}

/**
 * A node with three pods and a host beside it, each in a network namespace of its own, with no route to anywhere
 * else: a packet for which a rule is missing ends in the node's namespace.
 */
export async function makeNetnsHost(options: NetnsHostOptions = {}): Promise<NetnsHost> {
  const { agentScript, network = "bridge", here = false, virtualRoutes = "device", family = 4 } = options;
  const { pods, gateway, link, whole, node: nodeAddress, outside, virtual } = addressesOf[family];
  const prefix = `cxp${process.pid}${Math.random().toString(36).slice(2, 6)}`;
  const node = `${prefix}-node`;
  const inNode = here ? [] : ["-n", node];
  const made: string[] = [];
  const agents = new Map<DialPlace, NetnsAgent>();
  const add = async (name: string): Promise<void> => {
    await must("ip", "netns", "add", name);
    made.push(name);
    await must("ip", "netns", "exec", name, "sh", "-c", atOnceToo);
    await must("ip", "-n", name, "link", "set", "lo", "up");
  };
  // Nobody else can have the address: it need not be looked for first.
  const atOnce = family === 6 ? ["nodad"] : [];
  /** A cable between the node and a new namespace, which gets the address and routes by the gateway. */
  const attach = async (name: string, device: string, address: string): Promise<void> => {
    await add(name);
    await must("ip", ...inNode, "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", name);
    await must("ip", ...inNode, "link", "set", device, "up");
    await must("ip", "-n", name, "addr", "add", address, "dev", "eth0", ...atOnce);
    await must("ip", "-n", name, "link", "set", "eth0", "up");
  };
  const dispose = async (): Promise<void> => {
    await Promise.all([...agents.values()].map((agent) => agent[Symbol.asyncDispose]()));
    for (const name of made.splice(0).reverse()) await run("ip", ["netns", "del", name]);
  };
  try {
    if (!here) await add(node);
    const exec = hostExec(here ? {} : { netns: `/run/netns/${node}` });
    await exec("sh", ["-c", atOnceToo]);
    await exec("sh", ["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"]);
    if (network === "bridge") {
      await must("ip", ...inNode, "link", "add", "br0", "type", "bridge");
      await must("ip", ...inNode, "addr", "add", `${gateway}/${link}`, "dev", "br0", ...atOnce);
      await must("ip", ...inNode, "link", "set", "br0", "up");
    }
    for (const [index, ip] of pods.entries()) {
      const name = `${prefix}-pod${index}`;
      const device = `pod${index}`;
      if (network === "bridge") {
        await attach(name, device, `${ip}/${link}`);
        await must("ip", ...inNode, "link", "set", device, "master", "br0");
        // Netfilter on bridges sends a translated packet back out of the port that it came in by.
        await must("bridge", ...inNode, "link", "set", "dev", device, "hairpin", "on");
      } else {
        await attach(name, device, `${ip}/${whole}`);
        await must("ip", ...inNode, "addr", "add", `${gateway}/${whole}`, "dev", device, ...atOnce);
        await must("ip", ...inNode, "route", "add", ip, "dev", device);
        await must("ip", "-n", name, "route", "add", gateway, "dev", "eth0");
      }
      await must("ip", "-n", name, "route", "add", "default", "via", gateway);
      agents.set(index, new NetnsAgent(name, agentScript));
    }
    await attach(`${prefix}-out`, "out", `${outside}/${link}`);
    await must("ip", ...inNode, "addr", "add", `${nodeAddress}/${link}`, "dev", "out", ...atOnce);
    await must("ip", "-n", `${prefix}-out`, "route", "add", virtual[1], "via", nodeAddress);
    if (virtualRoutes === "device") {
      await must("ip", ...inNode, "link", "add", "void0", "type", "bridge");
      await must("ip", ...inNode, "link", "set", "void0", "up");
    }
    for (const range of virtual) {
      const route = virtualRoutes === "device" ? [range, "dev", "void0", "src", nodeAddress] : ["unreachable", range];
      await must("ip", ...inNode, "route", "add", ...route);
    }
    agents.set("node", new NetnsAgent(here ? undefined : node, agentScript));
    agents.set("outside", new NetnsAgent(`${prefix}-out`, agentScript));
    for (const [index, ip] of pods.entries()) await agents.get(index)?.serve(ip, 8080, String(index));
    return {
      netns: node,
      exec,
      agent(place) {
        const agent = agents.get(place);
        if (agent === undefined) throw new Error(`nobody at ${place}`);
        return agent;
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

export interface NetnsSubjectOptions extends NetnsHostOptions {
  createBackend(host: NetnsHost): ProxyBackend;
  flush(host: NetnsHost): Promise<void>;
  leftovers(host: NetnsHost): Promise<readonly string[]>;
  /** After which a dial counts as silent. Default 700. */
  readonly timeoutMs?: number | undefined;
}

export async function netnsSubject(options: NetnsSubjectOptions): Promise<ProxySubject> {
  const host = await makeNetnsHost(options);
  const { pods, node, outside, clusterIPs, externalIPs } = addressesOf[options.family ?? 4];
  return {
    createBackend: () => options.createBackend(host),
    endpoints: pods.map((ip) => ({ ip, port: 8080 })),
    nodeAddress: node,
    outsideAddress: outside,
    clusterIPs,
    externalIPs,
    nodePort: 30_080,
    dial: ({ from, to, port, protocol = "TCP", sourcePort }) =>
      host.agent(from).dial({ to, port, protocol, sourcePort, timeoutMs: options.timeoutMs ?? 700 }),
    flush: () => options.flush(host),
    leftovers: () => options.leftovers(host),
    dispose: async () => host[Symbol.asyncDispose](),
  };
}
