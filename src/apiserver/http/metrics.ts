import { family, Histogram } from "../../internal/histogram.js";
import { writeProcess } from "../../internal/process-metrics.js";
import type { InFlight } from "./in-flight.js";

const durationBuckets: readonly number[] = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];

interface Series {
  readonly codes: Map<number, number>;
  readonly histogram: Histogram;
}

/** What a request is counted under; all values come from a known set, so that the series stay few. */
export interface RequestLabels {
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly scope: string;
}

/** The server's own figures in Prometheus' text format, under upstream's names. */
export class ServerMetrics {
  readonly #series = new Map<string, Series>();
  /** Labels are mostly the same few objects; their text is put together once. */
  readonly #byLabels = new WeakMap<RequestLabels, Series>();
  #watchers = new Map<string, number>();
  #rejected = 0;
  #terminated = 0;

  record(labels: RequestLabels, code: number, seconds: number): void {
    const { codes, histogram } = this.#seriesOf(labels);
    codes.set(code, (codes.get(code) ?? 0) + 1);
    if (labels.verb === "WATCH" || labels.verb === "CONNECT") return;
    histogram.observe(seconds);
  }

  #seriesOf(labels: RequestLabels): Series {
    const known = this.#byLabels.get(labels);
    if (known !== undefined) return known;
    const text = textOf(labels);
    let series = this.#series.get(text);
    if (series === undefined) {
      series = { codes: new Map(), histogram: new Histogram(durationBuckets) };
      this.#series.set(text, series);
    }
    this.#byLabels.set(labels, series);
    return series;
  }

  watchStarted(resource: string): void {
    this.#watchers.set(resource, (this.#watchers.get(resource) ?? 0) + 1);
  }

  watchEnded(resource: string): void {
    this.#watchers.set(resource, (this.#watchers.get(resource) ?? 0) - 1);
  }

  rejected(): void {
    this.#rejected++;
  }

  timedOut(): void {
    this.#terminated++;
  }

  text(inFlight: InFlight, startMs: number): string {
    const lines: string[] = [];
    family(lines, "apiserver_request_total", "counter", "Requests by verb, resource and HTTP response code.");
    for (const [series, { codes }] of this.#series) {
      for (const [code, count] of codes) lines.push(`apiserver_request_total{${series},code="${code}"} ${count}`);
    }
    family(lines, "apiserver_request_duration_seconds", "histogram", "Response latency in seconds.");
    for (const [series, { histogram }] of this.#series) {
      histogram.write(lines, "apiserver_request_duration_seconds", series);
    }
    family(lines, "apiserver_current_inflight_requests", "gauge", "Requests under way, by kind.");
    lines.push(`apiserver_current_inflight_requests{request_kind="readOnly"} ${inFlight.counts.readOnly}`);
    lines.push(`apiserver_current_inflight_requests{request_kind="mutating"} ${inFlight.counts.mutating}`);
    family(lines, "apiserver_longrunning_requests", "gauge", "Watches, streams and proxied requests under way.");
    lines.push(`apiserver_longrunning_requests ${inFlight.counts.longRunning}`);
    family(lines, "apiserver_registered_watchers", "gauge", "Watches by resource.");
    for (const [resource, count] of this.#watchers) {
      lines.push(`apiserver_registered_watchers{resource="${resource}"} ${count}`);
    }
    family(lines, "apiserver_dropped_requests_total", "counter", "Requests refused with 429.");
    lines.push(`apiserver_dropped_requests_total ${this.#rejected}`);
    family(lines, "apiserver_request_terminations_total", "counter", "Requests ended because their time was over.");
    lines.push(`apiserver_request_terminations_total ${this.#terminated}`);
    writeProcess(lines, startMs);
    return `${lines.join("\n")}\n`;
  }
}

function textOf(labels: RequestLabels): string {
  return `component="apiserver",group="${labels.group}",resource="${labels.resource}",scope="${labels.scope}",subresource="${labels.subresource}",verb="${labels.verb}",version="${labels.version}"`;
}
