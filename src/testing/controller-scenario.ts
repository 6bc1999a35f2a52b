import { builtinDescriptions } from "../api/describe/index.js";
import {
  type ApiRequest,
  type CoreEvent,
  coreEvents,
  type KubeList,
  type KubeObject,
  type New,
  type Pod,
  pods,
  type ResourceType,
  type Status,
  type Transport,
  type UserInfo,
  type WatchEvent,
} from "../api/index.js";
import { builtinStrategies } from "../api/kinds/index.js";
import { controllerRoles } from "../apiserver/authz/bootstrap/controller-roles.js";
import { subjectAccessReviewEvaluator } from "../apiserver/authz/reviews.js";
import { ApiServer } from "../apiserver/index.js";
import { type Client, createClient } from "../client/index.js";
import { identities } from "../cluster/identities.js";
import { createManager, type ManagerOptions } from "../controllers/manager.js";
import { timestamp } from "../internal/clock.js";
import { seededRandom } from "../internal/random.js";
import { VirtualClock } from "../internal/virtual-clock.js";
import { MemoryStore } from "../store/index.js";
import { UpstreamRights } from "./upstream-rights.js";

/** Accounts of upstream's controllers; a controller of somebody else's may do everything. */
const known: ReadonlySet<string> = new Set(Object.keys(controllerRoles));

/** Sees every request on its way to a server, and may make it fail. */
export class Tap implements Transport {
  readonly requests: ApiRequest[] = [];
  /** What is behind an APIService, for those that ask; absent: nobody can be asked. */
  behind: Transport["discover"];
  /** Called before every request; what it throws is what the client gets. */
  intercept: ((request: ApiRequest) => void | Promise<void>) | undefined;
  readonly #transport: Transport;
  readonly #order = new Map<string, number>();

  /** Sorts by when things were created. */
  inOrder<T extends KubeObject>(objects: readonly T[]): readonly T[] {
    const place = ({ metadata }: T): number => this.#order.get(metadata.uid) ?? -1;
    return [...objects].sort((a, b) => place(a) - place(b));
  }

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The same tap on another way in. */
  on(transport: Transport): Transport {
    return {
      request: (request) => this.#request(request, transport),
      watch: (request) => this.#watch(request, transport),
      ...(this.behind === undefined ? {} : { discover: this.behind }),
    };
  }

  request(request: ApiRequest): Promise<KubeObject | KubeList | Status> {
    return this.#request(request, this.#transport);
  }

  watch(request: ApiRequest): AsyncIterable<readonly WatchEvent[]> {
    return this.#watch(request, this.#transport);
  }

  async #request(request: ApiRequest, transport: Transport): Promise<KubeObject | KubeList | Status> {
    this.requests.push(request);
    await this.intercept?.(request);
    const result = await transport.request(request);
    if (request.verb === "create" && "metadata" in result && "uid" in result.metadata) {
      this.#order.set(result.metadata.uid, this.#order.size);
    }
    return result;
  }

  #watch(request: ApiRequest, transport: Transport): AsyncIterable<readonly WatchEvent[]> {
    this.requests.push(request);
    return transport.watch(request);
  }
}

/**
 * Controllers at work on virtual time over the API server in memory, with somebody who runs the pods. Those that there are
 * upstream have the rights that they have there and no others: a scenario in which one is refused anything fails.
 */
export class Scenario {
  readonly clock: VirtualClock = new VirtualClock();
  readonly api: Tap;
  readonly server: ApiServer;
  readonly rights: UpstreamRights = new UpstreamRights();
  readonly #serving = new AbortController();
  readonly client: Client;
  /** Called for each pod that has no phase yet; gives its status. Absent: it becomes ready at once. */
  onPod: ((pod: Pod) => Pod["status"] | undefined) | undefined;
  /** Whether pods run and end at all. */
  kubelet = true;
  readonly problems: string[] = [];
  readonly #options: Omit<ManagerOptions, "client" | "clock" | "random">;
  #started = false;
  #stop: AbortController | undefined;
  #running: Promise<void> | undefined;

  constructor(options: Omit<ManagerOptions, "client" | "clock" | "random">) {
    const random = seededRandom(1);
    const store = new MemoryStore({ clock: this.clock });
    const resources = builtinDescriptions(builtinStrategies);
    this.server = new ApiServer({
      store,
      resources,
      clock: this.clock,
      random,
      authorizer: this.rights.authorizer,
      virtualResources: ({ cacheReader }) => {
        // Asked on behalf of others: what is refused to them is no failing of the controllers.
        const evaluate = subjectAccessReviewEvaluator(new UpstreamRights().authorizer(cacheReader));
        return new Map([["authorization.k8s.io/subjectaccessreviews", evaluate]]);
      },
    });
    this.api = new Tap(this.server.transport());
    this.client = createClient(this.api);
    this.#options = options;
  }

