import { access, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";
import { eventually, runProgram, startProgram } from "../../test/integration/support/cli-program.js";
import { createKubectl } from "../../test/integration/support/kubectl.js";
import { startTestHost } from "../../test/integration/support/real-host.js";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** As a Node that knows no types can run it; inside the package, so that it finds `coxswain`. */
async function compile(source: string, target: string): Promise<void> {
  const { outputText } = ts.transpileModule(await readFile(source, "utf8"), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  await mkdir(join(target, ".."), { recursive: true });
  await writeFile(target, outputText);
}

test("etcd, containerd and iptables make a cluster of one machine", { timeout: 180_000 }, async () => {
  // The machine is a network namespace with a containerd and no way out.
  await using host = await startTestHost(["machine"]);
  const { node, folder } = host;
  const inside = (...argv: string[]): [string, string[]] => {
    const [command = "", ...args] = node.command(argv);
    return [command, args];
  };
  await using _etcd = startProgram(...inside("etcd", "--data-dir", join(folder, "etcd")), {
    env: { ETCD_LOG_LEVEL: "error" },
  });
  const main = path(`../../.coxswain/examples/full-cluster-${process.pid}.mjs`);
  try {
    await compile(path("main.ts"), main);
    const dir = join(folder, "cluster");
    await using program = startProgram(...inside(process.execPath, main, node.address, dir, node.criSocket));
    await eventually(
      async () => {
        if (!program.running) throw new Error(program.stderr);
        return access(join(dir, "kubeconfig")).then(() => true);
      },
      "the kubeconfig is written",
      60_000,
    );
    const kubectl = await createKubectl({ kubeconfig: join(dir, "kubeconfig"), home: folder });

    await kubectl.ok(["apply", "-f", path("web.yaml")]);
    await kubectl.ok("rollout status deployment/web --timeout=90s");
    expect(await kubectl.ok("get pods -A")).toMatch(/web-\w+-\w+ +1\/1 +Running/);
    const ip = (await kubectl.json("get service web")).spec.clusterIP;
    const answered = await eventually(async () => {
      const { stdout } = await runProgram(
        ...inside("busybox", "timeout", "2", "wget", "-q", "-O", "-", `http://${ip}/`),
      );
      return /^web-\w+-\w+$/.exec(stdout.trim())?.[0];
    }, "the Service answers");
    expect(await kubectl.ok(["logs", answered])).toContain("listens on 8080");

    await kubectl.ok("delete deployment web --cascade=foreground --timeout=60s");
    program.kill("SIGINT");
    expect((await program.ended).code).toBe(0);
  } finally {
    await rm(main, { force: true });
  }
});
