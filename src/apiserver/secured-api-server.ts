import { builtinDescriptions } from "../api/describe/index.js";
import type { ResourceDescription, Transport, UserInfo } from "../api/index.js";
import { builtinStrategies } from "../api/kinds/index.js";
import { type Clock, realClock } from "../internal/clock.js";
import type { Component, ComponentContext } from "../internal/component.js";
import { type Logger, silentLogger } from "../internal/logger.js";
import { type Random, systemRandom } from "../internal/random.js";
import type { Store } from "../store/index.js";
import type { AdmissionPlugin, CacheReader } from "./admission/admission.js";
import { httpsWebhookCall } from "./admission/webhook-call.js";
import { type Aggregation, aggregation } from "./aggregation/aggregation.js";
import { type AuditOptions, Auditor } from "./audit/auditor.js";
import { AuthMetrics, measuredAuthenticator, measuredAuthorizer } from "./auth-metrics.js";
import type { Authenticator, TokenAuthenticator } from "./authn/authenticator.js";
import { issuerRoutes } from "./authn/issuer-routes.js";
import { selfSubjectReviewEvaluator, tokenReviewEvaluator } from "./authn/reviews.js";
import { type AuthenticationOptions, serverAuthenticator, serverTokens } from "./authn/server-authentication.js";
import { defaultIssuer } from "./authn/service-account-names.js";
import { createTokenIssuer, type TokenIssuer } from "./authn/token-issuer.js";
import { tokenRequestEvaluator } from "./authn/token-request.js";
import type { Authorizer } from "./authz/authorizer.js";
import { type AuthorizationContext, type DefaultAuthorizer, defaultAuthorizer } from "./authz/default-authorizer.js";
import {
  localSubjectAccessReviewEvaluator,
  selfSubjectAccessReviewEvaluator,
  selfSubjectRulesReviewEvaluator,
  subjectAccessReviewEvaluator,
} from "./authz/reviews.js";
import { createCompactor } from "./compactor.js";
import { type CustomResources, type CustomResourcesOptions, conversionWebhook, crds } from "./crd/index.js";
import { DiscoveryRoute } from "./discovery/route.js";
import { type ServerFlowControl, serverFlowControl } from "./flowcontrol/server-flow-control.js";
import type { ConnectHandler } from "./http/connect.js";
import type { HealthCheck } from "./http/health.js";
import type { InFlightLimits } from "./http/in-flight.js";
import { createHttpServer } from "./http/server.js";
import type { HttpServer, HttpServerOptions } from "./http/server-options.js";
import { OpenApiRoute } from "./openapi/route.js";
import type { OwnResource } from "./own/own-resource.js";
import type { ClusterPki } from "./pki/cluster-pki.js";
import { networkDial } from "./proxy/dial.js";
import { reportedNodeTarget } from "./proxy/nodes.js";
import { podStreams } from "./proxy/pod-streams.js";
import { resourceProxy } from "./proxy/resource-proxy.js";
import { serviceEndpoints } from "./proxy/service-endpoints.js";
import { ApiServer, type VirtualResource } from "./server.js";
import { tableRepresenter } from "./tables/representer.js";

/** The version that we say we are, and are compatible with. */
export const kubernetesVersion = "v1.36.0";

/** Whom we believe who asks, and are ourselves to servers behind us. */
const frontProxyNames: readonly string[] = ["front-proxy-client"];

