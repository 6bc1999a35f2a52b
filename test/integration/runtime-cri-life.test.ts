import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CriRuntime } from "../../src/runtime/cri/index.js";
import { type ContainerConfig, isRuntimeError, type PodSandboxConfig } from "../../src/runtime/index.js";
import { startTestHost, type TestHost, tracesOf } from "./support/real-host.js";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const namespaces = { network: "pod", pid: "container", ipc: "pod" } as const;
const forever = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"];

let subject: TestHost;
let runtime: CriRuntime;
beforeAll(async () => {
  subject = await startTestHost(["life"]);
  runtime = new CriRuntime({ socket: subject.node.criSocket });
});
afterAll(async () => {
  await runtime?.[Symbol.asyncDispose]();
  await subject?.[Symbol.asyncDispose]();
});

async function eventually(check: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    if (await check()) return;
    await pause(20);
  }
  throw new Error(`not in time: ${what}`);
}

function sandboxConfig(name: string, more: Partial<PodSandboxConfig> = {}): PodSandboxConfig {
  return {
    metadata: { name, namespace: "default", uid: `uid-${name}`, attempt: 0 },
    hostname: name,
    logDirectory: join(subject.folder, "logs", name),
    portMappings: [],
    labels: { "io.kubernetes.pod.uid": `uid-${name}` },
    annotations: {},
    cgroupParent: `${subject.node.cgroupRoot}/besteffort/pod-${name}`,
    security: { namespaces },
    ...more,
  };
}

async function launch(
  name: string,
  command: readonly string[],
  more: Partial<ContainerConfig> = {},
  ofSandbox: Partial<PodSandboxConfig> = {},
): Promise<{ readonly sandboxId: string; readonly id: string }> {
  const sandbox = sandboxConfig(name, ofSandbox);
  const image = await runtime.pullImage("busybox:1");
  const sandboxId = await runtime.runPodSandbox(sandbox);
  const config: ContainerConfig = {
    metadata: { name: "c", attempt: 0 },
    image,
    command,
    args: [],
    env: [{ name: "GREETING", value: "hello" }],
    mounts: [],
    labels: {},
    annotations: {},
    logPath: "c/0.log",
    security: { namespaces },
    ...more,
  };
  const id = await runtime.createContainer(sandboxId, config, sandbox);
  await runtime.startContainer(id);
  return { sandboxId, id };
}

const output = async (id: string, ...command: string[]): Promise<string> =>
  Buffer.from((await runtime.execSync(id, command, 10)).stdout)
    .toString()
    .trim();

test("containerd killed and started again: containers run on, the connection comes back, what ended meanwhile is known", async () => {
  const running = await launch("running", forever);
  const ending = await launch("ending", ["sh", "-c", "while [ ! -e /tmp/end ]; do sleep 0.02; done; exit 4"]);
  const { ips } = await runtime.podSandboxStatus(running.sandboxId);
  const before = subject.node.containerd.pid;
  await runtime.execSync(ending.id, ["sh", "-c", "(sleep 0.1; touch /tmp/end) >/dev/null 2>&1 &"], 10);
  await subject.node.containerd.kill();
  const down = await runtime.version().then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(down === undefined || isRuntimeError(down, "unavailable")).toBe(true);
  await subject.node.containerd.ready();
  expect(subject.node.containerd.pid).not.toBe(before);
  await eventually(async () => (await runtime.containerStatus(ending.id)).state === "exited", "the end is seen");
  expect((await runtime.containerStatus(ending.id)).exitCode).toBe(4);
  expect((await runtime.containerStatus(running.id)).state).toBe("running");
  expect((await runtime.podSandboxStatus(running.sandboxId)).ips).toEqual(ips);
  expect(await output(running.id, "sh", "-c", "echo $GREETING")).toBe("hello");
  await runtime.removePodSandbox(running.sandboxId);
  await runtime.removePodSandbox(ending.sandboxId);
});

test("another runtime on the socket finds what the first one started", async () => {
  const { sandboxId, id } = await launch("adopted", forever);
  await using second = new CriRuntime({ socket: `unix://${subject.node.criSocket}` });
  expect(await second.containerStatus(id)).toMatchObject({ state: "running", sandboxId });
  const [container] = await second.listContainers({ sandboxId });
  expect(container).toMatchObject({ id, metadata: { name: "c", attempt: 0 } });
  await second.removePodSandbox(sandboxId);
  expect(await runtime.listContainers({ sandboxId })).toEqual([]);
});

