import { setMaxListeners } from "node:events";
import { apiServices, endpointSlices, type ResourceDescription, services } from "../../api/index.js";
import type { Component, ComponentContext } from "../../internal/component.js";
import type { DelegateLookup } from "../http/connect.js";
import type { KeyPairPem } from "../pki/certificate-authority.js";
import { serviceEndpoints } from "../proxy/service-endpoints.js";
import type { ApiServer } from "../server.js";
import { AuthenticationConfig } from "./authentication-config.js";
import type { AuthenticationInfo } from "./authentication-info.js";
import { AvailabilityController } from "./availability.js";
import { backendFetch } from "./backend-fetch.js";
import { Backends, type BackendsOptions } from "./backends.js";
import { delegates } from "./delegate.js";
import { ApiServiceRegistration } from "./registration.js";
import { RemoteDiscovery } from "./remote-discovery.js";
import { RemoteOpenApi } from "./remote-openapi.js";
import { RemoteServices } from "./remote-services.js";

export interface AggregationOptions extends Pick<BackendsOptions, "resolve"> {
  /** As whom this server asks those behind it. */
  readonly frontProxyClient: KeyPairPem;
  /** What they are told to know it by. */
  readonly authentication: AuthenticationInfo;
  /** Services may have addresses of this machine. */
  readonly allowLocalAddresses: boolean;
}

/**
 * Group-versions that other servers have, by APIServices: passes requests on to them, and shows them in discovery and OpenAPI. Also
 * makes the APIServices of what this server serves itself.
 */
export class Aggregation implements Component {
  readonly name = "aggregation";
  readonly delegates: DelegateLookup;
  readonly discovery: RemoteDiscovery;
  readonly openApi: RemoteOpenApi;
  readonly #parts: readonly Component[];

  constructor(server: ApiServer, options: AggregationOptions) {
    const { clock, random, logger, cacheReader } = server;
    const builtin: readonly ResourceDescription[] = server.table.all();
    const remotes = new RemoteServices(cacheReader);
    const backends = new Backends({
      clientCertificate: options.frontProxyClient,
      resolveService: serviceEndpoints(cacheReader, random),
      allowLocalAddresses: options.allowLocalAddresses,
      clock,
      resolve: options.resolve,
    });
    const fetch = backendFetch({ backends, clock });
    const shared = { server, services: remotes, fetch };
    this.delegates = delegates({ services: remotes, backends, logger });
    this.discovery = new RemoteDiscovery(shared);
    this.openApi = new RemoteOpenApi(shared);
    this.#parts = [
      new ApiServiceRegistration(server, builtin),
      new AvailabilityController(shared),
      this.discovery,
      this.openApi,
      ...(server.lookup("", "v1", "configmaps") === undefined
        ? []
        : [new AuthenticationConfig(server, options.authentication)]),
    ];
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    ready();
    // Every part listens: more than Node thinks can be meant.
    setMaxListeners(0, signal);
    await Promise.all(this.#parts.map((part) => part.run({ signal, ready: () => {} })));
  }
}

/** Absent where the server lacks what APIServices need. */
export function aggregation(server: ApiServer, options: AggregationOptions): Aggregation | undefined {
  const needed = [apiServices, services, endpointSlices];
  const complete = needed.every(({ group, version, resource }) => server.lookup(group, version, resource));
  return complete ? new Aggregation(server, options) : undefined;
}
