import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cliPath, interrupt, startCli, startUp } from "./support/cli.js";
import { eventually, type Outcome, startProgram } from "./support/cli-program.js";
import { createKubectl, type Kubectl } from "./support/kubectl.js";

let folder: string;
/** Where the programs under test make their own folders, so that what they leave is seen. */
let temp: string;
const env = (): Record<string, string> => ({ TMPDIR: temp, HOME: folder });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cli-test-"));
  temp = await mkdtemp(join(folder, "tmp-"));
  await chmod(folder, 0o755);
  await chmod(temp, 0o1777);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const kubectlFor = (kubeconfig: string): Promise<Kubectl> => createKubectl({ kubeconfig, home: folder });

/** The processes of this machine whose command line or environment names the tests' folder: all that a cluster started. */
async function leftProcesses(): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
    const [command, environment] = [await read("cmdline"), await read("environ")];
    if (`${command}\0${environment}`.includes(folder)) found.push(`${pid} ${command.replaceAll("\0", " ")}`);
  }
  return found;
}

async function nothingLeft(): Promise<void> {
  await eventually(
    async () => ((await leftProcesses()).length === 0 ? true : undefined),
    "no process is left",
    10_000,
  ).catch(async (error: unknown) => {
    throw new Error(`left: ${(await leftProcesses()).join("\n")}`, { cause: error });
  });
  expect((await readdir(temp)).filter((name) => name.startsWith("coxswain"))).toEqual([]);
}

const portOf = (kubeconfigText: string): number =>
  Number(/server: "?https:\/\/127\.0\.0\.1:(\d+)/.exec(kubeconfigText)?.[1]);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2_000 });
    const end = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
    socket.once("timeout", () => end(false));
  });
}

async function ended(args: readonly string[]): Promise<Outcome> {
  const program = startCli(args, { env: env() });
  program.end();
  const timer = setTimeout(() => program.kill("SIGKILL"), 30_000);
  const outcome = await program.ended;
  clearTimeout(timer);
  return outcome;
}

describe("a command line that makes no sense is told so", () => {
  const cases: readonly { name: string; args: readonly string[]; says: RegExp }[] = [
    { name: "an unknown option", args: ["up", "--nonsense"], says: /unknown option '--nonsense'/ },
    { name: "an unknown command", args: ["down"], says: /unknown command 'down'/ },
    { name: "a port that is none", args: ["up", "--port", "http"], says: /a port is a number from 0 to 65535/ },
    { name: "too many nodes", args: ["up", "--nodes", "1000"], says: /a number from 0 to 100 is expected/ },
    {
      name: "a store that is none",
      args: ["up", "--store", "floppy"],
      says: /Allowed choices are memory, embedded, etcd/,
    },
    {
      name: "etcd without what runs it",
      args: ["up", "--store", "etcd"],
      says: /^coxswain: --store etcd goes with --real/m,
    },
    {
      name: "containers without networks",
      args: ["up", "--runtime", "cri"],
      says: /^coxswain: --runtime cri needs --real/m,
    },
    { name: "a part without a kubeconfig", args: ["scheduler"], says: /required option '--kubeconfig <path>'/ },
    {
      name: "a kubeconfig that is not there",
      args: ["scheduler", "--kubeconfig", "/nowhere/kc"],
      says: /^coxswain: .*\/nowhere\/kc/m,
    },
  ];
  test.each(cases)("$name", async ({ args, says }) => {
    const { code, stdout, stderr } = await ended(args);
    expect(stderr).toMatch(says);
    expect(code).toBe(1);
    expect(stdout).not.toContain("ready");
    expect(stderr).not.toMatch(/\n\s+at /);
    await nothingLeft();
  });

  test("a port in use is one sentence, and nothing stays behind", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    const { port } = blocker.address() as AddressInfo;
    try {
      const { code, stderr } = await ended(["up", "--port", String(port)]);
      expect(stderr).toBe(`coxswain: port ${port} on 127.0.0.1 is in use; choose another one with --port\n`);
      expect(code).toBe(1);
    } finally {
      blocker.close();
    }
    await nothingLeft();
  });

  test("a folder that cannot be one is one sentence", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    const { code, stderr } = await ended(["up", "--data", join(file, "data"), "--port", "0"]);
    expect(stderr).toMatch(/^coxswain: .*\/file\/data.*\n$/);
    expect(code).toBe(1);
    // A file system that has no folders of others'.
    const refused = await ended(["up", "--data", "/proc/coxswain", "--port", "0"]);
    expect(refused.stderr).toMatch(/^coxswain: --data \/proc\/coxswain: the folder cannot be made: .*\n$/);
    expect(refused.code).toBe(1);
    await nothingLeft();
  });
});

