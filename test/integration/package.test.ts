import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEmptyProject, type EmptyProject } from "./package/empty-project.js";

const modules = fileURLToPath(new URL("../../node_modules/", import.meta.url));
let project: EmptyProject;

beforeAll(async () => {
  project = await createEmptyProject();
}, 180_000);

afterAll(async () => {
  await project?.[Symbol.asyncDispose]();
});

/** `coxswain`, `coxswain/api` and so on. */
const subpaths = (): string[] =>
  Object.keys(project.installed.exports)
    .filter((path) => !path.endsWith(".json"))
    .map((path) => path.replace(/^\./, "coxswain"));

/** The files of all modules that are loaded when these are imported. */
async function loadedBy(specifier: string): Promise<readonly string[]> {
  await project.write(
    "hooks.mjs",
    `import { appendFileSync } from "node:fs";
export async function load(url, context, next) { appendFileSync("loaded.txt", url + "\\n"); return next(url, context); }`,
  );
  await project.write("loaded.txt", "");
  const native = await project.node(`
    import { createRequire, register } from "node:module";
    register("./hooks.mjs", import.meta.url);
    await import(${JSON.stringify(specifier)});
    const { cache } = createRequire(import.meta.url);
    const objects = process.report.getReport().sharedObjects.filter((name) => name.endsWith(".node"));
    console.log([...Object.keys(cache), ...objects].join("\\n"));`);
  return `${await readFile(join(project.folder, "loaded.txt"), "utf8")}${native}`
    .split("\n")
    .filter((line) => line !== "");
}

const heavy = /\/node_modules\/(@grpc|etcd3|protobufjs|@protobufjs|lmdb|@peculiar)\/|\.node$/;

async function check(files: readonly string[], options: Readonly<Record<string, unknown>>): Promise<void> {
  const config = {
    compilerOptions: {
      ...{ target: "ES2022", lib: ["ES2023", "ESNext.Disposable"], strict: true, noEmit: true },
      ...{ exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, verbatimModuleSyntax: true },
      ...{ types: ["node"], typeRoots: [join(modules, "@types")], skipLibCheck: true },
      ...options,
    },
    files,
  };
  await project.write("tsconfig.json", JSON.stringify(config));
  await project.run(process.execPath, [join(modules, "typescript/bin/tsc"), "-p", "tsconfig.json"]);
}

