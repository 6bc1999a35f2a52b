import { Client, credentials, Metadata, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";
import { csiDefinition, registrationDefinition } from "./definition.js";
import type { NodeCalls, PluginCalls, PluginInfo, VolumeRequest } from "./plugin.js";

type Methods = Readonly<Record<string, MethodDefinition<object, object>>>;

/** As upstream: a driver may have to wait for a disk. */
const timeoutMs = 120_000;

/** Calls of one service on a plugin's socket. */
class Socket {
  readonly #client: Client;
  readonly #methods: Methods;

  constructor(path: string, methods: Methods) {
    this.#methods = methods;
    this.#client = new Client(`unix://${path}`, credentials.createInsecure(), {
      "grpc.default_authority": "localhost",
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  call<Answer>(name: string, request: object, signal: AbortSignal): Promise<Answer> {
    const method = this.#methods[name];
    if (method === undefined) throw new Error(`no method ${name}`);
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const cancel = (): void => call.cancel();
      const done = (error: ServiceError | null, answer?: object): void => {
        signal.removeEventListener("abort", cancel);
        if (error === null) resolve(answer as Answer);
        else if (signal.aborted) reject(signal.reason);
        else reject(new Error(wordsOf(error), { cause: error }));
      };
      const limits = { deadline: Date.now() + timeoutMs };
      const { path, requestSerialize, responseDeserialize } = method;
      const metadata = new Metadata();
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        limits,
        done,
      );
      signal.addEventListener("abort", cancel, { once: true });
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** As Go prints it, which is how people know it. */
function wordsOf({ code, details }: ServiceError): string {
  const names = Object.entries(status).find(([, value]) => value === code);
  const name = (names?.[0] ?? "UNKNOWN")
    .split("_")
    .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    .join("");
  return `rpc error: code = ${name} desc = ${details}`;
}

function methodsOf(definition: Parameters<typeof fromJSON>[0], service: string): Methods {
  const loaded = fromJSON(definition, { longs: Number, enums: String, defaults: true, arrays: true, objects: true })[
    service
  ];
  if (loaded === undefined || "format" in loaded) throw new Error(`the definition lacks ${service}`);
  return loaded as Methods;
}

/** The socket by which a plugin tells what it is. */
export function registrationAt(path: string): PluginCalls {
  const socket = new Socket(path, methodsOf(registrationDefinition(), "pluginregistration.Registration"));
  return {
    info: (signal) => socket.call<PluginInfo>("GetInfo", {}, signal),
    async notify(error, signal) {
      await socket.call(
        "NotifyRegistrationStatus",
        { pluginRegistered: error === undefined, error: error ?? "" },
        signal,
      );
    },
    close: () => socket.close(),
  };
}

/** The socket by which a CSI driver mounts. */
export function nodeServiceAt(path: string): NodeCalls {
  const socket = new Socket(path, methodsOf(csiDefinition(), "csi.v1.Node"));
  interface Capabilities {
    readonly capabilities: readonly { readonly rpc: { readonly type: string } | null }[];
  }
  interface Info {
    readonly nodeId: string;
    readonly maxVolumesPerNode: number;
    readonly accessibleTopology: { readonly segments: Readonly<Record<string, string>> } | null;
  }
  return {
    async info(signal) {
      const { nodeId, maxVolumesPerNode, accessibleTopology } = await socket.call<Info>("NodeGetInfo", {}, signal);
      return { nodeId, maxVolumes: maxVolumesPerNode, topology: accessibleTopology?.segments ?? {} };
    },
    async capabilities(signal) {
      const { capabilities } = await socket.call<Capabilities>("NodeGetCapabilities", {}, signal);
      return new Set(capabilities.map(({ rpc }) => rpc?.type ?? ""));
    },
    async stage(request, signal) {
      await socket.call("NodeStageVolume", messageOf(request), signal);
    },
    async unstage(volumeId, stagingTargetPath, signal) {
      await socket.call("NodeUnstageVolume", { volumeId, stagingTargetPath }, signal);
    },
    async publish(request, signal) {
      await socket.call("NodePublishVolume", messageOf(request), signal);
    },
    async unpublish(volumeId, targetPath, signal) {
      await socket.call("NodeUnpublishVolume", { volumeId, targetPath }, signal);
    },
    close: () => socket.close(),
  };
}

function messageOf({ accessMode, mount, ...request }: VolumeRequest): object {
  return { ...request, volumeCapability: { mount, accessMode: { mode: accessMode } } };
}
