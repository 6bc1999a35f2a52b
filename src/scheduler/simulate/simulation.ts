import { type Node, type Pod, statusErrors } from "../../api/index.js";
import { discardEvents } from "../../client/index.js";
import { silentLogger } from "../../internal/logger.js";
import { type Random, seededRandom } from "../../internal/random.js";
import type { VirtualClock } from "../../internal/virtual-clock.js";
import { type PodInfo, podInfo } from "../cache/pod-info.js";
import { SchedulerCore } from "../core.js";
import type { ClusterListers } from "../framework/listers.js";
import { QuantityCache } from "../framework/resources.js";
import type { SchedulerProfile } from "../profile.js";
import type { ClusterWrites, PodStatusChange } from "../writes.js";
import { Meter, type SimulationSample } from "./meter.js";
import type { TracePod, WorkloadTrace } from "./trace.js";

const podResource = { group: "", resource: "pods" };
const nodeResource = { group: "", resource: "nodes" };

/** One pod of the trace, in all its lives. */
interface Job {
  readonly traced: TracePod;
  /** As the scheduler's API would have it; its uid changes with each life. */
  pod: Pod;
  info: PodInfo;
  lives: number;
  firstStartMs: number | undefined;
  finished: boolean;
}

export interface SimulationOptions {
  readonly trace: WorkloadTrace;
  readonly clock: VirtualClock;
  readonly profiles: (core: () => SchedulerCore) => readonly SchedulerProfile[];
  readonly listers: ClusterListers;
  readonly seed: number;
  readonly priceOf: (node: Node) => number;
  readonly sampleMs: number;
  readonly horizonMs: number;
}

export interface SimulationOutcome {
  readonly samples: readonly SimulationSample[];
  /** Per pod that has started, how long it waited for that. */
  readonly waitsMs: readonly number[];
  readonly started: number;
  readonly finished: number;
  readonly preemptions: number;
  readonly lost: number;
  readonly endMs: number;
  readonly totals: ReturnType<Meter["total"]>;
}

/** Replays a trace under one set of policies: a scheduler without a cluster, on a clock that jumps. */
export class Simulation {
  readonly #options: SimulationOptions;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #startMs: number;
  readonly #core: SchedulerCore;
  readonly #meter: Meter;
  readonly #jobs: readonly Job[];
  readonly #byUid = new Map<string, Job>();
  readonly #nodes = new Map<string, Node>();
  readonly #samples: SimulationSample[] = [];
  #waiting = 0;
  #running = 0;
  #unfinished = 0;
  #preemptions = 0;
  #lost = 0;
  #lastMs = 0;
  #working = false;

