import { type ServiceCIDR, serviceCIDRs } from "../../api/index.js";
import type { IpFamily } from "../../api/kinds/ip.js";
import type { CacheReader } from "../admission/admission.js";
import { blockOf, type IpRange } from "./ip-range.js";

/** The ServiceCIDR that an API server makes of the ranges that it is set up with. */
export const mainServiceCidr = "kubernetes";

interface Known {
  readonly ready: readonly IpRange[];
  readonly all: readonly IpRange[];
}

/** Where Services get their addresses from: the blocks of the ServiceCIDRs, as they are just now. */
export class ServiceRanges {
  /** The ranges that the server is set up with, at most one of each family. */
  readonly main: readonly IpRange[];
  /** Of Services in this cluster; the first is that of those which ask for none. */
  readonly families: readonly IpFamily[];
  readonly #cache: CacheReader;
  #known: (Known & { readonly generation: number }) | undefined;

  constructor(main: readonly IpRange[], cache: CacheReader) {
    this.main = main;
    this.families = main.map(({ family }) => family);
    this.#cache = cache;
  }

  /** Those of a family from which addresses may be taken, the cluster's own first. */
  ready(family: IpFamily): readonly IpRange[] {
    return this.#current().ready.filter((range) => range.family === family);
  }

  /** Whether an address is in any range, ready or not. */
  has(ip: string): boolean {
    return this.#current().all.some((range) => range.contains(ip));
  }

  #current(): Known {
    const generation = this.#cache.generation(serviceCIDRs);
    if (this.#known?.generation === generation) return this.#known;
    const rank = ({ metadata: { name } }: ServiceCIDR): string => (name === mainServiceCidr ? "" : name);
    const cidrs = [...this.#cache.list(serviceCIDRs)].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    // Until the server has made it, and after somebody has deleted it, what it would say holds.
    const own = cidrs.some(({ metadata }) => metadata.name === mainServiceCidr) ? [] : this.main;
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
