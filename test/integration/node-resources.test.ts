import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLogger } from "../../src/internal/logger.js";
import { ResourceCheckpoint } from "../../src/node/resize/checkpoint.js";
import { hostPodCgroups, podCgroupsIn } from "../../src/node/resize/pod-cgroups.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "node-resources-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const promised = { pod: undefined, containers: new Map([["main", { requests: { cpu: "1" }, limits: { cpu: "2" } }]]) };

test("what was noted is there for who comes after, what was dropped is not", async () => {
  const path = join(folder, "state", "resources.json");
  const first = await ResourceCheckpoint.open(path, silentLogger);
  first.set("a", promised);
  first.set("b", { ...promised, pod: { requests: { cpu: "3" } } });
  const saving = first.saved();
  first.set("c", promised);
  first.set("d", promised);
  await saving;
  first.delete("c");
  first.retain(new Set(["a", "b", "c"]));
  await first.saved();
  const second = await ResourceCheckpoint.open(path, silentLogger);
  expect(second.get("a")).toEqual(promised);
  expect(second.get("b")?.pod).toEqual({ requests: { cpu: "3" } });
  expect([second.get("c"), second.get("d")]).toEqual([undefined, undefined]);
});

test("what cannot be read is told, and starts empty", async () => {
  const path = join(folder, "resources.json");
  await writeFile(path, '{"pods":');
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  const checkpoint = await ResourceCheckpoint.open(path, logger);
  expect(checkpoint.get("a")).toBeUndefined();
  expect(warnings).toEqual(["a checkpoint of pods' resources cannot be read"]);
  checkpoint.set("a", promised);
  await checkpoint.saved();
  expect((await ResourceCheckpoint.open(path, logger)).get("a")).toEqual(promised);
});

test("what cannot be written is due until it can", async () => {
  const path = join(folder, "file", "resources.json");
  await writeFile(join(folder, "file"), "");
  const checkpoint = await ResourceCheckpoint.open(path, silentLogger);
  checkpoint.set("a", promised);
  await expect(checkpoint.saved()).rejects.toThrow(/EEXIST|ENOTDIR/);
  await rm(join(folder, "file"));
  await checkpoint.saved();
  expect((await ResourceCheckpoint.open(path, silentLogger)).get("a")).toEqual(promised);
});

test("the kernel's control groups are made, held to amounts, and removed", async () => {
  const cgroups = await hostPodCgroups();
  if (cgroups === undefined) throw new Error("this machine has no control groups for CPU and memory");
  const path = `/coxswain-test-${process.pid}`;
  await cgroups.create(path);
  try {
    const none = Number.POSITIVE_INFINITY;
    expect(await cgroups.read(path)).toMatchObject({ cpuQuotaUs: none, memoryLimitBytes: none });
    await cgroups.write(path, { cpuShares: 512, cpuQuotaUs: 25_000, memoryLimitBytes: 64 * 2 ** 20 });
    const { cpuShares, ...rest } = await cgroups.read(path);
    expect(rest).toEqual({ cpuQuotaUs: 25_000, memoryLimitBytes: 64 * 2 ** 20 });
    // Version 2 counts in coarser steps.
    expect(Math.abs(cpuShares - 512)).toBeLessThan(27);
    await cgroups.write(path, { memoryLimitBytes: none, cpuQuotaUs: none });
    expect(await cgroups.read(path)).toMatchObject({ cpuQuotaUs: none, memoryLimitBytes: none });
  } finally {
    await cgroups.remove(path);
    await cgroups.remove(path);
  }
  await expect(cgroups.read(path)).rejects.toThrow("ENOENT");
});

test("version 2 is written in its own words", async () => {
  const cgroups = podCgroupsIn({ version: 2, root: folder });
  await mkdir(join(folder, "kubepods"));
  await cgroups.create("/kubepods/pod1");
  for (const group of ["", "kubepods"]) {
    expect(await readFile(join(folder, group, "cgroup.subtree_control"), "utf8")).toBe("+cpu +memory");
  }
  await cgroups.write("/kubepods/pod1", { cpuShares: 1024, cpuQuotaUs: 50_000, memoryLimitBytes: 4096 });
  const text = (file: string): Promise<string> => readFile(join(folder, "kubepods/pod1", file), "utf8");
  expect([await text("cpu.weight"), await text("cpu.max"), await text("memory.max")]).toEqual([
    "39",
    "50000 100000",
    "4096",
  ]);
  await cgroups.write("/kubepods/pod1", { cpuQuotaUs: Number.POSITIVE_INFINITY });
  expect(await text("cpu.max")).toBe("max 100000");
  expect(await cgroups.read("/kubepods/pod1")).toEqual({
    cpuShares: 999,
    cpuQuotaUs: Number.POSITIVE_INFINITY,
    memoryLimitBytes: 4096,
  });
});
