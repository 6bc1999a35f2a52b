import type { ContainerStats } from "../../runtime/index.js";
import { cgroupResources } from "../pod/container-config.js";
import { findContainer } from "../pod/containers.js";
import type { PodRecord } from "../pod/pod-record.js";
import type { NodeServerContext } from "./context.js";
import { type Readings, readStats, startedAtMs } from "./readings.js";

type Labels = Readonly<Record<string, string>>;

/** Prometheus text, one family after the other, by name. */
class Exposition {
  readonly #families = new Map<string, { readonly type: string; readonly help: string; readonly lines: string[] }>();

  add(name: string, type: "counter" | "gauge", help: string, labels: Labels, value: number, atMs?: number): void {
    const family = this.#families.get(name) ?? { type, help, lines: [] };
    this.#families.set(name, family);
    const pairs = Object.entries(labels).map(([key, text]) => `${key}=${JSON.stringify(text)}`);
    const time = atMs === undefined ? "" : ` ${Math.floor(atMs)}`;
    family.lines.push(`${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}${time}`);
  }

  toString(): string {
    const names = [...this.#families.keys()].sort();
    const blocks = names.map((name) => {
      const { type, help, lines } = this.#families.get(name) ?? { type: "", help: "", lines: [] };
      return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].join("\n");
    });
    return `${blocks.join("\n")}\n`;
  }
}

/** The containers that run, with their pods. */
function running(context: NodeServerContext, { byPod }: Readings): readonly (readonly [PodRecord, ContainerStats])[] {
  return context.records().flatMap((record) => (byPod.get(record.uid) ?? []).map((stats) => [record, stats] as const));
}

/** `/metrics/resource`: what metrics-server reads. */
export async function resourceMetrics(context: NodeServerContext): Promise<string> {
  const out = new Exposition();
  let failed = 0;
  try {
    const readings = await readStats(context);
    for (const [record, stats] of running(context, readings)) addContainer(out, record, stats);
    for (const record of context.records()) addPod(out, record, readings.byPod.get(record.uid) ?? []);
    addNode(out, context, readings);
  } catch (error) {
    context.logger.warn("what containers use cannot be read", { error });
    failed = 1;
  }
  const help = "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise";
  out.add("resource_scrape_error", "gauge", help, {}, failed);
  return out.toString();
}

function podLabels({ pod }: PodRecord): Labels {
  return { namespace: pod.metadata.namespace ?? "", pod: pod.metadata.name };
}

const cpuHelp = (of: string): string => `[STABLE] Cumulative cpu time consumed by the ${of} in core-seconds`;
const memoryHelp = (of: string): string => `[STABLE] Current working set of the ${of} in bytes`;

function addContainer(out: Exposition, record: PodRecord, stats: ContainerStats): void {
  const labels = { container: stats.metadata.name, ...podLabels(record) };
  const { timestampMs: at } = stats;
  const cpu = stats.cpuUsageNanoSeconds / 1e9;
  out.add("container_cpu_usage_seconds_total", "counter", cpuHelp("container"), labels, cpu, at);
  const bytes = stats.memoryWorkingSetBytes;
  out.add("container_memory_working_set_bytes", "gauge", memoryHelp("container"), labels, bytes, at);
  const startedMs = startedAtMs(record, stats);
  if (startedMs === undefined) return;
  const help = "[STABLE] Start time of the container since unix epoch in seconds";
  out.add("container_start_time_seconds", "gauge", help, labels, startedMs / 1000);
}

function addPod(out: Exposition, record: PodRecord, stats: readonly ContainerStats[]): void {
  if (stats.length === 0) return;
  const labels = podLabels(record);
  const at = Math.max(...stats.map(({ timestampMs }) => timestampMs));
  const sum = (value: (one: ContainerStats) => number): number => stats.reduce((total, one) => total + value(one), 0);
  const cpu = sum((one) => one.cpuUsageNanoSeconds) / 1e9;
  out.add("pod_cpu_usage_seconds_total", "counter", cpuHelp("pod"), labels, cpu, at);
  const bytes = sum((one) => one.memoryWorkingSetBytes);
  out.add("pod_memory_working_set_bytes", "gauge", memoryHelp("pod"), labels, bytes, at);
}

