import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type CSINodeDriver, csiNodes, isStatusError, nodes } from "../../api/index.js";
import type { Client } from "../../client/index.js";
import { type Clock, sleep } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import type { DriverInfo, NodeCalls, PluginHandler, PluginInfo } from "./plugin.js";

export interface CsiDriversOptions {
  /** Plugins put the sockets there by which they make themselves known. */
  readonly directory: string;
  readonly client: Client;
  readonly nodeName: string;
  /** By type: of plugins that are no CSI drivers. */
  readonly handlers?: ReadonlyMap<string, PluginHandler> | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Driver {
  readonly name: string;
  readonly socket: string;
  readonly node: NodeCalls;
}

const checkMs = 1_000;
const nodeIdAnnotation = "csi.volume.kubernetes.io/nodeid";

/** The CSI drivers of this node: found by their sockets, told of in the CSINode, and by the node's annotation and labels. */
export class CsiDrivers {
  readonly #own: CsiDriversOptions;
  readonly #drivers = new Map<string, Driver>();
  readonly #refused = new Map<string, string>();
  /** Plugins that are no drivers, by their sockets. */
  readonly #others = new Map<string, { readonly handler: PluginHandler; readonly identity: string | undefined }>();

  constructor(options: CsiDriversOptions) {
    this.#own = options;
  }

