import {
  type DeleteOptions,
  type Eviction,
  type JsonObject,
  type KubeObject,
  type Pod,
  type PodCondition,
  type PodDisruptionBudget,
  podDisruptionBudgets,
  pods,
  type Status,
  statusErrors,
} from "../../api/index.js";
import { isJsonObject } from "../../api/kinds/strategy.js";
import { selectorFromLabelSelector } from "../../api/labels.js";
import type { ServerRequest, ServerResult, StoredObject } from "../request.js";
import { isDryRun, type RegistryContext, strategyContext } from "./context.js";
import { deleteOne } from "./delete.js";
import { checkPreconditions, readDeleteOptions } from "./delete-options.js";
import type { Endpoint } from "./endpoint.js";
import type { Decision } from "./writer.js";

/** A disruption that its budget has not noticed within this time counts no more; the disruption controller drops the entry. */
const maxDisruptedPods = 2000;

/** POST pods/NAME/eviction: a delete that asks the pod's disruption budget first. */
export async function evict(
  context: RegistryContext,
  endpointOf: (resource: typeof pods | typeof podDisruptionBudgets) => Endpoint,
  request: ServerRequest,
): Promise<ServerResult> {
  const podEndpoint = endpointOf(pods);
  const eviction = (isJsonObject(request.body) ? request.body : {}) as Partial<Eviction>;
  if (eviction.metadata?.name !== request.name) {
    throw statusErrors.badRequest("name in URL does not match name in Eviction object");
  }
  const options = { ...eviction.deleteOptions, ...(isDryRun(request) ? { dryRun: ["All"] } : {}) };
  const stored = await context.reader.get(podEndpoint, { ...request, options: {} });
  const pod = stored.object as unknown as Pod;
  const remove = { ...request, verb: "delete" as const, subresource: undefined, body: options };
  if (needsBudget(pod)) {
    const budgets = budgetsOf(endpointOf(podDisruptionBudgets), pod);
    if (budgets.length > 1) {
      throw statusErrors.internal(
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
      );
    }
    const [budget] = budgets;
    if (budget !== undefined && !unhealthyAndAllowed(pod, budget)) {
      await spend(context, endpointOf(podDisruptionBudgets), remove, budget, pod.metadata.name);
    }
  }
  const preconditions = { uid: pod.metadata.uid, ...options.preconditions };
  if (!isDryRun(remove)) {
    const revision = await markDisrupted(
      context,
      podEndpoint,
      request,
      readDeleteOptions({ ...options, preconditions }),
    );
    if (preconditions.resourceVersion !== undefined) preconditions.resourceVersion = String(revision);
  }
  await deleteOne(context, podEndpoint, { ...remove, body: { ...options, preconditions } });
  const status: Status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
  return { type: "object", code: 201, object: status };
}

/** Says on the pod why it goes, for those who count its failure: a Job's failure policy, for one. Gives the pod's revision then. */
async function markDisrupted(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  options: DeleteOptions,
): Promise<number> {
  const name = request.name ?? "";
  const { now: lastTransitionTime } = strategyContext(context, request);
  const mutate = async (current: StoredObject): Promise<Decision> => {
    const old = await endpoint.read(current, request.signal);
    checkPreconditions(endpoint, options, old, name);
    const pod = old as unknown as Pod;
    const { generation } = pod.metadata;
    const condition: PodCondition = {
      type: "DisruptionTarget",
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      status: "True",
      lastTransitionTime,
      reason: "EvictionByEvictionAPI",
      message: "Eviction API: evicting",
    };
    const status = { ...pod.status, conditions: withCondition(pod.status?.conditions ?? [], condition) };
    const next = { ...old, status } as unknown as JsonObject;
    return { type: "put", object: await endpoint.toStorage(next, request.signal) };
  };
  const key = endpoint.keyOf(request.namespace, name);
  const { stored } = await context.writer.update(endpoint, key, name, "update", mutate, request.signal);
  return stored.revision;
}

