import { afterEach, expect, test } from "vitest";
import { pods } from "../api/index.js";
import { type Harness, startHarness } from "../testing/node-harness.js";

let open: Harness | undefined;
async function harness(...options: Parameters<typeof startHarness>): Promise<Harness> {
  open = await startHarness(...options);
  return open;
}
afterEach(async () => {
  await open?.[Symbol.asyncDispose]();
  open = undefined;
});

test("preStop runs before the stop signal and is part of the grace period", async () => {
  const h = await harness({ script: () => ({ stopAfterMs: 4_000 }) });
  await h.create("web", {
    terminationGracePeriodSeconds: 10,
    containers: [{ name: "c", image: "a", lifecycle: { preStop: { sleep: { seconds: 8 } } } }],
  });
  await h.client.delete(pods, { namespace: "default", name: "web" }, { gracePeriodSeconds: 10 });
  await h.clock.advance(9_500);
  expect(await h.exists("web")).toBe(true);
  // The hook took eight of ten seconds: two are left, and then it is killed.
  await h.clock.advance(1_000);
  expect(await h.exists("web")).toBe(false);
});

test("a preStop hook that hangs is cut off at the end of the grace period", async () => {
  const h = await harness({ script: () => ({ exec: () => new Promise(() => {}) }) });
  await h.create("web", {
    terminationGracePeriodSeconds: 5,
    containers: [{ name: "c", image: "a", lifecycle: { preStop: { exec: { command: ["hang"] } } } }],
  });
  await h.client.delete(pods, { namespace: "default", name: "web" }, { gracePeriodSeconds: 5 });
  await h.clock.advance(4_000);
  expect(await h.exists("web")).toBe(true);
  await h.clock.advance(3_500);
  expect(await h.exists("web")).toBe(false);
});

test("a container is not ready before its postStart hook has returned, and goes when that fails", async () => {
  let exitCode = 0;
  const h = await harness({
    script: () => ({
      exec: () => ({ exitCode, stderr: "broken" }),
    }),
  });
  const lifecycle = { postStart: { exec: { command: ["hook"] } } };
  await h.create("good", { containers: [{ name: "c", image: "a", lifecycle }] });
  expect((await h.get("good")).status?.containerStatuses?.[0]).toMatchObject({ ready: true, started: true });
  exitCode = 1;
  await h.create("bad", { containers: [{ name: "c", image: "a", lifecycle }] });
  await h.clock.advance(100);
  expect(h.events.some((event) => event.includes("FailedPostStartHook"))).toBe(true);
  expect((await h.get("bad")).status?.containerStatuses?.[0]).toMatchObject({ ready: false });
});

test("sidecars end after the main containers, the last one first", async () => {
  const ends: string[] = [];
  const h = await harness({ script: () => ({ stopAfterMs: 1_000 }) });
  const watch = h.runtime.events(new AbortController().signal);
  await h.create("web", {
    initContainers: [
      { name: "s1", image: "a", restartPolicy: "Always" },
      { name: "s2", image: "a", restartPolicy: "Always" },
    ],
  });
  const names = new Map((await h.runtime.listContainers()).map(({ id, metadata }) => [id, metadata.name]));
  void (async () => {
    for await (const { type, containerId } of watch) {
      const name = names.get(containerId);
      if (type === "stopped" && name !== undefined) ends.push(name);
    }
  })();
  await h.client.delete(pods, { namespace: "default", name: "web" });
  await h.clock.advance(5_000);
  expect(ends).toEqual(["main", "s2", "s1"]);
  expect(await h.exists("web")).toBe(false);
});

test("a startup probe holds the others back, and restarts what does not start", async () => {
  let up = false;
  const asked: string[] = [];
  const h = await harness({
    script: () => ({
      exec: ([what = ""]) => {
        asked.push(what);
        return { exitCode: what === "up" && !up ? 1 : 0 };
      },
    }),
  });
  const every = (command: string) => ({ exec: { command: [command] }, periodSeconds: 1 });
  await h.create("web", {
    containers: [
      {
        name: "c",
        image: "a",
        startupProbe: { ...every("up"), failureThreshold: 3 },
        livenessProbe: every("live"),
        readinessProbe: every("ready"),
      },
    ],
  });
  await h.clock.advance(1_500);
  expect(new Set(asked)).toEqual(new Set(["up"]));
  expect((await h.get("web")).status?.containerStatuses?.[0]).toMatchObject({ started: false, ready: false });
  await h.clock.advance(1_000);
  expect(h.events).toContain("Normal Killing Container c failed startup probe, will be restarted");
  up = true;
  await h.clock.advance(3_000);
  expect((await h.get("web")).status?.containerStatuses?.[0]).toMatchObject({
    started: true,
    ready: true,
    restartCount: 1,
  });
  expect(asked).toContain("live");
});

test("an ephemeral container joins a running pod", async () => {
  const h = await harness();
  await h.create("web");
  const pod = await h.get("web");
  const debug = { name: "debug", image: "tools", targetContainerName: "main" };
  await h.client.update(pods, {
    ...pod,
    spec: { ...pod.spec, containers: pod.spec?.containers ?? [], ephemeralContainers: [debug] },
  });
  await h.clock.advance(100);
  const [status] = (await h.get("web")).status?.ephemeralContainerStatuses ?? [];
  expect(status).toMatchObject({ name: "debug", state: { running: {} } });
});

test("readiness gates hold Ready back until somebody opens them", async () => {
  const h = await harness();
  await h.create("web", { readinessGates: [{ conditionType: "example.com/gate" }] });
  const ready = async (): Promise<unknown> =>
    (await h.get("web")).status?.conditions?.find(({ type }) => type === "Ready");
  expect(await ready()).toMatchObject({
    status: "False",
    reason: "ReadinessGatesNotReady",
    message: 'corresponding condition of pod readiness gate "example.com/gate" does not exist.',
  });
  const pod = await h.get("web");
  const conditions = [...(pod.status?.conditions ?? []), { type: "example.com/gate", status: "True" }];
  await h.client.update(pods, { ...pod, status: { ...pod.status, conditions } }, { subresource: "status" });
  await h.clock.advance(100);
  expect(await ready()).toMatchObject({ status: "True" });
});

test("while the API is away the pod's containers are still looked after, and the status arrives later", async () => {
  const h = await harness();
  await h.create("web");
  h.api.intercept = () => {
    throw new Error("connection refused");
  };
  const [container] = await h.runtime.listContainers();
  h.runtime.kill(container?.id ?? "");
  await h.clock.advance(1_000);
  expect(await h.runtime.listContainers({ state: "running" })).toHaveLength(1);
  h.api.intercept = undefined;
  await h.clock.advance(15_000);
  expect((await h.get("web")).status?.containerStatuses?.[0]).toMatchObject({ restartCount: 1, ready: true });
});
