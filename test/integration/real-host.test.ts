import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsup";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRealHost, type RealNode } from "../../src/cluster/real/index.js";
import { CriRuntime } from "../../src/runtime/cri/index.js";
import type { ContainerConfig, PodSandboxConfig, ProcessStream } from "../../src/runtime/index.js";
import { startTestHost, type TestHost, tracesOf } from "./support/real-host.js";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const namespaces = { network: "pod", pid: "container", ipc: "pod" } as const;

let subject: TestHost;
let runtimes: readonly CriRuntime[];
beforeAll(async () => {
  subject = await startTestHost(["one", "two"], true);
  runtimes = subject.host.nodes.map(({ criSocket }) => new CriRuntime({ socket: criSocket }));
});
afterAll(async () => {
  for (const runtime of runtimes ?? []) await runtime[Symbol.asyncDispose]();
  await subject?.[Symbol.asyncDispose]();
});

interface Launched {
  readonly runtime: CriRuntime;
  readonly node: RealNode;
  readonly sandboxId: string;
  readonly id: string;
  readonly ip: string;
}

async function launch(
  position: number,
  name: string,
  image: string,
  more: Partial<ContainerConfig>,
  ofSandbox: Partial<PodSandboxConfig> = {},
): Promise<Launched> {
  const [runtime, node] = [runtimes[position], subject.host.nodes[position]];
  if (runtime === undefined || node === undefined) throw new Error(`no node ${position}`);
  const sandbox: PodSandboxConfig = {
    metadata: { name, namespace: "default", uid: `uid-${name}`, attempt: 0 },
    hostname: name,
    logDirectory: join(subject.folder, "logs", name),
    portMappings: [],
    labels: {},
    annotations: {},
    cgroupParent: `${node.cgroupRoot}/pod-${name}`,
    security: { namespaces },
    ...ofSandbox,
  };
  const config: ContainerConfig = {
    metadata: { name: "c", attempt: 0 },
    image: await runtime.pullImage(image),
    command: [],
    args: [],
    env: [],
    mounts: [],
    labels: {},
    annotations: {},
    logPath: "c/0.log",
    security: { namespaces },
    ...more,
  };
  const sandboxId = await runtime.runPodSandbox(sandbox);
  const id = await runtime.createContainer(sandboxId, config, sandbox);
  await runtime.startContainer(id);
  const [ip = ""] = (await runtime.podSandboxStatus(sandboxId)).ips;
  return { runtime, node, sandboxId, id, ip };
}

async function fetchFrom({ runtime, id }: Launched, url: string): Promise<string> {
  const command = ["sh", "-c", `timeout 5 wget -q -O - ${url}`];
  const deadline = Date.now() + 15_000;
  for (;;) {
    const { exitCode, stdout, stderr } = await runtime.execSync(id, command, 10);
    if (exitCode === 0) return Buffer.from(stdout).toString().trim();
    if (Date.now() > deadline) throw new Error(`${url}: ${Buffer.from(stderr).toString()}`);
    await pause(50);
  }
}

function inside(node: RealNode, ...argv: string[]): Promise<string> {
  const [program = "", ...args] = node.command(argv);
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: 20_000, cwd: path("../..") }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${error.message} ${stderr}`)),
    );
  });
}

const remove = ({ runtime, sandboxId }: Launched): Promise<void> => runtime.removePodSandbox(sandboxId);

test("etcd serves, also after it was killed", async () => {
  const { etcd } = subject.host;
  const version = async (): Promise<unknown> => (await fetch(`${etcd?.endpoint}/version`)).json();
  expect(await version()).toHaveProperty("etcdserver");
  await etcd?.daemon.kill();
  await etcd?.daemon.ready();
  expect(await version()).toHaveProperty("etcdserver");
});

test("pods of different nodes, their nodes and the host reach one another", async () => {
  const web = await launch(0, "web", "coxswain/web:1", { env: [{ name: "VERSION", value: "v2" }] });
  const caller = await launch(1, "caller", "busybox", { command: ["sh", "-c", "sleep 1000"] });
  expect(web.node.podCidr).not.toBe(caller.node.podCidr);
  expect(await fetchFrom(caller, `http://${web.ip}:8080/`)).toBe("web v2");
  expect(await fetchFrom(caller, `http://${web.ip}:8080/healthz`)).toBe("ok");
  const server = createServer((request, response) =>
    response.end(`host says hello to ${request.socket.remoteAddress}`),
  );
  server.listen(0, subject.host.hostAddress);
  await once(server, "listening");
  const address = server.address();
  const port = address === null || typeof address === "string" ? 0 : address.port;
  expect(await fetchFrom(caller, `http://${subject.host.hostAddress}:${port}/`)).toBe(
    `host says hello to ${caller.ip}`,
  );
  server.closeAllConnections();
  server.close();
  for (const each of [web, caller]) await remove(each);
});

