import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  status,
} from "@grpc/grpc-js";
import { registrationDefinition } from "../../../src/node/csi/definition.js";
import { deviceDefinition } from "../../../src/node/devices/definition.js";
import { methodsOf } from "../../../src/node/plugin-socket.js";

export interface TestDevicePlugin extends AsyncDisposable {
  /** In order: what it was asked, and for which devices. */
  readonly calls: string[];
  /** Makes itself known by the node's socket, as plugins do at first and whenever that socket is made anew. */
  register(version?: string): Promise<void>;
  /** Tells the node what it has now. */
  update(devices: Readonly<Record<string, "Healthy" | "Unhealthy">>): void;
}

export interface TestDevicePluginOptions {
  readonly resourceName: string;
  readonly rootDir: string;
  readonly devices: Readonly<Record<string, "Healthy" | "Unhealthy">>;
  /** Makes itself known by a socket of its own in the folder of all plugins. */
  readonly announced?: boolean;
}

type Answer = (error: { readonly code: number; readonly details: string } | null, value?: object) => void;

/** A plugin whose devices are /dev/null under their own names. It prefers those that come last, and wants to know of starts. */
export async function startTestDevicePlugin(options: TestDevicePluginOptions): Promise<TestDevicePlugin> {
  const { resourceName, rootDir, announced = false } = options;
  const calls: string[] = [];
  const watchers = new Set<ServerWritableStream<object, object>>();
  const name = resourceName.replace("/", "-");
  const folder = join(rootDir, "device-plugins");
  const endpoint = join(folder, `${name}.sock`);
  let { devices } = options;
  const listed = (): object => ({
    devices: Object.entries(devices).map(([id, health]) => ({ ID: id, health })),
  });
  const answering =
    (method: string, handle: (request: object) => object) =>
    ({ request }: { readonly request: object }, answer: Answer): void => {
      try {
        answer(null, handle(request));
      } catch (error) {
        answer({ code: status.INTERNAL, details: `${method}: ${String(error)}` });
      }
    };
  // biome-ignore lint/suspicious/noExplicitAny: requests as they were sent
  const handlers: Readonly<Record<string, (request: any) => object>> = {
    GetDevicePluginOptions: () => ({ preStartRequired: true, getPreferredAllocationAvailable: true }),
    GetPreferredAllocation: ({ containerRequests: [{ availableDeviceIds, mustIncludeDeviceIds, allocationSize }] }) => {
      const others = availableDeviceIds.filter((id: string) => !mustIncludeDeviceIds.includes(id));
      const deviceIds = [...mustIncludeDeviceIds, ...others.sort().reverse()].slice(0, allocationSize);
      calls.push(`prefer ${deviceIds.join(" ")}`);
      return { containerResponses: [{ deviceIds }] };
    },
    Allocate: ({ containerRequests: [{ devicesIds }] }) => {
      calls.push(`allocate ${devicesIds.join(" ")}`);
      const access = {
        envs: { DISKS: devicesIds.join(","), TAKEN: "plugin" },
        mounts: [{ containerPath: "/etc/disk-host", hostPath: "/etc/hostname", readOnly: true }],
        devices: devicesIds.map((id: string) => ({
          containerPath: `/dev/${id}`,
          hostPath: "/dev/null",
          permissions: "rw",
        })),
        annotations: { "example.com/disks": devicesIds.join(",") },
      };
      return { containerResponses: [access] };
    },
    PreStartContainer: ({ devicesIds }) => {
      calls.push(`start ${devicesIds.join(" ")}`);
      return {};
    },
  };
  const serve = async (path: string, fill: (server: Server) => void): Promise<Server> => {
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    const server = new Server();
    fill(server);
    await promisify(server.bindAsync.bind(server))(`unix://${path}`, ServerCredentials.createInsecure());
    return server;
  };
  const servePlugin = (): Promise<Server> =>
    serve(endpoint, (server) => {
      server.addService(methodsOf(deviceDefinition(), "v1beta1.DevicePlugin"), {
        ...Object.fromEntries(Object.entries(handlers).map(([method, handle]) => [method, answering(method, handle)])),
        ListAndWatch(stream: ServerWritableStream<object, object>): void {
          watchers.add(stream);
          stream.on("cancelled", () => watchers.delete(stream));
          stream.write(listed());
        },
      });
    });
  const registration = join(rootDir, "plugins_registry", `${name}-reg.sock`);
  const servers = [await servePlugin()];
  if (announced) {
    const info = { type: "DevicePlugin", name: resourceName, endpoint, supportedVersions: ["v1beta1"] };
    const announce = await serve(registration, (server) => {
      server.addService(methodsOf(registrationDefinition(), "pluginregistration.Registration"), {
        GetInfo: answering("GetInfo", () => info),
        NotifyRegistrationStatus: answering("NotifyRegistrationStatus", (told) => {
          calls.push(`told ${JSON.stringify(told)}`);
          return {};
        }),
      });
    });
    servers.push(announce);
  }
  return {
    calls,
    async register(version = "v1beta1") {
      // A node that starts removes what sockets there are.
      servers.splice(0, 1, await restarted(servers[0], servePlugin));
      const method = methodsOf(deviceDefinition(), "v1beta1.Registration").Register;
      if (method === undefined) throw new Error("the definition lacks Register");
      const client = new Client(`unix://${join(folder, "kubelet.sock")}`, credentials.createInsecure(), {
        "grpc.default_authority": "localhost",
        "grpc.use_local_subchannel_pool": 1,
      });
      const request = { version, endpoint: `${name}.sock`, resourceName };
      try {
        await new Promise<void>((resolve, reject) => {
          const { path, requestSerialize, responseDeserialize } = method;
          client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, new Metadata(), (error) =>
            error === null ? resolve() : reject(error),
          );
        });
      } finally {
        client.close();
      }
    },
    update(now) {
      devices = now;
      for (const stream of watchers) stream.write(listed());
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) server.forceShutdown();
      await rm(endpoint, { force: true });
      await rm(registration, { force: true });
    },
  };
}

async function restarted(old: Server | undefined, start: () => Promise<Server>): Promise<Server> {
  old?.forceShutdown();
  return start();
}
