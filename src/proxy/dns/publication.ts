import { type EndpointSlice, endpointSlices, isStatusError, type New, type Service } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import { type Clock, sleep } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import { familyOf } from "./targets.js";

export interface PublicationOptions {
  readonly client: Client;
  /** The Service that leads here, once it exists. */
  readonly service: () => Service | undefined;
  /** Of the Service. */
  readonly key: { readonly namespace: string; readonly name: string };
  /** Tells this server from others of the Service. */
  readonly instance: string;
  readonly listeners: readonly { readonly address: string; readonly port: number }[];
  readonly clock: Clock;
  readonly logger: Logger;
}

const checkMs = 30_000;
const retryMs = 1000;
const removalMs = 5000;
const manager = "dns.coxswain";

/**
 * Keeps an EndpointSlice of the Service for this server, one for each family of its addresses, until `signal` aborts; then removes it. What
 * a server left that was killed is taken over by the next one of that name.
 */
export class Publication {
  readonly #options: PublicationOptions;

  constructor(options: PublicationOptions) {
    this.#options = options;
  }

  /** Resolves with whether the Service leads here. */
  async publish(signal: AbortSignal): Promise<boolean> {
    const { service, key, logger } = this.#options;
    const owner = service();
    if (owner === undefined) {
      logger.warn("there is no Service that could lead to this name server", key);
      return false;
    }
    try {
      for (const slice of this.#slices(owner)) await this.#write(slice, signal);
      return true;
    } catch (error) {
      if (!signal.aborted)
        logger.warn("the Service cannot be led to this name server; trying again", { ...key, error });
      return false;
    }
  }

  /** Looks after what was published, and removes it in the end. */
  async keep(published: boolean, signal: AbortSignal): Promise<void> {
    let isThere = published;
    while (!signal.aborted) {
      await sleep(this.#options.clock, isThere ? checkMs : retryMs, signal);
      if (!signal.aborted) isThere = await this.publish(signal);
    }
    await this.#remove();
  }

  #slices(owner: Service): readonly New<EndpointSlice>[] {
    const { key, listeners } = this.#options;
    return ([4, 6] as const).flatMap((family): readonly New<EndpointSlice>[] => {
      const own = listeners.filter(({ address }) => familyOf(address) === family);
      const [first] = own;
      if (first === undefined) return [];
      const labels = {
        "kubernetes.io/service-name": key.name,
        "endpointslice.kubernetes.io/managed-by": manager,
        "k8s-app": "kube-dns",
      };
      const ownerReferences = [{ apiVersion: "v1", kind: "Service", name: key.name, uid: owner.metadata.uid }];
      return [
        {
          apiVersion: "discovery.k8s.io/v1",
          kind: "EndpointSlice",
          metadata: { ...key, name: this.#nameOf(family), labels, ownerReferences },
          addressType: family === 4 ? "IPv4" : "IPv6",
          endpoints: own.map(({ address }) => ({ addresses: [address], conditions: { ready: true } })),
          ports: [
            { name: "dns", port: first.port, protocol: "UDP" },
            { name: "dns-tcp", port: first.port, protocol: "TCP" },
          ],
        },
      ];
    });
  }

  #nameOf(family: 4 | 6): string {
    const { key, instance } = this.#options;
    return `${key.name}-${instance}${family === 4 ? "" : "-ipv6"}`;
  }

  async #write(slice: New<EndpointSlice>, signal: AbortSignal): Promise<void> {
    const { client, key } = this.#options;
    const { name = "" } = slice.metadata;
    try {
      const existing = await client.get<EndpointSlice>(endpointSlices, { ...key, name }, { signal });
      if (existing.addressType !== slice.addressType) {
        // It cannot be changed: somebody else's, or from before this server had this address.
        await client.delete(endpointSlices, { ...key, name }, { signal });
      } else {
        if (!isAsWanted(existing, slice)) {
          const { resourceVersion, uid, creationTimestamp } = existing.metadata;
          const metadata = { ...slice.metadata, resourceVersion, uid, creationTimestamp };
          await client.update<EndpointSlice>(endpointSlices, { ...slice, metadata } as EndpointSlice, { signal });
        }
        return;
      }
    } catch (error) {
      if (!isStatusError(error, "NotFound")) throw error;
    }
    await client.create<EndpointSlice>(endpointSlices, slice, { signal });
  }

  async #remove(): Promise<void> {
    const { client, key, logger, listeners } = this.#options;
    const signal = AbortSignal.timeout(removalMs);
    for (const family of new Set(listeners.map(({ address }) => familyOf(address)))) {
      const name = this.#nameOf(family);
      await client.delete(endpointSlices, { ...key, name }, { signal }).catch((error: unknown) => {
        if (!isStatusError(error, "NotFound")) logger.warn("an EndpointSlice could not be removed", { name, error });
      });
    }
  }
}

function isAsWanted(existing: EndpointSlice, wanted: New<EndpointSlice>): boolean {
  const parts = ({ metadata, endpoints, ports }: New<EndpointSlice> | EndpointSlice): string =>
    JSON.stringify([
      Object.entries(metadata.labels ?? {}).sort(),
      (metadata.ownerReferences ?? []).map(({ uid }) => uid),
      (endpoints ?? []).map(({ addresses, conditions }) => [addresses, conditions?.ready]),
      (ports ?? []).map(({ name, port, protocol }) => [name, port, protocol]),
    ]);
  return parts(existing) === parts(wanted);
}
