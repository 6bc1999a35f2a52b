import type { PathRoute } from "../http/routes.js";
import type { ApiFlowControl } from "./api-flow-control.js";
import { estimatedSeconds, type FairQueue, type Turn } from "./fair-queues.js";
import type { PriorityLevel } from "./priority-level.js";
import { Ticket } from "./ticket.js";

const root = "/debug/api_priority_and_fairness/";
type Row = readonly string[];

/** What waits and runs in flow control, under upstream's paths and in its form: columns ended by commas and filled up with blanks. */
export function flowControlDumps(flowControl: ApiFlowControl): PathRoute {
  return {
    handle({ path, query }) {
      if (!path.startsWith(root)) return undefined;
      const rows = rowsOf(path.slice(root.length), flowControl.levels, query);
      return rows && { code: 200, contentType: "text/plain; charset=utf-8", body: table(rows) };
    },
  };
}

function rowsOf(name: string, levels: readonly PriorityLevel[], query: string): readonly Row[] | undefined {
  if (name === "dump_priority_levels") return [levelColumns, ...levels.map(levelRow)];
  if (name === "dump_queues") return [queueColumns, ...levels.flatMap(queueRows)];
  if (name !== "dump_requests") return undefined;
  const details = Boolean(new URLSearchParams(query).get("includeRequestDetails"));
  const columns = details ? [...requestColumns, ...detailColumns] : requestColumns;
  return [columns, ...levels.flatMap((level) => requestRows(level, details))];
}

const levelColumns: Row = [
  "PriorityLevelName",
  "ActiveQueues",
  "IsIdle",
  "IsQuiescing",
  "WaitingRequests",
  "ExecutingRequests",
  "DispatchedRequests",
  "RejectedRequests",
  "TimedoutRequests",
  "CancelledRequests",
];

function levelRow(level: PriorityLevel): Row {
  const { name, queues, quiescing } = level;
  return [
    name,
    queues.queues.filter(({ waiting }) => waiting.length > 0).length,
    queues.idle,
    quiescing,
    queues.waiting,
    queues.executing.size,
    level.dispatchedCount,
    level.rejectedCount,
    level.timedOutCount,
    level.cancelledCount,
  ].map(String);
}

const queueColumns: Row = [
  "PriorityLevelName",
  "Index",
  "PendingRequests",
  "ExecutingRequests",
  "SeatsInUse",
  "NextDispatchR",
  "InitialSeatsSum",
  "MaxSeatsSum",
  "TotalWorkSum",
];

function queueRows({ name, queues }: PriorityLevel): readonly Row[] {
  return queues.queues.map((queue, index) => {
    const { waiting, executing, seatsInUse, seatsWaiting, nextAt } = queue;
    const counts = [index, waiting.length, executing, seatsInUse].map(String);
    const sums = [String(seatsWaiting), String(seatsWaiting), seatSeconds(seatsWaiting * estimatedSeconds)];
    return [name, ...counts, seatSeconds(nextAt), ...sums];
  });
}

const requestColumns: Row = [
  "PriorityLevelName",
  "FlowSchemaName",
  "QueueIndex",
  "RequestIndexInQueue",
  "FlowDistingsher",
  "ArriveTime",
  "InitialSeats",
  "FinalSeats",
  "AdditionalLatency",
  "StartTime",
];
const detailColumns: Row = [
  "UserName",
  "Verb",
  "APIPath",
  "Namespace",
  "Name",
  "APIVersion",
  "Resource",
  "SubResource",
];

/** Those that run have no place in a queue: upstream says -1, also for the queue where there are none. */
function requestRows({ queues }: PriorityLevel, details: boolean): readonly Row[] {
  const rowOf = (turn: Turn, index: number): readonly Row[] => {
    if (!(turn instanceof Ticket)) return [];
    const row = requestRow(turn, turn.queue === undefined ? -1 : queues.queues.indexOf(turn.queue), index);
    return [details ? [...row, ...detailsOf(turn)] : row];
  };
  const waiting = queues.queues.flatMap((queue: FairQueue) => queue.waiting.flatMap(rowOf));
  return [...[...queues.executing].flatMap((turn) => rowOf(turn, -1)), ...waiting];
}

function requestRow(ticket: Ticket, queue: number, index: number): Row {
  const { flow, seats, arrivedMs, startedMs } = ticket;
  const places = [String(queue), String(index), flow.distinguisher, time(arrivedMs), String(seats)];
  return [flow.level.name, flow.schemaName, ...places, "0", "0s", index < 0 ? time(startedMs) : "0001-01-01T00:00:00Z"];
}

function detailsOf({ request }: Ticket): Row {
  const { user, verb, path, info } = request;
  if (info.type === "path") return [user.username, verb, path, "", "", "", "", ""];
  const { namespace, name, group, version, resource, subresource } = info;
  const groupVersion = group === "" ? version : `${group}/${version}`;
  return [user.username, verb, path, namespace, name, groupVersion, resource, subresource];
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}

function seatSeconds(value: number): string {
  return `${value.toFixed(8)}ss`;
}

const minColumnWidth = 8;

/** Each column as wide as its widest cell and a blank; the last one ends the line. */
function table(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(minColumnWidth, ...rows.map((row) => (row[at] ?? "").length + 2)),
  );
  const line = (row: Row): string =>
    row.map((cell, at) => (at === row.length - 1 ? cell : `${cell},`.padEnd(widths[at] ?? 0))).join("");
  return rows.map((row) => `${line(row)}\n`).join("");
}