/** In its old place and since its old time, where it was there with the same status. */
function withCondition(conditions: readonly PodCondition[], condition: PodCondition): readonly PodCondition[] {
  const at = conditions.findIndex(({ type }) => type === condition.type);
  const old = conditions[at];
  if (old === undefined) return [...conditions, condition];
  const { lastTransitionTime } = old;
  const since = old.status === condition.status && lastTransitionTime !== undefined ? { lastTransitionTime } : {};
  return conditions.with(at, { ...condition, ...since });
}

/** A pod that does not run, or is on its way out, can go without asking. */
function needsBudget(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return (
    phase !== "Succeeded" && phase !== "Failed" && phase !== "Pending" && pod.metadata.deletionTimestamp === undefined
  );
}

function budgetsOf(endpoint: Endpoint, pod: Pod): PodDisruptionBudget[] {
  const prefix = endpoint.prefixOf(pod.metadata.namespace);
  return [...endpoint.cache.select({ prefix })]
    .map((stored) => stored.object as unknown as PodDisruptionBudget)
    .filter((budget) => selectorFromLabelSelector(budget.spec?.selector).matches(pod.metadata.labels));
}

function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
}

/** A pod that is not ready protects nothing, when the budget says so or is met without it. */
function unhealthyAndAllowed(pod: Pod, budget: PodDisruptionBudget): boolean {
  if (isReady(pod)) return false;
  if (budget.spec?.unhealthyPodEvictionPolicy === "AlwaysAllow") return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {};
  return currentHealthy >= desiredHealthy && desiredHealthy > 0;
}

/** Takes one disruption from the budget, with the same care as any write: two evictions cannot spend the same one. */
async function spend(
  context: RegistryContext,
  endpoint: Endpoint,
  request: ServerRequest,
  budget: PodDisruptionBudget,
  pod: string,
): Promise<void> {
  const { name, namespace } = budget.metadata;
  const { now } = strategyContext(context, request);
  const mutate = (current: { readonly object: KubeObject }): Decision => {
    const object = spent(current.object as unknown as PodDisruptionBudget, pod, now);
    return isDryRun(request) ? { type: "keep" } : { type: "put", object: object as unknown as JsonObject };
  };
  await context.writer.update(endpoint, endpoint.keyOf(namespace, name), name, "update", mutate, request.signal);
}

function spent(budget: PodDisruptionBudget, pod: string, now: string): PodDisruptionBudget {
  const { name, generation = 0 } = budget.metadata;
  const { status } = budget;
  if ((status?.observedGeneration ?? 0) < generation) {
    throw statusErrors.tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 10, [
      { reason: "DisruptionBudget", message: `The disruption budget ${name} is still being processed by the server.` },
    ]);
  }
  const allowed = status?.disruptionsAllowed ?? 0;
  if (allowed < 0) {
    throw statusErrors.forbidden(
      { group: "policy", resource: "poddisruptionbudget" },
      name,
      "pdb disruptions allowed is negative",
    );
  }
  if (Object.keys(status?.disruptedPods ?? {}).length > maxDisruptedPods) {
    throw statusErrors.forbidden(
      { group: "policy", resource: "poddisruptionbudget" },
      name,
      "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
    );
  }
  if (allowed === 0) {
    throw statusErrors.tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0, [
      { reason: "DisruptionBudget", message: whyNone(budget) },
    ]);
  }
  return {
    ...budget,
    status: {
      ...(status as NonNullable<typeof status>),
      disruptionsAllowed: allowed - 1,
      disruptedPods: { ...status?.disruptedPods, [pod]: now },
    },
  };
}

function whyNone({ metadata: { name }, status }: PodDisruptionBudget): string {
  const { currentHealthy = 0, desiredHealthy = 0, conditions = [] } = status ?? {};
  const said = conditions.find(
    ({ type, status, message }) => type === "DisruptionAllowed" && status === "False" && message,
  );
  const closed = `The disruption budget ${name} does not allow evicting pods currently`;
  // Where that failed the numbers are not to be relied on.
  if (said?.reason === "SyncFailed") return `${closed} because it failed sync: ${said.message}`;
  if (currentHealthy <= desiredHealthy) {
    return `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  }
  return said === undefined ? closed : `${closed} (${said.reason}): ${said.message}`;
}