test("a host port leads to its pod", async () => {
  const portMappings = [{ protocol: "TCP", containerPort: 8080, hostPort: 30123 }] as const;
  const web = await launch(0, "mapped", "coxswain/web", {}, { portMappings });
  const caller = await launch(1, "asking", "busybox", { command: ["sh", "-c", "sleep 1000"] });
  expect(await fetchFrom(caller, `http://${web.node.address}:30123/`)).toBe("mapped");
  for (const each of [web, caller]) await remove(each);
});

test("exec, attach and port-forward are served at their URLs, on the node's address", async () => {
  const shell = await launch(0, "streams", "busybox", { command: ["cat"], stdin: true });
  const web = await launch(0, "forwarded", "coxswain/web", {});
  const urlOf = (stream: ProcessStream | { readonly kind: string }): string => {
    if (!("url" in stream)) throw new Error("the runtime gave no URL");
    expect(new URL(stream.url).hostname).toBe(shell.node.address);
    return stream.url;
  };
  const client = async (url: string, ...rest: string[]): Promise<Record<string, string>> =>
    JSON.parse(await inside(shell.node, process.execPath, path("./support/stream-client.mjs"), url, ...rest));

  const { runtime } = shell;
  const command = ["sh", "-c", "echo hello; echo oops >&2; exit 3"];
  const exec = await client(urlOf(await runtime.exec(shell.id, { command, stdout: true, stderr: true })));
  expect(exec).toMatchObject({ 1: "hello\n", 2: "oops\n" });
  expect(JSON.parse(exec[3] ?? "{}")).toMatchObject({ reason: "NonZeroExitCode" });
  const cat = urlOf(await runtime.exec(shell.id, { command: ["cat"], stdin: true, stdout: true }));
  expect(await client(cat, "through")).toMatchObject({ 1: "through\n" });
  const attach = urlOf(await runtime.attach(shell.id, { stdin: true, stdout: true }));
  expect(await client(attach, "attached")).toMatchObject({ 1: "attached\n" });
  const forward = urlOf(await runtime.portForward(web.sandboxId, [8080]));
  await fetchFrom(web, "http://127.0.0.1:8080/");
  const answer = await client(forward, "--port", "8080", "GET / HTTP/1.0\r\n\r");
  expect(answer[0]).toContain("200 OK");
  for (const each of [shell, web]) await remove(each);
});

test("what is mounted later reaches the container that asks for it", async () => {
  const [node] = subject.host.nodes;
  const folder = join(node?.rootDir ?? "", "propagated");
  const { execFileSync } = await import("node:child_process");
  execFileSync("mkdir", ["-p", `${folder}/later`]);
  const mounts = [
    { hostPath: folder, containerPath: "/given", readonly: false, propagation: "host-to-container" },
  ] as const;
  const pod = await launch(0, "propagated", "busybox", { command: ["sh", "-c", "sleep 1000"], mounts });
  execFileSync("mount", ["-t", "tmpfs", "late", `${folder}/later`]);
  await writeFile(`${folder}/later/seen`, "yes");
  const { stdout } = await pod.runtime.execSync(pod.id, ["cat", "/given/later/seen"], 10);
  expect(Buffer.from(stdout).toString()).toBe("yes");
  await remove(pod);
});

