import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request as httpRequest, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configMaps, type Pod, type PodSpec, pods } from "../../src/api/index.js";
import { type Client, createClient } from "../../src/client/index.js";
import { realClock } from "../../src/internal/clock.js";
import { seededRandom } from "../../src/internal/random.js";
import { createNodeAgent, type NodeAgent } from "../../src/node/index.js";
import { ProcessRuntime } from "../../src/runtime/process/index.js";
import { makePod } from "../../src/testing/builders.js";
import { FakeApi } from "../../src/testing/fake-api.js";

// A node agent with real processes behind just enough of an API server that the real kubectl talks to it. All on loopback.

let rootDir: string;
let client: Client;
let runtime: ProcessRuntime;
let agent: NodeAgent;
let front: Server;
let stop: AbortController;
let running: Promise<void>;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function eventually<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  for (let turn = 0; turn < 600; turn++) {
    const found = await look();
    if (found !== undefined) return found;
    await pause(20);
  }
  throw new Error(`not in time: ${what}`);
}

const ready = (name: string): Promise<Pod> =>
  eventually(async () => {
    const pod = await client.get(pods, { namespace: "default", name });
    return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ? pod : undefined;
  }, `${name} is Ready`);

async function create(name: string, spec: Partial<PodSpec>): Promise<void> {
  const pod = makePod(name, { nodeName: "n1" });
  const { uid: _, resourceVersion: __, ...metadata } = pod.metadata;
  await client.create(pods, {
    ...pod,
    metadata,
    spec: { containers: [], restartPolicy: "Always", ...pod.spec, ...spec },
  });
}

async function startAgent(): Promise<void> {
  stop = new AbortController();
  runtime = await ProcessRuntime.open({ rootDir: join(rootDir, "runtime"), podCidr: "127.210.0.0/24" });
  agent = createNodeAgent({
    client,
    runtime,
    nodeName: "n1",
    rootDir: join(rootDir, "node"),
    server: { port: 0, address: "127.0.0.1", authorization: "none" },
  });
  await new Promise<void>((up) => {
    running = agent.run({ signal: stop.signal, ready: up });
  });
}

beforeAll(async () => {
  rootDir = await mkdtemp(join(tmpdir(), "coxswain-node-"));
  client = createClient(new FakeApi({ clock: realClock, random: seededRandom(1) }));
  await startAgent();
  front = startFront();
  await new Promise<void>((up) => front.listen(0, "127.0.0.1", up));
});

afterAll(async () => {
  stop.abort();
  await running;
  front.closeAllConnections();
  front.close();
  await runtime[Symbol.asyncDispose]();
  await rm(rootDir, { recursive: true, force: true });
});

/** `/api/v1/namespaces/<ns>/pods/<name>/<sub>` to the node's own path, as an API server maps it. */
function nodePath(url: string): string {
  const { pathname, searchParams } = new URL(url, "http://front");
  const [, , , , namespace, , name, sub] = pathname.split("/");
  const container = searchParams.get("container") ?? "main";
  const verb = sub === "log" ? "containerLogs" : sub === "portforward" ? "portForward" : sub;
  for (const [theirs, ours] of [
    ["stdin", "input"],
    ["stdout", "output"],
    ["stderr", "error"],
  ] as const) {
    if (searchParams.get(theirs) === "true") searchParams.set(ours, "1");
  }
  return `/${verb}/${namespace}/${name}${verb === "portForward" ? "" : `/${container}`}?${searchParams}`;
}

