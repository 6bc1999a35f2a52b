import { rm } from "node:fs/promises";
import { promisify } from "node:util";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { methodsOf } from "../plugin-socket.js";
import { deviceDefinition } from "./definition.js";
import type { DevicePluginRegistration } from "./plugin.js";

/** The socket by which device plugins make themselves known. A rejection of `register` is what the plugin is told. */
export async function serveRegistration(
  path: string,
  register: (registration: DevicePluginRegistration) => Promise<void>,
): Promise<AsyncDisposable> {
  const server = new Server();
  server.addService(methodsOf(deviceDefinition(), "v1beta1.Registration"), {
    Register(
      { request }: { readonly request: DevicePluginRegistration },
      answer: (error: { readonly code: number; readonly details: string } | null, value?: object) => void,
    ): void {
      register(request).then(
        () => answer(null, {}),
        (error: unknown) =>
          answer({ code: status.UNKNOWN, details: error instanceof Error ? error.message : String(error) }),
      );
    },
  });
  await rm(path, { force: true });
  await promisify(server.bindAsync.bind(server))(`unix://${path}`, ServerCredentials.createInsecure());
  return {
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
      await rm(path, { force: true });
    },
  };
}
