import { afterEach, expect, test } from "vitest";
import { leases, nodes, pods, runtimeClasses } from "../api/index.js";
import type { FakeScript } from "../runtime/index.js";
import { type Harness, startHarness } from "../testing/node-harness.js";

const open: Harness[] = [];
async function harness(...options: Parameters<typeof startHarness>): Promise<Harness> {
  const made = await startHarness(...options);
  open.push(made);
  return made;
}
afterEach(async () => {
  for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
});

const conditions = (pod: { status?: { conditions?: readonly { type: string; status: string }[] } }): string =>
  (pod.status?.conditions ?? []).map(({ type, status }) => `${type}=${status}`).join(" ");

test("a node registers, is Ready and keeps its lease", async () => {
  const h = await harness();
  const node = await h.client.get(nodes, { name: "n1" });
  expect(node.metadata.labels).toMatchObject({ "kubernetes.io/hostname": "n1", "kubernetes.io/os": "linux" });
  expect(node.status?.conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual([
    "MemoryPressure=False",
    "DiskPressure=False",
    "PIDPressure=False",
    "Ready=True",
  ]);
  const before = await h.client.get(leases, { namespace: "kube-node-lease", name: "n1" });
  await h.clock.advance(11_000);
  const after = await h.client.get(leases, { namespace: "kube-node-lease", name: "n1" });
  expect(after.spec?.renewTime).not.toBe(before.spec?.renewTime);
  expect(after.spec).toMatchObject({ holderIdentity: "n1", leaseDurationSeconds: 40 });
});

test("a resource that somebody adds to the capacity can be allocated until it is taken away", async () => {
  const h = await harness();
  const advertise = (foo: string | null): Promise<unknown> => {
    const body = { status: { capacity: { "example.com/foo": foo } } };
    return h.client.patch(nodes, { name: "n1" }, { type: "strategic", body }, { subresource: "status" });
  };
  const shown = async (): Promise<unknown> => {
    await h.clock.advance(11_000);
    const { status } = await h.client.get(nodes, { name: "n1" });
    return [status?.capacity?.["example.com/foo"], status?.allocatable?.["example.com/foo"]];
  };
  await advertise("3");
  expect(await shown()).toEqual(["3", "3"]);
  const writes = h.api.requests.length;
  await h.clock.advance(60_000);
  expect(h.api.requests.slice(writes).filter(({ verb, resource }) => verb === "patch" && resource === "nodes")).toEqual(
    [],
  );
  await advertise(null);
  expect(await shown()).toEqual([undefined, undefined]);
});

test("a pod becomes Running and Ready by a single status write", async () => {
  const h = await harness();
  await h.create("web");
  const pod = await h.get("web");
  expect(pod.status).toMatchObject({ phase: "Running", podIP: "10.244.0.2", hostIP: "127.0.0.1" });
  expect(conditions(pod)).toBe(
    "PodReadyToStartContainers=True Initialized=True Ready=True ContainersReady=True PodScheduled=True",
  );
  expect(pod.status?.containerStatuses?.[0]).toMatchObject({ ready: true, started: true, restartCount: 0 });
  expect(
    h.api.requests.filter(({ subresource }) => subresource === "status").filter(({ resource }) => resource === "pods"),
  ).toHaveLength(1);
  expect(h.events.map((event) => event.split(" ")[1])).toEqual(["Pulling", "Pulled", "Created", "Started"]);
});

test("a pod at rest sets no timer", async () => {
  const h = await harness();
  const before = h.clock.pending;
  await h.create("web");
  expect(h.clock.pending).toBe(before);
});

test("deletion stops the containers, then removes the pod from the API and the runtime", async () => {
  const h = await harness({ script: () => ({ stopAfterMs: 3000 }) });
  await h.create("web");
  await h.client.delete(pods, { namespace: "default", name: "web" });
  await h.clock.advance(2900);
  expect(await h.exists("web")).toBe(true);
  await h.clock.advance(200);
  expect(await h.exists("web")).toBe(false);
  expect(await h.runtime.listPodSandboxes()).toEqual([]);
  expect(h.events).toContain("Normal Killing Stopping container main");
});

test("a shorter grace period overtakes a longer one", async () => {
  const h = await harness({ script: () => ({ stopAfterMs: 1_000_000 }) });
  await h.create("web");
  await h.client.delete(pods, { namespace: "default", name: "web" });
  await h.clock.advance(5_000);
  expect(await h.exists("web")).toBe(true);
  await h.client.delete(pods, { namespace: "default", name: "web" }, { gracePeriodSeconds: 1 });
  await h.clock.advance(2_000);
  expect(await h.exists("web")).toBe(false);
});

test("a pod deleted by force is ended on the host", async () => {
  const h = await harness({ script: () => ({ stopAfterMs: 1_000_000 }) });
  await h.create("web");
  await h.client.delete(pods, { namespace: "default", name: "web" }, { gracePeriodSeconds: 0 });
  await h.clock.advance(2_000);
  expect(await h.runtime.listPodSandboxes()).toEqual([]);
});

test("a crashing container backs off 10 s, 20 s, 40 s", async () => {
  const starts: number[] = [];
  const h = await harness({
    script: () => {
      starts.push(0);
      return { exitAfterMs: 1000, exitCode: 1 };
    },
  });
  await h.create("web");
  await h.clock.advance(2500);
  expect(starts).toHaveLength(2);
  const waiting = await h.get("web");
  expect(waiting.status?.phase).toBe("Running");
  expect(waiting.status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe("CrashLoopBackOff");
  expect(waiting.status?.containerStatuses?.[0]?.state?.waiting?.message).toMatch(
    /^back-off 10s restarting failed container=main pod=web_default\(/,
  );
  expect(waiting.status?.containerStatuses?.[0]?.lastState?.terminated).toMatchObject({ exitCode: 1, reason: "Error" });
  await h.clock.advance(10_000);
  expect(starts).toHaveLength(3);
  await h.clock.advance(19_000);
  expect(starts).toHaveLength(3);
  await h.clock.advance(2_500);
  expect(starts).toHaveLength(4);
  expect((await h.get("web")).status?.containerStatuses?.[0]?.restartCount).toBe(3);
});

test("a pod of restartPolicy Never ends Succeeded or Failed", async () => {
  const h = await harness({
    script: ({ sandbox }) => ({ exitAfterMs: 1000, exitCode: sandbox.metadata.name === "bad" ? 3 : 0 }),
  });
  await h.create("good", { restartPolicy: "Never" });
  await h.create("bad", { restartPolicy: "Never" });
  await h.clock.advance(1500);
  const good = await h.get("good");
  expect(good.status?.phase).toBe("Succeeded");
  expect(good.status?.conditions?.find(({ type }) => type === "Ready")).toMatchObject({
    status: "False",
    reason: "PodCompleted",
  });
  expect(good.status?.podIP).toBe("10.244.0.2");
  const bad = await h.get("bad");
  expect(bad.status?.phase).toBe("Failed");
  expect(bad.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 3, reason: "Error" });
});

test("init containers run one by one, sidecars stay", async () => {
  const order: string[] = [];
  const h = await harness({
    script: ({ config }) => {
      order.push(config.metadata.name);
      return config.metadata.name.startsWith("init") ? { exitAfterMs: 1000 } : {};
    },
  });
  await h.create("web", {
    initContainers: [
      { name: "init1", image: "a" },
      { name: "side", image: "s", restartPolicy: "Always" },
      { name: "init2", image: "b" },
    ],
  });
  expect(order).toEqual(["init1"]);
  const pending = await h.get("web");
  expect(pending.status?.phase).toBe("Pending");
  expect(pending.status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe("PodInitializing");
  expect(pending.status?.conditions?.find(({ type }) => type === "Initialized")).toMatchObject({
    status: "False",
    reason: "ContainersNotInitialized",
    message: "containers with incomplete status: [init1 side init2]",
  });
  await h.clock.advance(1100);
  expect(order).toEqual(["init1", "side", "init2"]);
  await h.clock.advance(1100);
  expect(order).toEqual(["init1", "side", "init2", "main"]);
  expect((await h.get("web")).status?.phase).toBe("Running");
  expect(conditions(await h.get("web"))).toContain("Ready=True");
});

test("a failed init container ends a pod that never restarts", async () => {
  const h = await harness({ script: () => ({ exitAfterMs: 1000, exitCode: 2 }) });
  await h.create("web", { restartPolicy: "Never", initContainers: [{ name: "init", image: "a" }] });
  await h.clock.advance(2000);
  const pod = await h.get("web");
  expect(pod.status?.phase).toBe("Failed");
});

test("a sidecar does not keep a pod alive whose work is done", async () => {
  const h = await harness({
    script: ({ config }) => (config.metadata.name === "main" ? { exitAfterMs: 1000 } : { stopAfterMs: 500 }),
  });
  await h.create("web", {
    restartPolicy: "Never",
    initContainers: [{ name: "side", image: "s", restartPolicy: "Always" }],
  });
  await h.clock.advance(1100);
  expect((await h.get("web")).status?.phase).toBe("Running");
  await h.clock.advance(1000);
  expect((await h.get("web")).status?.phase).toBe("Succeeded");
});

test("an image that cannot be pulled backs off", async () => {
  const h = await harness({ pullError: (reference) => (reference === "bad:latest" ? "no such image" : undefined) });
  await h.create("web", { containers: [{ name: "c", image: "bad" }] });
  const waiting = async (): Promise<unknown> => (await h.get("web")).status?.containerStatuses?.[0]?.state?.waiting;
  expect(await waiting()).toEqual({ reason: "ErrImagePull", message: "no such image" });
  expect((await h.get("web")).status?.phase).toBe("Pending");
  await h.clock.advance(10_500);
  expect(await waiting()).toMatchObject({ reason: "ErrImagePull" });
  await h.client.patch(
    pods,
    { namespace: "default", name: "web" },
    { type: "merge", body: { metadata: { annotations: { poke: "1" } } } },
  );
  await h.clock.advance(100);
  expect(await waiting()).toEqual({
    reason: "ImagePullBackOff",
    message: 'Back-off pulling image "bad": ErrImagePull: no such image',
  });
  expect(h.events).toContain('Warning Failed Failed to pull image "bad": no such image');
  expect(h.events).toContain("Warning Failed Error: ErrImagePull");
  expect(h.events).toContain('Normal BackOff Back-off pulling image "bad"');
});

test("readiness decides Ready, liveness restarts", async () => {
  let ready = 1;
  let alive = 0;
  const h = await harness({
    script: () => ({ exec: ([what]) => ({ exitCode: what === "ready" ? ready : alive, stderr: "no" }) }),
  });
  await h.create("web", {
    containers: [
      {
        name: "c",
        image: "a",
        readinessProbe: { exec: { command: ["ready"] }, periodSeconds: 1 },
        livenessProbe: { exec: { command: ["alive"] }, periodSeconds: 1, failureThreshold: 2 },
      },
    ],
  });
  await h.clock.advance(1500);
  const unready = await h.get("web");
  expect(unready.status?.conditions?.find(({ type }) => type === "Ready")).toMatchObject({
    status: "False",
    reason: "ContainersNotReady",
    message: "containers with unready status: [c]",
  });
  ready = 0;
  await h.clock.advance(1500);
  expect(conditions(await h.get("web"))).toContain("Ready=True");
  alive = 1;
  await h.clock.advance(2500);
  expect(h.events).toContain("Warning Unhealthy Liveness probe failed: no");
  expect(h.events).toContain("Normal Killing Container c failed liveness probe, will be restarted");
  expect((await h.get("web")).status?.containerStatuses?.[0]?.restartCount).toBe(1);
});

test("a restarted agent adopts what runs and ends what was deleted meanwhile", async () => {
  const h = await harness();
  await h.create("stays");
  await h.create("goes");
  const before = await h.runtime.listContainers();
  await h.stop();
  await h.client.delete(pods, { namespace: "default", name: "goes" }, { gracePeriodSeconds: 0 });
  await h.restart();
  await h.clock.advance(100);
  const after = await h.runtime.listContainers();
  expect(after.map(({ id }) => id)).toEqual(
    before.filter(({ labels }) => labels["io.kubernetes.pod.name"] === "stays").map(({ id }) => id),
  );
  expect((await h.get("stays")).status?.containerStatuses?.[0]?.restartCount).toBe(0);
});

test("an agent stopped at any moment of a pod's start is taken up by the next", async () => {
  const h = await harness({ pullMs: 100 });
  await h.create("web", {
    containers: [
      { name: "a", image: "a" },
      { name: "b", image: "b" },
    ],
  });
  for (const pause of [50, 60, 70]) {
    await h.clock.advance(pause);
    await h.restart();
  }
  await h.clock.advance(1000);
  const running = await h.runtime.listContainers({ state: "running" });
  expect(running.map(({ metadata }) => metadata.name).sort()).toEqual(["a", "b"]);
  expect(conditions(await h.get("web"))).toContain("Ready=True");
});

test("activeDeadlineSeconds fails a pod", async () => {
  const h = await harness();
  await h.create("web", { activeDeadlineSeconds: 5 });
  await h.clock.advance(6_000);
  expect((await h.get("web")).status).toMatchObject({
    phase: "Failed",
    reason: "DeadlineExceeded",
    message: "Pod was active on the node longer than the specified deadline",
  });
});

test("kernel parameters that are not safe are turned away", async () => {
  const h = await harness();
  await h.create("safe", { securityContext: { sysctls: [{ name: "kernel.shm_rmid_forced", value: "1" }] } });
  await h.create("unsafe", { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } });
  expect((await h.get("safe")).status?.phase).toBe("Running");
  expect((await h.get("unsafe")).status).toMatchObject({ phase: "Failed", reason: "SysctlForbidden" });
});

test("a RuntimeClass says how its pods are run, and pods wait for theirs", async () => {
  const handlers: unknown[] = [];
  const h = await harness({
    sandboxError({ runtimeHandler }) {
      handlers.push(runtimeHandler);
      return undefined;
    },
  });
  await h.create("sealed", { runtimeClassName: "sealed" });
  await h.clock.advance(1000);
  expect((await h.get("sealed")).status?.phase).toBe("Pending");
  expect(h.events.join()).toContain('Failed to create pod sandbox: runtimeclasses.node.k8s.io "sealed" not found');
  await h.client.create(runtimeClasses, {
    apiVersion: "node.k8s.io/v1",
    kind: "RuntimeClass",
    metadata: { name: "sealed" },
    handler: "kata",
  });
  await h.clock.advance(60_000);
  expect((await h.get("sealed")).status?.phase).toBe("Running");
  expect(handlers).toEqual(["kata"]);
});

test("what does not fit is turned away", async () => {
  const h = await harness({}, { resources: { cpu: "1" } });
  const containers = [{ name: "c", image: "a", resources: { requests: { cpu: "600m" } } }];
  await h.create("first", { containers });
  await h.create("second", { containers });
  await h.create("elsewhere", { nodeSelector: { disk: "ssd" } });
  expect((await h.get("first")).status?.phase).toBe("Running");
  expect((await h.get("second")).status).toMatchObject({
    phase: "Failed",
    reason: "OutOfcpu",
    message: "Pod was rejected: Node didn't have enough resource: cpu, requested: 600, used: 600, capacity: 1000",
  });
  expect((await h.get("elsewhere")).status).toMatchObject({ phase: "Failed", reason: "NodeAffinity" });
});

test("env comes from the pod, ConfigMaps, Secrets and expansion; a missing one is told", async () => {
  const seen: Record<string, string>[] = [];
  const h = await harness({
    script: ({ config }) => {
      seen.push(Object.fromEntries(config.env.map(({ name, value }) => [name, value])));
      return undefined;
    },
  });
  const { configMaps, secrets } = await import("../api/index.js");
  const containers = [
    {
      name: "c",
      image: "a",
      envFrom: [{ prefix: "P_", configMapRef: { name: "cm" } }],
      env: [
        { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
        { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
        { name: "SECRET", valueFrom: { secretKeyRef: { name: "s", key: "k" } } },
        { name: "SUM", value: "$(POD)-$(SECRET)-$$(POD)-$(NONE)" },
      ],
    },
  ];
  await h.create("web", { containers });
  expect((await h.get("web")).status?.containerStatuses?.[0]?.state?.waiting).toEqual({
    reason: "CreateContainerConfigError",
    message: 'configmap "cm" not found',
  });
  await h.client.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "default", name: "cm" },
    data: { A: "1" },
  });
  await h.client.create(secrets, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace: "default", name: "s" },
    data: { k: "djE=" },
  });
  await h.clock.advance(11_000);
  expect(seen[0]).toMatchObject({ P_A: "1", POD: "web", IP: "10.244.0.2", SECRET: "v1", SUM: "web-v1-$(POD)-$(NONE)" });
});

