import { externallyAccessible, type ProxyEndpoint, type ProxyServicePort } from "./proxy.js";

type Policies = Pick<
  ProxyServicePort,
  "internalTrafficPolicy" | "externalTrafficPolicy" | "nodePort" | "externalIPs" | "loadBalancerIPs"
>;
type Picked = Pick<ProxyServicePort, "clusterEndpoints" | "localEndpoints" | "hasEndpoints">;

/** The node that picks. */
export interface NodePlace {
  readonly nodeName: string;
  /** Undefined: unknown, and then hints for zones are not followed. */
  readonly zone: string | undefined;
}

const none: readonly ProxyEndpoint[] = [];

/** Which endpoints take traffic, as kube-proxy picks them. */
export function pickEndpoints(policies: Policies, endpoints: readonly ProxyEndpoint[], place: NodePlace): Picked {
  const external = externallyAccessible(policies);
  // Even with external policy Local, what comes from the node's own pods may go everywhere.
  const usesCluster = policies.internalTrafficPolicy === "Cluster" || external;
  const usesLocal =
    policies.internalTrafficPolicy === "Local" || (external && policies.externalTrafficPolicy === "Local");
  const usable = readyOrElseServing(endpoints);
  return {
    clusterEndpoints: usesCluster ? clusterEndpoints(endpoints, usable, place) : none,
    localEndpoints: usesLocal ? readyOrElseServing(endpoints.filter((endpoint) => endpoint.local)) : none,
    hasEndpoints: usable.length > 0,
  };
}

/** Ready endpoints; when there are none, those that still serve while they terminate. */
function readyOrElseServing(endpoints: readonly ProxyEndpoint[]): readonly ProxyEndpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  return ready.length > 0 ? ready : endpoints.filter((endpoint) => endpoint.serving && endpoint.terminating);
}

function clusterEndpoints(
  endpoints: readonly ProxyEndpoint[],
  usable: readonly ProxyEndpoint[],
  { nodeName, zone }: NodePlace,
): readonly ProxyEndpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  if (ready.length === 0) return usable;
  // A hint counts only when every ready endpoint has one, and some of them are meant for this place.
  if (ready.every((endpoint) => endpoint.forNodes.length > 0)) {
    const here = ready.filter((endpoint) => endpoint.forNodes.includes(nodeName));
    if (here.length > 0) return here;
  }
  if (zone !== undefined && ready.every((endpoint) => endpoint.forZones.length > 0)) {
    const here = ready.filter((endpoint) => endpoint.forZones.includes(zone));
    if (here.length > 0) return here;
  }
  return ready;
}
