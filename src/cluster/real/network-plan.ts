/** An IPv4 network in numbers. */
export interface Network {
  readonly base: number;
  readonly size: number;
}

export interface NodePlan {
  readonly name: string;
  /** Network namespace; absent on the host itself. */
  readonly netns?: string | undefined;
  /** Of its pods. */
  readonly bridge: string;
  readonly address: string;
  readonly podCidr: string;
  /** Absent: the node has addresses of IPv4 alone. */
  readonly six?: { readonly address: string; readonly podCidr: string } | undefined;
}

export interface NetworkPlan {
  /** `coxswain-3`: what every name begins with. */
  readonly prefix: string;
  /** The namespace that holds the bridge between the nodes; absent where the host is the one node. */
  readonly lan?: string | undefined;
  /** The one link of the host's own; its address is how nodes and pods reach the host. Where it is the node: the bridge of its pods. */
  readonly hostLink: string;
  readonly hostAddress: string;
  /** Everything but services. */
  readonly cidr: string;
  readonly serviceCidr: string;
  /** The same of IPv6, where services have a block of it. */
  readonly six?: { readonly hostAddress: string; readonly cidr: string; readonly serviceCidr: string } | undefined;
  readonly nodes: readonly NodePlan[];
}

export interface NodeRequest {
  readonly name: string;
  /** Default: a /24 of the host's choice. */
  readonly podCidr?: string | undefined;
}

/** How many may live on one machine at a time. */
export const maxHosts = 60;
/** Each its address in one /24. */
export const maxNodes = 200;
const firstSecondOctet = 180;

/**
 * Of `10.180.0.0/16` and the following ones: .0 is between the nodes, the others are the nodes' pods. Of IPv6 the same with
 * `fdc0:180::/48` and the following ones, where `serviceCidrs` has a second block.
 */
export function planNetwork(index: number, nodes: readonly NodeRequest[], serviceCidrs: string): NetworkPlan {
  const prefix = prefixOf(index);
  const [serviceCidr = "", sixServices] = serviceCidrs.split(",");
  const start = `10.${firstSecondOctet + index}`;
  const startOf6 = `fdc0:${firstSecondOctet + index}`;
  return {
    prefix,
    lan: `${prefix}-lan`,
    hostLink: `cxw${index}`,
    hostAddress: `${start}.0.1`,
    cidr: `${start}.0.0/16`,
    serviceCidr,
    ...(sixServices === undefined
      ? {}
      : { six: { hostAddress: `${startOf6}::1`, cidr: `${startOf6}::/48`, serviceCidr: sixServices } }),
    nodes: nodes.map(({ name, podCidr }, position) => ({
      name,
      ...(sixServices === undefined
        ? {}
        : {
            six: {
              address: `${startOf6}::${(position + 16).toString(16)}`,
              podCidr: `${startOf6}:0:${(position + 1).toString(16)}::/64`,
            },
          }),
      netns: `${prefix}-node-${name}`,
      bridge: "cni0",
      address: `${start}.0.${position + 10}`,
      podCidr: podCidr ?? `${start}.${position + 1}.0/24`,
    })),
  };
}

/** The host itself as the one node: pods on a bridge of the host's own. */
export function planOnHost(index: number, { name, podCidr }: NodeRequest, serviceCidr: string): NetworkPlan {
  const { prefix, hostLink, cidr } = planNetwork(index, [], serviceCidr);
  const pods = podCidr ?? `10.${firstSecondOctet + index}.1.0/24`;
  const address = firstAddress(pods);
  const node = { name, address, podCidr: pods, bridge: hostLink };
  return { prefix, hostLink, hostAddress: address, cidr, serviceCidr, nodes: [node] };
}

function firstAddress(cidr: string): string {
  const address = parseCidr(cidr).base + 1;
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

export function prefixOf(index: number): string {
  return `coxswain-${index}`;
}

export function parseCidr(text: string): Network {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text);
  const octets = match?.slice(1, 5).map(Number) ?? [];
  const bits = Number(match?.[5] ?? 32);
  if (octets.length !== 4 || octets.some((octet) => octet > 255) || bits > 32) {
    throw new Error(`${JSON.stringify(text)} is not an IPv4 network`);
  }
  const size = 2 ** (32 - bits);
  const address = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  return { base: address - (address % size), size };
}

export function overlap(one: string, other: string): boolean {
  const [a, b] = [parseCidr(one), parseCidr(other)];
  return a.base < b.base + b.size && b.base < a.base + a.size;
}
