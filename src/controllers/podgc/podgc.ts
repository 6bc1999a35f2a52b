import { isStatusError, type Node, nodes, type Pod, pods } from "../../api/index.js";
import { every } from "../../internal/clock.js";
import type { Controller, ControllerContext, RunningController } from "../controller.js";
import { findCondition } from "../shared/conditions.js";
import { markDisrupted, patchStatus } from "../shared/evict-pod.js";
import { isFinished, isTerminating } from "../shared/pods.js";
import { deleteExactly } from "../shared/write-status.js";

const periodMs = 20_000;
/** A node that is not there may only be late. */
const quarantineMs = 40_000;
const outOfService = "node.kubernetes.io/out-of-service";

/** Removes pods that nobody else will: of nodes that are gone, never scheduled ones that are being deleted, and finished ones beyond a limit. */
export function podGarbageCollector(options: { readonly terminatedLimit?: number } = {}): Controller {
  return {
    name: "pod-garbage-collector-controller",
    account: "pod-garbage-collector",
    aliases: ["podgc"],
    setup: (context) => new PodCollector(context, options.terminatedLimit ?? 12_500),
  };
}

class PodCollector implements RunningController {
  readonly #context: ControllerContext;
  readonly #limit: number;
  readonly #missingSince = new Map<string, number>();
  #busy = false;

  constructor(context: ControllerContext, limit: number) {
    this.#context = context;
    this.#limit = limit;
    context.informer(pods);
    context.informer(nodes);
  }

  get idle(): boolean {
    return !this.#busy;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#context;
    await every(clock, periodMs, signal, async () => {
      this.#busy = true;
      try {
        await this.#collect(signal);
      } catch (error) {
        if (!signal.aborted) logger.warn("cannot collect pods", { error });
      }
      this.#busy = false;
    });
  }

  async #collect(signal: AbortSignal): Promise<void> {
    const { informer } = this.#context;
    const all = [...informer(pods).list()];
    const finished = all
      .filter(isFinished)
      .sort((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1));
    const excess = this.#limit > 0 ? finished.slice(0, Math.max(0, finished.length - this.#limit)) : [];
    for (const pod of excess) await this.#remove(pod, undefined, signal);
    for (const pod of all) {
      if (isTerminating(pod) && !pod.spec?.nodeName) {
        await this.#remove(pod, undefined, signal);
        continue;
      }
      const node = informer(nodes).get(pod.spec?.nodeName ?? "");
      if (isTerminating(pod) && node !== undefined && isOutOfService(node)) await this.#remove(pod, undefined, signal);
    }
    await this.#orphans(all, signal);
  }

  async #orphans(all: readonly Pod[], signal: AbortSignal): Promise<void> {
    const { client, clock, informer } = this.#context;
    const bound = new Set(all.map((pod) => pod.spec?.nodeName ?? ""));
    const known = informer(nodes);
    for (const name of this.#missingSince.keys())
      if (!bound.has(name) || known.get(name)) this.#missingSince.delete(name);
    for (const name of bound) {
      if (name === "" || known.get(name) !== undefined) continue;
      const since = this.#missingSince.get(name) ?? clock.now();
      this.#missingSince.set(name, since);
      if (clock.now() - since < quarantineMs) continue;
      try {
        await client.get(nodes, { name }, { signal });
        continue;
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
      for (const pod of all) {
        if (pod.spec?.nodeName === name) await this.#remove(pod, "PodGC: node no longer exists", signal);
      }
    }
  }

  /** Nobody is left to end it in peace. `why`: it is disrupted by that, and its end no choice of its own. */
  async #remove(pod: Pod, why: string | undefined, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#context;
    if (!isFinished(pod)) {
      if (why === undefined) await patchStatus(client, pod, { phase: "Failed" }, signal);
      else await markDisrupted(client, clock, pod, "DeletionByPodGC", why, signal, "Failed");
    }
    await deleteExactly(client, pods, pod, { gracePeriodSeconds: 0, signal });
  }
}

/** Somebody says so, and the node does not contradict: one that is ready ends its pods itself. */
function isOutOfService({ spec, status }: Node): boolean {
  const marked = (spec?.taints ?? []).some(({ key }) => key === outOfService);
  return marked && findCondition(status?.conditions, "Ready")?.status !== "True";
}