function startFront(): Server {
  const server = createServer(async (request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    const json = (body: unknown, code = 200): void => {
      response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (path === "/version") return json({ major: "1", minor: "36", gitVersion: "v1.36.0" });
    if (path === "/api") return json({ kind: "APIVersions", versions: ["v1"] });
    if (path === "/apis") return json({ kind: "APIGroupList", apiVersion: "v1", groups: [] });
    const list = { kind: "APIResourceList", groupVersion: "v1" };
    const pod = { name: "pods", singularName: "pod", namespaced: true, kind: "Pod", verbs: ["get", "list"] };
    if (path === "/api/v1") return json({ ...list, resources: [pod] });
    const name = /^\/api\/v1\/namespaces\/default\/pods\/([^/]+)$/.exec(path)?.[1];
    if (name !== undefined) return json(await client.get(pods, { namespace: "default", name }));
    if (path.endsWith("/log")) {
      const inner = httpRequest(
        { host: "127.0.0.1", port: agent.serverPort, path: nodePath(request.url ?? "") },
        (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        },
      );
      inner.on("error", () => response.destroy());
      response.on("close", () => inner.destroy());
      return inner.end();
    }
    json({ kind: "Status", apiVersion: "v1", status: "Failure", code: 404, reason: "NotFound", message: path }, 404);
  });
  server.on("upgrade", (request, socket, head) => {
    const upstream = connect(agent.serverPort ?? 0, "127.0.0.1", () => {
      let text = `${request.method} ${nodePath(request.url ?? "")} HTTP/1.1\r\n`;
      for (let at = 0; at < request.rawHeaders.length; at += 2) {
        text += `${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}\r\n`;
      }
      upstream.write(`${text}\r\n`);
      if (head.length > 0) upstream.write(head);
      upstream.pipe(socket);
      socket.pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  return server;
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function kubectl(args: readonly string[], env: Record<string, string> = {}, input?: string): Promise<Outcome> {
  const { port } = front.address() as AddressInfo;
  const all = ["--server", `http://127.0.0.1:${port}`, "-n", "default", ...args];
  return new Promise((resolve) => {
    const child = execFile(
      process.env.KUBECTL ?? "kubectl",
      all,
      { timeout: 20_000, env: { ...process.env, HOME: rootDir, KUBECONFIG: "/dev/null", ...env } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
    child.stdin?.on("error", () => {});
    if (input !== undefined) child.stdin?.write(input);
    child.stdin?.end();
  });
}

test("a pod with volumes, env and probes becomes Ready, and its ConfigMap's changes arrive", async () => {
  await client.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "default", name: "settings" },
    data: { colour: "red" },
  });
  await create("full", {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: "main",
        image: "busybox",
        command: ["sh", "-c", 'echo "I am $POD"; echo trouble >&2; touch /tmp/never; exec sleep 1000'],
        env: [{ name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
        volumeMounts: [
          { name: "settings", mountPath: "/etc/coxswain-settings" },
          { name: "scratch", mountPath: "/scratch-space" },
        ],
        readinessProbe: {
          exec: { command: ["sh", "-c", 'test -e "$COXSWAIN_ROOT/etc/coxswain-settings/colour"'] },
          periodSeconds: 1,
        },
      },
    ],
    volumes: [
      { name: "settings", configMap: { name: "settings" } },
      { name: "scratch", emptyDir: {} },
    ],
  });
  const pod = await ready("full");
  expect(pod.status?.podIP).toMatch(/^127\.210\.0\./);
  const read = (): Promise<Outcome> =>
    kubectl(["exec", "full", "--", "sh", "-c", 'cat "$COXSWAIN_ROOT/etc/coxswain-settings/colour"']);
  expect((await read()).stdout).toBe("red");
  await client.patch(
    configMaps,
    { namespace: "default", name: "settings" },
    { type: "merge", body: { data: { colour: "blue" } } },
  );
  await eventually(async () => ((await read()).stdout === "blue" ? true : undefined), "the new colour");
});

describe.each([
  ["WebSocket", "true"],
  ["SPDY", "false"],
])("kubectl over %s", (_, sockets) => {
  const env = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: sockets, KUBECTL_PORT_FORWARD_WEBSOCKETS: sockets };

  test("exec: output, errors and exit code", async () => {
    const talk = ["exec", "full", "--", "sh", "-c", "echo out; echo err >&2; exit 3"];
    const { code, stdout, stderr } = await kubectl(talk, env);
    expect(stdout).toBe("out\n");
    expect(stderr).toMatch(/^err\n/);
    expect(stderr).toContain("command terminated with exit code 3");
    expect(code).toBe(3);
  });

  test("exec -i: input to its end, a megabyte of it", async () => {
    const input = "0123456789abcdef".repeat(65_536);
    const { code, stdout } = await kubectl(["exec", "-i", "full", "--", "wc", "-c"], env, input);
    expect([code, stdout.trim()]).toEqual([0, "1048576"]);
  });

  test("exec: a lot of output", async () => {
    const { code, stdout } = await kubectl(
      ["exec", "full", "--", "sh", "-c", "head -c 900000 /dev/zero | tr '\\0' x"],
      env,
    );
    expect([code, stdout.length]).toEqual([0, 900_000]);
  });

  test("attach: output to the container's end, and nothing of how it ended", async () => {
    await create(`short-${sockets}`, {
      restartPolicy: "Never",
      containers: [
        { name: "main", image: "busybox", stdin: true, stdinOnce: true, command: ["sh", "-c", "cat; exit 42"] },
      ],
    });
    await ready(`short-${sockets}`);
    const { code, stdout, stderr } = await kubectl(["attach", "-i", `short-${sockets}`], env, "abcd1234");
    expect([code, stdout], stderr).toEqual([0, "abcd1234"]);
    expect(stderr).not.toContain("42");
  });

  test("port-forward carries several connections", async () => {
    await create(`web-${sockets}`, {
      terminationGracePeriodSeconds: 2,
      containers: [
        {
          name: "main",
          image: "coxswain/web",
          ports: [{ name: "http", containerPort: 8080 }],
          readinessProbe: { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 1 },
        },
      ],
    });
    await ready(`web-${sockets}`);
    const { port } = front.address() as AddressInfo;
    const args = [
      "--server",
      `http://127.0.0.1:${port}`,
      "-n",
      "default",
      "port-forward",
      `pod/web-${sockets}`,
      ":8080",
    ];
    const child = spawn(process.env.KUBECTL ?? "kubectl", args, {
      env: { ...process.env, HOME: rootDir, KUBECONFIG: "/dev/null", ...env },
    });
    try {
      let output = "";
      child.stdout.on("data", (chunk) => {
        output += String(chunk);
      });
      const local = await eventually(async () => /127\.0\.0\.1:(\d+)/.exec(output)?.[1], "port-forward is up");
      const answers = await Promise.all([1, 2, 3].map(async () => (await fetch(`http://127.0.0.1:${local}/`)).text()));
      expect(answers).toEqual([1, 2, 3].map(() => `web-${sockets}\n`));
    } finally {
      child.kill();
    }
  });
});

test("logs: all, the last lines, since, timestamps, follow", async () => {
  expect((await kubectl(["logs", "full"])).stdout.split("\n").sort()).toEqual(["", "I am full", "trouble"]);
  expect((await kubectl(["logs", "full", "--tail=1"])).stdout.trim().split("\n")).toHaveLength(1);
  expect((await kubectl(["logs", "full", "--timestamps"])).stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z /);
  await create("talker", {
    restartPolicy: "Never",
    containers: [
      { name: "main", image: "busybox", command: ["sh", "-c", "for i in 1 2 3 4; do echo $i; sleep 0.2; done"] },
    ],
  });
  const followed = await eventually(async () => {
    const outcome = await kubectl(["logs", "-f", "talker"]);
    return outcome.code === 0 ? outcome : undefined;
  }, "the log");
  expect(followed.stdout).toBe("1\n2\n3\n4\n");
  await eventually(async () => {
    const pod = await client.get(pods, { namespace: "default", name: "talker" });
    return pod.status?.phase === "Succeeded" ? pod : undefined;
  }, "success");
});

const ask = async (path: string): Promise<string> => {
  const answer = await fetch(`http://127.0.0.1:${agent.serverPort}${path}`);
  expect(answer.status).toBe(200);
  return answer.text();
};

test("statistics tell what pods and the node use", async () => {
  const busy = "head -c 300000 /dev/zero > $COXSWAIN_ROOT/data/file; while :; do :; done";
  await create("busy", {
    containers: [
      {
        name: "main",
        image: "busybox",
        command: ["sh", "-c", busy],
        volumeMounts: [{ name: "data", mountPath: "/data" }],
        resources: { requests: { cpu: "100m" }, limits: { cpu: "200m", memory: "64Mi" } },
      },
    ],
    volumes: [{ name: "data", emptyDir: {} }],
    terminationGracePeriodSeconds: 0,
  });
  await ready("busy");
  interface Use {
    readonly cpu: { readonly usageNanoCores?: number; readonly usageCoreNanoSeconds: number };
    readonly memory: { readonly workingSetBytes: number; readonly availableBytes: number };
  }
  interface Summary {
    readonly node: Use & Readonly<Record<"fs" | "runtime" | "rlimit", object>> & { readonly startTime: string };
    readonly pods: readonly (Use & {
      readonly podRef: { readonly name: string };
      readonly containers: readonly (Use & { readonly startTime: string })[];
      readonly volume?: readonly { readonly name: string; readonly usedBytes: number }[];
    })[];
  }
  const { node, pod } = await eventually(async () => {
    const summary = JSON.parse(await ask("/stats/summary")) as Summary;
    const found = summary.pods.find(({ podRef }) => podRef.name === "busy");
    const { node } = summary;
    return found?.cpu.usageNanoCores && node.cpu.usageNanoCores ? { node, pod: found } : undefined;
  }, "how fast both use CPU time is known");
  // A loop without end takes what it gets of one processor.
  expect(pod.cpu.usageNanoCores).toBeGreaterThan(1e7);
  expect(pod.cpu.usageNanoCores).toBeLessThan(1.5e9);
  expect(pod.containers[0]).toMatchObject({ name: "main", rootfs: { usedBytes: expect.any(Number) } });
  expect(Date.parse(pod.containers[0]?.startTime ?? "")).toBeGreaterThan(Date.now() - 60_000);
  expect(node.cpu.usageNanoCores).toBeGreaterThan(1e7);
  expect(node.memory.workingSetBytes).toBeGreaterThan(pod.memory.workingSetBytes);
  expect(node).toMatchObject({
    nodeName: "n1",
    fs: { capacityBytes: expect.any(Number), inodesFree: expect.any(Number) },
    runtime: { imageFs: { availableBytes: expect.any(Number) } },
    rlimit: { maxpid: expect.any(Number), curproc: expect.any(Number) },
  });
  const metrics = await ask("/metrics/resource");
  const labels = 'container="main",namespace="default",pod="busy"';
  for (const [name, type] of [
    ["container_cpu_usage_seconds_total", "counter"],
    ["container_memory_working_set_bytes", "gauge"],
    ["container_start_time_seconds", "gauge"],
  ]) {
    expect(metrics).toContain(`# TYPE ${name} ${type}\n`);
    expect(metrics).toMatch(new RegExp(`^${name}\\{${labels}\\} [\\d.e+]+( \\d{13})?$`, "m"));
  }
  expect(metrics).toMatch(/^pod_cpu_usage_seconds_total\{namespace="default",pod="busy"\} [\d.]+ \d{13}$/m);
  expect(metrics).toMatch(/^node_cpu_usage_seconds_total [\d.]+ \d{13}$/m);
  expect(metrics).toMatch(/^node_memory_working_set_bytes \d+ \d{13}$/m);
  expect(metrics).toMatch(/^resource_scrape_error 0$/m);
  const cadvisor = await ask("/metrics/cadvisor");
  expect(cadvisor).toMatch(/^container_cpu_usage_seconds_total\{container="main",.*pod="busy",cpu="total"\} [\d.]+ /m);
  expect(cadvisor).toMatch(/^container_spec_memory_limit_bytes\{.*pod="busy"\} 67108864 /m);
  expect(await ask("/metrics")).toMatch(/^kubelet_running_pods \d+$/m);
  await client.delete(pods, { namespace: "default", name: "busy" }, { gracePeriodSeconds: 0 });
});

test("a container that is killed comes back, and its last words are kept", async () => {
  await create("crash", {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: "main", image: "busybox", command: ["sh", "-c", "echo hello; sleep 1000"] }],
  });
  await ready("crash");
  await kubectl(["exec", "crash", "--", "sh", "-c", "kill -9 $(cat $COXSWAIN_ROOT/../pid)"]);
  const pod = await eventually(async () => {
    const now = await client.get(pods, { namespace: "default", name: "crash" });
    return now.status?.containerStatuses?.[0]?.restartCount === 1 ? now : undefined;
  }, "a restart");
  expect(pod.status?.containerStatuses?.[0]?.lastState?.terminated).toMatchObject({ exitCode: 137, reason: "Error" });
});

test("a new agent takes up what runs; deletion ends it", async () => {
  const before = (await client.get(pods, { namespace: "default", name: "full" })).status?.containerStatuses?.[0];
  stop.abort();
  await running;
  await runtime.release();
  await startAgent();
  await pause(200);
  const after = (await client.get(pods, { namespace: "default", name: "full" })).status?.containerStatuses?.[0];
  expect(after).toMatchObject({ containerID: before?.containerID, restartCount: 0 });
  expect((await kubectl(["exec", "full", "--", "echo", "still here"])).stdout).toBe("still here\n");
  await client.delete(pods, { namespace: "default", name: "full" });
  await eventually(async () => {
    const { items } = await client.list(pods, { namespace: "default" });
    return items.some(({ metadata }) => metadata.name === "full") ? undefined : true;
  }, "it is gone");
});
