import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Container, type Pod, quantityValue } from "../../api/index.js";
import { isExtendedResource } from "../../api/kinds/core/resource-names.js";
import type { Clock, ClockTimer } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { PluginInfo } from "../csi/plugin.js";
import { containersOf } from "../pod/containers.js";
import { deviceApiVersion } from "./definition.js";
import { readDevices, writeDevices } from "./device-checkpoint.js";
import { type DeviceCount, type DeviceGrant, DevicePool } from "./device-pool.js";
import type { DeviceAccess, DevicePluginCalls, DevicePluginRegistration, PluginOptions } from "./plugin.js";

export interface DeviceManagerOptions {
  /** The node's folder: plugins have their sockets in `device-plugins` below it, as upstream. */
  readonly rootDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Devices have come, gone, or changed their health. */
  readonly onChange: () => void;
}

interface Plugin {
  readonly calls: DevicePluginCalls;
  readonly options: PluginOptions;
  readonly stop: AbortController;
}

/** How long a plugin that is gone may take to come back before its devices are; upstream's. */
const graceMs = 5 * 60_000;
const checkpointFile = "device-allocations.json";

/**
 * Device plugins on this node: what they have, and who got it. A plugin is let go of when its stream of devices ends; its pods go on.
 */
export class DeviceManager {
  readonly #own: DeviceManagerOptions;
  readonly #directory: string;
  readonly #plugins = new Map<string, Plugin>();
  readonly #gone = new Map<string, ClockTimer>();
  readonly #watching = new Set<Promise<void>>();
  #pool = new DevicePool();
  #server: AsyncDisposable | undefined;
  /** Pods are given devices one after the other, and the checkpoint is written so. */
  #turn: Promise<unknown> = Promise.resolve();
  #saving: Promise<void> = Promise.resolve();
  #signal: AbortSignal = AbortSignal.abort();

  constructor(options: DeviceManagerOptions) {
    this.#own = options;
    this.#directory = join(options.rootDir, "device-plugins");
  }