/** The answer of a Service, which must be one on loopback. */
function get(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent: false, timeout: 3_000 }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => resolve(body));
    });
    call.on("error", reject);
    call.on("timeout", () => call.destroy(new Error("no answer")));
    call.end();
  });
}

describe("a cluster", () => {
  test("comes up with its demo, and leaves neither process nor socket nor folder behind", async () => {
    const { program, kubeconfig } = await startUp(["--port", "0"], { env: env(), ownGroup: true });
    await using _ = program;
    const kubectl = await kubectlFor(kubeconfig);
    const address = /http:\/\/(127[\d.]+:8080)\//.exec(program.stdout)?.[1] ?? "";
    expect(await get(`http://${address}/`)).toMatch(/^web-/);
    expect(program.stdout).toMatch(/answered from 3 pods: web-\S+, web-\S+, web-\S+\n/);
    expect((await kubectl.ok("get nodes --no-headers")).trim().split("\n")).toHaveLength(2);
    const pods = (await kubectl.json("get pods")).items;
    const port = portOf(await readFile(kubeconfig, "utf8"));
    // Ctrl-C reaches the whole process group, and who started the program passes it on.
    for (let times = 0; times < 3; times++) process.kill(-program.pid, "SIGINT");
    expect((await program.ended).code).toBe(0);
    expect(await listens("127.0.0.1", port)).toBe(false);
    expect(await listens(address.split(":")[0] ?? "", 8080)).toBe(false);
    for (const { status } of pods) expect(await listens(status.podIP, 8080)).toBe(false);
    expect(existsSync(kubeconfig)).toBe(false);
    await nothingLeft();
  });

  test("without nodes, in memory, where its kubeconfig is wanted", async () => {
    const wanted = join(folder, "wanted.kubeconfig");
    const { program, kubeconfig } = await startUp(
      ["--port", "0", "--nodes", "0", "--store", "memory", "--kubeconfig", wanted],
      { env: env() },
    );
    await using _ = program;
    expect(kubeconfig).toBe(wanted);
    expect(program.stdout).toContain("0 nodes, memory store");
    const kubectl = await kubectlFor(kubeconfig);
    expect((await kubectl.json("get nodes,pods -A")).items).toEqual([]);
    await kubectl.ok("create configmap made");
    // The administrator's key is nobody else's to read.
    const { stdout } = await promisify(execFile)("stat", ["-c", "%a", wanted]);
    expect(stdout.trim()).toBe("600");
    expect(await interrupt(program)).toBe(0);
    await nothingLeft();
  });

  test("of hollow nodes runs pods as records", async () => {
    const { program, kubeconfig } = await startUp(["--port", "0", "--runtime", "fake", "--nodes", "5"], { env: env() });
    await using _ = program;
    expect(program.stdout).not.toContain("Demo:");
    const kubectl = await kubectlFor(kubeconfig);
    await kubectl.ok("create deployment many --image=any/thing --replicas=20");
    await kubectl.ok("rollout status deployment/many --timeout=30s");
    const nodes = new Set((await kubectl.json("get pods")).items.map(({ spec }) => spec.nodeName));
    expect([...nodes].sort()).toEqual(["node-1", "node-2", "node-3", "node-4", "node-5"]);
    expect(await interrupt(program)).toBe(0);
    await nothingLeft();
  });

  test("--no-demo deploys nothing, and --insecure-port serves plain HTTP", async () => {
    const port = await freePort();
    const args = ["--port", "0", "--no-demo", "--nodes", "1", "--insecure-port", String(port)];
    const { program, kubeconfig } = await startUp(args, { env: env() });
    await using _ = program;
    expect((await (await kubectlFor(kubeconfig)).json("get deployments,pods -A")).items).toEqual([]);
    expect(JSON.parse(await get(`http://127.0.0.1:${port}/api/v1/nodes`)).items).toHaveLength(1);
    expect(await listens("127.1.2.3", port)).toBe(false);
    expect(await interrupt(program)).toBe(0);
    await nothingLeft();
  });

  test("what one that was killed with -9 left behind is removed by the next start", async () => {
    const first = await startUp(["--port", "0"], { env: env() });
    first.program.kill("SIGKILL");
    await first.program.ended;
    // Its pods and its folder are still there: nobody was left to remove them.
    expect((await leftProcesses()).length).toBeGreaterThan(0);
    expect(await readdir(temp)).toHaveLength(1);
    const second = await startUp(["--port", "0", "--nodes", "0"], { env: env() });
    await using _ = second.program;
    expect(await readdir(temp)).toHaveLength(1);
    expect((await leftProcesses()).filter((line) => !line.startsWith(`${second.program.pid} `))).toEqual([]);
    expect(await interrupt(second.program)).toBe(0);
    await nothingLeft();
  });
});

