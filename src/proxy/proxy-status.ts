import type { Node } from "../api/index.js";
import type { Clock } from "../internal/clock.js";
import { exponentialBounds, Metrics } from "../internal/metrics.js";
import { writeProcess } from "../internal/process-metrics.js";
import type { Page, Pages } from "./pages.js";
import { externallyAccessible, type ServiceTable } from "./proxy.js";

/** What a node gets from cluster-autoscaler before it goes. */
const toBeDeleted = "ToBeDeletedByClusterAutoscaler";

/** How many changes are reckoned with in one sync. */
const maxChanges = 10_000;

export interface ProxyStatusOptions {
  readonly clock: Clock;
  /** The backend's name. */
  readonly mode: string;
  /** How long a change may wait before the proxy counts as unhealthy. */
  readonly healthTimeoutMs: number;
}

/**
 * How a proxy fares: its health as kube-proxy tells it (`/healthz`, `/livez`), and its figures by kube-proxy's names (`/metrics`, `/proxyMode`).
 */
export class ProxyStatus {
  readonly #clock: Clock;
  readonly #mode: string;
  readonly #healthTimeoutMs: number;
  readonly #startMs: number;
  readonly #figures: ProxyFigures;
  /** Changes that nobody works on yet, and those that are being put into effect. */
  #waiting = noChanges();
  #taken = noChanges();
  #lastUpdatedMs: number | undefined;
  #nodeEligible = true;

  constructor({ clock, mode, healthTimeoutMs }: ProxyStatusOptions) {
    this.#clock = clock;
    this.#mode = mode;
    this.#healthTimeoutMs = healthTimeoutMs;
    this.#startMs = clock.now();
    this.#figures = proxyFigures(mode);
  }

  /** A service, or the endpoints of one, changed; of these, since when they are so, if that is known. */
  seen(kind: "services" | "endpoints", serviceKey: string, sinceMs?: number): void {
    const waiting = this.#waiting;
    waiting[kind].add(serviceKey);
    this.#figures.changes[kind].add();
    const now = this.#clock.now();
    // What was so before this proxy ran tells nothing about it.
    if (sinceMs !== undefined && sinceMs > this.#startMs && waiting.changedMs.length < maxChanges) {
      waiting.changedMs.push(sinceMs);
    }
    waiting.queuedMs ??= now;
    this.#figures.lastQueued.set(now / 1000);
  }

  /** Absent: the node is gone, or not there yet. */
  node(node: Node | undefined): void {
    const taints = node?.spec?.taints ?? [];
    const going = node?.metadata.deletionTimestamp !== undefined || taints.some(({ key }) => key === toBeDeleted);
    this.#nodeEligible = !going;
  }

