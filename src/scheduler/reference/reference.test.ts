import { describe, expect, test } from "vitest";
import type { Node, Pod } from "../../api/index.js";
import { seededRandom } from "../../internal/random.js";
import { makeMeta, makeService } from "../../testing/builders.js";
import { RandomCluster } from "../../testing/random-cluster.js";
import { ClusterCache } from "../cache/cluster-cache.js";
import { type PodInfo, podInfo } from "../cache/pod-info.js";
import { ClassCache } from "../engine/class-cache.js";
import { evaluatePlainly } from "../engine/plain-evaluation.js";
import { classScores } from "../engine/selection.js";
import { VerdictTable } from "../engine/verdicts.js";
import { listerOf, listersOf } from "../framework/listers.js";
import { defaultPolicies } from "../policies/default-policies.js";
import type { No } from "./filters.fixture.js";
import { judge } from "./reference.fixture.js";
import type { World } from "./world.fixture.js";

const namespaces = new Map([
  ["default", { team: "a" }],
  ["other", { team: "b" }],
]);
const services = [
  makeService("web", { selector: { app: "web" } }),
  makeService("first", { selector: { app: "db", version: "1" } }),
];
const listers = {
  ...listersOf({
    namespaces: listerOf(
      [...namespaces].map(([name, labels]) => ({
        apiVersion: "v1" as const,
        kind: "Namespace" as const,
        metadata: makeMeta("Namespace", name, { labels }),
      })),
    ),
    services: listerOf(services),
  }),
  selectorsVersion: () => 0,
};

const inWords = (name: string, verdict: No | number): string =>
  typeof verdict === "number"
    ? `${name} ${verdict}`
    : `${name} ${verdict.reasons.join("+")}${verdict.unresolvable ? " for good" : ""}`;

/** A cluster that fills up, loses pods and changes its nodes: at each step all three must agree about the next pod. */
class Trial {
  readonly #make: RandomCluster;
  readonly #cache = new ClusterCache(listers);
  readonly #verdicts = new VerdictTable();
  readonly #policies = defaultPolicies();
  readonly #classes: ClassCache;
  readonly #nodes = new Map<string, Node>();
  readonly #pods = new Map<string, Pod>();

  constructor(seed: number) {
    this.#make = new RandomCluster(seededRandom(seed));
    this.#classes = new ClassCache(this.#cache, this.#verdicts, this.#policies);
    const count = 2 + this.#make.int(9);
    for (let index = 0; index < count; index++) this.#setNode(`node-${index}`);
  }

  run(steps: number, about: string): void {
    const shapes = Array.from({ length: 4 }, () => this.#make.pod());
    for (let step = 0; step < steps; step++) {
      const shape = this.#make.chance(0.6) ? this.#make.pick(shapes) : this.#make.pod();
      const pod: Pod = { ...shape, metadata: { ...shape.metadata, name: `pod-${step}`, uid: `u${step}` } };
      const told = judge(pod, this.#world());
      const words = told.map((verdict, index) => inWords(`node-${index}`, verdict));
      const info = podInfo(pod, this.#cache.table.quantities);
      const what = `${about}, step ${step}: ${JSON.stringify(pod)}`;
      expect(this.#compiled(info), `compiled, ${what}`).toEqual(words);
      expect(this.#plain(info), `plain, ${what}`).toEqual(words);
      this.#goOn(pod, told);
    }
  }

  #world(): World {
    return { nodes: [...this.#nodes.values()], pods: [...this.#pods.values()], namespaces, services };
  }

  #compiled(info: PodInfo): string[] {
    const { table } = this.#cache;
    const { podClass } = this.#classes.classify(info);
    podClass.beginRound();
    const names = [...this.#nodes.keys()];
    const slots = names.map((name) => table.slotOf(name) ?? -1);
    const feasible = slots.filter((slot) => podClass.code(slot) === 0);
    const totals = new Map(classScores(podClass, feasible).map((score, index) => [feasible[index], score]));
    return slots.map((slot, index) => {
      const { reasons, unresolvable = false } = this.#verdicts.get(Math.max(0, podClass.code(slot)));
      return inWords(names[index] ?? "", totals.get(slot) ?? { reasons, unresolvable });
    });
  }

  #plain(info: PodInfo): string[] {
    const cycle = { snapshot: this.#cache.snapshots.current(), state: new Map<string, unknown>() };
    const byName = new Map(
      evaluatePlainly(info, this.#policies, cycle).map(({ name, verdict, total }) => [
        name,
        verdict === undefined ? total : { reasons: verdict.reasons, unresolvable: verdict.unresolvable ?? false },
      ]),
    );
    return [...this.#nodes.keys()].map((name) => inWords(name, byName.get(name) ?? Number.NaN));
  }

  #setNode(name: string): void {
    const node = this.#make.node(name);
    this.#nodes.set(name, node);
    this.#cache.setNode(node);
  }

  #goOn(pod: Pod, told: readonly (No | number)[]): void {
    const feasible = [...this.#nodes.keys()].filter((_, index) => typeof told[index] === "number");
    if (feasible.length > 0 && this.#make.chance(0.85)) {
      const leaving = this.#make.chance(0.1) ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {};
      const placed: Pod = {
        ...pod,
        metadata: { ...pod.metadata, ...leaving },
        spec: { containers: [], ...pod.spec, nodeName: this.#make.pick(feasible) },
      };
      this.#pods.set(pod.metadata.uid, placed);
      this.#cache.setPod(placed);
    }
    if (this.#pods.size > 0 && this.#make.chance(0.2)) {
      const uid = this.#make.pick([...this.#pods.keys()]);
      this.#pods.delete(uid);
      this.#cache.remove(uid);
    }
    if (this.#make.chance(0.1)) this.#setNode(this.#make.pick([...this.#nodes.keys()]));
  }
}

describe("the default policies, compiled and plain, say what the slow reference says", () => {
  // Messages have the seed. 2,000 clusters in all.
  test.each(Array.from({ length: 40 }, (_, index) => index * 50))("seeds from %i", (first) => {
    for (let seed = first; seed < first + 50; seed++) new Trial(seed).run(8, `seed ${seed}`);
  });
});