  /**
   * Reads what was granted before, and listens for plugins until `signal` aborts. Sockets of an earlier time are removed, by which
   * plugins see that they are to come again. To be called once, before anything else.
   */
  async open(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const { logger } = this.#own;
    this.#pool = await readDevices(join(this.#directory, checkpointFile), logger);
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o750 });
      for (const entry of await readdir(this.#directory, { withFileTypes: true })) {
        if (entry.isSocket()) await rm(join(this.#directory, entry.name), { force: true });
      }
      const { serveRegistration } = await import("./registration-server.js");
      this.#server = await serveRegistration(join(this.#directory, "kubelet.sock"), (registration) =>
        this.register({ ...registration, endpoint: join(this.#directory, registration.endpoint) }),
      );
    } catch (error) {
      // A node without devices is better than none.
      logger.error("device plugins cannot register", { directory: this.#directory, error });
    }
  }

  /** Resolves when `signal` of `open` has aborted and nothing is left. */
  async run(): Promise<void> {
    const signal = this.#signal;
    if (!signal.aborted) {
      await new Promise<void>((done) => signal.addEventListener("abort", () => done(), { once: true }));
    }
    await this.#server?.[Symbol.asyncDispose]();
    for (const timer of this.#gone.values()) timer.cancel();
    await Promise.all(this.#watching);
    await this.#turn;
    await this.#saving.catch(() => {});
  }

  /** Rejects, with what the plugin is to be told, when it is not one of ours. */
  async register({ version, endpoint, resourceName }: DevicePluginRegistration): Promise<void> {
    if (version !== deviceApiVersion) {
      throw new Error(
        `requested API version "${version}" is not supported by kubelet. Supported version is [${deviceApiVersion}]`,
      );
    }
    if (!isExtendedResource(resourceName)) {
      throw new Error(`the ResourceName "${resourceName}" is invalid`);
    }
    const { devicePluginAt } = await import("./plugin-client.js");
    this.#plugins.get(resourceName)?.stop.abort();
    const stop = new AbortController();
    const calls = devicePluginAt(endpoint);
    const watching = this.#watch(resourceName, calls, stop, AbortSignal.any([this.#signal, stop.signal]));
    this.#watching.add(watching);
    void watching.finally(() => this.#watching.delete(watching));
  }

  /** Takes up a plugin that made itself known where all plugins do. */
  async registerPlugin({ name, endpoint, supportedVersions }: PluginInfo): Promise<void> {
    const version = supportedVersions.find((one) => one === deviceApiVersion) ?? supportedVersions[0] ?? "";
    await this.register({ version, endpoint, resourceName: name });
  }

  /** What the node has of each resource that plugins gave it. */
  counts(): ReadonlyMap<string, DeviceCount> {
    return this.#pool.counts();
  }

  /** Gives a pod all devices that it asks for, unless it has some already. Rejects, with nothing given, in the kubelet's words. */
  async allocate(pod: Pod, signal: AbortSignal): Promise<void> {
    const wanting = containersOf(pod).filter(({ container }) => this.#wants(container).length > 0);
    if (wanting.length === 0 || this.#pool.grants.has(pod.metadata.uid)) return;
    const work = this.#turn.then(() => this.#allocate(pod, signal));
    this.#turn = work.catch(() => {});
    await work;
  }

  release(podUid: string): void {
    if (!this.#pool.release(podUid)) return;
    this.#save().catch((error: unknown) =>
      this.#own.logger.warn("the checkpoint of devices cannot be written", { error }),
    );
  }

  /** Forgets what pods have that are not among these. */
  retain(podUids: ReadonlySet<string>): void {
    for (const podUid of [...this.#pool.grants.keys()]) if (!podUids.has(podUid)) this.release(podUid);
  }

  /** What the container needs in order to use what it was given; tells plugins that want to know that it is about to start. */
  async prepare(podUid: string, container: string, signal: AbortSignal): Promise<readonly DeviceAccess[]> {
    const grants = this.#pool.granted(podUid, container);
    for (const { resource, ids } of grants) {
      const plugin = this.#plugins.get(resource);
      if (plugin?.options.preStartRequired) await plugin.calls.preStart(ids, signal);
    }
    return grants.map(({ access }) => access);
  }

  async #watch(resource: string, calls: DevicePluginCalls, stop: AbortController, signal: AbortSignal): Promise<void> {
    const { logger, onChange } = this.#own;
    let known = false;
    try {
      const plugin = { calls, stop, options: await calls.options(signal) };
      for await (const devices of calls.watch(signal)) {
        if (!known) {
          this.#plugins.set(resource, plugin);
          this.#gone.get(resource)?.cancel();
          this.#gone.delete(resource);
          logger.info("a device plugin is registered", { resource });
        }
        const isNew = !this.#pool.has(resource);
        known = true;
        this.#pool.set(resource, devices);
        if (isNew) await this.#save();
        onChange();
      }
      logger.info("a device plugin ended", { resource });
    } catch (error) {
      if (!signal.aborted) logger.warn("a device plugin failed", { resource, error });
    } finally {
      calls.close();
      if (this.#plugins.get(resource)?.stop === stop) this.#lose(resource);
    }
  }

  /** Its devices are as good as broken, and soon gone. */
  #lose(resource: string): void {
    const { clock, onChange } = this.#own;
    this.#plugins.delete(resource);
    if (this.#signal.aborted) return;
    this.#pool.fail(resource);
    const drop = (): void => {
      this.#gone.delete(resource);
      this.#pool.set(resource, []);
      onChange();
    };
    this.#gone.set(resource, clock.setTimeout(drop, graceMs));
    onChange();
  }

  async #allocate(pod: Pod, signal: AbortSignal): Promise<void> {
    const { uid } = pod.metadata;
    // What an init container had is free for those after it, by resource.
    const reusable = new Map<string, Set<string>>();
    try {
      for (const { container, role } of containersOf(pod)) {
        if (role === "ephemeral") continue;
        for (const [resource, size] of this.#wants(container)) {
          const spare = reusable.get(resource) ?? new Set<string>();
          reusable.set(resource, spare);
          const { ids } = await this.#grant(uid, container.name, resource, size, spare, signal);
          for (const id of ids)
            if (role === "init") spare.add(id);
            else spare.delete(id);
        }
      }
      await this.#save();
    } catch (error) {
      this.#pool.release(uid);
      throw error;
    }
  }

  async #grant(
    podUid: string,
    container: string,
    resource: string,
    size: number,
    reusable: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<DeviceGrant> {
    const choice = this.#pool.choice(resource, size, reusable);
    const plugin = this.#plugins.get(resource);
    if (plugin === undefined) throw new Error(`unknown Device Plugin ${resource}`);
    const { required, available } = choice;
    let chosen: readonly string[] = [];
    if (required.length < size && plugin.options.preferredAllocation) {
      const asked = { available: [...required, ...available], required, size };
      const allowed = new Set(asked.available);
      chosen = (await plugin.calls.preferred(asked, signal)).filter((id) => allowed.has(id));
    }
    const ids = [...new Set([...required, ...chosen, ...available])].slice(0, size);
    const grant = { resource, ids, access: await plugin.calls.allocate(ids, signal) };
    this.#pool.grant(podUid, container, grant);
    return grant;
  }

  /** The resources of plugins that a container asks for, and how many of each. */
  #wants({ resources }: Container): readonly (readonly [resource: string, size: number])[] {
    return Object.entries(resources?.limits ?? {}).flatMap(([name, amount]) => {
      const size = quantityValue(amount);
      return this.#pool.has(name) && size > 0 ? [[name, size] as const] : [];
    });
  }

  /** Files do not overtake each other. */
  #save(): Promise<void> {
    const path = join(this.#directory, checkpointFile);
    this.#saving = this.#saving.catch(() => {}).then(() => writeDevices(path, this.#pool));
    return this.#saving;
  }
}
