import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pods } from "../../src/api/index.js";
import { startHarness } from "../../src/testing/node-harness.js";

test("pods from files run, show as mirrors in the API, and go with their files", async () => {
  const root = await mkdtemp(join(tmpdir(), "coxswain-static-"));
  const directory = join(root, "manifests");
  await mkdir(directory);
  const manifest = (image: string): string =>
    `apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: main\n    image: ${image}\n`;
  await writeFile(join(directory, "web.yaml"), manifest("a:1"));
  await using h = await startHarness({}, { staticPodDir: directory });
  const settle = async (): Promise<void> => {
    // Files are read in real time, everything else on the virtual clock.
    for (let turn = 0; turn < 10; turn++) {
      await h.clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await settle();
  const mirror = await h.get("web-n1");
  expect(mirror.status?.phase).toBe("Running");
  expect(mirror.metadata.annotations).toMatchObject({ "kubernetes.io/config.source": "file" });
  expect(await h.runtime.listContainers({ state: "running" })).toHaveLength(1);
  await h.client.delete(pods, { namespace: "default", name: "web-n1" }, { gracePeriodSeconds: 0 });
  await settle();
  expect((await h.get("web-n1")).status?.phase).toBe("Running");
  await writeFile(join(directory, "web.yaml"), manifest("b:1"));
  await settle();
  await settle();
  expect((await h.runtime.listContainers({ state: "running" })).map(({ image }) => image)).toEqual(["b:1"]);
  expect((await h.get("web-n1")).spec?.containers[0]?.image).toBe("b:1");
  await rm(join(directory, "web.yaml"));
  await settle();
  await settle();
  expect(await h.runtime.listPodSandboxes()).toEqual([]);
  expect(await h.exists("web-n1")).toBe(false);
  await rm(root, { recursive: true, force: true });
});