test("two hosts at a time do not meet", async () => {
  const other = await startTestHost(["one"]);
  expect(other.node.address).not.toBe(subject.node.address);
  expect(other.node.criSocket).not.toBe(subject.node.criSocket);
  await other[Symbol.asyncDispose]();
  expect((await runtimes[0]?.status())?.conditions.every(({ status }) => status)).toBe(true);
});

test("a folder in use, and a stranger's, are refused", async () => {
  const stateDir = join(subject.folder, "state");
  await expect(createRealHost({ stateDir, nodes: [{ name: "x" }] })).rejects.toThrow(/is in use by process \d+/);
  await expect(createRealHost({ stateDir: path("."), nodes: [{ name: "x" }] })).rejects.toThrow(/is not empty/);
  await expect(createRealHost({ stateDir: "/tmp/none", nodes: [{ name: "A b" }] })).rejects.toThrow(
    /cannot name a node/,
  );
});

test("after kill -9 the next start removes everything, wherever it was", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cxw-killed-"));
  const outDir = path("../../node_modules/.cache/coxswain-test");
  const entry = { child: path("./support/real-host-child.ts") };
  await build({
    entry,
    outDir,
    format: "esm",
    target: "node20",
    silent: true,
    config: false,
    dts: false,
    clean: false,
  });
  const child = spawn(process.execPath, [join(outDir, "child.js"), join(folder, "state")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const prefix = basename(await runDirSaidBy(child));
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  expect((await tracesOf(prefix, folder)).length).toBeGreaterThan(10);
  const next = await createRealHost({ stateDir: join(folder, "state"), nodes: [{ name: "next" }], etcdDataDir: false });
  const left = (await tracesOf(prefix, folder)).filter((trace) => /\b(?:one|two|etcd)\b/.test(trace));
  expect(left).toEqual([]);
  expect(await readdir(join(folder, "state", "nodes"))).toEqual(["next"]);
  await next.dispose();
  expect(await tracesOf(prefix, folder)).toEqual([]);
  expect(await readdir(folder)).toEqual([]);
  await rm(folder, { recursive: true });
});

async function runDirSaidBy(child: ChildProcess): Promise<string> {
  let text = "";
  for await (const chunk of child.stdout ?? []) {
    text += chunk;
    if (text.includes("\n")) return JSON.parse(text).runDir;
  }
  throw new Error("the child did not start its host");
}

test("on the host itself: one node with the host's own network, and nothing stays", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cxw-onhost-"));
  const outDir = path("../../node_modules/.cache/coxswain-test");
  const entry = { onhost: path("./support/real-on-host.ts") };
  await build({
    entry,
    outDir,
    format: "esm",
    target: "node20",
    silent: true,
    config: false,
    dts: false,
    clean: false,
  });
  // "The host" is a namespace here.
  const netns = `cxw-onhost-${process.pid}`;
  const ip = (...args: string[]): Promise<string> => plain("ip", ...args);
  await ip("netns", "add", netns);
  try {
    await ip("-n", netns, "link", "set", "lo", "up");
    const enter = [`--net=/run/netns/${netns}`];
    const said = await plain("nsenter", ...enter, process.execPath, join(outDir, "onhost.js"), join(folder, "state"));
    const { prefix, answer, forwarded } = JSON.parse(said.trim().split("\n").at(-1) ?? "{}");
    expect({ answer, forwarded }).toEqual({ answer: "on-host", forwarded: "on-host" });
    expect(await tracesOf(prefix, folder)).toEqual([]);
    expect((await ip("-n", netns, "-o", "link")).trim().split("\n")).toHaveLength(1);
    expect(await ip("-n", netns, "route")).toBe("");
    expect(await plain("nsenter", ...enter, "iptables-save", "-t", "nat")).not.toMatch(/CNI-DN-|coxswain/);
    expect((await plain("nsenter", ...enter, "cat", "/proc/sys/net/ipv4/ip_forward")).trim()).toBe("0");
  } finally {
    await ip("netns", "del", netns);
    await rm(folder, { recursive: true, force: true });
  }
});

function plain(program: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: 60_000 }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${error.message} ${stderr}`)),
    );
  });
}