  /** Throws in upstream's words when there is no such driver. */
  get(name: string): NodeCalls {
    const found = this.#drivers.get(name);
    if (found === undefined) throw new Error(`driver name ${name} not found in the list of registered CSI drivers`);
    return found.node;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#own;
    while (!signal.aborted) {
      try {
        await this.look(signal);
      } catch (error) {
        if (!signal.aborted) logger.warn("plugins cannot be brought up to date", { error });
      }
      await sleep(clock, checkMs, signal);
    }
    for (const { node } of this.#drivers.values()) node.close();
    this.#drivers.clear();
  }

  /** Takes up plugins whose sockets have come, and lets go of those whose sockets have gone. */
  async look(signal: AbortSignal): Promise<void> {
    const { directory } = this.#own;
    const names = await readdir(directory, { withFileTypes: true }).catch(() => []);
    const sockets = new Set(names.filter((entry) => entry.isSocket()).map(({ name }) => join(directory, name)));
    for (const [name, driver] of this.#drivers) {
      if (sockets.has(driver.socket)) continue;
      driver.node.close();
      this.#drivers.delete(name);
      await this.#tell(name, undefined, signal);
    }
    for (const socket of this.#refused.keys()) if (!sockets.has(socket)) this.#refused.delete(socket);
    for (const [socket, { handler, identity }] of this.#others) {
      if (sockets.has(socket) && (await identityOf(socket)) === identity) continue;
      this.#others.delete(socket);
      handler.deregister?.(socket);
    }
    const known = new Set([...this.#others.keys(), ...[...this.#drivers.values()].map((driver) => driver.socket)]);
    for (const socket of sockets) if (!known.has(socket)) await this.#register(socket, signal);
  }

  async #register(socket: string, signal: AbortSignal): Promise<void> {
    // Not before there is a plugin: most nodes do without gRPC.
    const { nodeServiceAt, registrationAt } = await import("./plugin-client.js");
    const registration = registrationAt(socket);
    let node: NodeCalls | undefined;
    try {
      const info = await registration.info(signal);
      const handler = this.#own.handlers?.get(info.type);
      if (handler !== undefined) {
        const problem = await this.#takeOther(handler, info, socket);
        await (problem === undefined
          ? registration.notify(undefined, signal)
          : this.#refuse(socket, problem, (error) => registration.notify(error, signal)));
        return;
      }
      const why = this.#refusal(info);
      if (why !== undefined) return await this.#refuse(socket, why, (error) => registration.notify(error, signal));
      node = nodeServiceAt(info.endpoint === "" ? socket : info.endpoint);
      await this.#tell(info.name, await node.info(signal), signal);
      this.#drivers.set(info.name, { name: info.name, socket, node });
      // From here on it is let go of when its socket goes, even if it goes before it is told.
      node = undefined;
      this.#refused.delete(socket);
      await registration.notify(undefined, signal);
      this.#own.logger.info("a CSI driver is registered", { driver: info.name });
    } catch (error) {
      node?.close();
      signal.throwIfAborted();
      await this.#refuse(socket, error instanceof Error ? error.message : String(error));
    } finally {
      registration.close();
    }
  }

  /** Why not, if so. */
  async #takeOther(handler: PluginHandler, info: PluginInfo, socket: string): Promise<string | undefined> {
    const identity = await identityOf(socket);
    try {
      await handler.register({ ...info, endpoint: info.endpoint || socket }, socket);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    this.#others.set(socket, { handler, identity });
    this.#refused.delete(socket);
    return undefined;
  }

  #refusal({ type, name, supportedVersions }: PluginInfo): string | undefined {
    if (type !== "CSIPlugin") return `plugins of type ${type} are not supported by this node`;
    if (!supportedVersions.some((version) => /^v?1(\.|$)/.test(version))) {
      return `the driver ${name} supports none of CSI's versions 1, but ${supportedVersions.join(", ")}`;
    }
    return this.#drivers.has(name) ? `a driver of the name ${name} is registered already` : undefined;
  }

  /** Told once, and tried again: what was in the way may go. */
  async #refuse(socket: string, why: string, notify?: (error: string) => Promise<void>): Promise<void> {
    if (this.#refused.get(socket) === why) return;
    this.#refused.set(socket, why);
    this.#own.logger.warn("a plugin cannot be registered", { socket, why });
    await notify?.(why);
  }

  /** In the API: what the driver says of this node; undefined: it is there no more. */
  async #tell(name: string, info: DriverInfo | undefined, signal: AbortSignal): Promise<void> {
    const { client, nodeName } = this.#own;
    const node = await client.get(nodes, { name: nodeName }, { signal });
    const ids = nodeIdsIn(node.metadata.annotations?.[nodeIdAnnotation]);
    if (info === undefined) ids.delete(name);
    else ids.set(name, info.nodeId);
    const annotations = { [nodeIdAnnotation]: ids.size === 0 ? null : JSON.stringify(Object.fromEntries(ids)) };
    const metadata = { annotations, ...(info === undefined ? {} : { labels: info.topology }) };
    await client.patch(nodes, { name: nodeName }, { type: "merge", body: { metadata } }, { signal });
    await this.#tellCsiNode(node.metadata.uid, name, info, signal);
  }

  async #tellCsiNode(uid: string, name: string, info: DriverInfo | undefined, signal: AbortSignal): Promise<void> {
    const { client, nodeName } = this.#own;
    const entry: readonly CSINodeDriver[] =
      info === undefined
        ? []
        : [
            {
              name,
              nodeID: info.nodeId,
              topologyKeys: Object.keys(info.topology).sort(),
              ...(info.maxVolumes > 0 ? { allocatable: { count: info.maxVolumes } } : {}),
            },
          ];
    try {
      const found = await client.get(csiNodes, { name: nodeName }, { signal });
      const others = (found.spec.drivers ?? []).filter((driver) => driver.name !== name);
      const spec = { ...found.spec, drivers: [...others, ...entry] };
      await client.update(csiNodes, { ...found, spec }, { signal });
    } catch (error) {
      if (!isStatusError(error, "NotFound")) throw error;
      if (info === undefined) return;
      const owner = { apiVersion: "v1", kind: "Node", name: nodeName, uid };
      await client.create(
        csiNodes,
        {
          apiVersion: "storage.k8s.io/v1",
          kind: "CSINode",
          metadata: { name: nodeName, ownerReferences: [owner] },
          spec: { drivers: entry },
        },
        { signal },
      );
    }
  }
}

/** Another one for each time that a socket of this name is made: a plugin that was restarted has to be told anew that it is known. */
async function identityOf(socket: string): Promise<string | undefined> {
  const found = await stat(socket).catch(() => undefined);
  return found && `${found.ino} ${found.birthtimeMs}`;
}

function nodeIdsIn(text: string | undefined): Map<string, string> {
  if (text === undefined) return new Map();
  try {
    return new Map(Object.entries(JSON.parse(text) as Readonly<Record<string, string>>));
  } catch {
    // Somebody wrote nonsense: it is written anew.
    return new Map();
  }
}