export interface SecuredApiServerOptions {
  readonly store: Store;
  readonly pki: ClusterPki;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Also plain HTTP on this loopback port, where everybody may do everything. Absent: none. */
  readonly insecurePort?: number | undefined;
  /** Default: all built-in kinds. */
  readonly resources?: Iterable<ResourceDescription>;
  /** Resources with storages of their own. */
  readonly ownResources?: readonly OwnResource[] | undefined;
  /** The `iss` of service account tokens. Default: upstream's. */
  readonly issuer?: string;
  /** Bearer tokens and whose they are. */
  readonly tokens?: ReadonlyMap<string, UserInfo> | undefined;
  readonly authentication?: AuthenticationOptions | undefined;
  /** Who decides what may be done, behind system:masters. Default: nodes, then RBAC. */
  readonly authorizers?: ((context: AuthorizationContext) => Authorizer) | undefined;
  readonly admission?: (server: ApiServer, authorizer: DefaultAuthorizer) => readonly AdmissionPlugin[];
  readonly hooks?: ConstructorParameters<typeof ApiServer>[0]["hooks"];
  /** Further ways through to others, before those to nodes, pods and services. */
  readonly connect?: (server: ApiServer) => readonly ConnectHandler[];
  /** Nodes, pods and services may have loopback addresses: all on one machine. Default false: they are refused. */
  readonly allowLocalAddresses?: boolean;
  /** Conversion of custom resources by functions of this process, by the name of their definition. */
  readonly converters?: CustomResourcesOptions["converters"];
  /** How long the store keeps history at least; 0: what it forgets is its own business. Default: upstream's 5 minutes. */
  readonly compactionIntervalMs?: number | undefined;
  /** How many requests may be under way at once. Flow control divides them all among its levels. Default: 400 reads and 200 writes, as upstream. */
  readonly inFlight?: InFlightLimits | undefined;
  /** Default true; false: reads and writes are limited by number alone, whoever asks. */
  readonly priorityAndFairness?: boolean | undefined;
  /** Records who asked for what over HTTP, and what came of it. Absent: nothing is recorded. */
  readonly audit?: AuditOptions | undefined;
  readonly root?: string;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
}

/**
 * An API server as a cluster has it: HTTPS with client certificates, service account tokens and RBAC, over one store. Several on one
 * store make one API. Its component is ready when requests are answered.
 */
export class SecuredApiServer implements Component {
  readonly name = "apiserver";
  readonly dependencies: readonly string[] = [];
  readonly api: ApiServer;
  readonly https: HttpServer;
  readonly authorizer: DefaultAuthorizer;
  readonly tokens: TokenIssuer;
  readonly #insecure: HttpServer | undefined;
  readonly #customResources: CustomResources | undefined;
  readonly #aggregation: Aggregation | undefined;
  readonly #compactor: Component | undefined;
  readonly #flowControl: ServerFlowControl | undefined;
  readonly #audit: Auditor | undefined;
  readonly #logger: Logger;

