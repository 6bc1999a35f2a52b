import type { StrategyContext } from "../../description.js";
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from "../../gen/types.js";
import { validateDns1123Label } from "../../names.js";
import { templateGatedFields } from "../core/pod-gated-fields.js";
import { claimSpecWarnings } from "../core/storage-validation.js";
import { semanticallyEqual } from "../equality.js";
import { gated } from "../gated-fields.js";
import type { Loose } from "../loose.js";
import { startsWithStatus } from "../status-zero.js";
import { type StrategyEntry, strategyOf } from "../strategy.js";
import { defaultDaemonSet, defaultDeployment, defaultReplicaSet, defaultStatefulSet } from "./defaults.js";
import {
  validateNewStatefulSet,
  validateStatefulSet,
  validateStatefulSetStatus,
  validateStatefulSetUpdate,
} from "./stateful-set-validation.js";
import {
  validateControllerRevision,
  validateControllerRevisionUpdate,
  validateDaemonSet,
  validateDaemonSetStatus,
  validateDeployment,
  validateDeploymentStatus,
  validateReplicaSet,
  validateReplicaSetStatus,
  validateSelectorUpdate,
} from "./validation.js";
import { isChanged, namedWorkloadWarnings, workloadWarnings } from "./workload-warnings.js";

const scale = { specReplicas: ".spec.replicas", statusReplicas: ".status.replicas", selector: ".spec.selector" };

/** Annotations of a deployment are copied to its replica sets, so the controller must see that it has a new generation. */
function countAnnotations(
  deployment: Loose<Deployment>,
  old: Loose<Deployment>,
  context: StrategyContext,
): Loose<Deployment> {
  if (context.subresource !== undefined) return deployment;
  const before = old.metadata;
  if (semanticallyEqual(deployment.metadata?.annotations, before?.annotations, true)) return deployment;
  return { ...deployment, metadata: { ...deployment.metadata, generation: (before?.generation ?? 0) + 1 } };
}

const generationAnnotation = "deprecated.daemonset.template.generation";

const noDaemons = startsWithStatus({
  currentNumberScheduled: 0,
  desiredNumberScheduled: 0,
  numberMisscheduled: 0,
  numberReady: 0,
});

/** How often the template has changed: a field of older versions, which v1 shows as an annotation. */
function templateGeneration({ metadata }: Loose<DaemonSet>): number {
  const text = metadata?.annotations?.[generationAnnotation] ?? "";
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
}

function withTemplateGeneration(set: Loose<DaemonSet>, generation: number): Loose<DaemonSet> {
  const annotations = { ...set.metadata?.annotations, [generationAnnotation]: String(generation) };
  return { ...set, metadata: { ...set.metadata, annotations } };
}

function statefulSetWarnings(set: Loose<StatefulSet>, old: Loose<StatefulSet> | undefined): readonly string[] {
  const warnings = [...workloadWarnings(set, old)];
  if (!isChanged(set, old)) return warnings;
  set.spec?.volumeClaimTemplates?.forEach(({ spec = {} }, index) => {
    warnings.push(...claimSpecWarnings(`spec.volumeClaimTemplates[${index}].spec`, spec));
  });
  if ((set.spec?.revisionHistoryLimit ?? 0) < 0) {
    const why = "a negative value retains all historical revisions; a value >= 0 is recommended";
    warnings.push(`spec.revisionHistoryLimit: ${why}`);
  }
  return warnings;
}

export const appsStrategies: readonly StrategyEntry[] = [
  [
    "apps/deployments",
    strategyOf<Deployment>({
      defaults: defaultDeployment,
      gatedFields: templateGatedFields("spec.template"),
      prepareForCreate: startsWithStatus({}),
      prepareForUpdate: countAnnotations,
      validate: validateDeployment,
      validateUpdate: validateSelectorUpdate,
      validateStatusUpdate: validateDeploymentStatus,
      warnings: namedWorkloadWarnings,
      scale,
    }),
  ],
  [
    "apps/replicasets",
    strategyOf<ReplicaSet>({
      defaults: defaultReplicaSet,
      gatedFields: templateGatedFields("spec.template"),
      prepareForCreate: startsWithStatus({ replicas: 0 }),
      validate: validateReplicaSet,
      validateUpdate: validateSelectorUpdate,
      validateStatusUpdate: validateReplicaSetStatus,
      warnings: namedWorkloadWarnings,
      scale,
    }),
  ],
  [
    "apps/daemonsets",
    strategyOf<DaemonSet>({
      defaults: defaultDaemonSet,
      gatedFields: templateGatedFields("spec.template"),
      prepareForCreate: (set) => withTemplateGeneration(noDaemons(set), Math.max(1, templateGeneration(set))),
      prepareForUpdate: (set, old) => {
        const isNew = !semanticallyEqual(set.spec?.template, old.spec?.template);
        return withTemplateGeneration(set, Math.max(1, templateGeneration(old)) + (isNew ? 1 : 0));
      },
      validate: validateDaemonSet,
      validateUpdate: validateSelectorUpdate,
      validateStatusUpdate: validateDaemonSetStatus,
      warnings: workloadWarnings,
    }),
  ],
  [
    "apps/statefulsets",
    strategyOf<StatefulSet>({
      defaults: defaultStatefulSet,
      gatedFields: [
        ...templateGatedFields("spec.template"),
        gated("MaxUnavailableStatefulSet", ["spec.updateStrategy.rollingUpdate.maxUnavailable"]),
      ],
      prepareForCreate: startsWithStatus({ replicas: 0, availableReplicas: 0 }),
      validate: validateStatefulSet,
      validateCreate: validateNewStatefulSet,
      validateUpdate: validateStatefulSetUpdate,
      validateStatusUpdate: validateStatefulSetStatus,
      // Its pods have names of their own within a domain.
      validateName: validateDns1123Label,
      warnings: statefulSetWarnings,
      scale,
    }),
  ],
  [
    "apps/controllerrevisions",
    strategyOf<ControllerRevision>({
      validate: validateControllerRevision,
      validateUpdate: validateControllerRevisionUpdate,
      generation: false,
    }),
  ],
];
