import type { Store } from "../../store/index.js";
import type { WriteHook } from "../registry/context.js";
import type { ApiServer } from "../server.js";
import { ClusterIpAllocator } from "./cluster-ip-allocator.js";
import { serviceIpRanges } from "./ip-range.js";
import { NodePortAllocator, type PortRange } from "./node-port-allocator.js";
import { ServiceHook } from "./service-hook.js";
import { ServiceRanges } from "./service-ranges.js";

export interface ServiceHooksOptions {
  /** Where the node ports are written down: the server's own. */
  readonly store: Store;
  /**
   * What the ServiceCIDR `kubernetes` says; used where there is none. One of each family, with a comma between them, for Services of
   * two families. Default 10.96.0.0/12.
   */
  readonly serviceCidr?: string | undefined;
  /** Default 30000 to 32767. */
  readonly nodePorts?: PortRange | undefined;
}

export const defaultServiceCidr = "10.96.0.0/12";

/** What makes Services get their addresses and ports: for an ApiServer's `hooks`. */
export function serviceHooks(server: ApiServer, options: ServiceHooksOptions): ReadonlyMap<string, WriteHook> {
  const { store, serviceCidr = defaultServiceCidr, nodePorts = { from: 30_000, to: 32_767 } } = options;
  const ips = new ClusterIpAllocator(
    new ServiceRanges(serviceIpRanges(serviceCidr), server.cacheReader),
    server.transport(),
    server.random,
  );
  const ports = new NodePortAllocator(store, server.cache.root, nodePorts, server.random);
  return new Map([["/services", new ServiceHook(ips, ports)]]);
}
