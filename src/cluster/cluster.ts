import { builtinDescriptions } from "../api/describe/index.js";
import type { UserInfo } from "../api/index.js";
import { builtinStrategies } from "../api/kinds/index.js";
import { ipFamily } from "../api/kinds/ip.js";
import { defaultAdmission } from "../apiserver/admission/default-admission.js";
import { liveDeps } from "../apiserver/admission/live-deps.js";
import { admissionPolicies } from "../apiserver/admission/policies/plugins.js";
import { inScope, usageOf } from "../apiserver/admission/quota-usage.js";
import { admissionWebhooks } from "../apiserver/admission/webhook-plugins.js";
import type { AuthenticationOptions } from "../apiserver/authn/server-authentication.js";
import type { InFlightLimits } from "../apiserver/http/in-flight.js";
import {
  type AuditOptions,
  defaultServiceCidr,
  type OwnResource,
  SecuredApiServer,
  type SecuredApiServerOptions,
  serviceHooks,
} from "../apiserver/index.js";
import type { KeyPairPem } from "../apiserver/pki/certificate-authority.js";
import { type ClusterPki, createClusterPki } from "../apiserver/pki/cluster-pki.js";
import type { PkiStorage } from "../apiserver/pki/pki-storage.js";
import { type IpRange, serviceIpRanges } from "../apiserver/services/ip-range.js";
import { type Client, createClient } from "../client/index.js";
import { formatKubeconfig } from "../client/kubeconfig.js";
import { builtinControllers } from "../controllers/index.js";
import { createManager } from "../controllers/manager.js";
import { type Clock, realClock } from "../internal/clock.js";
import type { Component } from "../internal/component.js";
import { type Logger, silentLogger } from "../internal/logger.js";
import { type Random, systemRandom } from "../internal/random.js";
import { createScheduler, type SchedulerOptions } from "../scheduler/index.js";
import type { Store } from "../store/index.js";
import { bootstrapPart } from "./bootstrap-part.js";
import { certificateSigner } from "./certificate-signer.js";
import { type ClusterDnsFacts, type ClusterDnsOptions, clusterDnsPart, dnsClusterIp } from "./cluster-dns.js";
import { identities } from "./identities.js";
import { loopbackStrategies } from "./loopback-endpoints.js";
import { type ComponentError, Supervisor, type SupervisorEvents } from "./supervisor.js";
import { ProcessTransports } from "./transports.js";

export interface ClusterOptions {
  /** Its owner disposes it, after the cluster has stopped. */
  readonly store: Store;
  /** Where certificates are kept; absent: made new at each start. */
  readonly pki?: PkiStorage | undefined;
  /** Where the API listens. Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default 0: a free one. */
  readonly port?: number | undefined;
  /** Plain HTTP on this loopback port, where everybody may do everything. Default: none. */
  readonly insecurePort?: number | undefined;
  /** The address by which nodes and pods reach the API. Default: `host`. */
  readonly advertiseAddress?: string | undefined;
  /** One block, or one of each family with a comma between them: Services that ask for none are of the first. Default 10.96.0.0/12. */
  readonly serviceCidr?: string | undefined;
  /** Where the Service `kubernetes` listens. Default 443, as everywhere but where that needs a privilege. */
  readonly apiServicePort?: number | undefined;
  /** The name server of the cluster, reached by the tenth address of its services. Absent: there is none. */
  readonly dns?: ClusterDnsOptions | undefined;
  /** The pods' network, of which each node gets a part; one of each family, separated by a comma. Absent: nodes bring their own. */
  readonly podCidr?: string | undefined;
  /** How long the store keeps history at least; 0: what it forgets is its own business. Default 5 minutes. */
  readonly compactionIntervalMs?: number | undefined;
  /** Pods live on loopback addresses (process runtime), which endpoints may then have. */
  readonly loopback?: boolean | undefined;
  /** As upstream's `--controllers`; default all, empty none. */
  readonly controllers?: readonly string[] | undefined;
  /** Further parts: nodes, proxies, and whatever is the user's own. They may depend on `apiserver` and `system-objects`. */
  readonly parts?: (context: ClusterContext) => readonly Component[] | Promise<readonly Component[]>;
  /** Resources with storages of their own. */
  readonly ownResources?: readonly OwnResource[] | undefined;
  /** Bearer tokens and whose they are. */
  readonly tokens?: ReadonlyMap<string, UserInfo> | undefined;
  /** How the API server finds out who asks, beside what every cluster has. */
  readonly authentication?: AuthenticationOptions | undefined;
  /** Who decides what may be done, behind system:masters. Default: nodes, then RBAC. */
  readonly authorizers?: SecuredApiServerOptions["authorizers"];
  /** How many requests the API server has under way at once. Default: 400 reads and 200 writes, as upstream. */
  readonly inFlight?: InFlightLimits | undefined;
  /** Default true; false: requests are limited by number alone, without API Priority and Fairness. */
  readonly priorityAndFairness?: boolean | undefined;
  /** Records who asked the API for what. Absent: nothing is recorded. */
  readonly audit?: AuditOptions | undefined;
  /** False: none. */
  readonly scheduler?: false | Omit<SchedulerOptions, "client"> | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly logger?: Logger | undefined;
  readonly events?: SupervisorEvents | undefined;
}

