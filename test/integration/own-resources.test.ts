import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cluster, startCluster } from "coxswain";
import { MemoryStore } from "coxswain/store";
import { afterAll, beforeAll, expect, test } from "vitest";
import { noteApi } from "../../examples/own-api/notes.js";
import { sensors } from "../../examples/own-api/readings.js";
import { createKubectl, type Kubectl } from "./support/kubectl.js";

let home = "";
let cluster: Cluster;
let kubectl: Kubectl;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "coxswain-own-"));
  const store = new MemoryStore();
  cluster = await startCluster({ store, controllers: [], scheduler: false, ownResources: [noteApi(), sensors] });
  const kubeconfig = join(home, "kubeconfig");
  await writeFile(kubeconfig, await cluster.kubeconfig(), { mode: 0o600 });
  kubectl = await createKubectl({ kubeconfig, home });
});

afterAll(async () => {
  await cluster?.stop();
  await rm(home, { recursive: true, force: true });
});

const note = (name: string, more: string): string =>
  `apiVersion: notes.example.com/v1\nkind: Note\nmetadata: { name: ${name} }\n${more}\n`;

test("kubectl cannot tell an API of functions from any other", async () => {
  expect(await kubectl.ok("api-resources --api-group=notes.example.com")).toMatch(
    /notes\s+notes\.example\.com\/v1\s+true/,
  );
  await using watching = kubectl.start("get notes --watch --output-watch-events");
  await kubectl.ok("apply -f -", { stdin: note("a", "text: hello") });
  await watching.until(/ADDED\s+a\s+hello/);
  await kubectl.ok("apply -f -", { stdin: note("a", "text: bye") });
  await watching.until(/MODIFIED\s+a\s+bye/);
  await kubectl.ok("apply --server-side --field-manager=other -f -", { stdin: note("b", "text: b\ndone: true") });
  expect(await kubectl.ok("get notes")).toMatch(/NAME\s+TEXT\na\s+bye\nb\s+b\n/);
  await kubectl.ok("label note a colour=red");
  expect(await kubectl.ok("get notes -l colour=red -o name")).toBe("note.notes.example.com/a\n");
  expect(await kubectl.ok("explain note")).toMatch(/done\s+<boolean>/);
  expect(await kubectl.fails("create -f -", { stdin: note("c", "done: true") })).toContain("text");
  await kubectl.ok("delete notes --all");
  await watching.until(/DELETED\s+b/);
  expect(await kubectl.ok("get notes -o name")).toBe("");
});

test("computed objects are there to be read", async () => {
  expect(await kubectl.ok("get rd -o name")).toContain("reading.sensors.example.com/load-15");
  expect(await kubectl.ok("get readings")).toMatch(/NAME\s+LOAD\s+load-1\s/);
  expect(await kubectl.fails("delete reading load-1")).toContain("MethodNotAllowed");
});
