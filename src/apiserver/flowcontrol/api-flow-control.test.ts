import { describe, expect, test } from "vitest";
import { bootstrapLevels, bootstrapSchemas } from "../bootstrap/flow-control.js";
import { configured, flowRequest, levelNamed, schemaNamed } from "./fixture.js";
import type { FlowRequest, FlowTicket } from "./flow-control.js";

const jane = { username: "jane", groups: ["system:authenticated"] };
const node = { username: "system:node:a", groups: ["system:nodes", "system:authenticated"] };
const pod = (user = jane): FlowRequest => flowRequest("GET", "/api/v1/namespaces/a/pods/b", user);
const lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/a";

const everybody = { kind: "Group", group: { name: "*" } };
const everything = [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"] }];
/** One level for all, of the user's own making. */
const only = (level: ReturnType<typeof levelNamed>) => ({
  levels: [level],
  schemas: [
    schemaNamed("all", {
      matchingPrecedence: 5,
      priorityLevelConfiguration: { name: level.metadata.name ?? "" },
      distinguisherMethod: { type: "ByUser" },
      rules: [{ subjects: [everybody], resourceRules: everything }],
    }),
  ],
});

const limitsOf = ({ control }: ReturnType<typeof configured>): Record<string, number> =>
  Object.fromEntries(control.levels.map(({ name, queues }) => [name, queues.limit]));

describe("levels", () => {
  test("divide the server's seats by their shares", () => {
    const { control } = configured();
    expect(control.levels.map(({ name, limits }) => `${name} ${limits.nominal} ${limits.min} ${limits.max}`)).toEqual([
      "catch-all 13 13 613",
      "exempt 0 0 600",
      "global-default 49 24 649",
      "leader-election 25 25 625",
      "node-high 98 73 698",
      "system 74 50 674",
      "workload-high 98 49 698",
      "workload-low 245 24 845",
    ]);
  });

  test("lend what they do not use to those that want it, and get it back", async () => {
    const all = configured();
    const { control, clock } = all;
    const stop = new AbortController();
    const running = control.run({ signal: stop.signal, ready: () => {} });
    await clock.advance(1);
    const before = limitsOf(all)["global-default"] ?? 0;
    const tickets = Array.from({ length: 250 }, () => control.admit(pod()));
    await clock.advance(60_000);
    const lent = limitsOf(all);
    expect(lent["global-default"]).toBeGreaterThan(2 * before);
    expect(lent["leader-election"]).toBeGreaterThanOrEqual(25);
    expect(lent["workload-low"]).toBeGreaterThanOrEqual(24);
    for (const ticket of tickets) ticket.leave();
    const others = Array.from({ length: 300 }, () =>
      control.admit(pod({ username: "system:serviceaccount:a:b", groups: ["system:serviceaccounts"] })),
    );
    await clock.advance(20_000);
    expect(limitsOf(all)["workload-low"]).toBeGreaterThanOrEqual(245);
    for (const ticket of others) ticket.leave();
    stop.abort();
    await running;
    expect(clock.pending).toBe(0);
  });

  test("exempt and catch-all are there without any object", () => {
    const { control } = configured({ schemas: [], levels: [] });
    expect(control.levels.map(({ name, limits }) => `${name} ${limits.nominal}`)).toEqual([
      "catch-all 600",
      "exempt 0",
    ]);
    const masters = { username: "root", groups: ["system:masters"] };
    expect(control.admit(pod(masters))).toMatchObject({ levelUid: "", flow: { level: { name: "exempt" } } });
    expect(control.admit(pod())).toMatchObject({ schemaUid: "", flow: { level: { name: "catch-all" } } });
  });

  test("changed objects count from the next request on, and what is gone stays until it is idle", async () => {
    const level = levelNamed("one", 10, { queues: 1 });
    const all = configured({ ...only(level), seats: 2 });
    const { control, set } = all;
    const [first, second, third] = [control.admit(pod()), control.admit(pod()), control.admit(pod())];
    expect(first).toMatchObject({ admitted: true, schemaUid: "schema-all", levelUid: "level-one" });
    set({ levels: [], schemas: [] });
    expect(control.admit(pod())).toMatchObject({ flow: { level: { name: "catch-all" } } });
    const names = (): readonly string[] => control.levels.map(({ name, quiescing }) => `${name} ${quiescing}`);
    expect(names()).toContain("one true");
    first?.leave();
    second?.leave();
    expect(await third?.admitted).toBe(true);
    third?.leave();
    set({});
    expect(names()).toEqual(["catch-all false", "exempt false"]);
  });
});

describe("a flood", () => {
  test("of one user keeps neither heartbeats of nodes nor leader elections out", () => {
    const { control } = configured({ seats: 100 });
    const flood = Array.from({ length: 5_000 }, () => control.admit(pod()));
    expect(flood.filter(({ admitted }) => admitted === true).length).toBeLessThan(50);
    expect(flood.some(({ admitted }) => admitted === false)).toBe(true);
    for (const [method, path, user] of [
      ["PUT", lease, node],
      ["PATCH", "/api/v1/nodes/a/status", node],
      ["GET", lease, { username: "system:kube-scheduler", groups: ["system:authenticated"] }],
      ["GET", "/healthz", jane],
      ["GET", "/api/v1/pods", { username: "root", groups: ["system:masters"] }],
    ] as const) {
      expect(control.admit(flowRequest(method, path, user)).admitted, `${method} ${path}`).toBe(true);
    }
  });

  test("of one user leaves others of the same level their turns", async () => {
    const { control, clock } = configured({ seats: 100 });
    const flood = Array.from({ length: 300 }, () => control.admit(pod()));
    const other = control.admit(pod({ ...jane, username: "joe" }));
    expect(other.admitted).toBeInstanceOf(Promise);
    let got: boolean | undefined;
    void Promise.resolve(other.admitted).then((admitted) => {
      got = admitted;
    });
    const running = flood.filter(({ admitted }) => admitted === true);
    await clock.advance(10);
    for (const ticket of running.slice(0, 2)) ticket.leave();
    await clock.advance(0);
    expect(got).toBe(true);
  });
});

describe("who waits", () => {
  const waiting = (seats = 1) => {
    const all = configured({ ...only(levelNamed("one", 10, { queues: 1, queueLengthLimit: 2 })), seats });
    return { ...all, first: all.control.admit(pod()) };
  };
  const outcome = async (ticket: FlowTicket): Promise<unknown> => ticket.admitted;

  test.each([
    { name: "a quarter of its time", timeLeftMs: 8_000, waitMs: 2_000 },
    { name: "a quarter of the usual time, if it has more", timeLeftMs: 600_000, waitMs: 15_000 },
    { name: "the same for a watch", timeLeftMs: Number.POSITIVE_INFINITY, waitMs: 15_000 },
  ])("waits at most $name", async ({ timeLeftMs, waitMs }) => {
    const { control, clock } = waiting();
    const ticket = control.admit({ ...pod(), timeLeftMs });
    let admitted: boolean | undefined;
    void outcome(ticket).then((value) => {
      admitted = value as boolean;
    });
    await clock.advance(waitMs - 1);
    expect(admitted).toBeUndefined();
    await clock.advance(1);
    expect(admitted).toBe(false);
    expect(ticket.retryAfterSeconds).toBe(1);
    expect(control.metrics()).toContain(
      'apiserver_flowcontrol_rejected_requests_total{flow_schema="all",priority_level="one",reason="time-out"} 1',
    );
    expect(clock.pending).toBe(0);
  });

  test("and goes away leaves its place to the next", async () => {
    const { control, clock, first } = waiting();
    const second = control.admit(pod());
    const third = control.admit(pod());
    expect(control.admit(pod())).toMatchObject({ admitted: false, retryAfterSeconds: 1 });
    second.leave();
    second.leave();
    expect(await second.admitted).toBe(false);
    first.leave();
    expect(await third.admitted).toBe(true);
    third.leave();
    expect(clock.pending).toBe(0);
    const text = control.metrics();
    const labels = 'flow_schema="all",priority_level="one"';
    for (const line of [
      `rejected_requests_total{${labels},reason="queue-full"} 1`,
      `rejected_requests_total{${labels},reason="cancelled"} 1`,
      `dispatched_requests_total{${labels}} 2`,
      `current_inqueue_requests{${labels}} 0`,
      `current_executing_requests{${labels}} 0`,
      `request_wait_duration_seconds_count{execute="true",${labels}} 2`,
      `request_wait_duration_seconds_count{execute="false",${labels}} 1`,
      'nominal_limit_seats{priority_level="one"}',
    ]) {
      expect(text).toContain(`apiserver_flowcontrol_${line}`);
    }
  });

  test("is told to come back later and later while many are refused", async () => {
    const { control, clock } = configured({ ...only(levelNamed("one", 10)), seats: 1 });
    control.admit(pod());
    const waits: number[] = [];
    for (let second = 0; second < 80; second++) {
      for (let at = 0; at < 100; at++) waits[second] = control.admit(pod()).retryAfterSeconds;
      await clock.advance(1_000);
    }
    expect(waits.slice(0, 8)).toEqual([1, 2, 2, 4, 4, 4, 4, 8]);
    expect(waits.at(-1)).toBe(32);
    for (let second = 0; second < 5; second++) await clock.advance(40_000);
    expect(control.admit(pod()).retryAfterSeconds).toBe(31);
  });
});

describe("seats", () => {
  const sizeOf = (): { objects: number; bytes: number } => ({ objects: 1000, bytes: 2_500_000 });
  test.each([
    ["a GET", "/api/v1/namespaces/a/pods/b", 1],
    ["a list of much", "/api/v1/pods", 8],
    ["a part of it", "/api/v1/pods?limit=200", 5],
    ["a small part of it", "/api/v1/pods?limit=10", 1],
    ["a list of one", "/api/v1/pods?fieldSelector=metadata.name%3Da", 1],
    ["a watch of changes", "/api/v1/pods?watch=true", 1],
    ["a watch of all objects", "/api/v1/pods?watch=true&sendInitialEvents=true", 8],
    ["a list that will be refused", "/api/v1/pods?limit=x", 8],
    ["a path", "/version", 1],
  ])("of %s", (_, target, seats) => {
    const { control } = configured({ sizeOf });
    expect(control.admit(flowRequest("GET", target, jane))).toMatchObject({ seats });
  });

  test("of a list that has all it wants are ten", () => {
    const { control } = configured({ sizeOf });
    expect(
      control.admit(flowRequest("GET", "/api/v1/pods", { username: "a", groups: ["system:masters"] })),
    ).toMatchObject({
      seats: 10,
    });
  });
});

test("upstream's objects all make sense", () => {
  const { control } = configured();
  expect(control.levels).toHaveLength(bootstrapLevels.length);
  expect(bootstrapSchemas).toHaveLength(13);
});