describe("--data", () => {
  test("keeps everything acknowledged through kill -9, the pods' processes too", async () => {
    const data = join(folder, "kept");
    const args = ["--port", "0", "--data", data, "--kubeconfig", join(folder, "kept.kubeconfig")];
    const first = await startUp(args, { env: env() });
    const before = await kubectlFor(first.kubeconfig);
    const acknowledged: string[] = [];
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let round = 0; ; round++) {
        const name = `kept-${writer}-${round}`;
        const { code } = await before.run(["create", "configmap", name, `--from-literal=round=${round}`]);
        if (code !== 0) return;
        acknowledged.push(name);
      }
    });
    await eventually(() => (acknowledged.length >= 20 ? true : undefined), "there are writes to lose");
    first.program.kill("SIGKILL");
    await Promise.all([first.program.ended, ...writers]);

    const second = await startUp(args, { env: env() });
    await using _ = second.program;
    const after = await kubectlFor(second.kubeconfig);
    const found = new Map(
      (await after.json("get configmaps")).items.map(({ metadata, data: value }) => [metadata.name, value]),
    );
    for (const name of acknowledged) expect(found.get(name)).toEqual({ round: name.split("-")[2] });
    await after.ok("rollout status deployment/web --timeout=30s");
    expect((await after.json("get pods -l app=web")).items).toHaveLength(3);
    expect(await interrupt(second.program)).toBe(0);
    await nothingLeft();
    expect(existsSync(join(data, "store"))).toBe(true);
  });
});

describe("side by side", () => {
  test("two clusters do not disturb one another", async () => {
    const [one, two] = await Promise.all([
      startUp(["--port", "0"], { env: env() }),
      startUp(["--port", "0"], { env: env() }),
    ]);
    await using _one = one.program;
    await using _two = two.program;
    const [first, second] = [await kubectlFor(one.kubeconfig), await kubectlFor(two.kubeconfig)];
    await first.ok("create configmap only-here");
    expect(await second.fails("get configmap only-here")).toContain("not found");
    const addresses = async (kubectl: Kubectl): Promise<string[]> => [
      (await kubectl.json("get service web")).spec.clusterIP,
      ...(await kubectl.json("get pods")).items.map(({ status }) => status.podIP as string),
    ];
    const [theirs, others] = [await addresses(first), await addresses(second)];
    expect(theirs.filter((address) => others.includes(address))).toEqual([]);
    expect(await interrupt(one.program)).toBe(0);
    expect(await get(`http://${others[0]}:8080/`)).toMatch(/^web-/);
    expect((await second.json("get pods")).items).toHaveLength(3);
    expect(await interrupt(two.program)).toBe(0);
    await nothingLeft();
  });
});

describe.runIf(process.getuid?.() === 0)("an ordinary user", () => {
  test("can do all of it", async () => {
    const home = await mkdtemp(join(folder, "nobody-"));
    await chmod(home, 0o777);
    const own = { ...env(), TMPDIR: home, HOME: home };
    const args = ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, cliPath(), "up", "--port", "0"];
    await using program = startProgram("setpriv", args, { env: own });
    const [, kubeconfig = ""] = await program.until(/^coxswain: ready KUBECONFIG=(.+)$/m, 60_000);
    expect(program.stdout).toMatch(/answered from 3 pods/);
    const kubectl = await kubectlFor(kubeconfig);
    const [pod] = (await kubectl.json("get pods")).items;
    expect(await kubectl.ok(["exec", pod?.metadata.name ?? "", "--", "id", "-u"])).toMatch(/^(0|65534)\n$/);
    const service = (await kubectl.json("get service web")).spec.clusterIP;
    expect(await get(`http://${service}:8080/`)).toMatch(/^web-/);
    expect(await interrupt(program)).toBe(0);
    await nothingLeft();
    expect((await readdir(home)).filter((name) => name.startsWith("coxswain"))).toEqual([]);
  });
});