  /** All that was seen so far is now to be put into effect. */
  taking(): void {
    const [taken, waiting] = [this.#taken, this.#waiting];
    this.#waiting = noChanges();
    for (const key of waiting.services) taken.services.add(key);
    for (const key of waiting.endpoints) taken.endpoints.add(key);
    taken.changedMs.push(...waiting.changedMs.slice(0, maxChanges - taken.changedMs.length));
    taken.queuedMs ??= waiting.queuedMs;
  }

  /** The host follows the table since now; getting there took so long. `full`: everything was looked at. */
  synced(table: ServiceTable, tookMs: number, full: boolean): void {
    const figures = this.#figures;
    figures.duration.observe(tookMs / 1000);
    (full ? figures.fullDuration : figures.partialDuration)?.observe(tookMs / 1000);
    figures.lastSync.set(this.#clock.now() / 1000);
    figures.noLocal.set(withoutLocal(table, "internal"), ["internal"]);
    figures.noLocal.set(withoutLocal(table, "external"), ["external"]);
    this.upToDate();
  }

  /** What was taken is in effect. */
  upToDate(): void {
    const now = this.#clock.now();
    for (const sinceMs of this.#taken.changedMs) this.#figures.delay.observe((now - sinceMs) / 1000);
    this.#taken = noChanges();
    this.#lastUpdatedMs = now;
  }

  failed(full: boolean): void {
    this.#figures.failures?.add();
    if (!full) this.#figures.partialFailures?.add();
  }

  /** For everybody who balances load over nodes: `/healthz` and `/livez`. */
  readonly health: Pages = (path) => {
    if (path !== "/healthz" && path !== "/livez") return undefined;
    const now = this.#clock.now();
    const queuedMs = this.#taken.queuedMs ?? this.#waiting.queuedMs;
    const late = queuedMs !== undefined && now - queuedMs >= this.#healthTimeoutMs;
    const healthy = !late && (path === "/livez" || this.#nodeEligible);
    const code = healthy ? 200 : 503;
    this.#figures.probes[path === "/livez" ? "livez" : "healthz"].add([String(code)]);
    // A healthy proxy is up to date, however long ago something changed.
    const lastUpdated = JSON.stringify(timeText(healthy ? now : this.#lastUpdatedMs));
    const node = path === "/healthz" ? `, "nodeEligible": ${this.#nodeEligible}` : "";
    const text = `{"lastUpdated": ${lastUpdated},"currentTime": ${JSON.stringify(timeText(now))}${node}}`;
    return { code, text, contentType: "application/json" };
  };

  /** For who watches the proxy itself: `/metrics`, `/proxyMode` and `/healthz`. */
  readonly metrics: Pages = (path) => {
    if (path === "/healthz") return { code: 200, text: "ok" };
    if (path === "/proxyMode") return { code: 200, text: this.#mode };
    return path === "/metrics" ? this.#metricsPage() : undefined;
  };

  #metricsPage(): Page {
    for (const kind of ["services", "endpoints"] as const) {
      this.#figures.pending[kind].set(new Set([...this.#taken[kind], ...this.#waiting[kind]]).size);
    }
    const lines = this.#figures.metrics.lines();
    writeProcess(lines, this.#startMs);
    return { code: 200, text: `${lines.join("\n")}\n`, contentType: "text/plain; version=0.0.4; charset=utf-8" };
  }
}

interface Changes {
  /** Services that changed, and those whose endpoints did. */
  readonly services: Set<string>;
  readonly endpoints: Set<string>;
  /** When endpoints became what they are. */
  readonly changedMs: number[];
  /** When the first of all was seen. */
  queuedMs: number | undefined;
}

function noChanges(): Changes {
  return { services: new Set(), endpoints: new Set(), changedMs: [], queuedMs: undefined };
}

type ProxyFigures = ReturnType<typeof proxyFigures>;

function proxyFigures(mode: string) {
  const metrics = new Metrics();
  const bounds = exponentialBounds(0.001, 2, 15);
  const name = (rest: string): string => `kubeproxy_sync_proxy_rules_${rest}`;
  const duration = (rest: string, help: string) => metrics.histogram(`kubeproxy_sync_${rest}_seconds`, help, bounds);
  const incremental = mode === "iptables" || mode === "nftables";
  const failures: Readonly<Record<string, string>> = {
    iptables: "iptables_restore_failures_total",
    ipvs: "iptables_restore_failures_total",
    nftables: "nftables_sync_failures_total",
  };
  const failure = failures[mode];
  return {
    metrics,
    duration: duration("proxy_rules_duration", "How long it took to put services into effect."),
    fullDuration: incremental
      ? duration("full_proxy_rules_duration", "How long that took where everything was looked at.")
      : undefined,
    partialDuration: incremental
      ? duration("partial_proxy_rules_duration", "How long that took where only changes were looked at.")
      : undefined,
    delay: metrics.histogram(
      "kubeproxy_network_programming_duration_seconds",
      "How long it took from a change of a service or pod until it was in effect.",
      delayBounds(),
    ),
    lastSync: metrics.gauge(name("last_timestamp_seconds"), "When services were last put into effect."),
    lastQueued: metrics.gauge(name("last_queued_timestamp_seconds"), "When something last changed."),
    changes: {
      services: metrics.counter(name("service_changes_total"), "Changes of Services that were seen."),
      endpoints: metrics.counter(name("endpoint_changes_total"), "Changes of endpoints that were seen."),
    },
    pending: {
      services: metrics.gauge(name("service_changes_pending"), "Services whose changes are not yet in effect."),
      endpoints: metrics.gauge(name("endpoint_changes_pending"), "Services whose endpoints are not yet in effect."),
    },
    noLocal: metrics.gauge(
      name("no_local_endpoints_total"),
      "Ports of Services whose traffic is for local endpoints, of which there are none.",
      ["traffic_policy"],
    ),
    failures: failure === undefined ? undefined : metrics.counter(name(failure), "Attempts that failed."),
    partialFailures:
      mode === "iptables"
        ? metrics.counter(name("iptables_partial_restore_failures_total"), "Attempts at changes alone that failed.")
        : undefined,
    probes: {
      healthz: metrics.counter("kubeproxy_proxy_healthz_total", "Answers of /healthz by code.", ["code"]),
      livez: metrics.counter("kubeproxy_proxy_livez_total", "Answers of /livez by code.", ["code"]),
    },
  };
}

/** Quarters of a second, seconds, five seconds and half minutes, up to five minutes. */
function delayBounds(): readonly number[] {
  const steps = (start: number, width: number, count: number): readonly number[] =>
    Array.from({ length: count }, (_, step) => start + step * width);
  return [0, ...steps(0.25, 0.25, 2), ...steps(1, 1, 59), ...steps(60, 5, 12), ...steps(120, 30, 7)];
}

/** How many ports have endpoints, and none for traffic that must stay on the node. */
function withoutLocal({ ports }: ServiceTable, traffic: "internal" | "external"): number {
  let count = 0;
  for (const port of ports.values()) {
    const policy = traffic === "internal" ? port.internalTrafficPolicy : port.externalTrafficPolicy;
    const counts = policy === "Local" && port.hasEndpoints && port.localEndpoints.length === 0;
    if (counts && (traffic === "internal" || externallyAccessible(port))) count++;
  }
  return count;
}

/** As Go writes times, in UTC. */
function timeText(ms: number | undefined): string {
  if (ms === undefined) return "0001-01-01 00:00:00 +0000 UTC";
  const [day = "", time = ""] = new Date(ms).toISOString().split("T");
  return `${day} ${time.slice(0, -1).replace(/\.?0+$/, "")} +0000 UTC`;
}
