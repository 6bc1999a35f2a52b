import type { ClusterTable } from "../cache/cluster-table.js";
import type { PodInfo } from "../cache/pod-info.js";
import type { SchedulingPolicy } from "../framework/policy.js";
import type { VectorContext } from "../framework/vector.js";
import { PodClass, type WeightedPart } from "./pod-class.js";
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

/** The classes of the pods seen lately, under one profile. */
export class ClassCache {
  readonly #table: ClusterTable;
  readonly #policies: readonly {
    readonly weighted: WeightedPolicy;
    readonly context: VectorContext;
  }[];
  readonly #classes = new Map<string, PodClass>();

  constructor(table: ClusterTable, verdicts: VerdictTable, policies: readonly WeightedPolicy[]) {
    this.#table = table;
    this.#policies = policies.map((weighted) => ({
      weighted,
      context: { table, verdict: (rejection) => verdicts.code(weighted.policy.name, rejection) },
    }));
  }

  get size(): number {
    return this.#classes.size;
  }

  /** The class of the pod, up to date. */
  classify(pod: PodInfo): Classified {
    const plain: WeightedPolicy[] = [];
    let key = "";
    for (const { weighted, context } of this.#policies) {
      const { policy } = weighted;
      const part = policy.vector?.key(pod, context);
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
    if (known !== undefined) {
      this.#classes.delete(key);
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
      const part = policy.vector?.compile(pod, context);
      if (part !== undefined) parts.push({ policy: policy.name, weight, part });
    }
    const podClass = new PodClass(key, this.#table, parts);
    this.#classes.set(key, podClass);
    this.#evict();
    return podClass;
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
