import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Server, ServerCredentials, status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { registrationDefinition } from "../../../src/node/csi/definition.js";
import { type DraService, draDefinition, draPackage } from "../../../src/node/dra/definition.js";
import type { ClaimReference } from "../../../src/node/dra/plugin.js";
import { methodsOf } from "../../../src/node/plugin-socket.js";

export interface TestDraPlugin extends AsyncDisposable {
  /** In order: what it was asked, and for which claims. */
  readonly calls: string[];
  /** What it was told of its registration. */
  readonly registrations: { readonly pluginRegistered: boolean; readonly error: string }[];
  /** What it has against the next claims that it is to prepare; undefined: nothing. */
  problem: string | undefined;
}

export interface TestDraPluginOptions {
  readonly driver: string;
  /** The node's folder. */
  readonly rootDir: string;
  /** Makes one plugin of a driver another than the next. */
  readonly instance?: string;
  readonly versions?: readonly string[];
  readonly service?: DraService;
}

type Answer = (error: { readonly code: number; readonly details: string } | null, value?: object) => void;
type Request = { readonly claims: readonly ClaimReference[] };

/** A plugin that makes one device of each claim ready, whose name is the claim's: `example.com/device=CLAIM`, for its request `one`. */
export async function startTestDraPlugin(options: TestDraPluginOptions): Promise<TestDraPlugin> {
  const { driver, rootDir, instance = "1", service = "v1.DRAPlugin", versions = [service] } = options;
  const endpoint = join(rootDir, "plugins", driver, `dra-${instance}.sock`);
  const registration = join(rootDir, "plugins_registry", `${driver}-${instance}-reg.sock`);
  const calls: string[] = [];
  const registrations: TestDraPlugin["registrations"] = [];
  const noted = (method: string, { claims }: Request): void => {
    calls.push(`${method} ${claims.map(({ namespace, name }) => `${namespace}/${name}`).join(" ")}`);
  };
  const plugin: UntypedServiceImplementation = {
    NodePrepareResources({ request }: { readonly request: Request }, answer: Answer): void {
      noted("prepare", request);
      const { problem = "" } = made;
      const ofClaim = ({ name }: ClaimReference): object => ({
        requestNames: ["one"],
        poolName: "n1",
        deviceName: name,
        cdiDeviceIds: [`example.com/device=${name}`],
      });
      const claims = request.claims.map((claim) => [claim.uid, { devices: [ofClaim(claim)], error: problem }]);
      answer(null, { claims: Object.fromEntries(claims) });
    },
    NodeUnprepareResources({ request }: { readonly request: Request }, answer: Answer): void {
      noted("unprepare", request);
      answer(null, { claims: Object.fromEntries(request.claims.map(({ uid }) => [uid, { error: "" }])) });
    },
  };
  const registrar: UntypedServiceImplementation = {
    GetInfo: (_call: unknown, answer: Answer) =>
      answer(null, { type: "DRAPlugin", name: driver, endpoint, supportedVersions: versions }),
    NotifyRegistrationStatus({ request }: { request: TestDraPlugin["registrations"][number] }, answer: Answer): void {
      registrations.push(request);
      answer(request === undefined ? { code: status.INTERNAL, details: "told nothing" } : null, {});
    },
  };
  const serve = async (path: string, fill: (server: Server) => void): Promise<Server> => {
    await mkdir(dirname(path), { recursive: true });
    const server = new Server();
    fill(server);
    await promisify(server.bindAsync.bind(server))(`unix://${path}`, ServerCredentials.createInsecure());
    return server;
  };
  const servers = [
    await serve(endpoint, (server) =>
      server.addService(methodsOf(draDefinition(service), `${draPackage(service)}.DRAPlugin`), plugin),
    ),
    await serve(registration, (server) =>
      server.addService(methodsOf(registrationDefinition(), "pluginregistration.Registration"), registrar),
    ),
  ];
  const made: TestDraPlugin = {
    calls,
    registrations,
    problem: undefined,
    async [Symbol.asyncDispose]() {
      for (const server of servers) server.forceShutdown();
      for (const path of [registration, endpoint]) await rm(path, { force: true });
    },
  };
  return made;
}