/** What the parts of a cluster are made with. */
export interface ClusterContext {
  readonly pki: ClusterPki;
  readonly api: SecuredApiServer;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Absent where the cluster has no name server. */
  readonly dns?: ClusterDnsFacts | undefined;
  /** A client in this process with the rights of `user`. */
  clientFor(user: UserInfo, agent?: string): Client;
}

export interface Cluster extends AsyncDisposable {
  readonly pki: ClusterPki;
  /** `https://127.0.0.1:6443` */
  readonly url: string;
  readonly api: SecuredApiServer;
  /** May do everything. */
  readonly client: Client;
  readonly supervisor: Supervisor;
  /** Resolves with the error of the first part that ended by itself. */
  readonly failed: Promise<ComponentError>;
  /** For kubectl, as cluster administrator. */
  kubeconfig(): Promise<string>;
  stop(): Promise<void>;
}

export { identities } from "./identities.js";

/** Wires a complete cluster in this process and starts it. Rejects, with nothing left running, when a part cannot start. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const clock = options.clock ?? realClock;
  const random = options.random ?? systemRandom;
  const logger = options.logger ?? silentLogger;
  const shared = { clock, random, logger };
  const host = options.host ?? "127.0.0.1";
  const advertise = options.advertiseAddress ?? host;
  const dnsAddress = options.dns?.address ?? advertise;
  if (options.dns !== undefined && isLoopback(dnsAddress) && !options.loopback) {
    throw new RangeError(
      `${dnsAddress} means another host to each pod: the name server needs an address that they reach`,
    );
  }
  const serviceCidr = options.serviceCidr ?? defaultServiceCidr;
  const serviceRanges = serviceIpRanges(serviceCidr);
  const first = serviceRanges[0]?.first ?? "";
  // A loopback address means another host to each pod, unless all pods are on this one.
  const published = options.loopback === true || !isLoopback(advertise);
  if (published) checkFamily(advertise, serviceRanges);
  const pki = await createClusterPki({
    clock,
    serverAddresses: [...new Set([host, advertise, first])].filter(
      (address) => address !== "0.0.0.0" && address !== "::",
    ),
    ...(options.pki === undefined ? {} : { storage: options.pki }),
  });
  const api = apiServer(options, { ...shared, pki, host, serviceCidr });
  const transports = new ProcessTransports(api, pki);
  const clientFor = (user: UserInfo, agent?: string): Client => createClient(transports.transport(user, agent));
  const dns = options.dns && {
    clusterIp: dnsClusterIp(serviceRanges[0]?.cidr ?? serviceCidr),
    domain: options.dns.domain ?? "cluster.local",
  };
  const context: ClusterContext = { ...shared, pki, api, clientFor, dns };
  const supervisor = new Supervisor(options.events);
  const parts = [
    api,
    bootstrapPart(
      api.transport(),
      () => ({
        serviceCidrs: serviceRanges.map(({ cidr }) => cidr),
        clusterIp: first,
        port: options.apiServicePort,
        addresses: published ? [{ ip: advertise, port: api.https.port }] : [],
      }),
      shared,
    ),
    ...controlParts(options, context),
    ...(dns === undefined ? [] : [clusterDnsPart({ ...options.dns, address: dnsAddress }, dns, context)]),
  ];
  await supervisor.start(parts);
  try {
    await supervisor.start([...((await options.parts?.(context)) ?? [])]);
  } catch (error) {
    await supervisor.stop();
    await transports[Symbol.asyncDispose]();
    throw error;
  }
  const stop = (): Promise<void> => supervisor.stop().finally(() => transports[Symbol.asyncDispose]());
  return {
    pki,
    url: api.https.url,
    api,
    client: createClient(transports.transport()),
    supervisor,
    failed: supervisor.failed,
    kubeconfig: () => adminKubeconfig(pki, api.https.url),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

/** The Service `kubernetes` has an address of the first family, and endpoints of the same. */
function checkFamily(advertise: string, [first]: readonly IpRange[]): void {
  const family = ipFamily(advertise);
  if (first === undefined || family === undefined || family === first.family) return;
  throw new RangeError(`service IP family "${first.cidr}" must match public address family "${advertise}"`);
}

