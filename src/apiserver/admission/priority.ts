import { type New, type PriorityClass, priorityClasses } from "../../api/index.js";
import type { AdmissionPlugin, AdmissionRequest, CacheReader } from "./admission.js";
import { onPods, podSpecOf, refuse, withSpec } from "./objects.js";

/** The classes that every cluster has. */
export const systemPriorityClasses: readonly New<PriorityClass>[] = [
  systemClass(
    "system-node-critical",
    2_000_001_000,
    "Used for system critical pods that must not be moved from their current node.",
  ),
  systemClass(
    "system-cluster-critical",
    2_000_000_000,
    "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
  ),
];

function systemClass(name: string, value: number, description: string): New<PriorityClass> {
  return {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name },
    value,
    description,
    preemptionPolicy: "PreemptLowerPriority",
  };
}

interface Found {
  readonly name: string;
  readonly value: number;
  readonly preemptionPolicy?: string;
}

/** Turns a pod's class into the numbers that the scheduler goes by. */
export function priority(deps: { readonly cache: CacheReader }): AdmissionPlugin {
  const pods = onPods(["CREATE", "UPDATE"]);
  return {
    name: "Priority",
    handles: (request) => pods(request) || (onClasses(request) && request.operation !== "DELETE"),
    admit(request) {
      const object = request.object ?? {};
      if (onClasses(request)) return object;
      const spec = podSpecOf(object);
      if (request.operation === "UPDATE") {
        const old = podSpecOf(request.oldObject);
        return withSpec(object, {
          ...(spec.priority === undefined && old.priority !== undefined ? { priority: old.priority } : {}),
          ...(spec.preemptionPolicy === undefined && old.preemptionPolicy !== undefined
            ? { preemptionPolicy: old.preemptionPolicy }
            : {}),
        });
      }
      const found = classFor(deps.cache, request, spec.priorityClassName ?? "");
      const policy = found.preemptionPolicy ?? "PreemptLowerPriority";
      if (spec.priority !== undefined && spec.priority !== found.value) {
        throw refuse(
          request,
          `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${found.value} from the given PriorityClass name`,
        );
      }
      if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
        throw refuse(
          request,
          `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
        );
      }
      const name = found.name === "" ? {} : { priorityClassName: found.name };
      return withSpec(object, { ...name, priority: found.value, preemptionPolicy: policy });
    },
    validate(request) {
      if (!onClasses(request) || request.object?.["globalDefault"] !== true) return;
      if (request.operation === "UPDATE" && request.oldObject?.["globalDefault"] === true) return;
      const other = deps.cache
        .list(priorityClasses)
        .find((one) => one.globalDefault && one.metadata.name !== request.name);
      if (other === undefined) return;
      throw refuse(
        request,
        `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`,
      );
    },
  };
}

function onClasses(request: AdmissionRequest): boolean {
  return request.resource === "priorityclasses" && request.group === "scheduling.k8s.io" && request.subresource === "";
}

function classFor(cache: CacheReader, request: AdmissionRequest, name: string): Found {
  if (name === "") {
    const defaults = cache.list(priorityClasses).filter((one) => one.globalDefault);
    const lowest = defaults.sort((left, right) => (left.value ?? 0) - (right.value ?? 0))[0];
    return lowest === undefined ? { name: "", value: 0 } : found(lowest.metadata.name ?? "", lowest);
  }
  const kept = cache.get(priorityClasses, { name });
  const known = kept ?? systemPriorityClasses.find((one) => one.metadata.name === name);
  if (known === undefined) throw refuse(request, `no PriorityClass with name ${name} was found`);
  return found(name, known);
}

function found(name: string, from: Pick<PriorityClass, "value" | "preemptionPolicy">): Found {
  const { value = 0, preemptionPolicy } = from;
  return preemptionPolicy === undefined ? { name, value } : { name, value, preemptionPolicy };
}
