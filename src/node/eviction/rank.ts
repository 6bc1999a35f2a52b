import { type Container, type Pod, quantityValue } from "../../api/index.js";
import { specOf } from "../pod/containers.js";
import { podTotal } from "../pod/qos.js";
import { type DiskUsage, type EvictionSignal, type NodeUsage, type PodUsage, sumOf } from "./usage.js";

type DiskPart = "rootfs" | "logs" | "volumes";
type Rank = (a: Pod, b: Pod) => number;

/** Candidates for eviction, those first that upstream would take first. The given list stays as it is. */
export function ranked(signal: EvictionSignal, pods: readonly Pod[], usage: NodeUsage): readonly Pod[] {
  const of = (pod: Pod): PodUsage | undefined => usage.pods.get(pod.metadata.uid);
  const byPriority: Rank = (a, b) => priorityOf(a) - priorityOf(b);
  const parts = partsOf(signal, usage.dedicatedImageFs);
  const compare =
    signal === "memory.available"
      ? inTurn(known(of, exceeds(memoryUsed, "memory")), byPriority, known(of, over(memoryUsed, "memory")))
      : signal === "pid.available"
        ? inTurn(
            byPriority,
            known(of, (a, b) => b.usage.processes - a.usage.processes),
          )
        : inTurn(
            known(of, exceeds(diskUsed(parts, signal), requestOf(signal))),
            byPriority,
            // Inodes have no request: what is asked of storage is taken off them too, as upstream does.
            known(of, over(diskUsed(parts, signal), "ephemeral-storage")),
          );
  return [...pods].sort(compare);
}

/** What of a pod is on the file system that runs out. */
function partsOf(signal: EvictionSignal, dedicatedImageFs: boolean): readonly DiskPart[] {
  if (!dedicatedImageFs) return ["rootfs", "logs", "volumes"];
  return signal.startsWith("imagefs") ? ["rootfs"] : ["logs", "volumes"];
}

function requestOf(signal: EvictionSignal): string {
  return signal.endsWith("inodesFree") ? "inodes" : "ephemeral-storage";
}

function inTurn(...ranks: readonly Rank[]): Rank {
  return (a, b) => {
    for (const rank of ranks) {
      const order = rank(a, b);
      if (order !== 0) return order;
    }
    return 0;
  };
}

interface Candidate {
  readonly pod: Pod;
  readonly usage: PodUsage;
}

/** Pods of which nothing is known come first. */
function known(of: (pod: Pod) => PodUsage | undefined, rank: (a: Candidate, b: Candidate) => number): Rank {
  return (first, second) => {
    const [a, b] = [of(first), of(second)];
    if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
    return rank({ pod: first, usage: a }, { pod: second, usage: b });
  };
}

type Used = (candidate: Candidate) => number;

/** Those first that use more than they asked for. */
function exceeds(used: Used, name: string): (a: Candidate, b: Candidate) => number {
  const is = (candidate: Candidate): boolean => used(candidate) > requested(candidate.pod, name);
  return (a, b) => Number(is(b)) - Number(is(a));
}

/** Those first that use the most beyond what they asked for. */
function over(used: Used, name: string): (a: Candidate, b: Candidate) => number {
  const of = (candidate: Candidate): number => used(candidate) - requested(candidate.pod, name);
  return (a, b) => of(b) - of(a);
}

export function memoryUsed({ usage }: Pick<Candidate, "usage">): number {
  let bytes = 0;
  for (const { memoryBytes } of usage.containers.values()) bytes += memoryBytes;
  return bytes;
}

function diskUsed(parts: readonly DiskPart[], signal: EvictionSignal): Used {
  return ({ usage }) => {
    const total = diskOf(usage, parts);
    return signal.endsWith("inodesFree") ? total.inodes : total.bytes;
  };
}

export function diskOf(usage: PodUsage, parts: readonly DiskPart[]): DiskUsage {
  const found: DiskUsage[] = parts.includes("volumes") ? [...usage.volumes.values()] : [];
  for (const container of usage.containers.values()) {
    if (parts.includes("rootfs")) found.push(container.rootfs);
    if (parts.includes("logs")) found.push(container.logs);
  }
  return sumOf(found);
}

function priorityOf(pod: Pod): number {
  return specOf(pod).priority ?? 0;
}

/** What the pod asked for. */
export function requested(pod: Pod, name: string): number {
  const read = (amount: string | undefined): number => (amount === undefined ? 0 : quantityValue(amount));
  const of = ({ resources }: Container): number => read(resources?.requests?.[name]);
  return podTotal(pod, name, specOf(pod).resources?.requests, of, read);
}
