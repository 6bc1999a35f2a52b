import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { AuthenticationOptions } from "../apiserver/authn/server-authentication.js";
import { folderPkiStorage } from "../apiserver/pki/pki-storage.js";
import { writeKubeconfig } from "../client/kubeconfig.js";
import { startCluster } from "../cluster/cluster.js";
import type { Component } from "../internal/component.js";
import type { Logger } from "../internal/logger.js";
import { type AuditFlags, auditFromFlags } from "./audit-flags.js";
import { type AuthenticationFlags, authenticationOf } from "./authentication-flags.js";
import { type AuthorizationFlags, authorizationOf } from "./authorization-flags.js";
import { consoleLogger } from "./console-logger.js";
import { type EncryptionFlags, encryptedByFlags } from "./encryption-flags.js";
import { type OpenedStore, openStore } from "./open-store.js";

export interface ApiServerFlags extends AuthenticationFlags, AuthorizationFlags, AuditFlags, EncryptionFlags {
  readonly store: "memory" | "embedded" | "etcd";
  readonly etcd: string;
  readonly data: string;
  readonly host: string;
  readonly advertise?: string | undefined;
  readonly port: number;
  readonly serviceClusterIpRange: string;
  readonly maxRequestsInflight: number;
  readonly maxMutatingRequestsInflight: number;
  readonly priorityAndFairness: boolean;
  readonly kubeconfig?: string | undefined;
  readonly verbose: boolean;
}

/** An API server and the objects that every cluster has, without controllers, scheduler and nodes. */
export function apiServerPart(flags: ApiServerFlags): Component {
  const logger = consoleLogger((line) => process.stderr.write(line), flags.verbose);
  return {
    name: "apiserver",
    async run({ signal, ready }) {
      const data = resolve(flags.data);
      const { authorizers, alwaysAllows, parts } = await authorizationOf(flags, logger);
      const given = await authenticationOf(flags, logger);
      const authentication = alwaysAllows ? withoutAnonymous(given.authentication, logger) : given.authentication;
      await mkdir(data, { recursive: true });
      const audit = await auditFromFlags(flags);
      const store = await open(flags, data, logger);
      try {
        const encryption = await encryptedByFlags(store.store, flags, logger);
        const cluster = await startCluster({
          store: encryption.store,
          pki: folderPkiStorage(join(data, "pki")),
          host: flags.host,
          port: flags.port,
          advertiseAddress: flags.advertise,
          serviceCidr: flags.serviceClusterIpRange,
          inFlight: { reads: flags.maxRequestsInflight, writes: flags.maxMutatingRequestsInflight },
          priorityAndFairness: flags.priorityAndFairness,
          tokens: given.tokens,
          authentication,
          authorizers,
          parts: () => [...given.parts, ...parts, ...encryption.parts],
          audit: audit.options,
          controllers: [],
          scheduler: false,
          logger,
        });
        try {
          await writeKubeconfig(flags.kubeconfig ?? join(data, "kubeconfig"), await cluster.kubeconfig());
          ready();
          const stopped = new Promise<undefined>((resolveStop) => {
            if (signal.aborted) resolveStop(undefined);
            else signal.addEventListener("abort", () => resolveStop(undefined), { once: true });
          });
          const failure = await Promise.race([cluster.failed, stopped]);
          if (failure !== undefined) throw failure;
        } finally {
          await cluster.stop();
        }
      } finally {
        await store.close();
        await audit[Symbol.asyncDispose]();
      }
    },
  };
}

/** As upstream: where everybody may do everything, nobody is let in unknown. */
function withoutAnonymous(authentication: AuthenticationOptions, logger: Logger): AuthenticationOptions {
  if (authentication.anonymous?.enabled !== false) {
    logger.warn("anonymous requests are not allowed with the AlwaysAllow authorizer", {});
  }
  return { ...authentication, anonymous: { enabled: false } };
}

async function open(flags: ApiServerFlags, data: string, logger: Logger): Promise<OpenedStore> {
  if (flags.store !== "etcd") return openStore(flags.store, data, logger);
  const { EtcdStore } = await import("../store/etcd/index.js");
  const store = new EtcdStore({ endpoints: flags.etcd.split(","), logger });
  return { store, close: async () => store[Symbol.asyncDispose]() };
}
