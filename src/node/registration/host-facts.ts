import { readFile } from "node:fs/promises";
import { arch, cpus, release, totalmem } from "node:os";
import type { HostFacts } from "./node-object.js";

/** What the host says of itself. */
export async function readHostFacts(): Promise<HostFacts> {
  const text = (path: string): Promise<string> =>
    readFile(path, "utf8").then(
      (read) => read.trim(),
      () => "",
    );
  const osRelease = await text("/etc/os-release");
  return {
    architecture: arch() === "x64" ? "amd64" : arch(),
    operatingSystem: "linux",
    kernelVersion: release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? "Linux",
    machineId: await text("/etc/machine-id"),
    bootId: await text("/proc/sys/kernel/random/boot_id"),
    appArmor: (await text("/sys/module/apparmor/parameters/enabled")) === "Y",
    swapBytes: Number(/^SwapTotal: +(\d+) kB$/m.exec(await text("/proc/meminfo"))?.[1] ?? 0) * 1024,
  };
}

/** The host's capacity in the form of a node's resources. */
export function hostResources(maxPods = 110): Record<string, string> {
  return { cpu: String(cpus().length), memory: `${Math.floor(totalmem() / 1024)}Ki`, pods: String(maxPods) };
}
