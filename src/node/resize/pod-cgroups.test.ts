import { expect, test } from "vitest";
import type { Container, PodSpec, ResourceRequirements } from "../../api/index.js";
import { makePod } from "../../testing/builders.js";
import { hierarchyIn, podCgroupResources } from "./pod-cgroups.js";

test.each([
  [
    "of version 1",
    "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0",
    { version: 1, cpu: "/sys/fs/cgroup/cpu,cpuacct", memory: "/sys/fs/cgroup/memory" },
  ],
  ["of version 2", "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0", { version: 2, root: "/sys/fs/cgroup" }],
  [
    "of both, where version 1 has the controllers",
    "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\ncgroup /c cgroup rw,cpu 0 0\ncgroup /m cgroup rw,memory 0 0",
    { version: 1, cpu: "/c", memory: "/m" },
  ],
  ["there are none", "proc /proc proc rw 0 0", undefined],
])("control groups %s are found", (_name, mounts, expected) => {
  expect(hierarchyIn(mounts)).toEqual(expected);
});

const resources = (cpu: string, memory: string, limits?: ResourceRequirements["limits"]): ResourceRequirements => ({
  requests: { cpu, memory },
  ...(limits && { limits }),
});
const container = (name: string, own: ResourceRequirements, more: Partial<Container> = {}): Container => ({
  name,
  image: "any:1",
  resources: own,
  ...more,
});
const unlimited = Number.POSITIVE_INFINITY;
const limited = resources("100m", "1Mi", { cpu: "200m", memory: "2Mi" });

test.each<[string, PodSpec, ReturnType<typeof podCgroupResources>]>([
  [
    "nothing is asked for",
    { containers: [container("a", {})] },
    { cpuShares: 2, cpuQuotaUs: unlimited, memoryLimitBytes: unlimited },
  ],
  [
    "all are limited",
    { containers: [container("a", limited), container("b", limited)] },
    { cpuShares: 204, cpuQuotaUs: 40_000, memoryLimitBytes: 4 * 2 ** 20 },
  ],
  [
    "one is not limited",
    { containers: [container("a", limited), container("b", resources("1", "1Mi", { memory: "1Mi" }))] },
    { cpuShares: 1126, cpuQuotaUs: unlimited, memoryLimitBytes: 3 * 2 ** 20 },
  ],
  [
    "what comes before needs more, and a sidecar stays",
    {
      initContainers: [
        container("side", limited, { restartPolicy: "Always" }),
        container("first", resources("1", "1Mi", { cpu: "1", memory: "9Mi" })),
      ],
      containers: [container("a", limited)],
    },
    { cpuShares: 1126, cpuQuotaUs: 120_000, memoryLimitBytes: 11 * 2 ** 20 },
  ],
  [
    "the pod as a whole is limited",
    { containers: [container("a", {})], resources: resources("1", "1Mi", { cpu: "2", memory: "4Mi" }) },
    { cpuShares: 1024, cpuQuotaUs: 200_000, memoryLimitBytes: 4 * 2 ** 20 },
  ],
  [
    "overhead comes on top",
    { containers: [container("a", limited)], overhead: { cpu: "100m", memory: "1Mi" } },
    { cpuShares: 204, cpuQuotaUs: 30_000, memoryLimitBytes: 3 * 2 ** 20 },
  ],
  [
    "so little is asked for that the kernel has no number for it",
    { containers: [container("a", resources("1m", "1Mi", { cpu: "1m", memory: "1Mi" }))] },
    { cpuShares: 2, cpuQuotaUs: 1000, memoryLimitBytes: 2 ** 20 },
  ],
])("a pod is held to the sum of its containers: %s", (_name, spec, expected) => {
  expect(podCgroupResources({ ...makePod("web"), spec })).toEqual(expected);
});
