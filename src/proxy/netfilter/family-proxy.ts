import { parseCidr } from "../../api/index.js";
import type { Logger } from "../../internal/logger.js";
import { ConntrackCleaner } from "../conntrack.js";
import { ConntrackTimeouts } from "../conntrack-timeouts.js";
import { type Exec, hostExec } from "../exec.js";
import type { ProxyBackend, ServiceTableUpdate } from "../proxy.js";
import type { MasqueradeMark } from "./masquerade-mark.js";

export interface FamilyProxyOptions {
  /** How programs are run; default `hostExec()`. For a node in a network namespace: `hostExec({ netns })`. */
  readonly exec?: Exec | undefined;
  /** The address families to care for. Default IPv4 only. */
  readonly families?: readonly (4 | 6)[] | undefined;
  /**
   * The range of all pods; for two families two with a comma between. What comes to a cluster IP from elsewhere is masqueraded, and
   * with external policy Local pods reach every endpoint. Absent: neither.
   */
  readonly clusterCidr?: string | undefined;
  /** Masquerades all traffic to cluster IPs. Default false. */
  readonly masqueradeAll?: boolean | undefined;
  /** Bit 14, as kube-proxy. */
  readonly masqueradeMark?: MasqueradeMark | undefined;
  readonly logger?: Logger | undefined;
}

/** What rules are made by, in one family. */
export interface FamilyRuleOptions {
  /** The pods' range in the family. */
  readonly podCidr: string | undefined;
  readonly masqueradeAll: boolean;
  readonly mark: MasqueradeMark;
}

/** The rules of one address family. As the methods of a ProxyBackend; `clean` works from what is there, not from what this object did. */
export interface FamilyRules {
  sync(update: ServiceTableUpdate, signal?: AbortSignal): Promise<void>;
  check(signal?: AbortSignal): Promise<boolean>;
  clean(): Promise<void>;
}

/** A backend that writes rules for the kernel, of each family apart. */
export class FamilyProxy implements ProxyBackend {
  readonly name: string;
  readonly #families: readonly FamilyRules[];
  readonly #conntrack: ConntrackCleaner;
  readonly #timeouts: ConntrackTimeouts;
  #disposed = false;

  constructor(
    name: string,
    options: FamilyProxyOptions,
    make: (family: 4 | 6, exec: Exec, options: FamilyRuleOptions) => FamilyRules,
  ) {
    const exec = options.exec ?? hostExec();
    this.name = name;
    this.#conntrack = new ConntrackCleaner(exec, options.logger);
    this.#timeouts = new ConntrackTimeouts(exec, options.logger);
    this.#families = (options.families ?? [4]).map((family) =>
      make(family, exec, {
        podCidr: options.clusterCidr?.split(",").find((cidr) => parseCidr(cidr)?.family === family),
        masqueradeAll: options.masqueradeAll ?? false,
        mark: options.masqueradeMark ?? "0x4000",
      }),
    );
  }

  async sync(update: ServiceTableUpdate, signal?: AbortSignal): Promise<void> {
    if (this.#disposed) throw new Error(`the ${this.name} proxy was disposed`);
    for (const family of this.#families) await family.sync(update, signal);
    if (update.changed === undefined) await this.#timeouts.hold(signal);
    await this.#conntrack.follow(update, signal);
  }

  async check(signal?: AbortSignal): Promise<boolean> {
    for (const family of this.#families) if (!(await family.check(signal))) return false;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const family of this.#families) await family.clean();
    await this.#timeouts.release();
  }
}