  constructor(options: SimulationOptions) {
    const { trace, clock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#random = seededRandom(options.seed);
    this.#startMs = clock.now();
    const quantities = new QuantityCache();
    this.#jobs = trace.pods.map((traced) => {
      const { pod } = traced;
      const info = podInfo(pod, quantities);
      return { traced, pod, info, lives: 0, firstStartMs: undefined, finished: false };
    });
    this.#meter = new Meter(quantities, median(this.#jobs), options.priceOf);
    this.#core = new SchedulerCore({
      profiles: options.profiles(() => this.#core),
      listers: options.listers,
      writes: this.#writes(),
      events: discardEvents,
      clock,
      random: this.#random,
      logger: silentLogger,
      onWork: () => this.#wake(),
      // Time stands still while policies think, so nothing can be told of how long they take.
      cycleBudgetMs: Number.POSITIVE_INFINITY,
    });
  }

  async run(): Promise<SimulationOutcome> {
    const { trace, sampleMs, horizonMs } = this.#options;
    for (const node of trace.nodes) this.#addNode(node);
    for (const job of this.#jobs) {
      if (job.traced.durationMs !== undefined) this.#unfinished++;
      this.#at(job.traced.atMs, () => this.#arrive(job));
    }
    for (const { nodeName, atMs, backAtMs } of trace.failures ?? []) {
      this.#at(atMs, () => this.#fail(nodeName));
      const node = trace.nodes.find(({ metadata }) => metadata.name === nodeName);
      if (backAtMs !== undefined && node !== undefined) this.#at(backAtMs, () => this.#addNode(node));
    }
    const spanMs = Math.max(0, ...trace.pods.map(({ atMs, durationMs = 0 }) => atMs + durationMs));
    this.#sample();
    while (this.#now < horizonMs && (this.#unfinished > 0 || this.#now < spanMs)) {
      await this.#clock.advance(Math.min(sampleMs, horizonMs - this.#now));
      this.#sample();
    }
    const outcome = this.#outcome();
    const closed = this.#core.close();
    await this.#clock.advance(0);
    await closed;
    return outcome;
  }

  get #now(): number {
    return this.#clock.now() - this.#startMs;
  }

  #at(atMs: number, event: () => void): void {
    this.#clock.setTimeout(() => {
      this.#meter.advance(this.#now);
      event();
    }, atMs);
  }

  /** After what is going on, never within it. */
  #wake(): void {
    if (this.#working) return;
    this.#working = true;
    void Promise.resolve().then(() => {
      this.#working = false;
      while (this.#core.work(1000) === 1000);
    });
  }

  #arrive(job: Job): void {
    const { pod } = job.traced;
    job.lives++;
    const uid = job.lives === 1 ? pod.metadata.uid : `${pod.metadata.uid}.${job.lives}`;
    job.pod = { ...pod, metadata: { ...pod.metadata, uid } };
    this.#byUid.set(uid, job);
    this.#waiting++;
    this.#core.setPod(job.pod, undefined);
  }

  #addNode(node: Node): void {
    this.#nodes.set(node.metadata.name, node);
    this.#meter.addNode(node);
    this.#core.setNode(node);
  }

  #fail(name: string): void {
    const node = this.#nodes.get(name);
    if (node === undefined) return;
    this.#lastMs = this.#now;
    const lost = [...this.#byUid.values()].filter(({ pod }) => pod.spec?.nodeName === name);
    for (const job of lost) this.#leave(job);
    this.#nodes.delete(name);
    this.#meter.removeNode(name);
    this.#core.deleteNode(node);
    this.#lost += lost.length;
    // As their controllers would see to it.
    for (const job of lost) this.#arrive(job);
  }

  /** The pod is gone, from its node or the queue. */
  #leave(job: Job): void {
    const nodeName = job.pod.spec?.nodeName;
    this.#byUid.delete(job.pod.metadata.uid);
    if (nodeName) {
      this.#running--;
      this.#meter.pod(nodeName, job.info, -1);
    } else this.#waiting--;
    this.#core.deletePod(job.pod);
  }

  #start(job: Job, nodeName: string): void {
    const old = job.pod;
    const spec = old.spec === undefined ? { containers: [], nodeName } : { ...old.spec, nodeName };
    const startTime = `${new Date(this.#clock.now()).toISOString().slice(0, 19)}Z`;
    job.pod = { ...old, spec, status: { ...old.status, phase: "Running", startTime } };
    job.firstStartMs ??= this.#now;
    this.#lastMs = this.#now;
    this.#waiting--;
    this.#running++;
    this.#meter.pod(nodeName, job.info, 1);
    this.#core.setPod(job.pod, old);
    const { uid } = old.metadata;
    const { durationMs } = job.traced;
    if (durationMs === undefined) return;
    this.#at(durationMs, () => {
      if (this.#byUid.get(uid) !== job) return;
      job.finished = true;
      this.#unfinished--;
      this.#lastMs = this.#now;
      this.#leave(job);
    });
  }

  #writes(): ClusterWrites {
    /** As an answer from afar: not in the middle of what the scheduler is doing. */
    const jobOf = async ({ metadata: { uid, name } }: Pod): Promise<Job> => {
      await Promise.resolve();
      const job = this.#byUid.get(uid);
      if (job === undefined) throw statusErrors.notFound(podResource, name);
      return job;
    };
    return {
      bind: async (pod, nodeName) => {
        const job = await jobOf(pod);
        if (!this.#nodes.has(nodeName)) throw statusErrors.notFound(nodeResource, nodeName);
        this.#start(job, nodeName);
      },
      patchStatus: async (pod, change) => this.#patch(await jobOf(pod), change),
      evict: async (victim) => {
        const job = await jobOf(victim);
        this.#preemptions++;
        this.#leave(job);
        this.#arrive(job);
      },
    };
  }

  #patch(job: Job, { nominatedNodeName }: PodStatusChange): void {
    if (nominatedNodeName === undefined) return;
    const old = job.pod;
    job.pod = { ...old, status: { ...old.status, nominatedNodeName } };
    this.#core.setPod(job.pod, old);
  }

  #sample(): void {
    this.#meter.advance(this.#now);
    this.#samples.push({
      atMs: this.#now,
      ...this.#meter.now(),
      waiting: this.#waiting,
      running: this.#running,
    });
  }

  #outcome(): SimulationOutcome {
    const started = this.#jobs.filter(({ firstStartMs }) => firstStartMs !== undefined);
    return {
      samples: this.#samples,
      waitsMs: started.map(({ firstStartMs = 0, traced }) => firstStartMs - traced.atMs),
      started: started.length,
      finished: this.#jobs.filter(({ finished }) => finished).length,
      preemptions: this.#preemptions,
      lost: this.#lost,
      endMs: this.#lastMs,
      totals: this.#meter.total(),
    };
  }
}

function median(jobs: readonly Job[]): { readonly cpu: number; readonly memory: number } {
  const middle = (resource: string): number => {
    const sorted = jobs.map(({ info }) => info.requests.get(resource) ?? 0).sort((a, b) => a - b);
    return sorted[sorted.length >> 1] ?? 0;
  };
  return { cpu: middle("cpu"), memory: middle("memory") };
}