  /** Starts the controllers, with nothing in their heads. */
  async start(): Promise<void> {
    if (!this.#started) {
      this.#started = true;
      await new Promise<void>((ready) => {
        void this.server.component.run({ signal: this.#serving.signal, ready });
      });
    }
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const logger = {
      debug: () => {},
      info: () => {},
      warn: (message: string, fields?: object) => void this.problems.push(`${message} ${describe(fields)}`),
      error: (message: string, fields?: object) => void this.problems.push(`${message} ${describe(fields)}`),
    };
    const manager = createManager({
      logger,
      ...this.#options,
      client: this.#clientAs(identities.controllerManager),
      clientFor: (account) => (known.has(account) ? this.#clientAs(identities.controller(account)) : this.client),
      clock: this.clock,
      random: seededRandom(2),
    });
    await new Promise<void>((resolve) => {
      this.#running = manager.run({ signal, ready: resolve });
    });
    await this.settle();
  }

  #clientAs(user: UserInfo): Client {
    return createClient(this.api.on(this.server.transport(user, "kube-controller-manager")));
  }

  async stop(): Promise<void> {
    this.#stop?.abort();
    await this.clock.advance(0);
    await this.#running;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Lets controllers and pods react until nothing is written any more, without time passing. */
  async settle(): Promise<void> {
    for (let round = 0; round < 500; round++) {
      const before = this.api.requests.length;
      await this.#breathe();
      if (this.kubelet) await this.#runPods();
      await this.#breathe();
      this.rights.check();
      if (this.api.requests.filter((request, index) => index >= before && request.verb !== "list").length === 0) return;
    }
    throw new Error("it does not settle");
  }

  /** Lets time pass, in steps, so that what happens is reacted to in order. */
  async advance(durationMs: number, stepMs = 1000): Promise<void> {
    await this.settle();
    for (let left = durationMs; left > 0; left -= stepMs) {
      await this.clock.advance(Math.min(left, stepMs));
      await this.settle();
    }
  }

  async #breathe(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await this.clock.advance(0);
  }

  create<T extends KubeObject>(resource: ResourceType<T>, object: New<T>): Promise<T> {
    return this.client.create(resource, object);
  }

  async list<T extends KubeObject>(resource: ResourceType<T>, labelSelector?: string): Promise<readonly T[]> {
    return this.api.inOrder((await this.client.list(resource, { labelSelector })).items);
  }

  async get<T extends KubeObject>(
    resource: ResourceType<T>,
    name: string,
    namespace = "default",
  ): Promise<T | undefined> {
    const all = await this.list(resource);
    return all.find(({ metadata }) => metadata.name === name && (metadata.namespace ?? namespace) === namespace);
  }

  async change<T extends KubeObject>(
    resource: ResourceType<T>,
    name: string,
    body: object,
    subresource?: string,
    namespace = "default",
  ): Promise<T> {
    return this.client.patch(resource, { namespace, name }, { type: "merge", body }, { subresource });
  }

  delete<T extends KubeObject>(
    resource: ResourceType<T>,
    name: string,
    options: object = {},
    namespace = "default",
  ): Promise<unknown> {
    return this.client.delete(resource, { namespace, name }, options);
  }

  /** `reason: message` of all events about an object. */
  async eventsOf(name: string): Promise<readonly string[]> {
    const all: readonly CoreEvent[] = await this.list(coreEvents);
    return all
      .filter((event) => event.involvedObject.name === name)
      .map(({ reason, message }) => `${reason}: ${message}`);
  }

  async #runPods(): Promise<void> {
    for (const pod of await this.list(pods)) {
      const { metadata, status } = pod;
      if (metadata.deletionTimestamp !== undefined) {
        if (metadata.deletionGracePeriodSeconds !== 0) {
          await this.client.delete(pods, metadata, { gracePeriodSeconds: 0 }).catch(() => {});
        }
      } else if ((status?.phase ?? "Pending") === "Pending") {
        const next = this.onPod === undefined ? readyStatus(this.clock) : this.onPod(pod);
        if (next !== undefined)
          await this.client.patch(pods, metadata, { type: "merge", body: { status: next } }, { subresource: "status" });
      }
    }
  }
}

export function readyStatus(clock: VirtualClock, ready = true): NonNullable<Pod["status"]> {
  const lastTransitionTime = timestamp(clock);
  return {
    phase: "Running",
    podIP: "10.0.0.1",
    conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime }],
  };
}

function describe(fields: object | undefined): string {
  const { error, ...others } = (fields ?? {}) as { readonly error?: unknown };
  return `${JSON.stringify(others)} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
