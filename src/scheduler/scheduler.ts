import type { Pod } from "../api/index.js";
import {
  type Client,
  createEventSeriesRecorder,
  type EventRecorder,
  InformerFactory,
  LeaderElector,
  type LeaderElectorOptions,
} from "../client/index.js";
import { type Clock, realClock } from "../internal/clock.js";
import type { Component, ComponentContext } from "../internal/component.js";
import { type Logger, silentLogger } from "../internal/logger.js";
import { type Random, systemRandom } from "../internal/random.js";
import { SchedulerCore } from "./core.js";
import type { WeightedPolicy } from "./engine/class-cache.js";
import type { Explanation } from "./explain.js";
import type { Extender } from "./extender/extender.js";
import { ClusterFeed } from "./feed.js";
import type { SchedulingPolicy } from "./framework/policy.js";
import { defaultPolicies } from "./policies/default-policies.js";
import { defaultSchedulerName, type SchedulerProfile } from "./profile.js";
import type { ShadowOptions, ShadowSummary } from "./shadow.js";
import type { WaitingPod } from "./waiting-pods.js";
import { clientWrites } from "./writes.js";

export interface SchedulerOptions {
  readonly client: Client;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** One profile of this name per way of scheduling. Absent: `default-scheduler` with `policies`. */
  readonly profiles?: readonly SchedulerProfile[];
  /** Of the only profile; absent: `defaultPolicies()`. */
  readonly policies?: readonly (SchedulingPolicy | WeightedPolicy)[];
  /** Where "Scheduled" and the like go; absent: events of the API. */
  readonly events?: EventRecorder;
  /** Where it runs, as events say it: `default-scheduler-HOST` reports them. Absent: not said. */
  readonly host?: string | undefined;
  /** Absent: this one always schedules. */
  readonly leaderElection?: Pick<LeaderElectorOptions, "namespace" | "name" | "identity"> &
    Partial<Pick<LeaderElectorOptions, "leaseDurationMs" | "renewDeadlineMs" | "retryPeriodMs">>;
  /** Bindings under way at once; default 1000. */
  readonly maxBindings?: number;
  readonly initialBackoffMs?: number;
  readonly maxBackoffMs?: number;
  /** Policies to compare with, which decide nothing. */
  readonly shadow?: ShadowOptions;
  /** Asked about each pod after the policies. */
  readonly extenders?: readonly Extender[];
}

/** Binds pods that have no node, and whose schedulerName is that of a profile, to nodes. */
export interface Scheduler extends Component {
  /** Replaces all policies while running. No pod is lost, and none is bound twice. Throws for profiles that do not go together. */
  setProfiles(profiles: readonly SchedulerProfile[]): void;
  /** Replaces the shadow, or ends it, while running. Its counts start anew. */
  setShadow(shadow: ShadowOptions | undefined): void;
  /** What the shadow found; `undefined` without one, or while not running. */
  readonly shadow: ShadowSummary | undefined;
  /** Pods that wait for the permission of a policy. */
  waitingPods(): readonly WaitingPod[];
  waitingPod(uid: string): WaitingPod | undefined;
  /**
   * Why the pod would go where it goes as things are now; `undefined` while not running or without a profile for it. Looks at every
   * node through every policy's plain methods, so it costs much more than scheduling. Throws PolicyError.
   */
  explain(pod: Pod): Explanation | undefined;
  /** How many pods are where. */
  readonly counts: {
    readonly active: number;
    readonly backoff: number;
    readonly resting: number;
    readonly binding: number;
  };
}

/** Pods that are decided before other work in the process gets its turn. */
const batch = 32;

export function createScheduler(options: SchedulerOptions): Scheduler {
  return new ApiScheduler(options);
}

class ApiScheduler implements Scheduler {
  readonly name = "scheduler";
  readonly dependencies: readonly string[] = ["apiserver"];
  readonly #options: SchedulerOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  #profiles: readonly SchedulerProfile[];
  #shadow: ShadowOptions | undefined;
  #core: SchedulerCore | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#random = options.random ?? systemRandom;
    this.#logger = options.logger ?? silentLogger;
    this.#shadow = options.shadow;
    this.#profiles = options.profiles ?? [{ policies: options.policies ?? defaultPolicies() }];
  }

  get counts(): Scheduler["counts"] {
    const counts = this.#core?.queue.counts ?? { active: 0, backoff: 0, resting: 0 };
    return { ...counts, binding: this.#core?.bindings ?? 0 };
  }

  setProfiles(profiles: readonly SchedulerProfile[]): void {
    this.#core?.setProfiles(profiles);
    this.#profiles = profiles;
  }

  setShadow(shadow: ShadowOptions | undefined): void {
    this.#core?.setShadow(shadow);
    this.#shadow = shadow;
  }

  get shadow(): ShadowSummary | undefined {
    return this.#core?.shadow;
  }

  explain(pod: Pod): Explanation | undefined {
    return this.#core?.explain(pod);
  }

  waitingPods(): readonly WaitingPod[] {
    return this.#core?.waiting.list() ?? [];
  }

  waitingPod(uid: string): WaitingPod | undefined {
    return this.#core?.waiting.get(uid);
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    const { leaderElection, client } = this.#options;
    if (leaderElection === undefined) return this.#lead(signal, ready);
    const timing = { clock: this.#clock, random: this.#random, logger: this.#logger };
    const elector = new LeaderElector({ client, ...timing, ...leaderElection });
    // A candidate is as ready as it will be; it may wait for ever.
    ready();
    const why = await elector.run(signal, (leading) => this.#lead(leading, () => {}));
    if (why === "lost") throw new Error("the scheduler lost its leadership");
  }

  async #lead(signal: AbortSignal, ready: () => void): Promise<void> {
    const { client, host, maxBindings, initialBackoffMs, maxBackoffMs } = this.#options;
    const common = { clock: this.#clock, random: this.#random, logger: this.#logger };
    const recorder =
      this.#options.events === undefined
        ? createEventSeriesRecorder({ client, component: defaultSchedulerName, host, ...common, queueLimit: 10_000 })
        : undefined;
    const factory = new InformerFactory({ client, ...common });
    const feed = new ClusterFeed(factory);
    const wake = new Wake();
    const core = new SchedulerCore({
      ...common,
      profiles: this.#profiles,
      client,
      listers: feed.listers,
      writes: clientWrites(client, this.#clock),
      events: this.#options.events ?? recorder ?? { event: () => {} },
      onWork: () => wake.ring(),
      maxBindings,
      initialBackoffMs,
      maxBackoffMs,
      shadow: this.#shadow,
      extenders: this.#options.extenders,
    });
    this.#core = core;
    const abort = (): void => wake.ring();
    signal.addEventListener("abort", abort);
    try {
      feed.connect(core);
      factory.start(signal);
      await factory.whenSynced();
      ready();
      await this.#loop(core, wake, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#core = undefined;
      await core.close();
      await factory[Symbol.asyncDispose]();
      await recorder?.[Symbol.asyncDispose]();
    }
  }

  async #loop(core: SchedulerCore, wake: Wake, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (core.work(batch) < batch) await wake.rung();
      // Bindings, events and, in one process, the API server want their turn.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}

/** Remembers being rung until somebody waits. */
class Wake {
  #rung = false;
  #resolve: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#resolve?.();
  }

  async rung(): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
    }
    this.#rung = false;
    this.#resolve = undefined;
  }
}
