import { endpointSlices, services } from "../../api/index.js";
import { type Random, randomInt } from "../../internal/random.js";
import type { CacheReader } from "../admission/admission.js";

export interface ServicePlace {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

/**
 * Finds a ready endpoint of a Service of the cluster, for what the server itself calls (webhooks): a cluster IP is of use only where a proxy
 * runs. Rejects when there is none.
 */
export function serviceEndpoints(
  cache: CacheReader,
  random: Random,
): (service: ServicePlace) => Promise<{ readonly host: string; readonly port: number }> {
  return async ({ namespace, name, port }) => {
    const service = cache.get(services, { namespace, name });
    if (service === undefined) throw new Error(`service ${JSON.stringify(name)} not found`);
    const wanted = service.spec?.ports?.find((candidate) => candidate.port === port);
    if (wanted === undefined) throw new Error(`no service port ${port} found for service ${JSON.stringify(name)}`);
    if (service.spec?.type === "ExternalName") return { host: service.spec.externalName ?? "", port };
    const found = cache
      .list(endpointSlices, namespace)
      .filter((slice) => slice.metadata.labels?.["kubernetes.io/service-name"] === name)
      .flatMap((slice) => {
        const target = slice.ports?.find((candidate) => (candidate.name ?? "") === (wanted.name ?? ""))?.port;
        const ready = (slice.endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false);
        if (target === undefined) return [];
        return ready.flatMap(({ addresses }) => addresses.map((host) => ({ host, port: target })));
      });
    const chosen = found[found.length === 0 ? 0 : randomInt(random, found.length)];
    if (chosen === undefined) throw new Error(`no endpoints available for service ${JSON.stringify(name)}`);
    return chosen;
  };
}
