import type { ContainerStats } from "../../runtime/index.js";
import { runtimeLabels } from "../pod/runtime-state.js";
import type { NodeServerContext } from "./context.js";

/** `/stats/summary`: what nodes and pods use, in the form of stats.k8s.io v1alpha1. */
export async function statsSummary(context: NodeServerContext): Promise<unknown> {
  const all = await context.runtime.listContainerStats();
  const time = new Date(context.clock.now()).toISOString();
  const byPod = new Map<string, ContainerStats[]>();
  for (const stats of all) {
    const uid = stats.labels[runtimeLabels.podUid] ?? "";
    byPod.set(uid, [...(byPod.get(uid) ?? []), stats]);
  }
  const pods = context.records().map(({ pod }) => {
    const containers = byPod.get(pod.metadata.uid) ?? [];
    const { name, namespace, uid } = pod.metadata;
    return {
      podRef: { name, namespace, uid },
      startTime: pod.status?.startTime ?? time,
      containers: containers.map((stats) => ({
        name: stats.metadata.name,
        startTime: time,
        ...usageOf([stats], time),
      })),
      ...usageOf(containers, time),
    };
  });
  return { node: { nodeName: context.nodeName, startTime: time, ...usageOf(all, time) }, pods };
}

function usageOf(stats: readonly ContainerStats[], time: string): Record<string, unknown> {
  const sum = (value: (one: ContainerStats) => number): number => stats.reduce((total, one) => total + value(one), 0);
  return {
    cpu: { time, usageCoreNanoSeconds: sum((one) => one.cpuUsageNanoSeconds) },
    memory: {
      time,
      usageBytes: sum((one) => one.memoryUsageBytes ?? one.memoryWorkingSetBytes),
      workingSetBytes: sum((one) => one.memoryWorkingSetBytes),
      rssBytes: sum((one) => one.memoryRssBytes ?? 0),
    },
  };
}

/** `/metrics/resource`: the same for metrics-server, as Prometheus text. */
export async function resourceMetrics(context: NodeServerContext): Promise<string> {
  const all = await context.runtime.listContainerStats();
  const lines: string[] = [];
  const family = (name: string, type: string, value: (stats: ContainerStats) => number): void => {
    lines.push(`# TYPE ${name} ${type}`);
    for (const stats of all) {
      const labels = `container="${stats.metadata.name}",namespace="${stats.labels[runtimeLabels.podNamespace]}",pod="${stats.labels[runtimeLabels.podName]}"`;
      lines.push(`${name}{${labels}} ${value(stats)} ${Math.floor(stats.timestampMs)}`);
    }
  };
  family("container_cpu_usage_seconds_total", "counter", (stats) => stats.cpuUsageNanoSeconds / 1e9);
  family("container_memory_working_set_bytes", "gauge", (stats) => stats.memoryWorkingSetBytes);
  const now = context.clock.now();
  const cpu = all.reduce((total, stats) => total + stats.cpuUsageNanoSeconds, 0) / 1e9;
  const memory = all.reduce((total, stats) => total + stats.memoryWorkingSetBytes, 0);
  lines.push("# TYPE node_cpu_usage_seconds_total counter", `node_cpu_usage_seconds_total ${cpu} ${now}`);
  lines.push("# TYPE node_memory_working_set_bytes gauge", `node_memory_working_set_bytes ${memory} ${now}`);
  lines.push("# TYPE scrape_error gauge", "scrape_error 0");
  return `${lines.join("\n")}\n`;
}

/** `/metrics`: the agent's own. */
export function agentMetrics(context: NodeServerContext): string {
  const records = context.records();
  const running = records.filter(({ status }) => status?.phase === "Running").length;
  const containers = new Map<string, number>();
  for (const { state } of records) {
    for (const attempts of state.containers.values()) {
      const is = attempts[0]?.state ?? "unknown";
      containers.set(is, (containers.get(is) ?? 0) + 1);
    }
  }
  return `${[
    "# TYPE kubelet_node_name gauge",
    `kubelet_node_name{node="${context.nodeName}"} 1`,
    "# TYPE kubelet_running_pods gauge",
    `kubelet_running_pods ${running}`,
    "# TYPE kubelet_running_containers gauge",
    ...[...containers].map(([state, count]) => `kubelet_running_containers{container_state="${state}"} ${count}`),
    ...counted(context.counts()),
  ].join("\n")}\n`;
}

function counted(counts: ReadonlyMap<string, number>): string[] {
  const families = new Map<string, string[]>();
  for (const [name, count] of counts) {
    const family = name.split("{", 1).join("");
    families.set(family, [...(families.get(family) ?? []), `${name} ${count}`]);
  }
  return [...families].flatMap(([family, lines]) => [`# TYPE ${family} counter`, ...lines]);
}
