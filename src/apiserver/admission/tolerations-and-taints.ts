import type { Node } from "../../api/index.js";
import type { AdmissionPlugin } from "./admission.js";
import { onPods, type PodSpecLike, podSpecOf, specOf, withSpec } from "./objects.js";

const notReady = "node.kubernetes.io/not-ready";
const unreachable = "node.kubernetes.io/unreachable";

type Toleration = NonNullable<PodSpecLike["tolerations"]>[number];

/** Pods stay for a while on a node that is not ready or out of reach, unless they say themselves for how long. */
export function defaultTolerationSeconds(seconds: number = 300): AdmissionPlugin {
  const toleration = (key: string): Toleration => ({
    key,
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds: seconds,
  });
  return {
    name: "DefaultTolerationSeconds",
    handles: onPods(["CREATE", "UPDATE"]),
    admit(request) {
      const object = request.object ?? {};
      const tolerations = podSpecOf(object).tolerations ?? [];
      const missing = [notReady, unreachable].filter((key) => !tolerations.some((one) => tolerates(one, key)));
      return missing.length === 0
        ? object
        : withSpec(object, { tolerations: [...tolerations, ...missing.map(toleration)] });
    },
  };
}

function tolerates(toleration: Toleration, key: string): boolean {
  return (!toleration.key || toleration.key === key) && (!toleration.effect || toleration.effect === "NoExecute");
}

/** A new node takes no pods before the node lifecycle controller has seen it ready. */
export const taintNodesByCondition: AdmissionPlugin = {
  name: "TaintNodesByCondition",
  handles: (request) =>
    request.resource === "nodes" &&
    request.group === "" &&
    request.subresource === "" &&
    request.operation === "CREATE",
  admit(request) {
    const object = request.object ?? {};
    const taints = specOf<Node>(object).taints ?? [];
    if (taints.some((taint) => taint.key === notReady && taint.effect === "NoSchedule")) return object;
    return withSpec(object, { taints: [...taints, { key: notReady, effect: "NoSchedule" }] });
  },
};
