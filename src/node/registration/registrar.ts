import { isStatusError, type Node, type NodeStatus, nodes } from "../../api/index.js";
import { type Clock, sleep } from "../../internal/clock.js";
import type { Logger } from "../../internal/logger.js";
import { type Random, randomInt } from "../../internal/random.js";
import type { RuntimeVersion } from "../../runtime/index.js";
import type { DeviceCount } from "../devices/device-pool.js";
import type { PressureCondition } from "../eviction/thresholds.js";
import type { NodeAgentOptions } from "../options.js";
import { deepEqual } from "../pod/status-writer.js";
import { type HostFacts, newNode, nodeStatus, ownLabels } from "./node-object.js";

const fullReportMs = 5 * 60 * 1000;
const firstRetryMs = 100;
const maxRetryMs = 7_000;

export interface RegistrarOptions {
  readonly options: NodeAgentOptions;
  readonly host: HostFacts;
  readonly version: RuntimeVersion;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly serverPort: () => number;
  readonly pressure: () => ReadonlySet<PressureCondition>;
  readonly devices: () => ReadonlyMap<string, DeviceCount>;
}

/** Keeps the Node object: makes it, brings it up to date, reports status when it differs and every five minutes. */
export class Registrar {
  readonly #own: RegistrarOptions;
  #node: Node | undefined;
  #reportedAtMs = 0;

  constructor(options: RegistrarOptions) {
    this.#own = options;
  }

  /** The Node as last seen in the API. */
  get node(): Node | undefined {
    return this.#node;
  }

  /** Makes the Node, or adopts the one of this name; tries until it is done or `signal` aborts. */
  async register(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#own;
    for (let retryMs = firstRetryMs; !signal.aborted; retryMs = Math.min(retryMs * 2, maxRetryMs)) {
      try {
        await this.#registerOnce(signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn("cannot register the node", { error });
        await sleep(clock, retryMs, signal);
      }
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, logger, options } = this.#own;
    const intervalMs = options.statusIntervalMs ?? 10_000;
    while (!signal.aborted) {
      // Spread, so that a thousand nodes do not come all at once.
      await sleep(clock, intervalMs + randomInt(random, Math.ceil(intervalMs / 25)), signal);
      if (signal.aborted) return;
      try {
        await this.report(signal);
      } catch (error) {
        if (signal.aborted) return;
        logger.warn("cannot report the node's status", { error });
      }
    }
  }

  async report(signal: AbortSignal): Promise<void> {
    const { client, nodeName } = this.#own.options;
    let node: Node;
    try {
      node = await client.get(nodes, { name: nodeName }, { signal, resourceVersion: "0" });
    } catch (error) {
      if (!isStatusError(error, "NotFound")) throw error;
      // Somebody deleted it while we live: a node that heart-beats is a node.
      return this.#registerOnce(signal);
    }
    await this.#take(node);
    const status = await this.#status(node.status);
    const now = this.#own.clock.now();
    const same = deepEqual(withoutHeartbeats(this.#ownPart(node.status)), withoutHeartbeats(status));
    if (same && now - this.#reportedAtMs < fullReportMs) return;
    await this.#write(status, signal);
  }

  async #registerOnce(signal: AbortSignal): Promise<void> {
    const { options, host } = this.#own;
    const { client, nodeName } = options;
    const status = await this.#status(undefined);
    try {
      await this.#take(await client.create<Node>(nodes, newNode(options, host, status), { signal }));
      // Servers may or may not take a status on create.
      if (this.#node?.status?.conditions === undefined) await this.#write(status, signal);
      else this.#reportedAtMs = this.#own.clock.now();
    } catch (error) {
      if (!isStatusError(error, "AlreadyExists")) throw error;
      await this.#take(await client.get(nodes, { name: nodeName }, { signal }));
      await this.#updateLabels(signal);
      await this.#write(await this.#status(this.#node?.status), signal);
    }
  }

  async #updateLabels(signal: AbortSignal): Promise<void> {
    const { options, host } = this.#own;
    const present = this.#node?.metadata.labels ?? {};
    const labels = ownLabels(options, host);
    if (Object.entries(labels).every(([key, value]) => present[key] === value)) return;
    const body = { metadata: { labels } };
    await this.#take(
      await options.client.patch(nodes, { name: options.nodeName }, { type: "merge", body }, { signal }),
    );
  }

  async #write(status: NodeStatus, signal: AbortSignal): Promise<void> {
    const { client, nodeName } = this.#own.options;
    const others = (this.#node?.status?.addresses ?? []).filter(
      ({ type, address }) => !status.addresses?.some((own) => own.type === type && own.address === address),
    );
    // Addresses merge by type: a whole new list, or an old one of another address would stay.
    const addresses = others.length === 0 ? status.addresses : [...(status.addresses ?? []), { $patch: "replace" }];
    const allocatable = { ...goneFrom(this.#node?.status?.allocatable, status.allocatable), ...status.allocatable };
    const node = await client.patch(
      nodes,
      { name: nodeName },
      { type: "strategic", body: { status: { ...status, addresses, allocatable } } },
      { subresource: "status", signal },
    );
    this.#reportedAtMs = this.#own.clock.now();
    await this.#take(node);
  }

  async #take(node: Node): Promise<void> {
    const before = podCidrsOf(this.#node);
    this.#node = node;
    const podCidr = podCidrsOf(node);
    if (podCidr !== "" && podCidr !== before) await this.#own.options.runtime.updatePodCidr(podCidr);
  }

  #status(previous: NodeStatus | undefined): Promise<NodeStatus> {
    const { options, host, version, clock, serverPort, pressure, devices } = this.#own;
    const { runtime } = options;
    return nodeStatus({
      options,
      host,
      version,
      clock,
      runtime,
      previous,
      serverPort: serverPort(),
      pressure: pressure(),
      devices: devices(),
    });
  }

  /** The fields that the agent reports; others have theirs in the same status. */
  #ownPart(status: NodeStatus | undefined): NodeStatus {
    const { addresses, capacity, allocatable, conditions, daemonEndpoints, nodeInfo, images } = status ?? {};
    const { features, runtimeHandlers } = status ?? {};
    const own = new Set(["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"]);
    const part = { addresses, capacity, allocatable, daemonEndpoints, nodeInfo, images, features, runtimeHandlers };
    return { ...part, conditions: conditions?.filter(({ type }) => own.has(type)) } as NodeStatus;
  }
}

/** In a patch, for what is there no more. */
function goneFrom(before: NodeStatus["allocatable"], now: NodeStatus["allocatable"]): Readonly<Record<string, null>> {
  const gone = Object.keys(before ?? {}).filter((name) => now?.[name] === undefined);
  return Object.fromEntries(gone.map((name) => [name, null]));
}

function withoutHeartbeats(status: NodeStatus): unknown {
  return { ...status, conditions: status.conditions?.map(({ lastHeartbeatTime: _, ...rest }) => rest) };
}

/** As a runtime is told: of both families with a comma between them. */
function podCidrsOf(node: Node | undefined): string {
  const { podCIDR = "", podCIDRs = [] } = node?.spec ?? {};
  return podCIDRs.length > 0 ? podCIDRs.join() : podCIDR;
}