test("more memory than the limit: OOMKilled", async () => {
  // A shell variable that doubles: without a limit it would go on for long.
  const eat = "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done";
  const limit = 16 * 1024 * 1024;
  const { sandboxId, id } = await launch("oom", ["sh", "-c", eat], { resources: { memoryLimitBytes: limit } });
  await eventually(async () => (await runtime.containerStatus(id)).state === "exited", "it is killed");
  expect(await runtime.containerStatus(id)).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
  await runtime.removePodSandbox(sandboxId);
});

test("no more CPU than the limit", async () => {
  const resources = { cpuPeriodUs: 100_000, cpuQuotaUs: 25_000, cpuShares: 256 };
  const { sandboxId, id } = await launch("cpu", ["sh", "-c", "while :; do :; done"], { resources });
  const first = await runtime.containerStats(id);
  await pause(1500);
  const second = await runtime.containerStats(id);
  const seconds = (second.timestampMs - first.timestampMs) / 1000;
  const used = (second.cpuUsageNanoSeconds - first.cpuUsageNanoSeconds) / 1e9 / seconds;
  expect(used).toBeGreaterThan(0.02);
  expect(used).toBeLessThan(0.35);
  expect(second).toMatchObject({ id, sandboxId });
  expect(second.memoryWorkingSetBytes).toBeGreaterThan(0);
  await runtime.updateContainerResources(id, { ...resources, cpuQuotaUs: 50_000 });
  expect((await runtime.listContainerStats({ sandboxId })).map((stats) => stats.id)).toEqual([id]);
  await runtime.removePodSandbox(sandboxId);
});

test("security context, hostname, DNS, sysctls and mounts are what was asked for", async () => {
  const { sandboxId, id } = await launch(
    "secure",
    ["sh", "-c", "sleep 1000"],
    {
      mounts: [{ hostPath: subject.folder, containerPath: "/given", readonly: true }],
      security: {
        namespaces,
        runAsUser: 1234,
        runAsGroup: 2345,
        supplementalGroups: [3456],
        readonlyRootfs: true,
        noNewPrivileges: true,
        dropCapabilities: ["ALL"],
        addCapabilities: ["NET_BIND_SERVICE"],
        seccomp: { type: "RuntimeDefault" },
      },
    },
    {
      dns: { servers: ["10.96.0.10"], searches: ["default.svc.cluster.local"], options: ["ndots:5"] },
      sysctls: { "net.ipv4.ip_unprivileged_port_start": "1000" },
    },
  );
  expect(await output(id, "id")).toBe("uid=1234 gid=2345 groups=2345,3456");
  expect(await output(id, "hostname")).toBe("secure");
  expect((await output(id, "cat", "/etc/resolv.conf")).split("\n")).toEqual([
    "search default.svc.cluster.local",
    "nameserver 10.96.0.10",
    "options ndots:5",
  ]);
  expect(await output(id, "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start")).toBe("1000");
  expect(await output(id, "sh", "-c", "touch /given/x 2>&1 || touch /x 2>&1")).toContain("Read-only file system");
  const status = await output(id, "cat", "/proc/self/status");
  expect(status).toMatch(/NoNewPrivs:\s+1/);
  expect(status).toMatch(/Seccomp:\s+2/);
  expect(status).toMatch(/CapBnd:\s+0000000000000400/);
  expect(await output(id, "sh", "-c", "cat /proc/timer_list | wc -c")).toBe("0");
  await runtime.removePodSandbox(sandboxId);
});

test("a privileged container with the host's namespaces", async () => {
  const host = { network: "node", pid: "node", ipc: "node" } as const;
  const { sandboxId, id } = await launch(
    "privileged",
    ["sh", "-c", "sleep 1000"],
    { security: { namespaces: host, privileged: true } },
    { hostname: "", security: { namespaces: host, privileged: true } },
  );
  expect(await runtime.podSandboxStatus(sandboxId)).toMatchObject({ ips: [], networkMode: "node" });
  expect(await output(id, "ip", "-4", "-o", "addr", "show", "eth0")).toContain(subject.node.address);
  expect(await output(id, "cat", "/proc/self/status")).toMatch(/CapBnd:\s+0+1ff/);
  await runtime.removePodSandbox(sandboxId);
});

test("no way out of a pod or of a node", async () => {
  const { sandboxId, id } = await launch("inside", ["sh", "-c", "sleep 1000"]);
  expect(await output(id, "sh", "-c", "ip route; nc -w 2 198.51.100.1 80 </dev/null 2>&1 || echo refused")).toMatch(
    /refused$/,
  );
  const host = { network: "node", pid: "container", ipc: "pod" } as const;
  const node = await launch(
    "on-node",
    ["sh", "-c", "sleep 1000"],
    { security: { namespaces: host } },
    { hostname: "", security: { namespaces: host } },
  );
  expect(await output(node.id, "ip", "route")).not.toContain("default");
  await runtime.removePodSandbox(sandboxId);
  await runtime.removePodSandbox(node.sandboxId);
});

