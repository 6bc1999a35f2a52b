import { quantityMilliValue, quantityValue, type ResourceRequirements } from "../../api/index.js";
import type { ContainerStats } from "../../runtime/index.js";
import { cgroupResources } from "../pod/container-config.js";
import type { NodeContext } from "../pod/context.js";
import type { ContainerResize } from "../pod/plan.js";
import type { PodRecord } from "../pod/pod-record.js";
import { runtimeLabels } from "../pod/runtime-state.js";
import { cgroupOf } from "../pod/sandbox-config.js";
import { type PodCgroupResources, type PodCgroups, podCgroupResources } from "./pod-cgroups.js";
import { noResources } from "./pod-resources.js";

type Resource = "memory" | "cpu";

/** An amount of a container's resources as a number to compare; undefined: unlimited, or nothing asked for. */
function amountOf(resources: ResourceRequirements, list: "requests" | "limits", name: Resource): number | undefined {
  const amount = resources[list]?.[name];
  if (amount === undefined) return undefined;
  return name === "cpu" ? quantityMilliValue(amount) : quantityValue(amount);
}

/**
 * Holds running containers, and their pod's control group, to what the pod was promised: memory first, then CPU. The group grows before
 * its containers and shrinks after them, and what shrinks goes before what grows, so that the pod is at no time above both.
 * What was done is noted at once; an error leaves the rest for the next try. A memory limit below what is in use is refused.
 */
export async function resizePod(
  context: NodeContext,
  record: PodRecord,
  resizes: readonly ContainerResize[],
  signal: AbortSignal,
): Promise<void> {
  await refuseBelowUsage(context, record, resizes, signal);
  const { cgroups, cgroupRoot } = context;
  const pod = record.allocated;
  const group =
    cgroups === undefined || cgroupRoot === undefined
      ? undefined
      : new PodGroup(cgroups, cgroupOf(pod, cgroupRoot), podCgroupResources(pod));
  for (const resource of ["memory", "cpu"] as const) {
    await group?.grow(resource);
    for (const resize of inOrder(resizes, resource)) await resizeContainer(context, record, resize, resource, signal);
    await group?.shrink(resource);
  }
  context.resizes.applied(record, { pod: pod.spec?.resources });
}

/** Those that want less before those that want more; those that want the same are left out. */
function inOrder(resizes: readonly ContainerResize[], resource: Resource): readonly ContainerResize[] {
  const growth = ({ container, from }: ContainerResize): number => {
    const to = container.resources ?? noResources;
    const difference = (list: "requests" | "limits", absent: number): number => {
      const [was, is] = [amountOf(from, list, resource) ?? absent, amountOf(to, list, resource) ?? absent];
      return was === is ? 0 : is - was;
    };
    return difference("limits", Number.POSITIVE_INFINITY) || difference("requests", 0);
  };
  return resizes.filter((resize) => growth(resize) !== 0).sort((a, b) => growth(a) - growth(b));
}

/** One resource of one container; the other one stays as it is. */
async function resizeContainer(
  context: NodeContext,
  record: PodRecord,
  { status, container }: ContainerResize,
  resource: Resource,
  signal: AbortSignal,
): Promise<void> {
  const { name, resources = noResources } = container;
  const now = record.actuated.containers.get(name) ?? noResources;
  const mixed = (list: "requests" | "limits"): Partial<ResourceRequirements> => {
    const { [resource]: _, ...rest } = now[list] ?? {};
    const amount = resources[list]?.[resource];
    const amounts = amount === undefined ? rest : { ...rest, [resource]: amount };
    return Object.keys(amounts).length === 0 ? {} : { [list]: amounts };
  };
  const next = { ...mixed("requests"), ...mixed("limits") };
  const config = cgroupResources(record.allocated, { ...container, resources: next }, context.facts().memoryBytes);
  await context.runtime.updateContainerResources(status.id, config, { signal });
  record.dirty = true;
  context.resizes.applied(record, { containers: new Map([[name, next]]) });
}

const groupFields = {
  memory: ["memoryLimitBytes"],
  cpu: ["cpuShares", "cpuQuotaUs"],
} as const;

/** A pod's control group on its way from what it is held to, to what it is to be. */
class PodGroup {
  readonly #cgroups: PodCgroups;
  readonly #path: string;
  readonly #wanted: PodCgroupResources;

  constructor(cgroups: PodCgroups, path: string, wanted: PodCgroupResources) {
    this.#cgroups = cgroups;
    this.#path = path;
    this.#wanted = wanted;
  }

  grow(resource: Resource): Promise<void> {
    return this.#set(resource, (wanted, now) => wanted > now);
  }

  shrink(resource: Resource): Promise<void> {
    return this.#set(resource, (wanted, now) => wanted < now);
  }

  async #set(resource: Resource, which: (wanted: number, now: number) => boolean): Promise<void> {
    const now = await this.#cgroups.read(this.#path);
    const fields = groupFields[resource].filter((field) => which(this.#wanted[field], now[field]));
    if (fields.length === 0) return;
    await this.#cgroups.write(this.#path, Object.fromEntries(fields.map((field) => [field, this.#wanted[field]])));
  }
}

/** The kernel would kill what uses more than its new limit: such a limit is not set, as upstream does it. */
async function refuseBelowUsage(
  { runtime }: NodeContext,
  record: PodRecord,
  resizes: readonly ContainerResize[],
  signal: AbortSignal,
): Promise<void> {
  const lower = resizes.flatMap(({ container, from }) => {
    const to = amountOf(container.resources ?? noResources, "limits", "memory");
    return to !== undefined && to < (amountOf(from, "limits", "memory") ?? Number.POSITIVE_INFINITY)
      ? [{ name: container.name, limit: to }]
      : [];
  });
  const { memoryLimitBytes: podLimit } = podCgroupResources(record.allocated);
  const podLower = podLimit < podCgroupResources(record.actuatedPod).memoryLimitBytes;
  if (lower.length === 0 && !podLower) return;
  const stats = await runtime.listContainerStats({ labels: { [runtimeLabels.podUid]: record.uid } }, { signal });
  const usage = (one: ContainerStats): number => one.memoryUsageBytes ?? one.memoryWorkingSetBytes;
  const ofPod = stats.reduce((sum, one) => sum + usage(one), 0);
  const problems: string[] = [];
  if (podLower && ofPod >= podLimit) {
    problems.push(`attempting to set pod memory limit (${podLimit}) below current usage (${ofPod})`);
  }
  for (const { name, limit } of lower) {
    const used = stats.find(({ metadata }) => metadata.name === name);
    if (used === undefined) problems.push(`missing container "${name}" memory usage`);
    else if (usage(used) >= limit) {
      problems.push(
        `attempting to set container "${name}" memory limit (${limit}) below current usage (${usage(used)})`,
      );
    }
  }
  if (problems.length === 0) return;
  const list = problems.length === 1 ? problems.join() : `[${problems.join(", ")}]`;
  throw new Error(`cannot decrease memory limits: ${list}`);
}
