import { chart, escaped } from "./chart.js";
import type { SimulationRun } from "./simulate.js";

interface Column {
  readonly title: string;
  readonly of: (run: SimulationRun) => string;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** `1.5 s`, `3.0 min`, `2.1 h`: as long as people say it. */
export function inTime(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${(ms / 60_000).toFixed(1)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}

const columns: readonly Column[] = [
  { title: "policies", of: ({ name }) => name },
  { title: "started", of: ({ started, pods }) => `${started}/${pods}` },
  { title: "finished", of: ({ finished }) => String(finished) },
  { title: "wait, mean", of: ({ waitingMs }) => inTime(waitingMs.mean) },
  { title: "median", of: ({ waitingMs }) => inTime(waitingMs.median) },
  { title: "95th", of: ({ waitingMs }) => inTime(waitingMs.p95) },
  { title: "longest", of: ({ waitingMs }) => inTime(waitingMs.max) },
  { title: "preempted", of: ({ preemptions }) => String(preemptions) },
  { title: "lost", of: ({ lost }) => String(lost) },
  { title: "CPU", of: ({ utilisation }) => percent(utilisation.cpu) },
  { title: "memory", of: ({ utilisation }) => percent(utilisation.memory) },
  { title: "fragmentation", of: ({ fragmentation }) => percent(fragmentation) },
  { title: "cost", of: ({ cost }) => cost.toFixed(2) },
  { title: "took", of: ({ makespanMs }) => inTime(makespanMs) },
];

/** One line per set of policies, as text for a terminal. */
export function simulationTable(runs: readonly SimulationRun[]): string {
  const rows = [columns.map(({ title }) => title), ...runs.map((run) => columns.map(({ of }) => of(run)))];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ");
  return rows.map(line).join("\n");
}

/** How the cluster fared over time under each set of policies, as an SVG document. */
export function simulationSvg(runs: readonly SimulationRun[]): string {
  return chart(
    runs.map(({ name, samples }) => ({ name, samples })),
    [
      { title: "CPU in use", of: ({ cpu }) => cpu, percent: true },
      { title: "Memory in use", of: ({ memory }) => memory, percent: true },
      { title: "Pods that wait for a node", of: ({ waiting }) => waiting },
      { title: "Free CPU out of reach of a median pod", of: ({ fragmentation }) => fragmentation, percent: true },
      { title: "Cost per hour of nodes in use", of: ({ costPerHour }) => costPerHour },
    ],
  );
}

/** Table and chart as one page that needs nothing else. */
export function simulationHtml(runs: readonly SimulationRun[], title = "Scheduling policies compared"): string {
  const head = columns.map((column) => `<th>${escaped(column.title)}</th>`).join("");
  const rows = runs.map((run) => `<tr>${columns.map(({ of }) => `<td>${escaped(of(run))}</td>`).join("")}</tr>`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1040px; padding: 0 1rem; color: #1c2024; background: #fff; }
h1 { font-size: 1.4rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #e3e6ea; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
svg { max-width: 100%; height: auto; margin-top: 1.5rem; }
</style></head><body>
<h1>${escaped(title)}</h1>
<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table></div>
${simulationSvg(runs)}
</body></html>
`;
}
