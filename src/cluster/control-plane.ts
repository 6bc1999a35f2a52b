import { builtinDescriptions } from "../api/describe/index.js";
import type { ResourceDescription, UserInfo } from "../api/index.js";
import { builtinStrategies } from "../api/kinds/index.js";
import { defaultAdmission } from "../apiserver/admission/default-admission.js";
import { liveDeps } from "../apiserver/admission/live-deps.js";
import { admissionPolicies } from "../apiserver/admission/policies/plugins.js";
import { inScope, usageOf } from "../apiserver/admission/quota-usage.js";
import { admissionWebhooks } from "../apiserver/admission/webhook-plugins.js";
import { ensureNamespaces, ensurePriorityClasses } from "../apiserver/bootstrap/system-objects.js";
import { type CustomResourcesOptions, crds } from "../apiserver/crd/index.js";
import { type AdmissionPlugin, ApiServer, type OwnResource, serviceHooks } from "../apiserver/index.js";
import { type Client, createClient } from "../client/index.js";
import { builtinControllers, type Controller } from "../controllers/index.js";
import { type ControllerManager, createManager } from "../controllers/manager.js";
import { type Clock, realClock } from "../internal/clock.js";
import type { Component } from "../internal/component.js";
import { type Logger, silentLogger } from "../internal/logger.js";
import { type Random, systemRandom } from "../internal/random.js";
import { createHollowNodes, type HollowNodesOptions } from "../node/index.js";
import { createScheduler, type Scheduler, type SchedulerOptions } from "../scheduler/index.js";
import { MemoryStore, type Store } from "../store/index.js";
import { Supervisor } from "./supervisor.js";

export interface ControlPlaneOptions {
  /** Default: one in memory. A store that is handed in stays its owner's to dispose. */
  readonly store?: Store;
  /** Which controllers run, as upstream's `--controllers`. Default: all; empty: none. */
  readonly controllers?: readonly string[];
  /** Controllers of the user's own, run beside those. */
  readonly custom?: readonly Controller[];
  /** False: none; otherwise what the scheduler is given beside the client. Default: one, when there are nodes. */
  readonly scheduler?: false | Omit<SchedulerOptions, "client">;
  /** Hollow nodes, which run pods as records: how many (named `node-0`, `node-1` ...), or what they are. Default: none. */
  readonly nodes?: number | Omit<HollowNodesOptions, "client" | "clock">;
  /** Default: all built-in kinds. */
  readonly resources?: Iterable<ResourceDescription>;
  /** Resources with storages of their own. */
  readonly ownResources?: readonly OwnResource[];
  readonly admission?: readonly AdmissionPlugin[];
  /** How objects of custom resources come from one version to another. */
  readonly customResources?: CustomResourcesOptions;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
}

/**
 * Admission that needs a controller beside it to be of use: tests that run one controller would wait for service accounts and for
 * taints to go.
 */
const notAlone: readonly string[] = ["ServiceAccount", "TaintNodesByCondition"];

/** A whole control plane in this process, without sockets. */
export interface ControlPlane extends AsyncDisposable {
  /** May do everything. */
  readonly client: Client;
  readonly server: ApiServer;
  readonly scheduler: Scheduler | undefined;
  clientFor(user: UserInfo): Client;
  /**
   * Resolves when nothing is left to do: no controller, scheduler or node has work under way, and none of it has changed anything
   * since. What waits for a point in time (back-off, a grace period) does not count. Rejects when `signal` aborts.
   */
  settled(signal?: AbortSignal): Promise<void>;
  /** Stops everything; resolves when nothing of it is left. Idempotent. */
  stop(): Promise<void>;
}

