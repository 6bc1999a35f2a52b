import { family, Histogram } from "../../internal/histogram.js";
import type { PriorityLevel } from "./priority-level.js";

export type RejectReason = "concurrency-limit" | "queue-full" | "time-out" | "cancelled";

const waitBuckets: readonly number[] = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];

/** The figures of the requests of one FlowSchema in one priority level. */
export class FlowSeries {
  readonly level: string;
  readonly labels: string;
  readonly rejected: Map<RejectReason, number> = new Map();
  /** How long in seconds, by whether it was let in then. */
  readonly waited: { readonly true: Histogram; readonly false: Histogram } = {
    true: new Histogram(waitBuckets),
    false: new Histogram(waitBuckets),
  };
  dispatched = 0;
  queued = 0;
  executing = 0;
  seats = 0;

  constructor(schema: string, level: string) {
    this.level = level;
    this.labels = `flow_schema=${JSON.stringify(schema)},priority_level=${JSON.stringify(level)}`;
  }

  reject(reason: RejectReason): void {
    this.rejected.set(reason, (this.rejected.get(reason) ?? 0) + 1);
  }

  get busy(): boolean {
    return this.queued > 0 || this.executing > 0;
  }
}

const prefix = "apiserver_flowcontrol";

/** In Prometheus' text format, under upstream's names. */
export function flowMetricsText(all: Iterable<FlowSeries>, levels: Iterable<PriorityLevel>): string {
  const lines: string[] = [];
  const series = [...all];
  const perFlow = (name: string, type: string, help: string, value: (one: FlowSeries) => number): void => {
    family(lines, `${prefix}_${name}`, type, help);
    for (const one of series) lines.push(`${prefix}_${name}{${one.labels}} ${value(one)}`);
  };
  family(lines, `${prefix}_rejected_requests_total`, "counter", "Requests refused, by why.");
  for (const { labels, rejected } of series) {
    for (const [reason, count] of rejected) {
      lines.push(`${prefix}_rejected_requests_total{${labels},reason="${reason}"} ${count}`);
    }
  }
  perFlow("dispatched_requests_total", "counter", "Requests that were let in.", ({ dispatched }) => dispatched);
  perFlow("current_inqueue_requests", "gauge", "Requests that wait in queues.", ({ queued }) => queued);
  perFlow("current_executing_requests", "gauge", "Requests that have their seats.", ({ executing }) => executing);
  perFlow("current_executing_seats", "gauge", "Seats that requests have.", ({ seats }) => seats);
  const waitName = `${prefix}_request_wait_duration_seconds`;
  family(lines, waitName, "histogram", "How long requests waited, by whether they were let in then.");
  for (const { labels, waited } of series) {
    for (const execute of ["false", "true"] as const) {
      waited[execute].write(lines, waitName, `execute="${execute}",${labels}`);
    }
  }
  writeLevels(lines, [...levels]);
  return `${lines.join("\n")}\n`;
}

function writeLevels(lines: string[], levels: readonly PriorityLevel[]): void {
  const perLevel = (name: string, help: string, value: (level: PriorityLevel) => number): void => {
    family(lines, `${prefix}_${name}`, "gauge", help);
    for (const level of levels) {
      lines.push(`${prefix}_${name}{priority_level=${JSON.stringify(level.name)}} ${value(level)}`);
    }
  };
  perLevel("nominal_limit_seats", "Seats of a level by its shares.", ({ limits }) => limits.nominal);
  perLevel("lower_limit_seats", "Seats that a level does not lend.", ({ limits }) => limits.min);
  perLevel("upper_limit_seats", "The most seats that a level may have.", ({ limits }) => limits.max);
  perLevel("current_limit_seats", "Seats that a level has now.", ({ queues }) => queues.limit);
  perLevel("demand_seats_high_watermark", "The most seats wanted in the last period.", (l) => l.demand.highWatermark);
  perLevel("demand_seats_smoothed", "Seats wanted, smoothed over time.", ({ demand }) => demand.smoothed);
}
