import { join, resolve } from "node:path";
import type { NodeAddress } from "../api/index.js";
import type { Component } from "../internal/component.js";
import { createNodeAgent, hostResources } from "../node/index.js";
import type { Runtime } from "../runtime/index.js";
import { evictionOptions, imageCollectionOptions, type ThresholdFlags } from "./node-thresholds.js";
import type { PartAccess } from "./part-commands.js";

export interface NodeFlags extends ThresholdFlags {
  readonly name: string;
  readonly root: string;
  readonly runtime: "process" | "cri";
  readonly criSocket: string;
  readonly address: string;
  readonly port: number;
  readonly podCidr?: string | undefined;
  readonly clusterDns?: string | undefined;
  readonly clusterDomain?: string | undefined;
  readonly resolvConf?: string | undefined;
  readonly cgroupRoot?: string | undefined;
  readonly allowedUnsafeSysctls?: string | undefined;
}

/** A node agent. Its pods go on when it stops; started again on the same folder it takes them over. */
export async function nodePart(access: PartAccess, flags: NodeFlags): Promise<Component> {
  const { client, logger, ca, clientCertificate, clientKey } = access;
  const rootDir = resolve(flags.root);
  const { runtime, release } = await openRuntime(flags, rootDir, access);
  const own = flags.address.split(",");
  const addresses: readonly NodeAddress[] = [
    ...own.map((address) => ({ type: "InternalIP", address })),
    { type: "Hostname", address: flags.name },
  ];
  const tls =
    clientKey === undefined || clientCertificate === undefined
      ? undefined
      : { key: clientKey, cert: clientCertificate, clientCa: ca };
  const agent = createNodeAgent({
    client,
    runtime,
    logger,
    nodeName: flags.name,
    rootDir,
    ...(flags.runtime === "process" ? { memoryVolumes: false, devicePlugins: false } : {}),
    addresses,
    resources: hostResources(),
    podCidr: flags.podCidr,
    clusterDns: flags.clusterDns?.split(","),
    clusterDomain: flags.clusterDomain,
    resolvConf: flags.resolvConf,
    cgroupRoot: flags.cgroupRoot,
    allowedUnsafeSysctls: flags.allowedUnsafeSysctls?.split(","),
    eviction: evictionOptions(flags),
    imageCollection: imageCollectionOptions(flags),
    // Without a certificate of its own there is nothing to serve with.
    ...(tls === undefined
      ? {}
      : { server: { address: own[0] ?? flags.address, port: flags.port, tls, authorization: "webhook" } }),
  });
  return {
    name: agent.name,
    async run(context) {
      try {
        await agent.run(context);
      } finally {
        await release();
      }
    },
  };
}

async function openRuntime(
  flags: NodeFlags,
  rootDir: string,
  { logger }: PartAccess,
): Promise<{ readonly runtime: Runtime; release(): Promise<void> }> {
  if (flags.runtime === "cri") {
    const { CriRuntime } = await import("../runtime/cri/index.js");
    const runtime = new CriRuntime({ socket: flags.criSocket, logger });
    return { runtime, release: async () => runtime[Symbol.asyncDispose]() };
  }
  const { ProcessRuntime } = await import("../runtime/process/index.js");
  const podCidr = flags.podCidr === undefined ? {} : { podCidr: flags.podCidr };
  const runtime = await ProcessRuntime.open({ rootDir: join(rootDir, "runtime"), logger, ...podCidr });
  return { runtime, release: () => runtime.release() };
}
