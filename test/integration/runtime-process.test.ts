import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { ContainerConfig, PodSandboxConfig } from "../../src/runtime/index.js";
import { ProcessRuntime } from "../../src/runtime/process/index.js";
import { describeRuntime } from "../../src/testing/runtime-contract.js";

const folders: string[] = [];
async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "coxswain-process-"));
  folders.push(made);
  return made;
}
afterAll(async () => {
  for (const made of folders) await rm(made, { recursive: true, force: true });
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

for (const isolation of ["none", undefined] as const) {
  describeRuntime({
    name: `ProcessRuntime (${isolation ?? "what the host permits"})`,
    async setup() {
      const rootDir = await folder();
      const runtime = await ProcessRuntime.open({ rootDir, podCidr: "127.201.0.0/24", isolation });
      return {
        runtime,
        image: "busybox:1",
        logRoot: join(rootDir, "logs"),
        programs: {
          forever: { command: ["sleep", "1000"], args: [] },
          stubborn: { command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], args: [] },
          exits: (code) => ({ command: ["sh", "-c", `echo out; exit ${code}`], args: [] }),
        },
        talk: ["sh", "-c", "echo hello; echo oops >&2; exit 3"],
        cat: ["cat"],
        settle: () => pause(10),
        dispose: () => runtime[Symbol.asyncDispose](),
      };
    },
  });
}

const namespaces = { network: "pod", pid: "container", ipc: "pod" } as const;
const sandboxConfig = (rootDir: string, name: string): PodSandboxConfig => ({
  metadata: { name, namespace: "default", uid: name, attempt: 0 },
  hostname: name,
  logDirectory: join(rootDir, "logs", name),
  portMappings: [],
  labels: { "io.kubernetes.pod.uid": name },
  annotations: {},
  security: { namespaces },
});
const containerConfig = (command: readonly string[], more: Partial<ContainerConfig> = {}): ContainerConfig => ({
  metadata: { name: "c", attempt: 0 },
  image: "busybox",
  command,
  args: [],
  env: [],
  mounts: [],
  labels: {},
  annotations: {},
  logPath: "c/0.log",
  security: { namespaces },
  ...more,
});

async function eventually(check: () => Promise<boolean>, what: string): Promise<void> {
  for (let turn = 0; turn < 500; turn++) {
    if (await check()) return;
    await pause(20);
  }
  throw new Error(`not in time: ${what}`);
}

test("what runs is taken up by the next runtime on the folder, what ended meanwhile is known", async () => {
  const rootDir = await folder();
  const sandbox = sandboxConfig(rootDir, "adopted");
  const first = await ProcessRuntime.open({ rootDir, podCidr: "127.202.0.0/24" });
  await first.pullImage("busybox");
  const sandboxId = await first.runPodSandbox(sandbox);
  const forever = await first.createContainer(
    sandboxId,
    containerConfig(["sh", "-c", "while :; do echo tick; sleep 0.05; done"]),
    sandbox,
  );
  await first.startContainer(forever);
  const brief = await first.createContainer(
    sandboxId,
    containerConfig(["sh", "-c", "sleep 0.2; exit 9"], { metadata: { name: "brief", attempt: 0 }, logPath: "b/0.log" }),
    sandbox,
  );
  await first.startContainer(brief);
  const { ips } = await first.podSandboxStatus(sandboxId);
  await first.release();
  await pause(400);
  const second = await ProcessRuntime.open({ rootDir, podCidr: "127.202.0.0/24" });
  expect((await second.containerStatus(forever)).state).toBe("running");
  expect(await second.containerStatus(brief)).toMatchObject({ state: "exited", exitCode: 9 });
  expect((await second.podSandboxStatus(sandboxId)).ips).toEqual(ips);
  const log = join(rootDir, "logs", "adopted", "c", "0.log");
  const before = (await readFile(log, "utf8")).length;
  await eventually(async () => (await readFile(log, "utf8")).length > before, "the log goes on");
  expect(
    await second.runPodSandbox(sandboxConfig(rootDir, "other")).then((id) => second.podSandboxStatus(id)),
  ).not.toMatchObject({ ips });
  await second[Symbol.asyncDispose]();
  expect(await readdir(rootDir)).toEqual(["logs"]);
});

test("killing a container takes its whole family along", async () => {
  const rootDir = await folder();
  await using runtime = await ProcessRuntime.open({ rootDir, podCidr: "127.203.0.0/24" });
  const sandbox = sandboxConfig(rootDir, "family");
  await runtime.pullImage("busybox");
  const sandboxId = await runtime.runPodSandbox(sandbox);
  const script = "setsid sleep 777 & echo $! > pids; sleep 778";
  const id = await runtime.createContainer(sandboxId, containerConfig(["sh", "-c", script]), sandbox);
  await runtime.startContainer(id);
  await eventually(async () => (await runtime.containerStats(id)).memoryWorkingSetBytes > 0, "it runs");
  await runtime.stopContainer(id, 0);
  const { processesOf } = await import("../../src/runtime/process/procfs.js");
  expect(await processesOf(id)).toEqual([]);
});

test("volumes are at their paths where the host permits it, and below COXSWAIN_ROOT everywhere", async () => {
  const rootDir = await folder();
  await using runtime = await ProcessRuntime.open({ rootDir, podCidr: "127.204.0.0/24" });
  const volume = await folder();
  await writeFile(join(volume, "key"), "value");
  const sandbox = sandboxConfig(rootDir, "volumes");
  await runtime.pullImage("busybox");
  const sandboxId = await runtime.runPodSandbox(sandbox);
  const mounts = [{ containerPath: "/etc/coxswain-test/config", hostPath: volume, readonly: true }];
  const id = await runtime.createContainer(sandboxId, containerConfig(["sleep", "100"], { mounts }), sandbox);
  await runtime.startContainer(id);
  const shell = async (script: string): Promise<string> =>
    Buffer.from((await runtime.execSync(id, ["sh", "-c", script], 10)).stdout).toString();
  expect(await shell('cat "$COXSWAIN_ROOT/etc/coxswain-test/config/key"')).toBe("value");
  if (runtime.isolation === "mount") {
    expect(await shell("cat /etc/coxswain-test/config/key")).toBe("value");
    expect(await shell("touch /etc/coxswain-test/config/new 2>/dev/null || echo readonly")).toBe("readonly\n");
  }
});

test("the web image answers on its pod's address, through port-forward", async () => {
  const rootDir = await folder();
  await using runtime = await ProcessRuntime.open({ rootDir, podCidr: "127.205.0.0/24" });
  const sandbox = sandboxConfig(rootDir, "web");
  await runtime.pullImage("coxswain/web");
  const sandboxId = await runtime.runPodSandbox(sandbox);
  const id = await runtime.createContainer(sandboxId, containerConfig([], { image: "coxswain/web" }), sandbox);
  await runtime.startContainer(id);
  const forward = await runtime.portForward(sandboxId);
  if (forward.kind !== "local") throw new Error("expected streams");
  let answer = "";
  await eventually(async () => {
    try {
      const connection = await forward.connect(8080);
      connection.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
      answer = "";
      for await (const chunk of connection) answer += String(chunk);
      return answer.endsWith("web\n");
    } catch {
      return false;
    }
  }, "an answer");
  expect(answer).toContain("200 OK");
  await runtime.stopContainer(id, 10);
  expect(await runtime.containerStatus(id)).toMatchObject({ exitCode: 0, reason: "Completed" });
});

test("a terminal, its size, and attach with input", async () => {
  const rootDir = await folder();
  await using runtime = await ProcessRuntime.open({ rootDir, podCidr: "127.206.0.0/24" });
  const sandbox = sandboxConfig(rootDir, "tty");
  await runtime.pullImage("busybox");
  const sandboxId = await runtime.runPodSandbox(sandbox);
  const config = containerConfig(["sh", "-c", "while read line; do echo got $line; done; exit 4"], {
    stdin: true,
    stdinOnce: true,
  });
  const id = await runtime.createContainer(sandboxId, config, sandbox);
  await runtime.startContainer(id);
  const command = ["sh", "-c", "sleep 0.3; tty > /dev/null && stty size"];
  const exec = await runtime.exec(id, { command, tty: true, stdin: true, stdout: true });
  if (exec.kind !== "local") throw new Error("expected streams");
  await pause(150);
  exec.resize({ width: 91, height: 17 });
  let output = "";
  exec.stdout?.on("data", (chunk) => {
    output += String(chunk);
  });
  expect((await exec.exit).exitCode).toBe(0);
  expect(output.trim()).toBe("17 91");
  const attach = await runtime.attach(id, { stdin: true, stdout: true });
  if (attach.kind !== "local") throw new Error("expected streams");
  let heard = "";
  attach.stdout?.on("data", (chunk) => {
    heard += String(chunk);
  });
  attach.stdin?.write("one\n");
  attach.stdin?.end("two\n");
  expect((await attach.exit).exitCode).toBe(4);
  expect(heard).toBe("got one\ngot two\n");
});

test("who would have devices of the host is told that there are none", async () => {
  const rootDir = await folder();
  await using runtime = await ProcessRuntime.open({ rootDir, podCidr: "127.208.0.0/24" });
  await runtime.pullImage("busybox");
  const sandbox = sandboxConfig(rootDir, "devices");
  const sandboxId = await runtime.runPodSandbox(sandbox);
  const config = { ...containerConfig(["true"]), cdiDevices: ["example.com/device=one"] };
  await expect(runtime.createContainer(sandboxId, config, sandbox)).rejects.toThrow(
    "the process runtime has no devices for containers",
  );
});

test("a program that does not exist and an unknown image are told", async () => {
  const rootDir = await folder();
  await using runtime = await ProcessRuntime.open({ rootDir, podCidr: "127.207.0.0/24" });
  await expect(runtime.pullImage("registry.example/no/such:1")).rejects.toMatchObject({ code: "image-not-found" });
  await runtime.pullImage("busybox");
  const sandbox = sandboxConfig(rootDir, "none");
  const sandboxId = await runtime.runPodSandbox(sandbox);
  const id = await runtime.createContainer(sandboxId, containerConfig(["no-such-program"]), sandbox);
  await expect(runtime.startContainer(id)).rejects.toThrow(
    'exec: "no-such-program": executable file not found in $PATH',
  );
  expect(await runtime.containerStatus(id)).toMatchObject({ state: "exited", exitCode: 128, reason: "StartError" });
});
