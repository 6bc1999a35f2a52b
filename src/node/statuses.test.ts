import { afterEach, expect, test } from "vitest";
import { type ContainerStatus, type Pod, pods } from "../api/index.js";
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

const only = ({ status }: Pod): ContainerStatus | undefined => status?.containerStatuses?.[0];

test("what an init container that failed kept from starting still waits when the pod is at its end", async () => {
  const h = await harness({
    script: ({ config }) => ({ exitAfterMs: 1000, exitCode: config.metadata.name === "one" ? 0 : 1 }),
  });
  await h.create("web", {
    restartPolicy: "Never",
    initContainers: ["one", "two", "three"].map((name) => ({ name, image: "a" })),
    containers: [{ name: "main", image: "a" }],
  });
  await h.clock.advance(5_000);
  const { status } = await h.get("web");
  expect(status?.phase).toBe("Failed");
  expect(status?.containerStatuses?.[0]?.state).toEqual({ waiting: { reason: "PodInitializing" } });
  expect(status?.initContainerStatuses?.map(({ state }) => state?.terminated?.exitCode)).toEqual([0, 1, undefined]);
  expect(status?.initContainerStatuses?.[2]?.state).toEqual({ waiting: { reason: "PodInitializing" } });
});

test("a pod that ended still says which version of it the node has seen", async () => {
  const h = await harness({ script: () => ({ exitAfterMs: 1000 }) });
  await h.create("web", { restartPolicy: "Never" });
  await h.clock.advance(2_000);
  const ended = await h.get("web");
  expect(ended.status).toMatchObject({ phase: "Succeeded", observedGeneration: 1 });
  const initialized = ended.status?.conditions?.find(({ type }) => type === "Initialized");
  expect(initialized).toMatchObject({ status: "True", reason: "PodCompleted" });
  const body = { spec: { activeDeadlineSeconds: 7000 } };
  await h.client.patch(pods, { namespace: "default", name: "web" }, { type: "strategic", body });
  await h.clock.advance(1_000);
  const { metadata, status } = await h.get("web");
  expect(metadata.generation).toBe(2);
  expect(status).toMatchObject({ phase: "Succeeded", observedGeneration: 2 });
});

test("an image that is another begins its waits anew", async () => {
  const h = await harness({ script: () => ({ exitAfterMs: 1000, exitCode: 1 }) });
  await h.create("web");
  await h.clock.advance(40_000);
  expect(only(await h.get("web"))?.state?.waiting?.message).toMatch(/^back-off 40s restarting/);
  const body = { spec: { containers: [{ name: "main", image: "other:2" }] } };
  await h.client.patch(pods, { namespace: "default", name: "web" }, { type: "strategic", body });
  const before = only(await h.get("web"))?.restartCount ?? 0;
  await h.clock.advance(3_000);
  expect(only(await h.get("web"))).toMatchObject({ restartCount: before + 1 });
});

test("main containers with rules of their own keep a pod running that else would be at its end", async () => {
  const h = await harness({ script: () => ({ exitAfterMs: 1000, exitCode: 42 }) });
  const rules = [{ action: "Restart", exitCodes: { operator: "In", values: [42] } }];
  await h.create("rule", {
    restartPolicy: "Never",
    containers: [{ name: "main", image: "a", restartPolicy: "Never", restartPolicyRules: rules }],
  });
  await h.create("own", {
    restartPolicy: "Never",
    containers: [{ name: "main", image: "a", restartPolicy: "Always" }],
  });
  await h.create("once", {
    restartPolicy: "Always",
    containers: [{ name: "main", image: "a", restartPolicy: "Never" }],
  });
  await h.clock.advance(5_000);
  for (const name of ["rule", "own"]) {
    const pod = await h.get(name);
    expect([pod.status?.phase, only(pod)?.restartCount]).toEqual(["Running", 1]);
    expect(only(pod)?.state?.waiting?.reason).toBe("CrashLoopBackOff");
  }
  expect((await h.get("once")).status).toMatchObject({ phase: "Failed" });
});

test("a pod for another operating system is turned away", async () => {
  const h = await harness();
  await h.create("other", { os: { name: "windows" } });
  await h.create("own", { os: { name: "linux" } });
  expect((await h.get("own")).status?.phase).toBe("Running");
  expect((await h.get("other")).status).toMatchObject({
    phase: "Failed",
    reason: "PodOSNotSupported",
    message: "Pod was rejected: Failed to admit pod as the OS field doesn't match node OS",
  });
  const labels = { "kubernetes.io/os": "windows" };
  await h.create("selected", { nodeSelector: labels });
  expect((await h.get("selected")).status).toMatchObject({
    reason: "PodOSSelectorNodeLabelDoesNotMatch",
    message: "Pod was rejected: Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
  });
});

test("why a pod may not set a kernel parameter is told once", async () => {
  const h = await harness();
  await h.create("unsafe", { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } });
  expect((await h.get("unsafe")).status).toMatchObject({
    reason: "SysctlForbidden",
    message: 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted',
  });
});

test("a container that could not be started says that it began in 1970", async () => {
  const h = await harness({ script: () => ({ startError: "no such file" }) });
  await h.create("web", { restartPolicy: "Never" });
  await h.clock.advance(1_000);
  expect(only(await h.get("web"))?.state?.terminated).toMatchObject({
    exitCode: 128,
    reason: "StartError",
    startedAt: "1970-01-01T00:00:00Z",
  });
});
