import type { ClusterTable } from "../cache/cluster-table.js";
import type { PodInfo } from "../cache/pod-info.js";
import type { Snapshots } from "../cache/snapshot.js";
import { guarded, PolicyError } from "../framework/guard.js";
import type { SchedulingPolicy } from "../framework/policy.js";
import { type TimeBudget, unlimitedTime } from "../framework/time-budget.js";
import type { VectorContext, VectorPart } from "../framework/vector.js";
import { PodClass, type WeightedPart } from "./pod-class.js";
import { signedPart } from "./signed-part.js";
import type { VerdictTable } from "./verdicts.js";

export interface WeightedPolicy {
  readonly policy: SchedulingPolicy;
  /** Of its score; 0 leaves the score out. */
  readonly weight: number;
}

/** A class of pods, and the policies that have to be called plainly for them. */
export interface Classified {
  readonly podClass: PodClass;
  readonly plain: readonly WeightedPolicy[];
}

/** So many node entries over all classes: about 40 bytes each. */
const entryLimit = 1_500_000;

/** What classes are made from: a ClusterCache is one. */
export interface ClassSource {
  readonly table: ClusterTable;
  readonly snapshots: Snapshots;
}

/** The classes of the pods seen lately, under one profile. */
export class ClassCache {
  readonly #table: ClusterTable;
  readonly #snapshots: Snapshots;
  readonly #budget: TimeBudget;
  readonly #policies: readonly {
    readonly weighted: WeightedPolicy;
    readonly context: VectorContext;
  }[];
  readonly #classes = new Map<string, PodClass>();

  constructor(
    { table, snapshots }: ClassSource,
    verdicts: VerdictTable,
    policies: readonly WeightedPolicy[],
    budget: TimeBudget = unlimitedTime,
  ) {
    this.#table = table;
    this.#snapshots = snapshots;
    this.#budget = budget;
    this.#policies = policies.map((weighted) => ({
      weighted,
      context: { table, verdict: (rejection) => verdicts.code(weighted.policy.name, rejection) },
    }));
  }

  get size(): number {
    return this.#classes.size;
  }

  /** The class of the pod, up to date. Throws PolicyError. */
  classify(pod: PodInfo): Classified {
    const plain: WeightedPolicy[] = [];
    let key = "";
    for (const { weighted, context } of this.#policies) {
      const { policy } = weighted;
      const part = this.#likeness(policy, pod, context);
      if (part !== undefined) key += `${part}\n`;
      else {
        key += "?\n";
        if (policy.filter !== undefined || policy.score !== undefined || policy.preFilter !== undefined) {
          plain.push(weighted);
        }
      }
    }
    return { podClass: this.#find(key, pod, plain), plain };
  }

  clear(): void {
    for (const podClass of this.#classes.values()) podClass.dispose();
    this.#classes.clear();
  }

  #find(key: string, pod: PodInfo, plain: readonly WeightedPolicy[]): PodClass {
    const known = this.#classes.get(key);
    // Signed parts ask about nodes as they are now.
    this.#snapshots.current();
    if (known !== undefined) {
      this.#classes.delete(key);
      // Kept even when this throws: it is stale then.
      if (!known.stale) {
        this.#classes.set(key, known);
        known.catchUp();
        return known;
      }
      known.dispose();
    }
    const parts: WeightedPart[] = [];
    for (const { weighted, context } of this.#policies) {
      const { policy, weight } = weighted;
      if (plain.includes(weighted)) continue;
      const part = this.#compile(policy, pod, context);
      if (part !== undefined) parts.push({ policy: policy.name, weight, part });
    }
    const podClass = makeClass(key, this.#table, parts);
    this.#classes.set(key, podClass);
    this.#evict();
    return podClass;
  }

  /** Everything that the policy reads of the pod; `undefined`: it has to be called for each pod. */
  #likeness(policy: SchedulingPolicy, pod: PodInfo, context: VectorContext): string | undefined {
    if (policy.vector !== undefined || policy.signPod === undefined) return policy.vector?.key(pod, context);
    const signature = guarded(policy.name, "SignPod", () => policy.signPod?.(pod.pod));
    if (signature === undefined) return undefined;
    if (typeof signature === "string") return JSON.stringify(signature);
    throw new PolicyError(policy.name, "SignPod", `gave ${String(signature)} in place of a text`);
  }

  #compile(policy: SchedulingPolicy, pod: PodInfo, context: VectorContext): VectorPart | undefined {
    if (policy.vector !== undefined) return policy.vector.compile(pod, context);
    return signedPart(policy, pod, context, this.#snapshots, this.#budget);
  }

  #evict(): void {
    const limit = Math.min(1024, Math.max(16, Math.floor(entryLimit / this.#table.capacity)));
    for (const [key, podClass] of this.#classes) {
      if (this.#classes.size <= limit) return;
      this.#classes.delete(key);
      podClass.dispose();
    }
  }
}

function makeClass(key: string, table: ClusterTable, parts: readonly WeightedPart[]): PodClass {
  try {
    return new PodClass(key, table, parts);
  } catch (error) {
    for (const { part } of parts) part.dispose?.();
    throw error;
  }
}
