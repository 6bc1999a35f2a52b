import { execFile } from "node:child_process";
import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Server, ServerCredentials, status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";
import { csiDefinition, registrationDefinition } from "../../../src/node/csi/definition.js";

const run = promisify(execFile);

export interface CsiCall {
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent, for the test to look into
  readonly request: any;
}

export interface TestDriver extends AsyncDisposable {
  readonly name: string;
  /** In order. */
  readonly calls: CsiCall[];
  /** What it was told of its registration. */
  readonly registrations: { readonly pluginRegistered: boolean; readonly error: string }[];
  /** Makes the next call of this method fail. */
  failNext(method: string): void;
  /** Takes its registration socket away, as an uninstalled driver does. */
  unregister(): Promise<void>;
}

export interface TestDriverOptions {
  readonly name: string;
  /** The node's folder. */
  readonly rootDir: string;
  /** Where its volumes are, a folder for each handle. */
  readonly backing: string;
  readonly versions?: readonly string[];
}

/** A driver whose volumes are folders that it really mounts: staged by one bind mount, published by another. */
export async function startTestDriver({
  name,
  rootDir,
  backing,
  versions = ["1.0.0"],
}: TestDriverOptions): Promise<TestDriver> {
  const calls: CsiCall[] = [];
  const registrations: { pluginRegistered: boolean; error: string }[] = [];
  const failing = new Set<string>();
  const endpoint = join(rootDir, "plugins", name, "csi.sock");
  const registration = join(rootDir, "plugins_registry", `${name}-reg.sock`);
  const handlers: Readonly<Record<string, (request: CsiCall["request"]) => Promise<object>>> = {
    GetInfo: async () => ({ type: "CSIPlugin", name, endpoint, supportedVersions: versions }),
    NotifyRegistrationStatus: async (told) => {
      registrations.push(told);
      return {};
    },
    NodeGetInfo: async () => ({
      nodeId: `${name}-node`,
      maxVolumesPerNode: 7,
      accessibleTopology: { segments: { [`topology.${name}/zone`]: "z1" } },
    }),
    NodeGetCapabilities: async () => ({ capabilities: [{ rpc: { type: "STAGE_UNSTAGE_VOLUME" } }] }),
    NodeStageVolume: ({ volumeId, stagingTargetPath }) => bind(join(backing, volumeId), stagingTargetPath, false),
    NodeUnstageVolume: ({ stagingTargetPath }) => unbind(stagingTargetPath),
    NodePublishVolume: ({ volumeId, stagingTargetPath, targetPath, readonly }) =>
      bind(stagingTargetPath || join(backing, volumeId), targetPath, readonly),
    NodeUnpublishVolume: ({ targetPath }) => unbind(targetPath),
  };
  const implementation: UntypedServiceImplementation = Object.fromEntries(
    Object.entries(handlers).map(([method, handle]) => [
      method,
      (
        { request }: { readonly request: object },
        answer: (error: { code: number; details: string } | null, value?: object) => void,
      ): void => {
        if (method.startsWith("Node")) calls.push({ method, request });
        const done = failing.delete(method) ? Promise.reject(new Error(`${method} fails`)) : handle(request);
        done.then(
          (value) => answer(null, value),
          (error: unknown) => answer({ code: status.INTERNAL, details: String(error) }),
        );
      },
    ]),
  );
  const serve = async (path: string, definition: Parameters<typeof fromJSON>[0], service: string): Promise<Server> => {
    await mkdir(dirname(path), { recursive: true });
    const server = new Server();
    const loaded = fromJSON(definition, { longs: Number, enums: String, defaults: true })[service];
    if (loaded === undefined || "format" in loaded) throw new Error(`no service ${service}`);
    server.addService(loaded, implementation);
    await promisify(server.bindAsync.bind(server))(`unix://${path}`, ServerCredentials.createInsecure());
    return server;
  };
  const node = await serve(endpoint, csiDefinition(), "csi.v1.Node");
  const registrar = await serve(registration, registrationDefinition(), "pluginregistration.Registration");
  return {
    name,
    calls,
    registrations,
    failNext: (method) => void failing.add(method),
    async unregister() {
      registrar.forceShutdown();
      await rm(registration, { force: true });
    },
    async [Symbol.asyncDispose]() {
      registrar.forceShutdown();
      node.forceShutdown();
      await rm(registration, { force: true });
      await rm(dirname(endpoint), { recursive: true, force: true });
    },
  };
}

async function isMounted(path: string): Promise<boolean> {
  return (await readFile("/proc/self/mountinfo", "utf8")).split("\n").some((line) => line.split(" ")[4] === path);
}

async function bind(from: string, to: string, readonly: boolean): Promise<object> {
  if (await isMounted(to)) return {};
  await mkdir(from, { recursive: true });
  await mkdir(to, { recursive: true });
  await run("mount", ["--bind", from, to]);
  if (readonly) await run("mount", ["-o", "remount,bind,ro", to]);
  return {};
}

async function unbind(path: string): Promise<object> {
  if (await isMounted(path)) await run("umount", [path]);
  return {};
}
