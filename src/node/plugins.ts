import { join } from "node:path";
import { realClock } from "../internal/clock.js";
import { silentLogger } from "../internal/logger.js";
import { CsiDrivers } from "./csi/csi-drivers.js";
import type { PluginHandler } from "./csi/plugin.js";
import { DeviceManager } from "./devices/device-manager.js";
import { DraPlugins } from "./dra/dra-plugins.js";
import { DynamicResources } from "./dra/dynamic-resources.js";
import { PreparedClaims } from "./dra/prepared-claims.js";
import type { NodeAgentOptions } from "./options.js";

/** What others add to a node by sockets in its folder. On a node that keeps nothing on disk: nothing. */
export interface NodePlugins {
  readonly drivers?: CsiDrivers | undefined;
  readonly devices?: DeviceManager | undefined;
  readonly claims?: DynamicResources | undefined;
  /** Looks for plugins until `signal` aborts. To be called when the node is registered. */
  run(signal: AbortSignal): Promise<void>;
}

/** `onChange`: the node has more devices, or fewer. They have their sockets below the node's folder, where upstream has them. */
export async function openPlugins(
  options: NodeAgentOptions,
  onChange: () => void,
  signal: AbortSignal,
): Promise<NodePlugins> {
  const { rootDir, client, nodeName, clock = realClock, logger = silentLogger } = options;
  if (rootDir === undefined) return { run: async () => {} };
  const handlers = new Map<string, PluginHandler>();
  const own = { client, nodeName, clock, logger };
  const { devicePlugins = process.getuid?.() === 0 } = options;
  const devices = devicePlugins ? new DeviceManager({ rootDir, clock, logger, onChange }) : undefined;
  await devices?.open(signal);
  if (devices !== undefined) handlers.set("DevicePlugin", { register: (plugin) => devices.registerPlugin(plugin) });
  const plugins = new DraPlugins({
    ...own,
    // Not before there is a plugin: most nodes do without gRPC.
    connect: async (endpoint, service) => (await import("./dra/plugin-client.js")).draPluginAt(endpoint, service),
  });
  handlers.set("DRAPlugin", plugins);
  const claims = await PreparedClaims.open(join(rootDir, "prepared-claims.json"), logger);
  const drivers = new CsiDrivers({ ...own, directory: join(rootDir, "plugins_registry"), handlers });
  return {
    drivers,
    devices,
    claims: new DynamicResources({ client, claims, plugins, clock, logger }),
    async run(until) {
      await Promise.all([drivers.run(until), plugins.run(until)]);
      plugins.close();
    },
  };
}
