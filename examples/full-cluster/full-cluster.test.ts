import { access, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";
import { cliPath } from "../../test/integration/support/cli.js";
import { eventually, type Program, runProgram, startProgram } from "../../test/integration/support/cli-program.js";
import { createKubectl } from "../../test/integration/support/kubectl.js";
import { startTestHost, type TestHost } from "../../test/integration/support/real-host.js";
import { writeKubeconfigs } from "./kubeconfigs.js";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const timeout = 180_000;

/** As a Node that knows no types can run it; inside the package, so that it finds `coxswain`. */
async function compile(source: string, target: string): Promise<void> {
  const { outputText } = ts.transpileModule(await readFile(source, "utf8"), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  await mkdir(join(target, ".."), { recursive: true });
  await writeFile(target, outputText);
}

/** Runs programs on a machine, which is a network namespace with a containerd and no way out. */
function programsOn({ node, folder }: TestHost) {
  const start = (argv: readonly string[], env: Readonly<Record<string, string>> = {}): Program => {
    const [command = "", ...args] = node.command(argv);
    return startProgram(command, args, { env });
  };
  return {
    start,
    etcd: () => start(["etcd", "--data-dir", join(folder, "etcd")], { ETCD_LOG_LEVEL: "error" }),
    async fetch(url: string): Promise<string> {
      const [command = "", ...args] = node.command(["busybox", "timeout", "2", "wget", "-q", "-O", "-", url]);
      return (await runProgram(command, args)).stdout.trim();
    },
  };
}

/** Deploys the web server, has its Service answer, reads the log of who answered, and deletes it. */
async function demonstrate(kubeconfig: string, home: string, fetch: (url: string) => Promise<string>): Promise<void> {
  const kubectl = await createKubectl({ kubeconfig, home });
  await kubectl.ok(["apply", "-f", path("web.yaml")]);
  await kubectl.ok("rollout status deployment/web --timeout=90s");
  expect(await kubectl.ok("get pods -A")).toMatch(/web-\w+-\w+ +1\/1 +Running/);
  const ip = (await kubectl.json("get service web")).spec.clusterIP;
  const answered = await eventually(
    async () => /^web-\w+-\w+$/.exec(await fetch(`http://${ip}/`))?.[0],
    "the Service answers",
  );
  expect(await kubectl.ok(["logs", answered])).toContain("listens on 8080");
  await kubectl.ok("delete deployment web --cascade=foreground --timeout=60s");
}

test("etcd, containerd and iptables make a cluster of one machine", { timeout }, async () => {
  await using host = await startTestHost(["machine"]);
  const { start, etcd, fetch } = programsOn(host);
  await using _etcd = etcd();
  const main = path(`../../.coxswain/examples/full-cluster-${process.pid}.mjs`);
  try {
    await compile(path("main.ts"), main);
    const dir = join(host.folder, "cluster");
    await using program = start([process.execPath, main, host.node.address, dir, host.node.criSocket]);
    await eventually(async () => {
      if (!program.running) throw new Error(program.stderr);
      return access(join(dir, "kubeconfig")).then(() => true);
    }, "the kubeconfig is written");
    await demonstrate(join(dir, "kubeconfig"), host.folder, fetch);
    program.kill("SIGINT");
    expect(await program.ended).toMatchObject({ code: 0 });
  } finally {
    await rm(main, { force: true });
  }
});

test("each part runs as a process of its own", { timeout }, async () => {
  await using host = await startTestHost(["machine"]);
  const { node, folder } = host;
  const { start, etcd, fetch } = programsOn(host);
  await using _etcd = etcd();
  const dir = join(folder, "api");
  const coxswain = async (...args: readonly string[]): Promise<Program> => {
    const program = start([process.execPath, cliPath(), ...args]);
    await program.until(/^coxswain: .+ ready in /m);
    return program;
  };
  const as = (user: string): readonly string[] => ["--kubeconfig", join(dir, `${user}.kubeconfig`)];
  const api = await coxswain("apiserver", "--store", "etcd", "--data", dir, "--host", node.address);
  await writeKubeconfigs(dir, `https://${node.address}:6443`, { machine: node.address });
  const where = ["--name", "machine", "--address", node.address, "--root", join(folder, "node")];
  const parts = await Promise.all([
    coxswain("controller-manager", "--kubeconfig", join(dir, "kubeconfig")),
    coxswain("scheduler", ...as("kube-scheduler")),
    coxswain("node", ...as("node-machine"), ...where, "--runtime", "cri", "--cri-socket", node.criSocket),
    coxswain("proxy", ...as("kube-proxy"), "--node-name", "machine", "--backend", "iptables"),
  ]);
  try {
    await demonstrate(join(dir, "kubeconfig"), folder, fetch);
  } finally {
    for (const part of [...parts, api]) {
      part.kill("SIGINT");
      expect(await part.ended).toMatchObject({ code: 0 });
    }
  }
});
