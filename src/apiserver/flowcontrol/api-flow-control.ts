import type { FlowSchema, PriorityLevelConfiguration } from "../../api/index.js";
import { type Clock, every } from "../../internal/clock.js";
import type { Component, ComponentContext } from "../../internal/component.js";
import { mandatoryLevels, mandatorySchemas } from "../bootstrap/flow-control.js";
import { Classifier, inMatchingOrder, type RankedSchema } from "./classifier.js";
import { adjustedLimits, seatLimits } from "./concurrency.js";
import type { FlowControl, FlowRequest, FlowTicket } from "./flow-control.js";
import { FlowSeries, flowMetricsText } from "./flow-metrics.js";
import { levelSettings, PriorityLevel } from "./priority-level.js";
import type { Configured } from "./schema-matcher.js";
import { Ticket } from "./ticket.js";
import { estimateSeats, type SizeOf } from "./work-estimate.js";

/** How often seats are moved to where they are wanted, as upstream. */
const adjustmentMs = 10_000;
/** The longest wait in a queue: a quarter of the time that a request has by default. */
const defaultMaxWaitMs = 15_000;

/** The objects that say how requests are treated. */
export interface FlowConfig {
  /** Another number whenever any of the objects has changed. */
  generation(): number;
  schemas(): readonly FlowSchema[];
  levels(): readonly PriorityLevelConfiguration[];
}

export interface ApiFlowControlOptions {
  readonly config: FlowConfig;
  /** How many seats all levels have together. */
  readonly seats: number;
  readonly sizeOf: SizeOf;
  readonly clock: Clock;
  readonly maxWaitMs?: number;
}

/**
 * API Priority and Fairness by the FlowSchemas and PriorityLevelConfigurations that there are, and the mandatory ones, which work also where their objects are
 * missing. Changed objects count from the next request on. While it runs, levels lend seats to each other.
 */
export class ApiFlowControl implements FlowControl, Component {
  readonly name = "flow-control";
  readonly #options: ApiFlowControlOptions;
  readonly #maxWaitMs: number;
  readonly #series = new Map<string, FlowSeries>();
  #levels: ReadonlyMap<string, PriorityLevel> = new Map();
  #classifier: Classifier;
  #generation: number;

  constructor(options: ApiFlowControlOptions) {
    this.#options = options;
    this.#maxWaitMs = options.maxWaitMs ?? defaultMaxWaitMs;
    this.#generation = options.config.generation();
    this.#classifier = this.#digest();
  }

  /** By name. */
  get levels(): readonly PriorityLevel[] {
    this.#refresh();
    return [...this.#levels.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  admit(request: FlowRequest): FlowTicket {
    this.#refresh();
    const { clock, sizeOf } = this.#options;
    const flow = this.#classifier.flowOf(request);
    const ticket = new Ticket(flow, request, estimateSeats(request, sizeOf, flow.level), clock);
    ticket.enter(Math.min(this.#maxWaitMs, request.timeLeftMs / 4));
    return ticket;
  }

  metrics(): string {
    return flowMetricsText(this.#series.values(), this.levels);
  }

  async run({ signal, ready }: ComponentContext): Promise<void> {
    ready();
    await every(this.#options.clock, adjustmentMs, signal, () => {
      this.#refresh();
      this.#adjust();
    });
  }

  #refresh(): void {
    const generation = this.#options.config.generation();
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#classifier = this.#digest();
  }

  #digest(): Classifier {
    const { config } = this.#options;
    const levels = new Map<string, PriorityLevel>();
    for (const one of config.levels()) this.#addLevel(levels, one);
    const found = config.schemas().flatMap((schema) => ranked(schema, levels) ?? []);
    const schemas = [...inMatchingOrder(found)];
    for (const one of mandatoryLevels) if (!levels.has(one.metadata.name)) this.#addLevel(levels, one);
    for (const mandatory of mandatorySchemas) {
      const { name } = mandatory.metadata;
      const one = ranked(mandatory, levels);
      if (one === undefined || found.some(({ schema }) => schema.metadata.name === name)) continue;
      if (name === "exempt") schemas.unshift(one);
      else schemas.push(one);
    }
    for (const [name, level] of this.#levels) {
      if (levels.has(name) || level.queues.idle) continue;
      level.quiescing = true;
      levels.set(name, level);
    }
    this.#levels = levels;
    this.#divide();
    this.#forgetSeries(schemas);
    return new Classifier(schemas, (schema, level) => this.#seriesOf(schema, level));
  }

  #addLevel(levels: Map<string, PriorityLevel>, configuration: Configured<PriorityLevelConfiguration>): void {
    const settings = levelSettings(configuration);
    if (settings === undefined) return;
    const { name } = configuration.metadata;
    const level = this.#levels.get(name) ?? new PriorityLevel(name, settings, this.#options.clock);
    level.settings = settings;
    level.quiescing = false;
    levels.set(name, level);
  }

  /** Levels whose configuration is gone keep their part until their last request is done. */
  #divide(): void {
    const levels = [...this.#levels.values()];
    const shareSum = levels.reduce((sum, { settings }) => sum + settings.shares.shares, 0);
    for (const level of levels) level.limits = seatLimits(level.settings.shares, shareSum, this.#options.seats);
    this.#adjust();
  }

  #adjust(): void {
    const now = this.#options.clock.now();
    const levels = [...this.#levels.values()].filter((level) => !level.quiescing || !level.queues.idle);
    this.#levels = new Map(levels.map((level) => [level.name, level]));
    for (const { demand } of levels) demand.endPeriod(now);
    const limits = adjustedLimits(levels.map(({ claim }) => claim));
    for (const [at, level] of levels.entries()) level.setCurrent(limits[at] as number);
  }

  #seriesOf(schema: string, level: string): FlowSeries {
    const key = `${schema}/${level}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const series = new FlowSeries(schema, level);
    this.#series.set(key, series);
    return series;
  }

  #forgetSeries(schemas: readonly RankedSchema[]): void {
    const kept = new Set(schemas.map(({ schema, level }) => `${schema.metadata.name}/${level.name}`));
    for (const [key, series] of this.#series) if (!kept.has(key) && !series.busy) this.#series.delete(key);
  }
}

/** undefined: its level is not there, so that the schema counts for nothing. */
function ranked(schema: Configured<FlowSchema>, levels: ReadonlyMap<string, PriorityLevel>): RankedSchema | undefined {
  const level = levels.get(schema.spec?.priorityLevelConfiguration.name ?? "");
  return level && { schema, level };
}
