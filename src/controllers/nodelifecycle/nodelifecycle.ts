import {
  isStatusError,
  type Lease,
  leases,
  type Node,
  type NodeCondition,
  nodes,
  type Pod,
  pods,
  type Taint,
} from "../../api/index.js";
import type { Informer } from "../../client/index.js";
import { sleep, timestamp } from "../../internal/clock.js";
import type { Controller, ControllerContext, RunningController } from "../controller.js";
import { findCondition, setCondition } from "../shared/conditions.js";
import { indexByNode, podsOn } from "../shared/pod-indexes.js";
import { writeStatus } from "../shared/write-status.js";
import { notReady, unreachable, withNoExecute, withNoSchedule } from "./node-taints.js";
import { Zones, zoneOf } from "./zones.js";

export interface NodeLifecycleOptions {
  /** How often nodes are looked at. Default 5 s. */
  readonly monitorPeriodMs?: number;
  /** Without a sign of life for so long a node counts as lost. Default 50 s. */
  readonly monitorGraceMs?: number;
  /** The same for one that has never reported. Default 60 s. */
  readonly startupGraceMs?: number;
}

const leaseNamespace = "kube-node-lease";
/** Without the kubelet nobody knows these any more. */
const kubeletConditions = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] as const;

/** Notices nodes that are not ready or silent, taints them, and marks their pods. */
export function nodeLifecycleController(options: NodeLifecycleOptions = {}): Controller {
  return {
    name: "node-lifecycle-controller",
    account: "node-controller",
    aliases: ["nodelifecycle"],
    eventSource: "node-controller",
    setup: (context) => new NodeLifecycle(context, options),
  };
}

interface Health {
  readonly node: string;
  /** When this process last saw a sign of life. */
  seenAt: number;
  heartbeat: string;
  renewal: string;
  wasReady: boolean;
}

class NodeLifecycle implements RunningController {
  readonly #context: ControllerContext;
  readonly #options: Required<NodeLifecycleOptions>;
  readonly #nodes: Informer<Node>;
  readonly #leases: Informer<Lease>;
  readonly #pods: Informer<Pod>;
  readonly #health = new Map<string, Health>();
  readonly #zones: Zones;
  #busy = false;
  /** Nodes that changed and are to be looked at before the next round. */
  readonly #changed = new Set<string>();
  #wake: AbortController = new AbortController();

