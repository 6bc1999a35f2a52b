import type { Clock } from "../../internal/clock.js";
import type { ProxyEndpoint } from "../proxy.js";

/** Clients remembered for each service port; the longest unseen is forgotten first. */
const maxClients = 10_000;

interface Stay {
  readonly endpoint: string;
  readonly until: number;
}

/** Gives out endpoints in turn, and to a client the one it had, as long as its affinity holds. */
export class Balancer {
  readonly #clock: Clock;
  /** In the order of last use. */
  readonly #stays = new Map<string, Stay>();
  #turn = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined when all are in `tried`, which holds keys of endpoints. */
  pick(
    endpoints: readonly ProxyEndpoint[],
    client: string,
    affinitySeconds: number | undefined,
    tried: ReadonlySet<string> = new Set(),
  ): ProxyEndpoint | undefined {
    if (affinitySeconds === undefined) {
      this.#stays.clear();
      return this.#next(endpoints, tried);
    }
    const stay = this.#stays.get(client);
    const now = this.#clock.now();
    const kept =
      stay !== undefined && stay.until > now && !tried.has(stay.endpoint)
        ? endpoints.find((endpoint) => endpointKey(endpoint) === stay.endpoint)
        : undefined;
    const picked = kept ?? this.#next(endpoints, tried);
    this.#stays.delete(client);
    if (picked === undefined) return undefined;
    this.#stays.set(client, { endpoint: endpointKey(picked), until: now + affinitySeconds * 1000 });
    if (this.#stays.size > maxClients) {
      const [oldest] = this.#stays.keys();
      if (oldest !== undefined) this.#stays.delete(oldest);
    }
    return picked;
  }

  #next(endpoints: readonly ProxyEndpoint[], tried: ReadonlySet<string>): ProxyEndpoint | undefined {
    for (let step = 0; step < endpoints.length; step++) {
      const endpoint = endpoints[(this.#turn + step) % endpoints.length];
      if (endpoint === undefined || tried.has(endpointKey(endpoint))) continue;
      this.#turn = (this.#turn + step + 1) % endpoints.length;
      return endpoint;
    }
    return undefined;
  }
}

export function endpointKey({ ip, port }: Pick<ProxyEndpoint, "ip" | "port">): string {
  return `${ip}\n${port}`;
}
