export type ProxyProtocol = "TCP" | "UDP" | "SCTP";

/** Whether traffic may go to every endpoint, or only to those on this node. */
export type TrafficPolicy = "Cluster" | "Local";

export interface ProxyEndpoint {
  readonly ip: string;
  readonly port: number;
  readonly ready: boolean;
  /** Able to answer, whether or not it is terminating. */
  readonly serving: boolean;
  readonly terminating: boolean;
  /** On the node that the table is made for. */
  readonly local: boolean;
  readonly nodeName?: string | undefined;
  readonly zone?: string | undefined;
  /** Zones, and nodes, that are asked to use this endpoint; empty: no hint. */
  readonly forZones: readonly string[];
  readonly forNodes: readonly string[];
}

/**
 * One port of one service in one address family: all addresses are of that family. Services without a cluster IP, and those
 * that another proxy cares for, have none. An unchanged port is the same object in the next table.
 */
export interface ProxyServicePort {
  /** Unique in the table and the same from table to table: `namespace/name:port` with the family behind it. */
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  /** Empty for the unnamed port of a service with a single one. */
  readonly portName: string;
  readonly family: 4 | 6;
  readonly protocol: ProxyProtocol;
  readonly clusterIP: string;
  readonly port: number;
  /** 0: none. */
  readonly nodePort: number;
  readonly externalIPs: readonly string[];
  /** Addresses of a load balancer that hands packets on unchanged (mode VIP). */
  readonly loadBalancerIPs: readonly string[];
  /** Blocks that may use the load balancer's addresses; empty: all. */
  readonly loadBalancerSourceRanges: readonly string[];
  /** How long a client stays with its endpoint after its last connection, in seconds; undefined: no affinity. */
  readonly affinitySeconds: number | undefined;
  readonly internalTrafficPolicy: TrafficPolicy;
  readonly externalTrafficPolicy: TrafficPolicy;
  /** Where the node tells a load balancer whether it has local endpoints; 0: nowhere. */
  readonly healthCheckNodePort: number;
  /** All endpoints, in the order of address and port. */
  readonly endpoints: readonly ProxyEndpoint[];
  /** Those that traffic of policy Cluster goes to: ready ones, by topology hints where there are; else serving terminating ones. */
  readonly clusterEndpoints: readonly ProxyEndpoint[];
  /** Those that traffic of policy Local goes to. Empty when neither policy is Local. */
  readonly localEndpoints: readonly ProxyEndpoint[];
  /** Whether any node has an endpoint fit for use: traffic without a local endpoint is then dropped, otherwise refused. */
  readonly hasEndpoints: boolean;
}

/** An immutable snapshot of all that a node's proxy is to do. */
export interface ServiceTable {
  /** By id, in no particular order. */
  readonly ports: ReadonlyMap<string, ProxyServicePort>;
}

export interface ServiceTableUpdate {
  readonly table: ServiceTable;
  /**
   * Ids of ports that were added, changed or removed since the table of the last `sync` that resolved. Undefined: nothing may be
   * assumed about the host, and everything is to be looked at (the first table, after a failure, after damage, now and then).
   */
  readonly changed: ReadonlySet<string> | undefined;
}

/**
 * Makes a host forward as a table says. Calls never overlap. A backend may be started over whatever an earlier one left behind.
 * One table is enough to know everything: a backend may ignore `changed` and still be right.
 */
export interface ProxyBackend extends AsyncDisposable {
  /** For logs: `iptables`. */
  readonly name: string;
  /**
   * Resolves when the host follows the table. A rejection means that it is unknown how far it got; the next call then has
   * `changed` undefined. Rejects with ProxyError `unsupported` when this host can never do it. Abort ends it early, with a rejection.
   */
  sync(update: ServiceTableUpdate, signal?: AbortSignal): Promise<void>;
  /** False when somebody damaged what the last `sync` made. To be cheap: it is asked every half minute. */
  check?(signal?: AbortSignal): Promise<boolean>;
  /** Removes everything that it, or an earlier one of its sort, made on the host. Idempotent. */
  [Symbol.asyncDispose](): Promise<void>;
}

export type ProxyErrorCode = "unsupported" | "failed";

export class ProxyError extends Error {
  override readonly name = "ProxyError";
  /** `unsupported`: this host lacks what the backend needs, and waiting does not help. */
  readonly code: ProxyErrorCode;

  constructor(code: ProxyErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** `namespace/name:port`, or `namespace/name` for an unnamed port: how people and rules call it. */
export function servicePortName(port: Pick<ProxyServicePort, "namespace" | "name" | "portName">): string {
  return port.portName === "" ? `${port.namespace}/${port.name}` : `${port.namespace}/${port.name}:${port.portName}`;
}

/** Whether it can be reached by anything but its cluster IP. */
export function externallyAccessible(
  port: Pick<ProxyServicePort, "nodePort" | "externalIPs" | "loadBalancerIPs">,
): boolean {
  return port.nodePort !== 0 || port.externalIPs.length > 0 || port.loadBalancerIPs.length > 0;
}

/** The endpoints that internal, or external, traffic goes to. */
export function endpointsFor(port: ProxyServicePort, traffic: "internal" | "external"): readonly ProxyEndpoint[] {
  const policy = traffic === "internal" ? port.internalTrafficPolicy : port.externalTrafficPolicy;
  return policy === "Local" ? port.localEndpoints : port.clusterEndpoints;
}
