import type { Clock } from "../../internal/clock.js";
import type { KeyPairPem } from "../pki/certificate-authority.js";
import type { Resolve } from "../proxy/address-policy.js";
import { type Dial, networkDial, type Target } from "../proxy/dial.js";
import type { ServicePlace } from "../proxy/service-endpoints.js";
import type { RemoteService } from "./remote-services.js";

export interface BackendsOptions {
  /** As whom this server calls those behind it: they believe its headers because of this certificate. */
  readonly clientCertificate: KeyPairPem;
  /** Where a Service of the cluster answers. Rejects when nothing does. */
  readonly resolveService: (service: ServicePlace) => Promise<{ readonly host: string; readonly port: number }>;
  /** Only where the cluster's services have addresses of this machine. */
  readonly allowLocalAddresses: boolean;
  readonly clock: Clock;
  readonly resolve?: Resolve | undefined;
}

/** The way to the servers behind this one. */
export class Backends {
  readonly #options: BackendsOptions;
  /** Kept as long as what they were made of. */
  readonly #dials = new WeakMap<RemoteService, Dial>();

  constructor(options: BackendsOptions) {
    this.#options = options;
  }

  /** One of the places where the service answers. Rejects when there is none. */
  async locate({ service }: RemoteService): Promise<Target> {
    const { host, port } = await this.#options.resolveService(service);
    return { host, port, tls: { serverName: `${service.name}.${service.namespace}.svc`, authenticate: true } };
  }

  /** Connects with trust in nobody but the service's own authority, where it has one. */
  dial(remote: RemoteService): Dial {
    const known = this.#dials.get(remote);
    if (known !== undefined) return known;
    const dial = this.#dialOf(remote);
    this.#dials.set(remote, dial);
    return dial;
  }

  #dialOf({ authority, insecureSkipTlsVerify }: RemoteService): Dial {
    const { clock, clientCertificate, allowLocalAddresses, resolve } = this.#options;
    const authorities = authority === undefined ? "system" : [authority];
    return networkDial({
      clock,
      clientCertificate,
      allowLocalAddresses,
      ...(insecureSkipTlsVerify ? {} : { authorities }),
      ...(resolve === undefined ? {} : { resolve }),
    });
  }
}
