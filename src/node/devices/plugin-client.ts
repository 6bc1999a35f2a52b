import { methodsOf, PluginSocket } from "../plugin-socket.js";
import { deviceDefinition } from "./definition.js";
import type { Device, DeviceAccess, DevicePluginCalls, PluginOptions } from "./plugin.js";

interface ListAnswer {
  readonly devices: readonly { readonly ID: string; readonly health: string }[];
}

type AllocateAnswer = Omit<DeviceAccess, "cdiDevices"> & { readonly cdiDevices: readonly { readonly name: string }[] };

/** A device plugin on its socket. */
export function devicePluginAt(path: string): DevicePluginCalls {
  const socket = new PluginSocket(path, methodsOf(deviceDefinition(), "v1beta1.DevicePlugin"));
  return {
    async options(signal): Promise<PluginOptions> {
      const { preStartRequired, getPreferredAllocationAvailable } = await socket.call<{
        readonly preStartRequired: boolean;
        readonly getPreferredAllocationAvailable: boolean;
      }>("GetDevicePluginOptions", {}, signal);
      return { preStartRequired, preferredAllocation: getPreferredAllocationAvailable };
    },
    async *watch(signal): AsyncGenerator<readonly Device[]> {
      for await (const { devices } of socket.stream<ListAnswer>("ListAndWatch", {}, signal)) {
        yield devices.map(({ ID, health }) => ({ id: ID, healthy: health === "Healthy" }));
      }
    },
    async preferred({ available, required, size }, signal) {
      const asked = { availableDeviceIds: available, mustIncludeDeviceIds: required, allocationSize: size };
      const { containerResponses } = await socket.call<{
        readonly containerResponses: readonly { readonly deviceIds: readonly string[] }[];
      }>("GetPreferredAllocation", { containerRequests: [asked] }, signal);
      return containerResponses[0]?.deviceIds ?? [];
    },
    async allocate(ids, signal) {
      const { containerResponses } = await socket.call<{ readonly containerResponses: readonly AllocateAnswer[] }>(
        "Allocate",
        { containerRequests: [{ devicesIds: ids }] },
        signal,
      );
      const [answer] = containerResponses;
      if (answer === undefined) throw new Error("no containers return in allocation response");
      return { ...answer, cdiDevices: answer.cdiDevices.map(({ name }) => name) };
    },
    async preStart(ids, signal) {
      await socket.call("PreStartContainer", { devicesIds: ids }, signal);
    },
    close: () => socket.close(),
  };
}
