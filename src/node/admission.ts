import type { Node, Pod, Taint, Toleration } from "../api/index.js";
import { quantityMilliValue, quantityValue } from "../api/index.js";
import { isExtendedResource } from "../api/kinds/core/resource-names.js";
import { fitsNode } from "../api/node-match.js";
import { containersOf, specOf } from "./pod/containers.js";
import type { PodVerdict } from "./pod/pod-status.js";
import { podRequest, podRequests } from "./pod/qos.js";

interface Usage {
  readonly cpuMillis: number;
  readonly memoryBytes: number;
  /** Of resources with a domain, as devices have. */
  readonly extended: ReadonlyMap<string, number>;
  readonly hostPorts: readonly string[];
}

interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/** Why a pod that runs here cannot have other resources: never on this node, or not now. */
export interface ResizeRefusal {
  readonly reason: "Infeasible" | "Deferred";
  readonly message: string;
}

/** The node's own last word on pods bound to it: what the scheduler should have seen, and static pods bypass. */
export class NodeAdmission {
  readonly #node: () => Node | undefined;
  readonly #appArmor: () => boolean;
  readonly #admitted = new Map<string, Usage>();
  #cpuMillis = 0;
  #memoryBytes = 0;

  /** `appArmor`: whether the host confines programs by AppArmor. */
  constructor(node: () => Node | undefined, appArmor: () => boolean) {
    this.#node = node;
    this.#appArmor = appArmor;
  }