describe("the package, installed into an empty project", () => {
  test("holds what is meant for users, and nothing else", async () => {
    const folder = join(project.folder, "node_modules/coxswain");
    const meant = new Set(["package.json", ...project.installed.files.map((file) => file.split("/")[0] ?? "")]);
    expect((await readdir(folder)).sort()).toEqual([...meant].sort());
    const files = await readdir(join(folder, "dist"), { recursive: true });
    expect(files.filter((file) => /\.test\./.test(file))).toEqual([]);
    const targets = JSON.stringify(project.installed.exports).match(/\.\/dist\/[^"]+/g) ?? [];
    expect(targets.filter((target) => !existsSync(join(folder, target)))).toEqual([]);
  });

  test("can be imported by each of its subpaths", async () => {
    // The contract suites are written in vitest's words and run within it: see below.
    const plain = subpaths().filter((path) => path !== "coxswain/testing");
    const counts = JSON.parse(
      await project.node(`
        const counts = {};
        for (const path of ${JSON.stringify(plain)}) counts[path] = Object.keys(await import(path)).length;
        console.log(JSON.stringify(counts));`),
    ) as Readonly<Record<string, number>>;
    expect(Object.keys(counts)).toEqual(plain);
    for (const [path, count] of Object.entries(counts)) expect(count, path).toBeGreaterThan(0);
  });

  test("has a command", async () => {
    const command = join(project.folder, "node_modules/.bin/coxswain");
    expect((await project.run(command, ["--version"])).trim()).toBe(project.installed.version);
    expect(await project.run(command, ["up", "--help"])).toContain("Bring up a cluster on this machine");
  });

  test("starts a control plane", async () => {
    const said = await project.node(`
      import { startControlPlane } from "coxswain";
      import { pods, replicaSets } from "coxswain/api";
      const cp = await startControlPlane({ controllers: ["replicaset"] });
      const labels = { app: "web" };
      await cp.client.create(replicaSets, {
        apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { name: "web", namespace: "default" },
        spec: { replicas: 3, selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [{ name: "web", image: "web:1" }] } } },
      });
      await cp.settled();
      console.log((await cp.client.list(pods)).items.length);
      await cp.stop();`);
    // It also ends: nothing that was started holds the process.
    expect(said).toBe("3\n");
  });

  test("runs its contract suites in a stranger's vitest", async () => {
    await project.link("vitest");
    await project.write(
      "store.test.mjs",
      `import { MemoryStore } from "coxswain/store";
import { describeStore } from "coxswain/testing";
describeStore({ name: "MemoryStore", setup: async () => { const store = new MemoryStore(); return { store, dispose: () => store[Symbol.asyncDispose]() }; } });`,
    );
    const said = await project.run(
      process.execPath,
      [join(modules, "vitest/vitest.mjs"), "run", "--root", project.folder],
      {
        env: { NO_COLOR: "1", VITEST: undefined, VITEST_WORKER_ID: undefined, NODE_OPTIONS: undefined },
      },
    );
    expect(Number(/Tests +(\d+) passed/.exec(said)?.[1])).toBeGreaterThan(10);
  });

  describe.each(["coxswain", "coxswain/scheduler", "coxswain/client", "coxswain/cluster"])("importing %s", (path) => {
    test("loads neither gRPC nor etcd3 nor native code", async () => {
      const loaded = await loadedBy(path);
      expect(loaded.some((file) => file.includes("/node_modules/coxswain/dist/"))).toBe(true);
      expect(loaded.filter((file) => heavy.test(file))).toEqual([]);
    });
  });

  test("what is heavy is seen where it is meant to be", async () => {
    expect((await loadedBy("coxswain/store/etcd")).some((file) => heavy.test(file))).toBe(true);
  });
});

describe("its types", () => {
  const modes = [
    { name: "as Node resolves", options: { module: "NodeNext", moduleResolution: "NodeNext" } },
    { name: "as bundlers resolve", options: { module: "ESNext", moduleResolution: "bundler" } },
  ];
  test.each(modes)(
    "are found and sound, $name",
    async ({ options }) => {
      const imports = subpaths().map((path, index) => `import * as part${index} from ${JSON.stringify(path)};`);
      const uses = subpaths().map((_, index) => `part${index}`);
      await project.write(
        "consumer.ts",
        `${imports.join("\n")}
import { type ControlPlane, startControlPlane } from "coxswain";
import { type Deployment, deployments } from "coxswain/api";
export const parts: readonly object[] = [${uses.join(", ")}];
export async function replicas(cp: ControlPlane): Promise<number | undefined> {
  const found: Deployment = await cp.client.get(deployments, { namespace: "default", name: "web" });
  // @ts-expect-error a Deployment has no such field
  found.spec?.nonsense;
  return found.spec?.replicas;
}
// @ts-expect-error there is no such option
export const wrong = startControlPlane({ nonsense: true });
`,
      );
      await check(["consumer.ts"], options);
    },
    120_000,
  );

  test("fit the code in the README", async () => {
    const text = await readFile(join(project.folder, "node_modules/coxswain/README.md"), "utf8");
    const files: string[] = [];
    for (const [, code = ""] of text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)) {
      const file = `example-${files.length}.ts`;
      await project.write(file, code);
      files.push(file);
    }
    // Three rungs, each a module that is complete. The guides' are parts of examples/, which are checked there.
    expect(files.length).toBeGreaterThanOrEqual(3);
    await project.link("vitest");
    await check(files, { module: "ESNext", moduleResolution: "bundler" });
  }, 120_000);
});
