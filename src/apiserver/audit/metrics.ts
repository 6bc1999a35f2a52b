import { family } from "../../internal/histogram.js";

export interface AuditFigures {
  readonly events: number;
  readonly rejected: number;
  /** By plugin. */
  readonly errors: ReadonlyMap<string, number>;
  readonly levels: ReadonlyMap<string, number>;
}

const prefix = "apiserver_audit";

/** In Prometheus' text format, under upstream's names. */
export function auditMetricsText({ events, rejected, errors, levels }: AuditFigures): string {
  const lines: string[] = [];
  family(lines, `${prefix}_error_total`, "counter", "Audit events that a plugin failed to record.");
  for (const [plugin, count] of errors) lines.push(`${prefix}_error_total{plugin=${JSON.stringify(plugin)}} ${count}`);
  family(lines, `${prefix}_event_total`, "counter", "Audit events made and handed to the backends.");
  lines.push(`${prefix}_event_total ${events}`);
  family(lines, `${prefix}_level_total`, "counter", "Requests by the level at which they are audited.");
  for (const [level, count] of levels) lines.push(`${prefix}_level_total{level="${level}"} ${count}`);
  family(lines, `${prefix}_requests_rejected_total`, "counter", "Requests refused because they could not be audited.");
  lines.push(`${prefix}_requests_rejected_total ${rejected}`);
  return `${lines.join("\n")}\n`;
}