test.each([
  ["IPv4", ["10.9.0.1", "fd00:9::1", "10.9.0.2"], ["10.244.0.2", "fd00:244::2"], ["10.9.0.1", "fd00:9::1"]],
  ["IPv6", ["fd00:9::1", "10.9.0.1"], ["fd00:244::2", "10.244.0.2"], ["fd00:9::1", "10.9.0.1"]],
  ["IPv4 alone", ["10.9.0.1"], ["10.244.0.2", "fd00:244::2"], ["10.9.0.1"]],
])("addresses of two families begin with the node's: %s", async (_name, own, podIps, hostIps) => {
  let seen: Record<string, string> = {};
  const script: FakeScript = ({ config }) => {
    seen = Object.fromEntries(config.env.map(({ name, value }) => [name, value]));
    return undefined;
  };
  const h = await harness(
    { podCidr: "10.244.0.0/24,fd00:244::/64", script },
    { addresses: own.map((address) => ({ type: "InternalIP", address })) },
  );
  const env = ["podIP", "podIPs", "hostIPs"].map((name) => ({
    name,
    valueFrom: { fieldRef: { fieldPath: `status.${name}` } },
  }));
  await h.create("web", { containers: [{ name: "c", image: "a", env }] });
  expect((await h.get("web")).status).toMatchObject({
    podIP: podIps[0],
    podIPs: podIps.map((ip) => ({ ip })),
    hostIP: hostIps[0],
    hostIPs: hostIps.map((ip) => ({ ip })),
  });
  expect(seen).toEqual({ podIP: podIps[0], podIPs: podIps.join(), hostIPs: hostIps.join() });
  await h.create("shared", { containers: [{ name: "c", image: "a" }], hostNetwork: true });
  expect((await h.get("shared")).status).toMatchObject({ podIP: hostIps[0], podIPs: hostIps.map((ip) => ({ ip })) });
});

test("a lost sandbox is made anew with its containers", async () => {
  const h = await harness();
  await h.create("web");
  const [sandbox] = await h.runtime.listPodSandboxes();
  await h.runtime.stopPodSandbox(sandbox?.id ?? "");
  await h.clock.advance(100);
  const pod = await h.get("web");
  expect(conditions(pod)).toContain("Ready=True");
  expect(pod.status?.containerStatuses?.[0]?.restartCount).toBe(1);
});

test("a status that somebody else overwrote is set right", async () => {
  const h = await harness();
  await h.create("web");
  await h.client.patch(
    pods,
    { namespace: "default", name: "web" },
    { type: "merge", body: { status: { phase: "Pending" } } },
    { subresource: "status" },
  );
  await h.clock.advance(100);
  expect((await h.get("web")).status?.phase).toBe("Running");
});
