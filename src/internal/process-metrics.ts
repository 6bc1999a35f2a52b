import { family } from "./histogram.js";

/** What Prometheus knows of any process. `startMs`: since the epoch. */
export function writeProcess(lines: string[], startMs: number): void {
  const cpu = process.cpuUsage();
  const memory = process.memoryUsage();
  family(lines, "process_cpu_seconds_total", "counter", "User and system CPU time of the process.");
  lines.push(`process_cpu_seconds_total ${(cpu.user + cpu.system) / 1e6}`);
  family(lines, "process_resident_memory_bytes", "gauge", "Resident memory of the process.");
  lines.push(`process_resident_memory_bytes ${memory.rss}`);
  family(lines, "process_start_time_seconds", "gauge", "When the server was made, in seconds since the epoch.");
  lines.push(`process_start_time_seconds ${startMs / 1000}`);
  family(lines, "nodejs_heap_used_bytes", "gauge", "Heap of the JavaScript engine in use.");
  lines.push(`nodejs_heap_used_bytes ${memory.heapUsed}`);
}