  /** Counts a pod that runs here already. */
  add(pod: Pod, usage: Usage = usageOf(pod)): void {
    const { uid } = pod.metadata;
    if (this.#admitted.has(uid)) return;
    this.#admitted.set(uid, usage);
    this.#cpuMillis += usage.cpuMillis;
    this.#memoryBytes += usage.memoryBytes;
  }

  remove(podUid: string): void {
    const usage = this.#admitted.get(podUid);
    if (usage === undefined) return;
    this.#admitted.delete(podUid);
    this.#cpuMillis -= usage.cpuMillis;
    this.#memoryBytes -= usage.memoryBytes;
  }

  /** Takes a pod in, or says why not. */
  admit(pod: Pod): PodVerdict | undefined {
    if (this.#admitted.has(pod.metadata.uid)) return undefined;
    const node = this.#node();
    const usage = usageOf(pod);
    const why = node === undefined ? undefined : (this.#mismatch(pod, node, usage) ?? this.#lacking(node, usage));
    if (why === undefined) {
      this.add(pod, usage);
      return undefined;
    }
    return { phase: "Failed", ...why };
  }

  /** Gives a pod that was taken in other resources, or says why not. */
  resize(pod: Pod): ResizeRefusal | undefined {
    const { allocatable = {} } = this.#node()?.status ?? {};
    const usage = usageOf(pod);
    const capacity = {
      memory: allocatable.memory === undefined ? undefined : quantityValue(allocatable.memory),
      cpu: allocatable.cpu === undefined ? undefined : quantityMilliValue(allocatable.cpu),
    };
    for (const [name, requested] of [
      ["memory", usage.memoryBytes],
      ["cpu", usage.cpuMillis],
    ] as const) {
      const most = capacity[name];
      if (most === undefined || requested <= most) continue;
      const message = `Node didn't have enough capacity: ${name}, requested: ${requested}, capacity: ${most}`;
      return { reason: "Infeasible", message };
    }
    const { uid } = pod.metadata;
    const before = this.#admitted.get(uid);
    this.remove(uid);
    const node = this.#node();
    const why = node === undefined ? undefined : this.#lacking(node, usage);
    if (why === undefined) this.add(pod, usage);
    else if (before !== undefined) this.add(pod, before);
    return why === undefined ? undefined : { reason: "Deferred", message: why.message };
  }

  #mismatch(pod: Pod, node: Node, usage: Usage): Refusal | undefined {
    const unfit = otherSystem(pod, node) ?? unconfinable(pod, node, this.#appArmor());
    if (unfit !== undefined) return unfit;
    const failed = (predicate: string, words: string): Refusal => ({
      reason: predicate,
      message: `Predicate ${predicate} failed: ${words}`,
    });
    if (!fitsNode(specOf(pod), node))
      return failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
    const wanted = usage.hostPorts;
    if (wanted.length > 0) {
      const taken = new Set([...this.#admitted.values()].flatMap(({ hostPorts }) => hostPorts));
      if (wanted.some((port) => taken.has(port))) {
        return failed("NodePorts", "node(s) didn't have free ports for the requested pod ports");
      }
    }
    const taint = node.spec?.taints?.find(
      (candidate) =>
        candidate.effect === "NoExecute" &&
        !(specOf(pod).tolerations ?? []).some((toleration) => tolerates(toleration, candidate)),
    );
    if (taint === undefined) return undefined;
    return failed("TaintToleration", `node(s) had untolerated taint(s) {${taint.key}: ${taint.value ?? ""}}`);
  }

  #lacking(node: Node, usage: Usage): Refusal | undefined {
    const { allocatable = {} } = node.status ?? {};
    const { cpuMillis, memoryBytes } = usage;
    const rows: readonly (readonly [string, number, number, number | undefined])[] = [
      ["pods", 1, this.#admitted.size, allocatable.pods === undefined ? undefined : quantityValue(allocatable.pods)],
      [
        "cpu",
        cpuMillis,
        this.#cpuMillis,
        allocatable.cpu === undefined ? undefined : quantityMilliValue(allocatable.cpu),
      ],
      [
        "memory",
        memoryBytes,
        this.#memoryBytes,
        allocatable.memory === undefined ? undefined : quantityValue(allocatable.memory),
      ],
    ];
    // What the node does not know of is not its own: others see to it.
    const extended = [...usage.extended].map(([name, count]): (typeof rows)[number] => {
      const used = [...this.#admitted.values()].reduce((sum, other) => sum + (other.extended.get(name) ?? 0), 0);
      return [name, count, used, allocatable[name] === undefined ? undefined : quantityValue(allocatable[name])];
    });
    for (const [name, requested, used, capacity] of [...rows, ...extended]) {
      if (requested === 0 || capacity === undefined || used + requested <= capacity) continue;
      const message = `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`;
      return { reason: `OutOf${name}`, message };
    }
    return undefined;
  }
}

/** Whether the pod is for another operating system than the node's. */
function otherSystem({ spec }: Pod, { status }: Node): Refusal | undefined {
  const system = status?.nodeInfo?.operatingSystem;
  if (system === undefined) return undefined;
  const selected = spec?.nodeSelector?.["kubernetes.io/os"];
  if (selected !== undefined && selected !== system) {
    const message = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label";
    return { reason: "PodOSSelectorNodeLabelDoesNotMatch", message };
  }
  if (spec?.os === undefined || spec.os.name === system) return undefined;
  return { reason: "PodOSNotSupported", message: "Failed to admit pod as the OS field doesn't match node OS" };
}

/** A confinement that the pod asks for and this node cannot give. */
function unconfinable(pod: Pod, { status }: Node, appArmor: boolean): Refusal | undefined {
  const context = specOf(pod).securityContext;
  if (context?.supplementalGroupsPolicy === "Strict" && status?.features?.supplementalGroupsPolicy !== true) {
    const message = "SupplementalGroupsPolicy=Strict is not supported in this node";
    return { reason: "SupplementalGroupsPolicyNotSupported", message };
  }
  const confined = containersOf(pod).some(({ container }) => {
    const profile = container.securityContext?.appArmorProfile ?? context?.appArmorProfile;
    return profile !== undefined && profile.type !== "Unconfined";
  });
  if (!confined || appArmor) return undefined;
  return { reason: "AppArmor", message: "Cannot enforce AppArmor: AppArmor is not enabled on the host" };
}

function usageOf(pod: Pod): Usage {
  const hostPorts = containersOf(pod)
    .flatMap(({ container }) => container.ports ?? [])
    .filter(({ hostPort }) => hostPort)
    .map(({ hostPort, hostIP, protocol }) => `${hostIP || "0.0.0.0"}:${hostPort}/${protocol ?? "TCP"}`);
  return { ...podRequests(pod), extended: extendedRequests(pod), hostPorts };
}

function extendedRequests(pod: Pod): Map<string, number> {
  const names = new Set(
    containersOf(pod).flatMap(({ container }) =>
      Object.keys(container.resources?.requests ?? {}).filter((name) => isExtendedResource(name)),
    ),
  );
  return new Map([...names].map((name) => [name, podRequest(pod, name, quantityValue)]));
}

function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (!toleration.key && toleration.operator !== "Exists") return false;
  return toleration.operator === "Exists" || (toleration.value ?? "") === (taint.value ?? "");
}