export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const clock = options.clock ?? realClock;
  const random = options.random ?? systemRandom;
  const logger = options.logger ?? silentLogger;
  const shared = { clock, random, logger };
  const store = options.store ?? new MemoryStore({ clock });
  const server = new ApiServer({
    store,
    resources: options.resources ?? builtinDescriptions(builtinStrategies),
    ownResources: options.ownResources ?? [],
    ...shared,
    admission: (api) => [
      ...defaultAdmission({
        cache: api.cacheReader,
        clock,
        random,
        disabled: notAlone,
        policies: admissionPolicies(api, liveDeps(api)),
        webhooks: admissionWebhooks(api, { ...liveDeps(api), allowLocalAddresses: true }),
        ...liveDeps(api),
      }),
      ...(options.admission ?? []),
    ],
    hooks: (api) => serviceHooks(api, { store }),
  });
  const client = createClient(server.transport());
  const parts: Component[] = [apiPart(server), ...customResourceParts(server, options.customResources)];
  const manager = managerOf(options, { client, served: () => server.table.all(), ...shared });
  const nodes = hollowNodes(options.nodes, client, shared);
  const scheduler =
    options.scheduler === false || (options.scheduler === undefined && nodes === undefined)
      ? undefined
      : createScheduler({ ...shared, ...(options.scheduler || {}), client });
  if (scheduler !== undefined) parts.push(scheduler);
  if (manager !== undefined) parts.push(manager);
  if (nodes !== undefined) parts.push(...nodes);
  const supervisor = new Supervisor();
  const stop = async (): Promise<void> => {
    await supervisor.stop();
    if (options.store === undefined) await store[Symbol.asyncDispose]();
  };
  try {
    await supervisor.start(parts);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    client,
    server,
    scheduler,
    clientFor: (user) => createClient(server.transport(user)),
    settled: (signal) => settled(server, [manager, scheduler && schedulerWork(scheduler)], signal),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Custom resources, where there are definitions of them to follow. */
function customResourceParts(server: ApiServer, options: CustomResourcesOptions | undefined): readonly Component[] {
  if (server.lookup("apiextensions.k8s.io", "v1", "customresourcedefinitions") === undefined) return [];
  const part = crds(server, options);
  return [{ name: part.name, dependencies: ["apiserver"], run: (context) => part.run(context) }];
}

/** The API server with the objects that every cluster has. */
function apiPart(server: ApiServer): Component {
  return {
    name: "apiserver",
    run: ({ signal, ready }) =>
      server.component.run({
        signal,
        ready: () => {
          const transport = server.transport();
          // A server of fewer kinds has fewer of them.
          const has = (group: string, resource: string): boolean => server.lookup(group, "v1", resource) !== undefined;
          const wanted = [
            ...(has("", "namespaces") ? [ensureNamespaces(transport)] : []),
            ...(has("scheduling.k8s.io", "priorityclasses") ? [ensurePriorityClasses(transport)] : []),
          ];
          void Promise.all(wanted).then(ready);
        },
      }),
  };
}

interface Shared {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

function managerOf(
  options: ControlPlaneOptions,
  shared: Shared & { readonly client: Client; readonly served: () => readonly ResourceDescription[] },
): ControllerManager | undefined {
  const { custom = [] } = options;
  const select = [...custom.map(({ name }) => name), ...(options.controllers ?? ["*"])];
  const controllers = [...custom, ...builtinControllers({ quota: { usageOf, inScope } })];
  return select.length === 0 ? undefined : createManager({ ...shared, select, controllers });
}

function hollowNodes(nodes: ControlPlaneOptions["nodes"], client: Client, shared: Shared): Component[] | undefined {
  if (nodes === undefined || nodes === 0) return undefined;
  const what =
    typeof nodes === "number" ? { names: Array.from({ length: nodes }, (_, index) => `node-${index}`) } : nodes;
  const { agents, podSource } = createHollowNodes({ ...shared, ...what, client });
  const source: Component = {
    name: "hollow-pods",
    dependencies: ["apiserver"],
    run: async ({ signal, ready }) => {
      const running = podSource.run(signal);
      await podSource.whenSynced(signal).catch(() => {});
      ready();
      await running;
    },
  };
  const dependencies = ["apiserver", "hollow-pods"];
  return [source, ...agents.map((agent) => ({ name: agent.name, dependencies, run: agent.run.bind(agent) }))];
}

function schedulerWork(scheduler: Scheduler): { readonly idle: boolean } {
  return {
    get idle() {
      const { active, binding } = scheduler.counts;
      return active === 0 && binding === 0;
    },
  };
}

/** How many turns of the event loop without a change count as silence. */
const quietTurns = 4;

async function settled(
  server: ApiServer,
  busy: readonly ({ readonly idle: boolean } | undefined)[],
  signal: AbortSignal | undefined,
): Promise<void> {
  let quiet = 0;
  let revision = server.cache.revision;
  while (quiet < quietTurns) {
    signal?.throwIfAborted();
    await new Promise<void>((resolve) => setImmediate(resolve));
    const still = server.cache.revision === revision && busy.every((part) => part === undefined || part.idle);
    quiet = still ? quiet + 1 : 0;
    revision = server.cache.revision;
  }
}
