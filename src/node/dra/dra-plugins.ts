import { isStatusError, resourceSlices } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import { type Clock, every } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { PluginHandler, PluginInfo } from "../csi/plugin.js";
import { type DraService, draServices } from "./definition.js";
import type { DraPluginCalls } from "./plugin.js";

export interface DraPluginsOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Calls the plugin that listens there. */
  readonly connect: (endpoint: string, service: DraService) => Promise<DraPluginCalls>;
}

interface Plugin {
  readonly driver: string;
  readonly endpoint: string;
  /** By which it made itself known. */
  readonly socket: string;
  readonly calls: DraPluginCalls;
}

/** ResourceSlices that are to be deleted, for nobody is there who could prepare what they offer. */
interface Wipe {
  atMs: number;
  retryMs: number;
  done: boolean;
}

const checkMs = 1_000;
/** So long a driver may be away before its devices are not offered any more; upstream's. */
const wipingDelayMs = 30_000;
const firstRetryMs = 1_000;
const maxRetryMs = 300_000;
/** No driver has an empty name. */
const allDrivers = "";

/**
 * The DRA plugins of this node, by the drivers that they belong to. A driver may have several, as it has while it is updated: the newest
 * one counts, unless only an older one answers. When the node's agent starts, and when a driver stays away, the ResourceSlices of this node are
 * deleted: what they offer could not be prepared. Drivers publish them again when they are back.
 */
export class DraPlugins implements PluginHandler {
  readonly #own: DraPluginsOptions;
  /** In the order in which they came. */
  #plugins: readonly Plugin[] = [];
  readonly #wipes = new Map<string, Wipe>();

  constructor(options: DraPluginsOptions) {
    this.#own = options;
    this.#wipes.set(allDrivers, { atMs: options.clock.now(), retryMs: firstRetryMs, done: false });
  }

  async register({ name: driver, endpoint, supportedVersions }: PluginInfo, socket: string): Promise<void> {
    const service = supportedVersions.find((one): one is DraService => draServices.some((known) => known === one));
    if (service === undefined) {
      const why =
        supportedVersions.length === 0
          ? "empty list of supported gRPC services (aka supported versions)"
          : `none of services supported by the plugin (${quoted(supportedVersions)}) are supported by the kubelet (${quoted(draServices)})`;
      throw new Error(
        `RegisterPlugin error -- plugin validation failed with err: invalid supported gRPC versions of DRA driver plugin ${driver} at endpoint ${endpoint}: ${why}`,
      );
    }
    if (this.#plugins.some((plugin) => plugin.driver === driver && plugin.endpoint === endpoint)) {
      throw new Error(
        `RegisterPlugin error -- plugin registration failed with err: endpoint ${endpoint} already registered for DRA driver plugin ${driver}`,
      );
    }
    const calls = await this.#own.connect(endpoint, service);
    this.#plugins = [...this.#plugins, { driver, endpoint, socket, calls }];
    this.#own.logger.info("a DRA plugin is registered", { driver, endpoint, service });
  }

  deregister(socket: string): void {
    for (const { driver, endpoint, calls } of this.#plugins.filter((plugin) => plugin.socket === socket)) {
      calls.close();
      this.#own.logger.info("a DRA plugin is gone", { driver, endpoint });
    }
    this.#plugins = this.#plugins.filter((plugin) => plugin.socket !== socket);
  }

  /** Throws in upstream's words when the driver has no plugin here. */
  get(driver: string): DraPluginCalls {
    const own = this.#plugins.filter((plugin) => plugin.driver === driver);
    const found = own.findLast(({ calls }) => calls.connected()) ?? own.at(-1);
    if (found === undefined) throw new Error(`DRA driver ${driver} is not registered`);
    return found.calls;
  }

  /** Follows who is there and who is not until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const seen = new Set<string>();
    await every(this.#own.clock, checkMs, signal, async () => {
      for (const { driver } of this.#plugins) seen.add(driver);
      for (const driver of seen) {
        this.#follow(driver);
        if (this.#wipes.get(driver)?.done && !this.#plugins.some((plugin) => plugin.driver === driver)) {
          seen.delete(driver);
          this.#wipes.delete(driver);
        }
      }
      for (const [driver, wipe] of this.#wipes) await this.#wipe(driver, wipe, signal);
    });
  }

  close(): void {
    for (const { calls } of this.#plugins) calls.close();
    this.#plugins = [];
  }

  /** From when a driver is away its time runs. */
  #follow(driver: string): void {
    const { clock } = this.#own;
    if (this.#plugins.some((plugin) => plugin.driver === driver && plugin.calls.connected())) {
      this.#wipes.delete(driver);
    } else if (!this.#wipes.has(driver)) {
      this.#wipes.set(driver, { atMs: clock.now() + wipingDelayMs, retryMs: firstRetryMs, done: false });
    }
  }

  async #wipe(driver: string, wipe: Wipe, signal: AbortSignal): Promise<void> {
    const { client, nodeName, clock, logger } = this.#own;
    if (wipe.done || clock.now() < wipe.atMs) return;
    const ofDriver = driver === allDrivers ? "" : `,spec.driver=${driver}`;
    try {
      await client.deleteCollection(resourceSlices, { fieldSelector: `spec.nodeName=${nodeName}${ofDriver}`, signal });
      wipe.done = true;
    } catch (error) {
      if (signal.aborted) return;
      // A server that has no such resource.
      if (isStatusError(error, "NotFound")) wipe.done = true;
      if (wipe.done) return;
      logger.warn("ResourceSlices of this node cannot be deleted yet", { driver, error });
      wipe.atMs = clock.now() + wipe.retryMs;
      wipe.retryMs = Math.min(wipe.retryMs * 2, maxRetryMs);
    }
  }
}

/** As Go prints a list of words. */
function quoted(words: readonly string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(" ")}]`;
}