function apiServer(
  options: ClusterOptions,
  made: {
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly pki: ClusterPki;
    readonly host: string;
    readonly serviceCidr: string;
  },
): SecuredApiServer {
  const { store } = options;
  const { serviceCidr, ...rest } = made;
  const strategies = options.loopback ? loopbackStrategies(builtinStrategies) : builtinStrategies;
  return new SecuredApiServer({
    ...rest,
    store,
    port: options.port ?? 0,
    insecurePort: options.insecurePort,
    compactionIntervalMs: options.compactionIntervalMs,
    tokens: options.tokens,
    authentication: options.authentication,
    authorizers: options.authorizers,
    inFlight: options.inFlight,
    priorityAndFairness: options.priorityAndFairness,
    audit: options.audit,
    resources: builtinDescriptions(strategies),
    ownResources: options.ownResources,
    allowLocalAddresses: options.loopback === true,
    hooks: (server) => serviceHooks(server, { store, serviceCidr }),
    admission: (server, authorizer) =>
      defaultAdmission({
        cache: server.cacheReader,
        clock: made.clock,
        random: made.random,
        authorizer,
        policies: admissionPolicies(server, { ...liveDeps(server), authorizer }),
        webhooks: admissionWebhooks(server, {
          ...liveDeps(server),
          authorizer,
          allowLocalAddresses: options.loopback === true,
        }),
        ...liveDeps(server),
      }),
  });
}

function controlParts(options: ClusterOptions, context: ClusterContext): readonly Component[] {
  const { clock, random, logger, clientFor, pki, api } = context;
  const shared = { clock, random, logger };
  const parts: Component[] = [];
  const select = options.controllers ?? ["*"];
  if (select.length > 0) {
    const manager = createManager({
      ...shared,
      client: clientFor(identities.controllerManager, "kube-controller-manager"),
      clientFor: (account, name) => clientFor(identities.controller(account), `kube-controller-manager/${name}`),
      controllers: builtinControllers({
        rootCa: pki.ca.certificate,
        quota: { usageOf, inScope },
        nodeIpam: options.podCidr === undefined ? undefined : { clusterCidrs: options.podCidr.split(",") },
        signToken: (secret) => api.tokens.issueLegacy(secret),
        certificates: certificateSigner(pki.ca),
      }),
      served: () => api.api.table.all(),
      select,
    });
    parts.push(afterBootstrap(manager));
  }
  if (options.scheduler !== false) {
    const client = clientFor(identities.scheduler, "kube-scheduler");
    parts.push(afterBootstrap(createScheduler({ ...shared, ...options.scheduler, client })));
  }
  return parts;
}

/** The same part, started only when the objects of the system are there: its rights among them. */
export function afterBootstrap(part: Component, ...more: readonly string[]): Component {
  return {
    name: part.name,
    dependencies: [...new Set([...(part.dependencies ?? []), "apiserver", "system-objects", ...more])],
    run: (context) => part.run(context),
  };
}

function adminKubeconfig(pki: ClusterPki, url: string): Promise<string> {
  return kubeconfigFor(pki, url, "kubernetes-admin", pki.admin);
}

/** A kubeconfig by which a person or a part of its own process reaches the cluster. */
export async function kubeconfigFor(
  pki: ClusterPki,
  server: string,
  userName: string,
  { certificate, key }: KeyPairPem,
): Promise<string> {
  const base64 = (pem: string): string => Buffer.from(pem).toString("base64");
  return formatKubeconfig({
    name: "coxswain",
    cluster: { server, "certificate-authority-data": base64(pki.ca.certificate) },
    user: { "client-certificate-data": base64(certificate), "client-key-data": base64(key) },
    userName,
  });
}
