import { readdir } from "node:fs/promises";
import { attempt, run } from "./command.js";
import { type NetworkPlan, overlap } from "./network-plan.js";

/** Where named network namespaces are kept. */
export const netnsFolder = "/run/netns";
/** Ours are asked last of all routes. */
const lastMetric = 1_000_000;

/** Traffic between pods of one node passes the rules of services only if bridges ask them. */
const forwardingScript = `echo 1 >/proc/sys/net/ipv4/ip_forward
bridges=/proc/sys/net/bridge/bridge-nf-call-iptables
if [ -e $bridges ]; then echo 1 >$bridges; fi
`;
/** Of a node that has IPv6. */
const forwarding6Script = `echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
bridges=/proc/sys/net/bridge/bridge-nf-call-ip6tables
if [ -e $bridges ]; then echo 1 >$bridges; fi
`;

/**
 * Makes the nodes' namespaces and what joins them: a bridge in a namespace of its own, so that no rule of the host's
 * firewall sees what goes between nodes. No namespace has a way out: none has a default route, and what the host does
 * not know of pods and services it refuses instead of sending it on.
 */
export async function buildNetwork(plan: NetworkPlan): Promise<void> {
  const { lan, hostLink, hostAddress, nodes, six } = plan;
  if (lan === undefined) return buildOnHost(plan);
  const names = [lan, ...nodes.flatMap(({ netns }) => netns ?? [])];
  await batch(names.map((name) => `netns add ${name}`));
  await batch([
    `link add ${hostLink} type veth peer name host netns ${lan}`,
    ...refusals(plan).map(({ cidr, metric }) => `route add unreachable ${cidr} metric ${metric}`),
    `addr add ${hostAddress}/24 dev ${hostLink}`,
    // Nobody else is there who could have it: nodad.
    ...(six === undefined ? [] : [`addr add ${six.hostAddress}/64 dev ${hostLink} nodad`]),
    `link set ${hostLink} up`,
  ]);
  await batch(
    [
      "link set lo up",
      "link add br0 type bridge",
      "link set br0 up",
      "link set host master br0",
      "link set host up",
      ...nodes.flatMap(({ netns }, index) => [
        `link add node${index} type veth peer name eth0 netns ${netns}`,
        `link set node${index} master br0`,
        `link set node${index} up`,
      ]),
    ],
    lan,
  );
  await Promise.all(nodes.map((_, index) => buildNode(plan, index)));
  await batch(
    nodes
      .flatMap((node) => [node, node.six ?? []].flat())
      .map(({ podCidr, address }) => {
        return `route add ${podCidr} via ${address} dev ${hostLink}`;
      }),
  );
}

/** Services are routed to the bridge, so that what no rule translates goes nowhere. */
async function buildOnHost(plan: NetworkPlan): Promise<void> {
  const { hostLink, hostAddress, nodes, serviceCidr } = plan;
  const bits = nodes[0]?.podCidr.split("/")[1] ?? "24";
  await batch([
    `link add ${hostLink} type bridge`,
    ...refusals(plan).map(({ cidr, metric }) => `route add unreachable ${cidr} metric ${metric}`),
    `addr add ${hostAddress}/${bits} dev ${hostLink}`,
    `link set ${hostLink} up`,
    `route add ${serviceCidr} dev ${hostLink} metric ${lastMetric - 1 - indexOf(hostLink)}`,
  ]);
  await run(["sh", "-ec", forwardingScript]);
}

async function buildNode({ nodes, serviceCidr, six }: NetworkPlan, index: number): Promise<void> {
  const node = nodes[index];
  if (node?.netns === undefined) return;
  const others = nodes.filter((other) => other !== node);
  await batch(
    [
      "link set lo up",
      `addr add ${node.address}/24 dev eth0`,
      "link set eth0 up",
      // Translation comes after routing: without a route a service's address would be refused before it is looked up.
      `route add ${serviceCidr} dev eth0`,
      ...others.map(({ podCidr, address }) => `route add ${podCidr} via ${address}`),
      ...(six === undefined || node.six === undefined
        ? []
        : [
            `addr add ${node.six.address}/64 dev eth0 nodad`,
            `route add ${six.serviceCidr} dev eth0`,
            ...others.flatMap((other) =>
              other.six ? [`route add ${other.six.podCidr} via ${other.six.address}`] : [],
            ),
          ]),
    ],
    node.netns,
  );
  await run([...enter(node.netns), "sh", "-ec", `${forwardingScript}${six === undefined ? "" : forwarding6Script}`]);
}

/** Takes down all that `buildNetwork` made of it, however far it came. */
export async function removeNetwork(plan: NetworkPlan): Promise<void> {
  const names = await namespacesOf(plan.prefix);
  for (const name of names) await attempt(["ip", "netns", "del", name]);
  await attempt(["ip", "link", "del", plan.hostLink]);
  for (const { cidr, metric } of refusals(plan)) {
    await attempt(["ip", family(cidr), "route", "del", "unreachable", cidr, "metric", String(metric)]);
  }
}

export async function namespacesOf(prefix: string): Promise<readonly string[]> {
  const names = await readdir(netnsFolder).catch(() => []);
  return names.filter((name) => name.startsWith(`${prefix}-`));
}

/** How a program is run in a namespace, if it is to be one. `ip netns exec` would hide the control groups. */
export function enter(netns: string | undefined): readonly string[] {
  return netns === undefined ? [] : ["nsenter", `--net=${netnsFolder}/${netns}`];
}

/** The host's networks, of routes other than the default one. */
export async function hostNetworks(): Promise<readonly string[]> {
  const text = await run(["ip", "-4", "-o", "route", "show"]);
  return text.split("\n").flatMap((line) => {
    const match = /^(?:unreachable |blackhole |prohibit )?(\d+\.\d+\.\d+\.\d+(?:\/\d+)?) /.exec(`${line} `);
    return match?.[1] === undefined ? [] : [match[1]];
  });
}

interface Refusal {
  readonly cidr: string;
  readonly metric: number;
}

/** What the host must not send anywhere else. A metric of its own lets two clusters have the same services. */
function refusals({ cidr, serviceCidr, six, nodes, hostLink }: NetworkPlan): readonly Refusal[] {
  const metric = lastMetric + indexOf(hostLink);
  const others = nodes.map(({ podCidr }) => podCidr).filter((podCidr) => !overlap(podCidr, cidr));
  const ofSix = six === undefined ? [] : [six.cidr, six.serviceCidr];
  return [cidr, serviceCidr, ...others, ...ofSix].map((each) => ({ cidr: each, metric }));
}

function family(cidr: string): "-4" | "-6" {
  return cidr.includes(":") ? "-6" : "-4";
}

function indexOf(hostLink: string): number {
  return Number(hostLink.replace(/\D/g, ""));
}

async function batch(commands: readonly string[], netns?: string): Promise<void> {
  const where = netns === undefined ? [] : ["-n", netns];
  await run(["ip", ...where, "-batch", "-"], `${commands.join("\n")}\n`);
}