  constructor(options: SecuredApiServerOptions) {
    const clock = options.clock ?? realClock;
    const random = options.random ?? systemRandom;
    const logger = options.logger ?? silentLogger;
    const { pki } = options;
    const issuer = options.issuer ?? defaultIssuer;
    const audiences = [issuer];
    const tokens = createTokenIssuer({ issuer, keys: [pki.serviceAccountKey], clock, random });
    const metrics = new AuthMetrics();
    let cache: CacheReader | undefined;
    let authorizer: DefaultAuthorizer | undefined;
    const authorizerOf = (reader: CacheReader): DefaultAuthorizer => {
      cache = reader;
      authorizer ??= defaultAuthorizer(reader, { authorizers: options.authorizers, metrics, clock, random, logger });
      return authorizer;
    };
    let knownTokens: readonly TokenAuthenticator[] | undefined;
    const tokenAuthenticatorsOf = (reader: CacheReader): readonly TokenAuthenticator[] => {
      const context = { cache: reader, audiences, clock, random, logger };
      knownTokens ??= serverTokens(context, {
        ...options.authentication,
        tokens: options.tokens,
        issuer: tokens,
      });
      return knownTokens;
    };
    this.api = new ApiServer({
      store: options.store,
      resources: options.resources ?? builtinDescriptions(builtinStrategies),
      ownResources: options.ownResources ?? [],
      clock,
      random,
      logger,
      ...(options.root === undefined ? {} : { root: options.root }),
      authorizer: (reader) => measuredAuthorizer(authorizerOf(reader), metrics, clock),
      ...(options.hooks === undefined ? {} : { hooks: options.hooks }),
      admission: (server) => options.admission?.(server, authorizerOf(server.cacheReader)) ?? [],
      virtualResources: (server) =>
        reviews(authorizerOf(server.cacheReader), tokenAuthenticatorsOf(server.cacheReader), {
          tokens,
          audiences,
          clock,
          cache: server.cacheReader,
        }),
    });
    this.#aggregation = aggregation(this.api, {
      frontProxyClient: pki.frontProxyClient,
      authentication: {
        clientCa: pki.ca.certificate,
        requestHeaderCa: pki.frontProxyCa.certificate,
        allowedNames: frontProxyNames,
      },
      allowLocalAddresses: options.allowLocalAddresses ?? false,
    });
    this.#customResources = customResources(this.api, options);
    const { store, compactionIntervalMs: intervalMs = 5 * 60_000 } = options;
    if (intervalMs > 0) this.#compactor = createCompactor({ store, clock, intervalMs, logger });
    const { inFlight, priorityAndFairness = true } = options;
    this.#flowControl = priorityAndFairness ? serverFlowControl(this.api, inFlight) : undefined;
    if (cache === undefined || authorizer === undefined) throw new Error("the authorizer was not asked for");
    this.authorizer = authorizer;
    this.tokens = tokens;
    this.#logger = logger;
    const anonymous = options.authentication?.anonymous;
    const tokenAuthenticators = tokenAuthenticatorsOf(cache);
    const authenticator = measuredAuthenticator(
      serverAuthenticator({ pki, frontProxyNames, tokens: tokenAuthenticators, audiences, anonymous, clock }),
      metrics,
      clock,
    );
    this.#audit = options.audit && new Auditor(options.audit, { clock, logger });
    const shared = {
      handler: this.api,
      resources: this.api.table,
      authorizer: measuredAuthorizer(authorizer, metrics, clock),
      moreMetrics: [() => metrics.text()],
      routes: [
        new DiscoveryRoute({ resources: this.api.table, extras: this.#aggregation?.discovery }),
        new OpenApiRoute({
          resources: this.api.table,
          version: kubernetesVersion,
          remote: this.#aggregation?.openApi,
        }),
        issuerRoutes(tokens, `${issuer}/openid/v1/jwks`),
        ...(this.#flowControl === undefined ? [] : [this.#flowControl.route]),
      ],
      delegates: this.#aggregation?.delegates,
      connect: [...(options.connect?.(this.api) ?? []), ...this.#streams(options, { clock, random })],
      representer: tableRepresenter,
      checks: storeChecks(options.store, clock),
      inFlight,
      flowControl: this.#flowControl?.flowControl,
      audit: this.#audit,
      clock,
      random,
      logger,
    } satisfies Partial<HttpServerOptions>;
    const tls = {
      certificate: pki.apiserver.certificate,
      key: pki.apiserver.key,
      clientCas: [pki.ca.certificate, pki.frontProxyCa.certificate],
    };
    this.https = createHttpServer({ ...shared, host: options.host, port: options.port, tls, authenticator });
    if (options.insecurePort !== undefined) {
      const port = options.insecurePort;
      this.#insecure = createHttpServer({ ...shared, host: "127.0.0.1", port, authenticator: everybodyIsAdmin });
    }
  }

  /** Whether an APIService says that another server has the group-version: then only HTTPS reaches it. */
  delegates(group: string, version: string): boolean {
    return this.#aggregation?.delegates(group, version) !== undefined;
  }

  /** The way in for clients of this process; default: the server itself, which may do everything. */
  transport(user?: UserInfo, agent?: string): Transport {
    return this.api.transport(user, agent);
  }

  /** The ways through to nodes, pods and services. */
  #streams(
    { pki, allowLocalAddresses = false }: SecuredApiServerOptions,
    { clock, random }: { readonly clock: Clock; readonly random: Random },
  ): readonly ConnectHandler[] {
    const dial = networkDial({
      clock,
      clientCertificate: pki.apiserverKubeletClient,
      authorities: [pki.ca.certificate],
      allowLocalAddresses,
    });
    const shared = { cache: this.api.cacheReader, dial, connectNode: reportedNodeTarget() };
    return [podStreams(shared), resourceProxy({ ...shared, random })];
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    const cacheStop = new AbortController();
    let cache: Promise<void> | undefined;
    let followers: Promise<unknown> | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        cache = this.api.component.run({ signal: cacheStop.signal, ready: resolve });
        cache.catch(reject);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      if (signal.aborted) return;
      // Those that are established are served since the cache was loaded; this follows the changes.
      const context = { signal: cacheStop.signal, ready: () => {} };
      const parts = [this.#customResources, this.#aggregation, this.#flowControl, this.#compactor];
      followers = Promise.all(parts.map((part) => part?.run(context)));
      await this.https.listen();
      await this.#insecure?.listen();
      ready();
      const stopped = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
      await Promise.race([stopped, cache]);
      this.#logger.debug("closing the API server");
    } finally {
      await Promise.all([this.https.close(), this.#insecure?.close()]);
      await this.#audit?.[Symbol.asyncDispose]();
      cacheStop.abort();
      await Promise.allSettled([cache, followers]);
    }
  }
}

/** None where there are no definitions to follow. */
function customResources(api: ApiServer, options: SecuredApiServerOptions): CustomResources | undefined {
  if (api.lookup("apiextensions.k8s.io", "v1", "customresourcedefinitions") === undefined) return undefined;
  const { clock, random } = api;
  const call = httpsWebhookCall({
    resolveService: serviceEndpoints(api.cacheReader, random),
    allowLocalAddresses: options.allowLocalAddresses ?? false,
  });
  return crds(api, {
    webhook: conversionWebhook({ call, clock, random }),
    ...(options.converters === undefined ? {} : { converters: options.converters }),
  });
}

/** How long a store may take to answer before it counts as gone. */
const storeTimeoutMs = 2_000;

/** Under upstream's names, whatever the store is: those who probe exclude checks by them. */
function storeChecks(store: Store, clock: Clock): readonly HealthCheck[] {
  const answers = async (): Promise<undefined> => {
    const late = new AbortController();
    const timer = clock.setTimeout(() => late.abort(new Error("the store does not answer")), storeTimeoutMs);
    try {
      await store.revision({ signal: late.signal });
    } finally {
      timer.cancel();
    }
  };
  return [
    { name: "log", check: () => undefined },
    { name: "etcd", check: answers },
    { name: "etcd-readiness", endpoints: ["readyz"], check: answers },
  ];
}

const everybodyIsAdmin: Authenticator = {
  name: "insecure",
  authenticate: () => ({
    user: { username: "system:unsecured", groups: ["system:masters", "system:authenticated"] },
  }),
};

function reviews(
  authorizer: DefaultAuthorizer,
  tokenAuthenticators: readonly TokenAuthenticator[],
  {
    tokens,
    audiences,
    clock,
    cache,
  }: {
    readonly tokens: TokenIssuer;
    readonly audiences: readonly string[];
    readonly clock: Clock;
    readonly cache: CacheReader;
  },
): ReadonlyMap<string, VirtualResource> {
  return new Map<string, VirtualResource>([
    ["authentication.k8s.io/tokenreviews", tokenReviewEvaluator({ tokens: tokenAuthenticators, audiences })],
    ["authentication.k8s.io/selfsubjectreviews", selfSubjectReviewEvaluator(clock)],
    ["authorization.k8s.io/subjectaccessreviews", subjectAccessReviewEvaluator(authorizer)],
    ["authorization.k8s.io/localsubjectaccessreviews", localSubjectAccessReviewEvaluator(authorizer)],
    ["authorization.k8s.io/selfsubjectaccessreviews", selfSubjectAccessReviewEvaluator(authorizer)],
    ["authorization.k8s.io/selfsubjectrulesreviews", selfSubjectRulesReviewEvaluator(authorizer.rulesFor)],
    ["/serviceaccounts/token", tokenRequestEvaluator({ issuer: tokens, cache, clock, audiences, authorizer })],
  ]);
}
