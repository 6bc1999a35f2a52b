import { keyOf, type Pod } from "../../api/index.js";
import type { Informer } from "../../client/index.js";
import { timestamp } from "../../internal/clock.js";
import type { ReconcileContext, ReconcileResult } from "../define-controller.js";
import { findCondition } from "../shared/conditions.js";
import { patchStatus } from "../shared/evict-pod.js";
import { isFinished, isTerminating } from "../shared/pods.js";

const staleMs = 2 * 60_000;
const prefix = "pod:";

export function isPodKey(key: string): boolean {
  return key.startsWith(prefix);
}

/** Takes back what was said of pods that were to be ended and that nobody ended: whoever counts failures would go by it. */
export class StaleDisruptions {
  readonly #pods: Informer<Pod>;

  constructor(pods: Informer<Pod>) {
    this.#pods = pods;
  }

  look(pod: Pod, enqueue: (key: string) => void): void {
    if (disruptedSince(pod) !== undefined) enqueue(`${prefix}${keyOf(pod)}`);
  }

  async reconcile(key: string, { client, clock, signal }: ReconcileContext): Promise<ReconcileResult> {
    const pod = this.#pods.get(key.slice(prefix.length));
    const since = pod === undefined ? undefined : disruptedSince(pod);
    if (pod === undefined || since === undefined) return undefined;
    const leftMs = since + staleMs - clock.now();
    if (leftMs > 0) return { requeueAfterMs: leftMs };
    const condition = {
      type: "DisruptionTarget",
      status: "False",
      reason: "",
      message: "",
      lastTransitionTime: timestamp(clock),
    };
    await patchStatus(client, pod, { conditions: [condition] }, signal);
    return undefined;
  }
}

/** A node's own word stands, however long it takes to carry it out. */
function disruptedSince(pod: Pod): number | undefined {
  const condition = findCondition(pod.status?.conditions, "DisruptionTarget");
  if (condition?.status !== "True" || condition.reason === "TerminationByKubelet") return undefined;
  if (isTerminating(pod) || isFinished(pod)) return undefined;
  return Date.parse(condition.lastTransitionTime ?? pod.metadata.creationTimestamp);
}