test("errors have codes: an image nobody has, a bad reference, a command that takes too long, a program that is not there", async () => {
  const failure = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );
  expect(await failure(runtime.pullImage("nobody/has:this"))).toMatchObject({ code: "image-not-found" });
  expect(await failure(runtime.pullImage("Not A Reference"))).toMatchObject({ code: "invalid" });
  expect(await runtime.imageStatus("nobody/has:this")).toBeUndefined();
  const { sandboxId, id } = await launch("errors", forever);
  expect(await failure(runtime.execSync(id, ["sleep", "60"], 1))).toMatchObject({ code: "deadline-exceeded" });
  expect(await failure(runtime.startContainer("nothing"))).toMatchObject({ code: "not-found" });
  const aborted = new AbortController();
  const waiting = failure(runtime.execSync(id, ["sleep", "60"], 0, { signal: aborted.signal }));
  aborted.abort(new Error("enough"));
  expect(await waiting).toMatchObject({ message: "enough" });
  await runtime.removePodSandbox(sandboxId);
  const missing = await failure(launch("missing", ["/no/such/program"]));
  expect(isRuntimeError(missing)).toBe(true);
  expect(String(missing)).toContain("no such file or directory");
  const [sandbox] = await runtime.listPodSandboxes({ labels: { "io.kubernetes.pod.uid": "uid-missing" } });
  const [container] = await runtime.listContainers({ sandboxId: sandbox?.id });
  expect(await runtime.containerStatus(container?.id ?? "")).toMatchObject({ state: "exited", exitCode: 128 });
  await runtime.removePodSandbox(sandbox?.id ?? "");
});

test("a log is reopened after rotation", async () => {
  const { rename } = await import("node:fs/promises");
  const { sandboxId, id } = await launch("logging", ["sh", "-c", "while :; do echo tick; sleep 0.05; done"]);
  const log = join(subject.folder, "logs", "logging", "c", "0.log");
  const grown = async (): Promise<boolean> => (await readFile(log, "utf8").catch(() => "")).includes("tick");
  await eventually(grown, "the log is written");
  await rename(log, `${log}.old`);
  await runtime.reopenContainerLog(id);
  await eventually(grown, "the new log is written");
  await runtime.removePodSandbox(sandboxId);
});

test("images are accounted for", async () => {
  await runtime.pullImage("busybox:accounted");
  const image = await runtime.imageStatus("busybox:accounted");
  expect(image?.sizeBytes).toBeGreaterThan(100_000);
  expect(image?.repoTags).toContain("docker.io/library/busybox:accounted");
  const [filesystem] = await runtime.imageFsInfo();
  expect(filesystem?.mountpoint).toContain(subject.folder);
  await runtime.pullImage("registry.example/coxswain/web:7");
  await runtime.removeImage("registry.example/coxswain/web:7");
  expect(await runtime.imageStatus("registry.example/coxswain/web:7")).toBeUndefined();
});

test("a removed sandbox leaves no control group", async () => {
  const { sandboxId } = await launch("groups", forever);
  const folder = join("/sys/fs/cgroup/memory", subject.node.cgroupRoot, "besteffort");
  expect(await readdir(folder)).toContain("pod-groups");
  await runtime.removePodSandbox(sandboxId);
  expect(await readdir(folder)).not.toContain("pod-groups");
});

test("disposing leaves nothing of running pods", async () => {
  const other = await startTestHost(["gone"]);
  const prefix = basename(other.node.criSocket.split("/").slice(0, 3).join("/"));
  await using there = new CriRuntime({ socket: other.node.criSocket });
  const config = {
    ...sandboxConfig("left"),
    cgroupParent: `${other.node.cgroupRoot}/pod-left`,
    logDirectory: join(other.folder, "logs"),
  };
  const image = await there.pullImage("busybox:1");
  const sandboxId = await there.runPodSandbox(config);
  const id = await there.createContainer(
    sandboxId,
    {
      metadata: { name: "c", attempt: 0 },
      image,
      command: forever,
      args: [],
      env: [],
      mounts: [],
      labels: {},
      annotations: {},
      security: { namespaces },
    },
    config,
  );
  await there.startContainer(id);
  expect((await tracesOf(prefix, other.folder)).length).toBeGreaterThan(5);
  await other[Symbol.asyncDispose]();
  expect(await tracesOf(prefix, other.folder)).toEqual([]);
  const sockets = await readdir("/run/containerd/s").catch(() => []);
  expect(sockets).toHaveLength((await runtime.listPodSandboxes()).length);
});
