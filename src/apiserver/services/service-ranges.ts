import { type ServiceCIDR, serviceCIDRs } from "../../api/index.js";
import type { CacheReader } from "../admission/admission.js";
import { blockOf, type IpRange } from "./ip-range.js";

/** The ServiceCIDR that an API server makes of the range that it is set up with. */
export const mainServiceCidr = "kubernetes";

/** Where Services get their addresses from: the IPv4 blocks of the ServiceCIDRs, as they are just now. */
export class ServiceRanges {
  /** The range that the server is set up with. */
  readonly main: IpRange;
  readonly #cache: CacheReader;
  #known:
    | { readonly generation: number; readonly ready: readonly IpRange[]; readonly all: readonly IpRange[] }
    | undefined;

  constructor(main: IpRange, cache: CacheReader) {
    this.main = main;
    this.#cache = cache;
  }

  /** Those from which addresses may be taken, the cluster's own first. */
  ready(): readonly IpRange[] {
    return this.#current().ready;
  }

  /** Whether an address is in any range, ready or not. */
  has(ip: string): boolean {
    return this.#current().all.some((range) => range.contains(ip));
  }

  #current(): { readonly ready: readonly IpRange[]; readonly all: readonly IpRange[] } {
    const generation = this.#cache.generation(serviceCIDRs);
    if (this.#known?.generation === generation) return this.#known;
    const rank = ({ metadata: { name } }: ServiceCIDR): string => (name === mainServiceCidr ? "" : name);
    const cidrs = [...this.#cache.list(serviceCIDRs)].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    // Until the server has made it, and after somebody has deleted it, what it would say holds.
    const own = cidrs.some(({ metadata }) => metadata.name === mainServiceCidr) ? [] : [this.main];
    const blocks = (of: readonly ServiceCIDR[]): readonly IpRange[] => [
      ...own,
      ...of.flatMap(({ spec }) => (spec?.cidrs ?? []).map(blockOf).filter((range) => range !== undefined)),
    ];
    this.#known = { generation, ready: blocks(cidrs.filter(isReady)), all: blocks(cidrs) };
    return this.#known;
  }
}

/** One of which nobody has said yet whether it is ready is taken to be: the controller may not be running. */
function isReady({ metadata, status }: ServiceCIDR): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  const condition = status?.conditions?.find(({ type }) => type === "Ready");
  return condition === undefined || condition.status === "True";
}
