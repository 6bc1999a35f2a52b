import { describe, expect, test } from "vitest";
import { seededRandom } from "../../internal/random.js";
import { RandomCluster } from "../../testing/random-cluster.js";
import { ClusterTable } from "../cache/cluster-table.js";
import { type PodInfo, podInfo } from "../cache/pod-info.js";
import { Snapshots } from "../cache/snapshot.js";
import { listersOf } from "../framework/listers.js";
import type { Rejection, SchedulingPolicy } from "../framework/policy.js";
import { defaultPolicies } from "../policies/default-policies.js";
import { ClassCache } from "./class-cache.js";
import { evaluatePlainly } from "./plain-evaluation.js";
import { classScores } from "./selection.js";
import { VerdictTable } from "./verdicts.js";

/** Feasible nodes with their totals, and the first reason of the others: fast against obvious, as text to compare. */
function compare(seed: number, steps: number, signed: boolean): void {
  const random = seededRandom(seed);
  const make = new RandomCluster(random);
  const table = new ClusterTable(listersOf());
  const snapshots = new Snapshots(table);
  const verdicts = new VerdictTable();
  const policies = [...defaultPolicies(), ...(signed ? [{ policy: attentive, weight: 2 }] : [])];
  const classes = new ClassCache({ table, snapshots }, verdicts, policies);
  const placed: { slot: number; pod: PodInfo }[] = [];
  const nodeCount = 3 + make.int(make.chance(0.2) ? 120 : 12);
  for (let index = 0; index < nodeCount; index++) table.setNode(make.node(`node-${index}`), true);
  const shapes = Array.from({ length: 6 }, () => make.pod());
  for (let step = 0; step < steps; step++) {
    const shape = make.chance(0.7) ? make.pick(shapes) : make.pod();
    const pod = podInfo({ ...shape, metadata: { ...shape.metadata, uid: `u${step}` } }, table.quantities);
    const cycle = { snapshot: snapshots.current(), state: new Map() };
    // Of several reasons the first is told; what is asked about changed nodes comes before what is asked about topology.
    const told = (name: string, { reasons, unresolvable = false }: Rejection): string =>
      signed ? `${name} no` : `${name} ${reasons.join("+")} ${unresolvable}`;
    const slow = evaluatePlainly(pod, policies, cycle).map(({ name, verdict, total }) =>
      verdict === undefined ? `${name} ${total}` : told(name, verdict),
    );
    const { podClass } = classes.classify(pod);
    podClass.beginRound();
    const feasible: number[] = [];
    for (let slot = 0; slot < table.slots; slot++) if (podClass.code(slot) === 0) feasible.push(slot);
    const totals = new Map(classScores(podClass, feasible).map((score, index) => [feasible[index], score]));
    const groups = podClass.feasibleGroups();
    const byGroup = podClass.groupScores(groups);
    const fast: string[] = [];
    for (let slot = 0; slot < table.slots; slot++) {
      const name = table.nodes[slot]?.metadata.name;
      if (name === undefined) continue;
      const code = podClass.code(slot);
      fast.push(code === 0 ? `${name} ${totals.get(slot)}` : told(name, verdicts.get(Math.max(0, code))));
    }
    expect(fast, `seed ${seed}, step ${step}: ${JSON.stringify(pod.pod.spec)}`).toEqual(slow);
    // Over whole groups the same must come out.
    groups.forEach((group, index) => {
      for (const slot of group.slots()) {
        expect((byGroup[index] ?? 0) + podClass.ownScore(slot), `seed ${seed}, step ${step}`).toBe(totals.get(slot));
      }
    });
    expect([...podClass.verdicts().values()].reduce((sum, count) => sum + count, 0)).toBe(
      table.nodeCount - feasible.length,
    );
    if (feasible.length > 0 && make.chance(0.8)) {
      const slot = make.pick(feasible);
      table.addPod(slot, pod);
      placed.push({ slot, pod });
    }
    if (placed.length > 0 && make.chance(0.2)) {
      const [gone] = placed.splice(make.int(placed.length), 1);
      if (gone !== undefined) table.removePod(gone.slot, gone.pod);
    }
    if (make.chance(0.1)) replaceNode(table, make, placed);
    if (make.chance(0.3)) changeUnseen(table, make, placed);
  }
}

/** Signs its pods, and looks at what no column shows. */
const attentive: SchedulingPolicy = {
  name: "Attentive",
  signPod: ({ metadata }) => metadata.labels?.app ?? "",
  filter: ({ metadata }, { node, pods }) => {
    if (node.metadata.annotations?.shy === metadata.labels?.app) return "node(s) were shy";
    return pods.some(({ status }) => status?.reason === "Restless") ? "node(s) had a restless pod" : undefined;
  },
  score: (_, { node, pods }) => Math.max(0, Number(node.metadata.annotations?.bonus ?? 0) + 50 - pods.length),
};

/** What scheduling does not notice by itself: an annotation of a node, the status of a pod. */
function changeUnseen(table: ClusterTable, make: RandomCluster, placed: { slot: number; pod: PodInfo }[]): void {
  const node = table.nodes[make.int(table.slots)];
  if (node !== undefined && make.chance(0.5)) {
    const annotations = { bonus: `${make.int(50)}`, ...(make.chance(0.3) ? { shy: "web" } : {}) };
    table.setNode({ ...node, metadata: { ...node.metadata, annotations } }, false);
    return;
  }
  const entry = placed[make.int(Math.max(1, placed.length))];
  if (entry === undefined) return;
  const reason = make.chance(0.5) ? "Restless" : "Calm";
  const pod = { ...entry.pod, pod: { ...entry.pod.pod, status: { ...entry.pod.pod.status, reason } } };
  table.replacePod(entry.slot, entry.pod, pod);
  entry.pod = pod;
}

function replaceNode(table: ClusterTable, make: RandomCluster, placed: { slot: number; pod: PodInfo }[]): void {
  const name = `node-${make.int(table.slots)}`;
  const slot = table.slotOf(name);
  if (slot !== undefined && make.chance(0.3)) {
    for (const entry of placed.filter((other) => other.slot === slot)) {
      table.removePod(slot, entry.pod);
      placed.splice(placed.indexOf(entry), 1);
    }
    table.deleteNode(name);
  } else table.setNode(make.node(name), true);
}

describe("compiled policies decide as the plain ones do", () => {
  // Every message has its seed.
  test.each(Array.from({ length: 20 }, (_, index) => index * 20))("seeds from %i", (first) => {
    for (let seed = first; seed < first + 20; seed++) compare(seed, 12, seed % 3 === 0);
  });
});