function addNode(out: Exposition, context: NodeServerContext, { all, usage }: Readings): void {
  const now = context.clock.now();
  // A node that nobody measures uses what its containers do.
  const cpu = usage?.node?.cpuNanoSeconds ?? all.reduce((total, one) => total + one.cpuUsageNanoSeconds, 0);
  const bytes = usage?.node?.memory.workingSetBytes ?? all.reduce((sum, one) => sum + one.memoryWorkingSetBytes, 0);
  out.add("node_cpu_usage_seconds_total", "counter", cpuHelp("node"), {}, cpu / 1e9, now);
  out.add("node_memory_working_set_bytes", "gauge", memoryHelp("node"), {}, bytes, now);
}

/** `/metrics/cadvisor`: containers under cAdvisor's names, as far as the runtime tells. */
export async function cadvisorMetrics(context: NodeServerContext): Promise<string> {
  const readings = await readStats(context);
  const out = new Exposition();
  for (const [record, stats] of running(context, readings)) {
    const { name } = stats.metadata;
    const image = record.state.containers.get(name)?.find(({ id }) => id === stats.id)?.image ?? "";
    const labels = { container: name, id: stats.id, image, name: stats.id, ...podLabels(record) };
    const at = stats.timestampMs;
    const gauge = (metric: string, help: string, value: number | undefined): void => {
      if (value !== undefined) out.add(metric, "gauge", help, labels, value, at);
    };
    const total = { ...labels, cpu: "total" };
    const cpu = stats.cpuUsageNanoSeconds / 1e9;
    out.add("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds.", total, cpu, at);
    gauge("container_memory_usage_bytes", "Current memory usage in bytes.", stats.memoryUsageBytes);
    gauge("container_memory_working_set_bytes", "Current working set in bytes.", stats.memoryWorkingSetBytes);
    gauge("container_memory_rss", "Size of RSS in bytes.", stats.memoryRssBytes);
    gauge("container_fs_usage_bytes", "Bytes that the container has written.", stats.writableLayerBytes);
    const startedMs = startedAtMs(record, stats);
    gauge("container_start_time_seconds", "Start time since unix epoch in seconds.", (startedMs ?? 0) / 1000);
    const found = findContainer(record.actuatedPod, name);
    if (found === undefined) continue;
    const held = cgroupResources(record.actuatedPod, found.container, 1);
    gauge("container_spec_cpu_shares", "CPU share of the container.", held.cpuShares);
    gauge("container_spec_cpu_period", "CPU period of the container.", held.cpuPeriodUs);
    gauge("container_spec_cpu_quota", "CPU quota of the container.", held.cpuQuotaUs || undefined);
    gauge("container_spec_memory_limit_bytes", "Memory limit for the container.", held.memoryLimitBytes);
  }
  const { signals, node } = readings.usage ?? {};
  const memory = node?.memory.capacityBytes ?? signals?.get("memory.available")?.capacity;
  if (memory !== undefined) {
    out.add("machine_memory_bytes", "gauge", "Amount of memory installed on the machine.", {}, memory);
  }
  return out.toString();
}

/** `/metrics`: the agent's own. */
export function agentMetrics(context: NodeServerContext): string {
  const out = new Exposition();
  const records = context.records();
  const runningPods = records.filter(({ status }) => status?.phase === "Running").length;
  out.add("kubelet_node_name", "gauge", "The node's name. The count is always 1.", { node: context.nodeName }, 1);
  out.add("kubelet_running_pods", "gauge", "Number of pods that have a running pod sandbox", {}, runningPods);
  const containers = new Map<string, number>();
  for (const { state } of records) {
    for (const attempts of state.containers.values()) {
      const is = attempts[0]?.state ?? "unknown";
      containers.set(is, (containers.get(is) ?? 0) + 1);
    }
  }
  for (const [state, count] of containers) {
    const help = "Number of containers currently running";
    out.add("kubelet_running_containers", "gauge", help, { container_state: state }, count);
  }
  for (const { name, help, labels, count } of context.counts()) out.add(name, "counter", help, labels, count);
  return out.toString();
}
