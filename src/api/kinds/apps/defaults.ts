import type { DaemonSet, Deployment, ReplicaSet, ReplicationController, StatefulSet } from "../../gen/types.js";
import { defaultClaim } from "../core/claim-defaults.js";
import { defaultPodTemplate } from "../core/pod-defaults.js";
import { mapField, mapItems, withDefaults, withField, withZeroDefaults } from "../defaulting.js";
import { isEmptyMap, type Loose } from "../loose.js";

export function defaultDeployment(deployment: Loose<Deployment>): Loose<Deployment> {
  return mapField(deployment, "spec", (given) => {
    let spec = withDefaults(given, {
      replicas: 1,
      strategy: {},
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
    });
    spec = mapField(spec, "strategy", (strategy) => {
      const result = withZeroDefaults(strategy, { type: "RollingUpdate" });
      if (result.type !== "RollingUpdate") return result;
      const rollingUpdate = withDefaults(result.rollingUpdate ?? {}, { maxUnavailable: "25%", maxSurge: "25%" });
      return withField(result, "rollingUpdate", rollingUpdate);
    });
    return mapField(spec, "template", defaultPodTemplate);
  });
}

export function defaultReplicaSet(set: Loose<ReplicaSet>): Loose<ReplicaSet> {
  return mapField(set, "spec", (spec) => mapField(withDefaults(spec, { replicas: 1 }), "template", defaultPodTemplate));
}

export function defaultDaemonSet(set: Loose<DaemonSet>): Loose<DaemonSet> {
  return mapField(set, "spec", (given) => {
    let spec = withDefaults(given, { revisionHistoryLimit: 10, updateStrategy: {} });
    spec = mapField(spec, "updateStrategy", (strategy) => {
      const result = withZeroDefaults(strategy, { type: "RollingUpdate" });
      if (result.type !== "RollingUpdate") return result;
      const rollingUpdate = withDefaults(result.rollingUpdate ?? {}, { maxUnavailable: 1, maxSurge: 0 });
      return withField(result, "rollingUpdate", rollingUpdate);
    });
    return mapField(spec, "template", defaultPodTemplate);
  });
}

export function defaultStatefulSet(set: Loose<StatefulSet>): Loose<StatefulSet> {
  return mapField(set, "spec", (given) => {
    let spec = withDefaults(withZeroDefaults(given, { podManagementPolicy: "OrderedReady" }), {
      replicas: 1,
      revisionHistoryLimit: 10,
      updateStrategy: {},
      persistentVolumeClaimRetentionPolicy: {},
    });
    spec = mapField(spec, "updateStrategy", (strategy) => {
      const result = withZeroDefaults(strategy, { type: "RollingUpdate" });
      if (result.type !== "RollingUpdate") return result;
      const rollingUpdate = withDefaults(result.rollingUpdate ?? {}, { partition: 0 });
      return withField(result, "rollingUpdate", rollingUpdate);
    });
    spec = mapField(spec, "persistentVolumeClaimRetentionPolicy", (policy) =>
      withZeroDefaults(policy, { whenDeleted: "Retain", whenScaled: "Retain" }),
    );
    spec = mapField(spec, "volumeClaimTemplates", (claims) => mapItems(claims, defaultClaimTemplate));
    return mapField(spec, "template", defaultPodTemplate);
  });
}

function defaultClaimTemplate(
  claim: NonNullable<NonNullable<Loose<StatefulSet>["spec"]>["volumeClaimTemplates"]>[number],
): typeof claim {
  return withZeroDefaults(defaultClaim(claim), { apiVersion: "v1", kind: "PersistentVolumeClaim" });
}

/** The labels of the template serve as selector and as labels of a ReplicationController that has none. */
export function defaultReplicationController(controller: Loose<ReplicationController>): Loose<ReplicationController> {
  const labels = controller.spec?.template?.metadata?.labels;
  const result = mapField(controller, "spec", (given) => {
    let spec = withDefaults(given, { replicas: 1 });
    if (labels !== undefined && isEmptyMap(spec.selector)) spec = withField(spec, "selector", labels);
    return mapField(spec, "template", defaultPodTemplate);
  });
  if (labels === undefined || !isEmptyMap(result.metadata?.labels)) return result;
  return withField(result, "metadata", { ...result.metadata, labels });
}
