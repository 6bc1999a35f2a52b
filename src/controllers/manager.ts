import { setMaxListeners } from "node:events";
import type { ResourceDescription } from "../api/index.js";
import { type Client, createEventRecorder, InformerFactory, LeaderElector } from "../client/index.js";
import { type Clock, realClock } from "../internal/clock.js";
import type { Component, ComponentContext } from "../internal/component.js";
import { type Logger, silentLogger, withFields } from "../internal/logger.js";
import { type Random, systemRandom } from "../internal/random.js";
import type { Controller, ControllerContext, ControllerMetrics, RunningController } from "./controller.js";

export interface LeaderElectionOptions {
  /** Unique among the candidates: `<host>_<uid>`. */
  readonly identity: string;
  /** Default `kube-system`. */
  readonly namespace?: string;
  /** Of the Lease. Default `kube-controller-manager`. */
  readonly name?: string;
  readonly leaseDurationMs?: number;
  readonly renewDeadlineMs?: number;
  readonly retryPeriodMs?: number;
}

export interface ManagerOptions {
  readonly client: Client;
  readonly controllers: readonly Controller[];
  /**
   * Which of them to run, as upstream's `--controllers`: `*` is all that are on by default, `name` runs one, `-name` leaves one
   * out; the first that speaks of a controller counts. Default `*`.
   */
  readonly select?: readonly string[] | undefined;
  /**
   * A client with the rights of a service account in kube-system, for the controllers that work as it: upstream's
   * `--use-service-account-credentials`. Informers are shared, and so read as `client`. Default: `client` for all.
   */
  readonly clientFor?: ((account: string, controller: string) => Client) | undefined;
  readonly leaderElection?: LeaderElectionOptions | undefined;
  /** Shared with other parts of the process. Default: one of its own. The owner starts and stops it. */
  readonly informers?: InformerFactory | undefined;
  readonly metrics?: ControllerMetrics | undefined;
  /**
   * What the API serves now: by it the expressions of policies are checked, and objects of storages of one's own go with their
   * namespaces and owners. Absent: the built-in kinds, and custom ones where the API tells of them.
   */
  readonly served?: (() => readonly ResourceDescription[]) | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly logger?: Logger | undefined;
}

/** Runs controllers over shared informers. Ready when they work, or, with leader election, when it stands for election. */
export interface ControllerManager extends Component {
  /** The names of those that are chosen. */
  readonly controllers: readonly string[];
  /** None has anything queued or under way. */
  readonly idle: boolean;
}

export function createManager(options: ManagerOptions): ControllerManager {
  return new Manager(options);
}

/** Those of `controllers` that `select` chooses. A name that is nobody's is an error. */
export function selectControllers(
  controllers: readonly Controller[],
  select: readonly string[] = ["*"],
): readonly Controller[] {
  for (const word of select) {
    const name = word.replace(/^-/, "");
    if (name !== "*" && !controllers.some((controller) => answersTo(controller, name))) {
      throw new Error(`"${word}" is not in the list of known controllers`);
    }
  }
  return controllers.filter((controller) => {
    for (const word of select) {
      if (word === "*") continue;
      if (answersTo(controller, word)) return true;
      if (word.startsWith("-") && answersTo(controller, word.slice(1))) return false;
    }
    return select.includes("*") && controller.optIn !== true;
  });
}

function answersTo(controller: Controller, name: string): boolean {
  return controller.name === name || (controller.aliases ?? []).includes(name);
}

class Manager implements ControllerManager {
  readonly name = "controller-manager";
  readonly dependencies: readonly string[] = ["apiserver"];
  readonly #options: ManagerOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #chosen: readonly Controller[];
  #running: readonly RunningController[] = [];

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#random = options.random ?? systemRandom;
    this.#logger = options.logger ?? silentLogger;
    this.#chosen = selectControllers(options.controllers, options.select);
  }

  get controllers(): readonly string[] {
    return this.#chosen.map((controller) => controller.name);
  }

  get idle(): boolean {
    return this.#running.every((controller) => controller.idle);
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    const { leaderElection, client } = this.#options;
    if (leaderElection === undefined) return this.#runControllers(signal, ready);
    const elector = new LeaderElector({
      client,
      namespace: "kube-system",
      name: "kube-controller-manager",
      clock: this.#clock,
      random: this.#random,
      logger: this.#logger,
      ...leaderElection,
    });
    ready();
    // Lost leadership ends everything that was begun under it; then it stands for election again.
    while (!signal.aborted) await elector.run(signal, (leading) => this.#runControllers(leading, () => {}));
  }

  async #runControllers(signal: AbortSignal, ready: () => void): Promise<void> {
    // Every controller and informer listens to it; many listeners are no leak.
    setMaxListeners(0, signal);
    const clock = this.#clock;
    const { client, metrics = {}, clientFor, served } = this.#options;
    const own = this.#options.informers === undefined;
    const informers =
      this.#options.informers ?? new InformerFactory({ client, clock, random: this.#random, logger: this.#logger });
    const recorders: AsyncDisposable[] = [];
    const synced: Promise<void>[] = [];
    try {
      this.#running = this.#chosen.map((controller) => {
        const logger = withFields(this.#logger, { controller: controller.name });
        const account = controller.account ?? controller.name;
        const ownClient = account === false ? client : (clientFor?.(account, controller.name) ?? client);
        const component = controller.eventSource ?? controller.name;
        const events = createEventRecorder({ client: ownClient, component, clock, random: this.#random, logger });
        recorders.push(events);
        const context: ControllerContext = {
          client: ownClient,
          clock,
          random: this.#random,
          logger,
          events,
          informers,
          metrics,
          served,
          informer: (resource, options) => {
            const informer = informers.informer(resource, options);
            synced.push(informer.whenSynced(signal).catch(() => {}));
            return informer;
          },
        };
        return controller.setup(context);
      });
      if (own) informers.start(signal);
      await Promise.all(synced);
      if (signal.aborted) return;
      const running = this.#running.map((controller) => controller.run(signal));
      ready();
      await Promise.all(running);
    } finally {
      this.#running = [];
      await Promise.all(recorders.map((recorder) => recorder[Symbol.asyncDispose]()));
      if (own) await informers[Symbol.asyncDispose]();
    }
  }
}
