import type {
  Affinity,
  Container,
  LabelSelector,
  Node,
  Pod,
  PodAffinityTerm,
  PodSpec,
  TopologySpreadConstraint,
} from "../api/index.js";
import { type Random, randomInt } from "../internal/random.js";
import { makeNode, makePod, type PodOptions } from "./builders.js";

// Small vocabularies, so that things meet.
const apps = ["web", "db", "cache"];
const zones = ["a", "b", "c"];
const images = ["img/one:1", "img/two:1", "img/three"];
const keys = ["topology.kubernetes.io/zone", "kubernetes.io/hostname", "rack"];

export class RandomCluster {
  readonly #random: Random;
  #serial = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  chance(probability: number): boolean {
    return this.#random.next() < probability;
  }

  int(bound: number): number {
    return randomInt(this.#random, bound);
  }

  pick<T>(items: readonly [T, ...T[]] | readonly T[]): T {
    const item = items[this.int(items.length)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }

  node(name: string): Node {
    const labels: Record<string, string> = {};
    if (this.chance(0.9)) labels["topology.kubernetes.io/zone"] = this.pick(zones);
    if (this.chance(0.7)) labels.rack = `r${this.int(70)}`;
    if (this.chance(0.5)) labels.disk = this.pick(["ssd", "hdd"]);
    const taints = [];
    if (this.chance(0.2)) taints.push({ key: "dedicated", value: this.pick(apps), effect: "NoSchedule" });
    if (this.chance(0.2)) taints.push({ key: "busy", effect: "PreferNoSchedule" });
    if (this.chance(0.1)) taints.push({ key: "other", effect: "PreferNoSchedule" });
    return makeNode(name, {
      cpuMillis: 1000 * (1 + this.int(4)),
      memoryBytes: 2 ** 30 * (1 + this.int(8)),
      pods: this.chance(0.2) ? 3 : 110,
      labels,
      ...(taints.length > 0 ? { taints } : {}),
      ...(this.chance(0.1) ? { unschedulable: true } : {}),
      ...(this.chance(0.3) ? { resources: { "example.com/gpu": `${this.int(3)}` } } : {}),
      status: {
        ...(this.chance(0.5) ? { declaredFeatures: ["RestartAllContainersOnContainerExits"] } : {}),
        images: images
          .filter(() => this.chance(0.4))
          .map((name) => ({ names: [name, `${name}@sha256:0`], sizeBytes: 50 * 2 ** 20 * (1 + this.int(10)) })),
      },
    });
  }

  pod(options: PodOptions = {}): Pod {
    const labels: Record<string, string> = this.chance(0.9) ? { app: this.pick(apps) } : {};
    if (this.chance(0.2)) labels.version = this.pick(["1", "2"]);
    if (this.chance(0.2)) labels.tier = this.pick(["front", "back"]);
    return makePod(`pod-${this.#serial++}`, {
      namespace: this.pick(["default", "default", "other"]),
      labels,
      image: this.pick(images),
      ...(this.chance(0.8) ? { cpuMillis: 50 * (1 + this.int(10)) } : {}),
      ...(this.chance(0.8) ? { memoryBytes: 64 * 2 ** 20 * (1 + this.int(10)) } : {}),
      ...(this.chance(0.1) ? { requests: { "example.com/gpu": "1" } } : {}),
      ...(this.chance(0.1) ? { hostPorts: [8000 + this.int(3)] } : {}),
      ...(this.chance(0.2) ? { nodeSelector: { disk: this.pick(["ssd", "hdd"]) } } : {}),
      ...(this.chance(0.3) ? { tolerations: [{ key: this.pick(["dedicated", "busy"]), operator: "Exists" }] } : {}),
      ...(this.chance(0.5) ? { affinity: this.affinity() } : {}),
      ...(this.chance(0.4) ? { topologySpreadConstraints: this.constraints() } : {}),
      ...(this.chance(0.2) ? { spec: this.extras() } : {}),
      ...options,
    });
  }

  /** What makes a pod's requests more than the sum of its containers'. */
  extras(): Partial<PodSpec> {
    const requests = (): { requests: Record<string, string> } => ({
      requests: { cpu: `${50 * (1 + this.int(12))}m`, memory: `${64 * (1 + this.int(6))}Mi` },
    });
    const init: Container[] = Array.from({ length: this.int(4) }, (_, index) => ({
      name: `init-${index}`,
      image: this.pick(images),
      ...(this.chance(0.8) ? { resources: requests() } : {}),
      ...(this.chance(0.5) ? { restartPolicy: "Always" } : {}),
    }));
    const [first] = init;
    if (first !== undefined && this.chance(0.1)) {
      const exitCodes = { operator: "In", values: [this.int(5)] };
      init[0] = { ...first, restartPolicyRules: [{ action: "RestartAllContainers", exitCodes }] };
    }
    return {
      ...(init.length > 0 ? { initContainers: init } : {}),
      ...(this.chance(0.3) ? { overhead: { cpu: "50m", memory: "32Mi" } } : {}),
      ...(this.chance(0.3) ? { resources: requests() } : {}),
    };
  }

  /** Which pods a rule of affinity is about, in all the ways that there are to say so. */
  term(): PodAffinityTerm {
    const namespaces = this.chance(0.2);
    return {
      topologyKey: this.pick(keys),
      labelSelector: this.selector(),
      ...(namespaces ? { namespaces: [this.pick(["default", "other"])] } : {}),
      ...(this.chance(0.2) ? { namespaceSelector: this.chance(0.5) ? {} : { matchLabels: { team: "b" } } } : {}),
      ...(this.chance(0.15) ? { matchLabelKeys: ["version"] } : {}),
      ...(this.chance(0.15) ? { mismatchLabelKeys: ["tier"] } : {}),
    };
  }

  selector(): LabelSelector {
    if (this.chance(0.7)) return { matchLabels: { app: this.pick(apps) } };
    const operator = this.pick(["In", "NotIn", "Exists", "DoesNotExist"]);
    const values = operator === "In" || operator === "NotIn" ? { values: [this.pick(apps), this.pick(apps)] } : {};
    return { matchExpressions: [{ key: "app", operator, ...values }] };
  }

  affinity(): Affinity {
    const term = (): PodAffinityTerm => this.term();
    return {
      ...(this.chance(0.4)
        ? {
            nodeAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                {
                  weight: 1 + this.int(100),
                  preference: { matchExpressions: [{ key: "disk", operator: "In", values: ["ssd"] }] },
                },
              ],
              ...(this.chance(0.3)
                ? {
                    requiredDuringSchedulingIgnoredDuringExecution: {
                      nodeSelectorTerms: [
                        { matchExpressions: [{ key: "rack", operator: this.pick(["Exists", "DoesNotExist"]) }] },
                        { matchFields: [{ key: "metadata.name", operator: "In", values: ["node-1"] }] },
                      ],
                    },
                  }
                : {}),
            },
          }
        : {}),
      ...(this.chance(0.3)
        ? {
            podAffinity: {
              ...(this.chance(0.5) ? { requiredDuringSchedulingIgnoredDuringExecution: [term()] } : {}),
              preferredDuringSchedulingIgnoredDuringExecution: [
                {
                  weight: 1 + this.int(100),
                  podAffinityTerm: term(),
                },
              ],
            },
          }
        : {}),
      ...(this.chance(0.3)
        ? {
            podAntiAffinity: {
              ...(this.chance(0.4) ? { requiredDuringSchedulingIgnoredDuringExecution: [term()] } : {}),
              preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1 + this.int(100), podAffinityTerm: term() }],
            },
          }
        : {}),
    };
  }

  constraints(): TopologySpreadConstraint[] {
    const count = 1 + this.int(2);
    return Array.from(
      { length: count },
      (_, index): TopologySpreadConstraint => ({
        maxSkew: 1 + this.int(3),
        topologyKey: keys[(index + this.int(2)) % keys.length] ?? "rack",
        whenUnsatisfiable: this.pick(["DoNotSchedule", "ScheduleAnyway"]),
        labelSelector: this.selector(),
        ...(this.chance(0.2) ? { minDomains: 1 + this.int(5) } : {}),
        ...(this.chance(0.2) ? { nodeTaintsPolicy: "Honor" } : {}),
        ...(this.chance(0.2) ? { nodeAffinityPolicy: "Ignore" } : {}),
        ...(this.chance(0.2) ? { matchLabelKeys: ["version"] } : {}),
      }),
    ).filter(
      (constraint, index, all) =>
        constraint.whenUnsatisfiable === "ScheduleAnyway" ||
        all.findIndex(({ topologyKey }) => topologyKey === constraint.topologyKey) === index,
    );
  }
}