  constructor(context: ControllerContext, options: NodeLifecycleOptions) {
    this.#context = context;
    this.#options = { monitorPeriodMs: 5_000, monitorGraceMs: 50_000, startupGraceMs: 60_000, ...options };
    this.#zones = new Zones(context.clock);
    this.#nodes = context.informer(nodes);
    this.#leases = context.informer(leases, { namespace: leaseNamespace });
    this.#pods = context.informer(pods);
    indexByNode(this.#pods);
    const changed = (node: Node): void => {
      this.#changed.add(node.metadata.name);
      this.#wake.abort();
    };
    this.#nodes.addHandler({
      add: changed,
      update: (old, node) => {
        if (old.spec !== node.spec || readiness(old) !== readiness(node) || old.status !== node.status) changed(node);
      },
      delete: (node) => {
        this.#health.delete(node.metadata.name);
        const { name } = node.metadata;
        context.events.event(
          node,
          "Normal",
          "RemovingNode",
          `Node ${name} event: Removing Node ${name} from Controller`,
        );
      },
    });
  }

  get idle(): boolean {
    return !this.#busy && this.#changed.size === 0;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#context;
    const { monitorPeriodMs } = this.#options;
    let nextRound = clock.now();
    while (!signal.aborted) {
      this.#busy = true;
      try {
        const whole = clock.now() >= nextRound;
        if (whole) nextRound = clock.now() + monitorPeriodMs;
        await this.#look(whole ? [...this.#nodes.list()] : this.#takeChanged(), signal);
      } catch (error) {
        if (!signal.aborted) logger.warn("cannot keep up with nodes", { error });
      }
      this.#busy = false;
      this.#wake = new AbortController();
      if (this.#changed.size > 0) this.#wake.abort();
      await sleep(clock, nextRound - clock.now(), AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  #takeChanged(): readonly Node[] {
    const names = [...this.#changed];
    this.#changed.clear();
    return names.map((name) => this.#nodes.get(name)).filter((node) => node !== undefined);
  }

  async #look(some: readonly Node[], signal: AbortSignal): Promise<void> {
    for (const node of some) this.#changed.delete(node.metadata.name);
    this.#zones.update(this.#nodes.list());
    await Promise.all(
      some.map(async (node) => {
        try {
          await this.#lookAt(node, signal);
        } catch (error) {
          const gone = isStatusError(error, "NotFound") || isStatusError(error, "Conflict");
          if (!gone && !signal.aborted)
            this.#context.logger.warn("cannot update a node", { node: node.metadata.name, error });
        }
      }),
    );
  }

  async #lookAt(seen: Node, signal: AbortSignal): Promise<void> {
    const { client, clock, events } = this.#context;
    const health = this.#observe(seen);
    const node = await this.#markSilent(seen, health, signal);
    const ready = findCondition(node.status?.conditions, "Ready")?.status;
    const isReady = ready === "True";
    if (health.wasReady && !isReady) {
      const { name } = node.metadata;
      events.event(node, "Normal", "NodeNotReady", `Node ${name} status is now: NodeNotReady`);
    }
    health.wasReady = isReady;
    if (!isReady && ready !== undefined) await this.#markPods(node, signal);
    const now = timestamp(clock);
    const kept = withNoSchedule(node, now);
    const taints = withNoExecute(kept, this.#drivenAway(node, ready, kept), now);
    if (taints !== (node.spec?.taints ?? []) && taints.length + (node.spec?.taints ?? []).length > 0) {
      await client.update(nodes, { ...node, spec: { ...node.spec, taints } }, { signal });
    }
  }

  /** Which of the two taints that drive pods away the node should have. One that it has may change; a new one has to wait its turn. */
  #drivenAway(node: Node, ready: string | undefined, taints: readonly Taint[]): string | undefined {
    const wanted = ready === "False" ? notReady : ready === "Unknown" ? unreachable : undefined;
    if (wanted === undefined || this.#zones.allDown) return undefined;
    const has = taints.some(({ key, effect }) => effect === "NoExecute" && (key === notReady || key === unreachable));
    return has || this.#zones.mayEvict(zoneOf(node)) ? wanted : undefined;
  }

  #observe(node: Node): Health {
    const { clock, events } = this.#context;
    const { name } = node.metadata;
    const ready = findCondition(node.status?.conditions, "Ready");
    const heartbeat = `${ready?.status ?? ""} ${ready?.lastHeartbeatTime ?? ""} ${ready?.lastTransitionTime ?? ""}`;
    const renewal = this.#leases.get(`${leaseNamespace}/${name}`)?.spec?.renewTime ?? "";
    let health = this.#health.get(name);
    if (health === undefined) {
      health = { node: name, seenAt: clock.now(), heartbeat, renewal, wasReady: ready?.status === "True" };
      this.#health.set(name, health);
      events.event(node, "Normal", "RegisteredNode", `Node ${name} event: Registered Node ${name} in Controller`);
      return health;
    }
    // What this controller wrote itself, Unknown, is no sign of life.
    const reported = heartbeat !== health.heartbeat && ready?.status !== "Unknown";
    if (reported || renewal > health.renewal) health.seenAt = clock.now();
    health.heartbeat = heartbeat;
    health.renewal = renewal;
    return health;
  }

  async #markSilent(node: Node, health: Health, signal: AbortSignal): Promise<Node> {
    const { client, clock } = this.#context;
    const { monitorGraceMs, startupGraceMs } = this.#options;
    const known = findCondition(node.status?.conditions, "Ready") !== undefined;
    if (clock.now() <= health.seenAt + (known ? monitorGraceMs : startupGraceMs)) return node;
    const now = timestamp(clock);
    let conditions: readonly NodeCondition[] = node.status?.conditions ?? [];
    for (const type of kubeletConditions) {
      const current = findCondition(conditions, type);
      if (current?.status === "Unknown") continue;
      conditions = setCondition(conditions, {
        type,
        status: "Unknown",
        ...(current?.lastHeartbeatTime === undefined ? {} : { lastHeartbeatTime: current.lastHeartbeatTime }),
        lastTransitionTime: now,
        ...(current === undefined
          ? { reason: "NodeStatusNeverUpdated", message: "Kubelet never posted node status." }
          : { reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status." }),
      });
    }
    if (conditions === node.status?.conditions) return node;
    return (await writeStatus(client, nodes, node, { ...node.status, conditions }, signal)) ?? node;
  }

  /** Pods of a node that is not ready serve nobody: endpoints and owners should know. */
  async #markPods(node: Node, signal: AbortSignal): Promise<void> {
    const { client, clock, events } = this.#context;
    await Promise.all(
      [...podsOn(this.#pods, node.metadata.name)].map(async (pod) => {
        const ready = findCondition(pod.status?.conditions, "Ready");
        if (ready?.status !== "True") return;
        const next = { ...ready, status: "False", lastTransitionTime: timestamp(clock) };
        const conditions = setCondition(pod.status?.conditions, next);
        await writeStatus(client, pods, pod, { ...pod.status, conditions }, signal);
        events.event(pod, "Warning", "NodeNotReady", "Node is not ready");
      }),
    );
  }
}

function readiness(node: Node): string | undefined {
  return findCondition(node.status?.conditions, "Ready")?.status;
}
