import { describe, expect, it } from "vitest";
import type { JsonObject } from "../object.js";
import { podColumns } from "./pods.js";

const now = Date.UTC(2026, 0, 1, 1, 0, 0);
const cells = (pod: JsonObject): Record<string, unknown> =>
  Object.fromEntries(podColumns.map((column) => [column.name, column.cell(pod, now)]));

const running = { state: { running: {} }, ready: true, restartCount: 0 };
const waiting = (reason: string): object => ({ state: { waiting: { reason } }, ready: false, restartCount: 0 });
const ended = (exitCode: number, reason?: string): object => ({
  state: { terminated: { exitCode, ...(reason === undefined ? {} : { reason }) } },
  ready: false,
  restartCount: 0,
});
const named = (list: readonly object[], prefix = "c"): object[] =>
  list.map((s, i) => ({ name: `${prefix}${i}`, ...s }));

interface PodParts {
  readonly phase?: string;
  readonly containers?: readonly object[];
  readonly init?: readonly object[];
  readonly sidecars?: readonly number[];
  readonly conditions?: readonly object[];
  readonly metadata?: object;
  readonly reason?: string;
}

function pod(parts: PodParts): JsonObject {
  const { phase = "Running", containers = [running], init = [], sidecars = [] } = parts;
  return {
    metadata: { name: "web", creationTimestamp: "2026-01-01T00:00:00Z", ...parts.metadata },
    spec: {
      containers: named(containers).map((_, i) => ({ name: `c${i}` })),
      initContainers: init.map((_, i) => ({
        name: `i${i}`,
        ...(sidecars.includes(i) ? { restartPolicy: "Always" } : {}),
      })),
    },
    status: {
      phase,
      ...(parts.reason === undefined ? {} : { reason: parts.reason }),
      conditions: parts.conditions ?? [],
      containerStatuses: named(containers),
      initContainerStatuses: named(init, "i"),
    },
  };
}

describe("pod columns", () => {
  const cases: readonly {
    readonly name: string;
    readonly pod: PodParts;
    readonly ready: string;
    readonly status: string;
  }[] = [
    { name: "running", pod: {}, ready: "1/1", status: "Running" },
    { name: "pending", pod: { phase: "Pending", containers: [waiting("")] }, ready: "0/1", status: "Pending" },
    {
      name: "creating",
      pod: { phase: "Pending", containers: [waiting("ContainerCreating")] },
      ready: "0/1",
      status: "ContainerCreating",
    },
    {
      name: "crashing",
      pod: { containers: [running, waiting("CrashLoopBackOff")] },
      ready: "1/2",
      status: "CrashLoopBackOff",
    },
    {
      name: "completed",
      pod: { phase: "Succeeded", containers: [ended(0, "Completed")] },
      ready: "0/1",
      status: "Completed",
    },
    { name: "error by code", pod: { phase: "Failed", containers: [ended(7)] }, ready: "0/1", status: "ExitCode:7" },
    {
      name: "one done, one ready",
      pod: { containers: [ended(0, "Completed"), running], conditions: [{ type: "Ready", status: "True" }] },
      ready: "1/2",
      status: "Running",
    },
    {
      name: "one done, one not",
      pod: { containers: [ended(0, "Completed"), running] },
      ready: "1/2",
      status: "NotReady",
    },
    {
      name: "first init",
      pod: {
        phase: "Pending",
        init: [{ state: { running: {} }, restartCount: 0 }, waiting("PodInitializing")],
        containers: [waiting("PodInitializing")],
      },
      ready: "0/1",
      status: "Init:0/2",
    },
    {
      name: "second init",
      pod: {
        phase: "Pending",
        init: [ended(0), { state: { running: {} }, restartCount: 0 }],
        containers: [waiting("PodInitializing")],
      },
      ready: "0/1",
      status: "Init:1/2",
    },
    {
      name: "init crash",
      pod: { phase: "Pending", init: [waiting("CrashLoopBackOff")], containers: [waiting("PodInitializing")] },
      ready: "0/1",
      status: "Init:CrashLoopBackOff",
    },
    {
      name: "init error",
      pod: { phase: "Pending", init: [ended(1, "Error")], containers: [waiting("PodInitializing")] },
      ready: "0/1",
      status: "Init:Error",
    },
    {
      name: "after init",
      pod: { phase: "Pending", init: [ended(0, "Completed")], containers: [waiting("PodInitializing")] },
      ready: "0/1",
      status: "PodInitializing",
    },
    { name: "sidecar", pod: { init: [{ ...running, started: true }], sidecars: [0] }, ready: "2/2", status: "Running" },
    { name: "evicted", pod: { phase: "Failed", reason: "Evicted", containers: [] }, ready: "0/0", status: "Evicted" },
    {
      name: "gated",
      pod: {
        phase: "Pending",
        containers: [],
        conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }],
      },
      ready: "0/0",
      status: "SchedulingGated",
    },
    {
      name: "terminating",
      pod: { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } },
      ready: "1/1",
      status: "Terminating",
    },
    {
      name: "node lost",
      pod: { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" }, reason: "NodeLost" },
      ready: "1/1",
      status: "Unknown",
    },
  ];
  for (const { name, pod: parts, ready, status } of cases) {
    it(name, () => {
      const row = cells(pod(parts));
      expect({ ready: row.Ready, status: row.Status }).toEqual({ ready, status });
    });
  }

  it("counts restarts and says when the last was", () => {
    const restarted = (count: number, finishedAt: string): object => ({
      ...running,
      restartCount: count,
      lastState: { terminated: { exitCode: 1, finishedAt } },
    });
    const row = cells(
      pod({ containers: [restarted(2, "2026-01-01T00:30:00Z"), restarted(1, "2026-01-01T00:55:00Z")] }),
    );
    expect(row.Restarts).toBe("3 (5m ago)");
    expect(cells(pod({})).Restarts).toBe("0");
  });

  it("leaves the restarts of finished init containers out once it runs", () => {
    expect(cells(pod({ init: [{ ...ended(0), restartCount: 4 }] })).Restarts).toBe("0");
    const row = cells(
      pod({ phase: "Pending", init: [{ ...waiting("CrashLoopBackOff"), restartCount: 4 }], containers: [] }),
    );
    expect(row.Restarts).toBe("4");
  });

  it("fills the wide columns", () => {
    const base = pod({ conditions: [{ type: "gate", status: "True" }] });
    const spec = {
      ...(base.spec as object),
      nodeName: "n1",
      readinessGates: [{ conditionType: "gate" }, { conditionType: "x" }],
    };
    const status = { ...(base.status as object), podIPs: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }] };
    expect(cells({ ...base, spec, status })).toEqual({
      Name: "web",
      Ready: "1/1",
      Status: "Running",
      Restarts: "0",
      Age: "60m",
      IP: "10.0.0.1",
      Node: "n1",
      "Nominated Node": "<none>",
      "Readiness Gates": "1/2",
    });
  });
});
